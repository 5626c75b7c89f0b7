"""A gateway's network on this machine: its namespace, links, XFRM interfaces, routes, routing rules and firewall.

Belongs here: everything that speaks netlink or nftables. Must never enter: charon, IKE. `gateway_network` and `tunnels` say what is
desired (pure), `observe` reads a NetworkState, `planning` (pure) orders the steps between both, `apply` carries a step out.
"""
