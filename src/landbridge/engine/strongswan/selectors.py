"""Traffic selectors of a connection, and the addresses that a gateway's namespace needs for them. Pure.

On the kernel data plane a static connection's selectors are everything, since routes decide what goes into its XFRM interface.
The userland data plane has one TUN for all tunnels and chooses by selectors, so there they say exactly what they mean.
"""

import functools
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import state

Net = ipaddress.IPv4Network
EVERYTHING = Net("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Pair:
    """The traffic selectors of one CHILD_SA. `rule` is the policy rule's index, 0 without rules."""

    rule: int
    local: Net
    remote: Net

    @property
    def everything(self) -> bool:
        return self.local.prefixlen == 0 or self.remote.prefixlen == 0

    def overlaps(self, other: "Pair") -> bool:
        return self.local.overlaps(other.local) and self.remote.overlaps(other.remote)


def pairs(desired: model.DesiredGateway, wish: model.DesiredConnection, plane: state.Plane) -> tuple[Pair, ...]:
    """The selector pairs of a connection, each once."""
    if wish.connection.style == "policy":
        found = list(_policy_pairs(wish.connection))
    elif plane == "kernel":
        found = [Pair(0, EVERYTHING, EVERYTHING)] if local_subnets(desired) else []
    else:
        found = list(_static_pairs(desired, wish.connection))
    return tuple({(pair.local, pair.remote): pair for pair in reversed(found)}.values())[::-1]


def meant(desired: model.DesiredGateway, wish: model.DesiredConnection) -> Iterator[Pair]:
    """The pairs of subnets that the connection is for, whatever selectors the data plane makes of them."""
    if wish.connection.style == "policy":
        yield from _policy_pairs(wish.connection)
        return
    for pair in _static_pairs(desired, wish.connection):
        if wish.connection.enable_nqa or not is_inner(wish.connection, pair):
            yield pair


def missing(meant: Iterable[Pair], sas: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> Iterator[Pair]:
    """Those of the pairs that no CHILD_SA carries whole. `carried`: local and remote selectors of each, as charon writes them."""
    there = [(local, remote) for locals_, remotes in sas for local in locals_ for remote in remotes]
    exact = set(there)
    if (str(EVERYTHING), str(EVERYTHING)) in exact:
        return
    for pair in meant:
        if (str(pair.local), str(pair.remote)) in exact:
            continue
        if not any(_covers(local, pair.local) and _covers(remote, pair.remote) for local, remote in there):
            yield pair


def _covers(selector: str, net: Net) -> bool:
    """A selector with a port or a range of addresses is no net, and carries no net whole."""
    try:
        return net.subnet_of(parse_net(selector))
    except ValueError:
        return False


def _policy_pairs(connection: model.Connection) -> Iterator[Pair]:
    for rule in connection.policy_rules:
        for destination in rule.destinations:
            yield Pair(rule.index, parse_net(rule.source), parse_net(destination))


def _static_pairs(desired: model.DesiredGateway, connection: model.Connection) -> Iterator[Pair]:
    for local in local_subnets(desired):
        for peer in connection.peer_subnets or ():
            yield Pair(0, local, parse_net(peer))
    if connection.tunnel_local_address and connection.tunnel_peer_address:
        yield Pair(0, parse_host(connection.tunnel_local_address), parse_host(connection.tunnel_peer_address))


def is_inner(connection: model.Connection, pair: Pair) -> bool:
    inner = connection.tunnel_local_address
    return connection.style == "static" and inner is not None and pair.local == parse_host(inner)


def local_subnets(desired: model.DesiredGateway) -> tuple[Net, ...]:
    """An er gateway names no subnets: its router's whole network is the local side."""
    subnets = desired.gateway.local_subnets or ((desired.network.cidr,) if desired.network.cidr else ())
    return tuple(parse_net(subnet) for subnet in subnets)


def uncovered(desired: model.DesiredGateway, wish: model.DesiredConnection) -> Iterator[Net]:
    """Local selectors of the userland data plane without the gateway's own address in them."""
    own_address = vpc_address(desired.network)
    return (
        pair.local
        for pair in pairs(desired, wish, "userland")
        if own_address is None or own_address.ip not in pair.local
    )


@functools.lru_cache(maxsize=1 << 10)
def vpc_address(network: model.Network) -> ipaddress.IPv4Interface | None:
    """The gateway's own address in its VPC, where it has a link there."""
    plugged = network.address and (network.bridge or network.interface)
    return ipaddress.IPv4Interface(network.address) if plugged else None


@functools.lru_cache(maxsize=1 << 14)
def parse_net(text: str) -> Net:
    return ipaddress.IPv4Network(text, strict=False)


@functools.lru_cache(maxsize=1 << 14)
def parse_host(text: str) -> Net:
    """The single address of `169.254.56.225/30`."""
    return Net(f"{text.split('/', maxsplit=1)[0]}/32")
