"""Engines make tunnels: they observe, plan and apply one gateway at a time.

Belongs here: everything that touches charon, the kernel's network or a simulation of them. Must never enter: HTTP, SQL, statuses, the rules
of the API. Invariant: all decisions are made in `plan`, which is pure.
"""
