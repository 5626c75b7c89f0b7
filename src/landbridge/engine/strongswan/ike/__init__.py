"""A gateway's IKE daemon: charon's process, what is loaded into it, its SAs, and what it says.

Belongs here: everything that speaks VICI. Must never enter: links, routes, the firewall. `messages` says what is desired (pure), `observe`
reads an IkeState, `planning` (pure) orders the steps between both, `vici_session` and `charon` carry a step out.
"""
