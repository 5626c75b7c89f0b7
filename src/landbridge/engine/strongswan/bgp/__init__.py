"""The BGP sessions of a gateway: it has a BIRD of its own in its namespace.

Belongs here: BIRD's process, its configuration, its control socket, its log. Must never enter: charon, netlink, nftables. `configuration` says
what BIRD must run (pure), `observe` reads a BgpState, `planning` (pure) orders the steps between both, `apply` carries a step out, and
`watch` finds out that something changed. BIRD's words stay in `answers` and `faults`.
"""
