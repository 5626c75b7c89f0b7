"""The reconciliation loop: source.desired -> engine -> source.report.

Belongs here: when to look, at what, and what to do after a failure. Must never enter: SQL, HTTP, statuses; the agent
reports what it saw. A nudge carries a gateway's id and never a change; a lost one costs one tick.
"""
