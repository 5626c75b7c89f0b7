"""What makes tunnels: engines that observe, plan and apply one gateway at a time.

Belongs here: everything that touches charon, the kernel's network or a simulation of them. Must never enter: HTTP, SQL,
statuses, the rules of the API. Invariant: whatever can be decided is decided in a pure `plan`.
"""
