"""Traffic selectors of a connection, and the addresses that a gateway's namespace needs for them. Pure.

On the kernel data plane a static connection's selectors are everything, since routes decide what goes into its XFRM interface.
The userland data plane has one TUN for all tunnels and chooses by selectors, so there they say exactly what they mean.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import subnets
from landbridge.model import traffic_selectors

EVERYTHING = subnets.Net("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Pair:
    """The traffic selectors of one CHILD_SA. `rule` is the policy rule's index, 0 without rules."""

    rule: int
    local: subnets.Net
    remote: subnets.Net

    @property
    def everything(self) -> bool:
        return self.local.prefixlen == 0 or self.remote.prefixlen == 0

    def overlaps(self, other: "Pair") -> bool:
        return self.local.overlaps(other.local) and self.remote.overlaps(other.remote)


#: Connection id -> the selector pairs of the connection.
PairsOf = Mapping[str, tuple[Pair, ...]]


def pairs_of(desired: model.DesiredGateway, plane: model.Plane) -> PairsOf:
    """The selector pairs of all connections of the gateway, also of those that an engine refuses."""
    return {spec.id: pairs(desired, spec, plane) for spec in desired.connections}


def pairs(desired: model.DesiredGateway, spec: model.DesiredConnection, plane: model.Plane) -> tuple[Pair, ...]:
    """The selector pairs of a connection, each once."""
    if plane == "kernel" and spec.connection.style not in ("policy", "policy-template"):
        return (Pair(0, EVERYTHING, EVERYTHING),) if subnets.local_subnets(desired) else ()
    pairs = list(_subnet_pairs(desired, spec.connection))
    return tuple({(pair.local, pair.remote): pair for pair in reversed(pairs)}.values())[::-1]


def children(connection: model.Connection, pairs: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], ...]:
    """The pairs of each configured CHILD_SA: one each. A policy-template has one child with all pairs: its device asks for a part of them, in
    one CHILD_SA or in several. `pairs`: those of the connection.
    """
    if connection.style == "policy-template":
        return (pairs,) if pairs else ()
    return tuple((pair,) for pair in pairs)


def intended(desired: model.DesiredGateway, spec: model.DesiredConnection) -> Iterator[Pair]:
    """The pairs of subnets that the connection is for, whatever selectors the data plane makes of them. The device of a policy-template alone
    says what it needs, so nothing is missing there.
    """
    if spec.connection.style == "policy-template":
        return
    for pair in _subnet_pairs(desired, spec.connection):
        if spec.connection.enable_nqa or not is_inner(spec.connection, pair):
            yield pair


def missing(intended: Iterable[Pair], sas: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> Iterator[Pair]:
    """The pairs that no CHILD_SA carries completely. `sas`: (local, remote) selectors of each CHILD_SA, as charon writes them."""
    present = [(local, remote) for locals_, remotes in sas for local in locals_ for remote in remotes]
    exact = set(present)
    if (str(EVERYTHING), str(EVERYTHING)) in exact:
        return
    for pair in intended:
        if (str(pair.local), str(pair.remote)) in exact:
            continue
        if not any(_covers(local, pair.local) and _covers(remote, pair.remote) for local, remote in present):
            yield pair


def nets(selector: str) -> tuple[subnets.Net, ...]:
    """The networks of a selector as charon writes it: `10.1.0.0/24`, `10.1.0.0/24[tcp/80]` or `10.1.0.1..10.1.0.9`."""
    first, _, last = selector.partition("[")[0].partition("..")
    if not last:
        return (subnets.parse_net(first),)
    return tuple(ipaddress.summarize_address_range(*map(ipaddress.IPv4Address, (first, last))))


def is_within(selectors: Iterable[str], allowed: Iterable[str]) -> bool:
    """Whether each of the selectors lies in one of the allowed networks."""
    around = [subnets.parse_net(text) for text in allowed]
    return all(any(net.subnet_of(outer) for outer in around) for selector in selectors for net in nets(selector))


def _covers(selector: str, net: subnets.Net) -> bool:
    """A selector with a port or a range of addresses is no net, and carries no net whole."""
    try:
        return net.subnet_of(subnets.parse_net(selector))
    except ValueError:
        return False


def _subnet_pairs(desired: model.DesiredGateway, connection: model.Connection) -> Iterator[Pair]:
    """The pairs of subnets; with a tunnel interface also the pair of its addresses."""
    local = traffic_selectors.local_subnets(desired.gateway, desired.network)
    for rule, ours, theirs in traffic_selectors.subnet_pairs(connection, local):
        yield Pair(rule, subnets.parse_net(ours), subnets.parse_net(theirs))
    inner = inner_pair(connection)
    if connection.style != "policy" and inner:
        yield inner


def inner_pair(connection: model.Connection) -> Pair | None:
    """The pair of the addresses of the tunnel interface; None without both."""
    inner = traffic_selectors.inner_addresses(connection)
    return Pair(0, *map(subnets.parse_host, inner)) if inner else None


def is_inner(connection: model.Connection, pair: Pair) -> bool:
    inner = connection.tunnel_local_address
    return connection.style == "static" and inner is not None and pair.local == subnets.parse_host(inner)


def uncovered(network: model.Network, pairs: Iterable[Pair]) -> Iterator[subnets.Net]:
    """The local selectors of these pairs without the gateway's own address in them."""
    own_address = subnets.vpc_address(network)
    return (pair.local for pair in pairs if own_address is None or own_address.ip not in pair.local)


def needed_addresses(
    network: model.Network, supported: Collection[str], plane: model.Plane, pairs_of: PairsOf
) -> frozenset[str]:
    """Addresses that the gateway's namespace must have for the selectors of its `supported` connections.

    kernel-libipsec installs a child only when an address of this machine lies inside the child's local selector. Otherwise the *peer* gets
    TS_UNACCEPTABLE. The network address of each subnet is used, since usually no host has it (`unsupported` refuses a /31 and a /32). A host that
    has it, in a part of a wider subnet, does not get its traffic.
    """
    if plane == "kernel":
        return frozenset()
    nets = {net for connection_id in supported for net in uncovered(network, pairs_of[connection_id])}
    return frozenset(str(net[0]) for net in nets)
