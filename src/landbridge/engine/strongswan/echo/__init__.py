"""ICMP echoes (RFC 792) from a gateway's namespace.

Belongs here: what is sent as an echo, and what its answers and errors say. Must never enter: charon, links, routes. Who opens a socket
enters the namespace first (`network.namespace.inside`).
"""
