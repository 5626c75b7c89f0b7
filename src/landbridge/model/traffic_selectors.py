"""The pairs of subnets that a connection carries, for the engine and for the other side's configuration. Pure.

The engine maps these pairs to the selectors of its data plane.
"""

from collections.abc import Iterator

from landbridge.model.connection import Connection
from landbridge.model.gateway import Network, VpnGateway


def local_subnets(gateway: VpnGateway, network: Network) -> tuple[str, ...]:
    """The local side of a gateway. A gateway that is attached to an er names no subnets: its whole network is the local
    side.
    """
    return gateway.local_subnets or ((network.cidr,) if network.cidr else ())


def subnet_pairs(connection: Connection, local: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    """(index of the policy rule, local subnet, peer subnet). Without policy rules the index is 0."""
    if connection.style == "policy":
        for rule in connection.policy_rules:
            for destination in rule.destinations:
                yield rule.index, rule.source, destination
        return
    for ours in local:
        for theirs in connection.peer_subnets or ():
            yield 0, ours, theirs


def inner_addresses(connection: Connection) -> tuple[str, str] | None:
    """The addresses of the tunnel interface, ours and the device's, with their mask; None without both."""
    ours, theirs = connection.tunnel_local_address, connection.tunnel_peer_address
    return (ours, theirs) if ours and theirs else None
