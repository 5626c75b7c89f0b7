"""Derives a status and a diagnosis from the specification, what was applied, the observation and the evidence: pure, at read time.

Belongs here: the API's status words and the reasons for them. Must never enter: I/O, the engine's own types, JSON.
Invariant: a status is never stored; "cannot see" is never "is down".
"""
