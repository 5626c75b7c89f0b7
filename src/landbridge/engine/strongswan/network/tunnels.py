"""The XFRM interface of each connection on the kernel data plane: what it must be, and how large a packet it takes.

Pure. Invariants: a tunnel has its routes from its creation to its deletion, with an SA or without, so that traffic for the tunnel never
leaves in clear. Of several connections to one network the one that is up leads, then the master, then the oldest. On an
active-active gateway all that are up carry the network together, by a route that comes before the routes of each (docs/decisions/0045).
"""

import dataclasses
import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from landbridge import model
from landbridge.engine.strongswan import subnets

#: Priorities of the rules of policy connections: after charon's and ours, before main. The narrower pair comes first. Each connection
#: with the same pair and rank has a priority of its own. With equal priorities the kernel would use the rule that was added first, and a
#: tunnel that had been down would stay behind a younger one. There are PLACES_OF_A_PAIR such priorities. Of the connections that are
#: too many, the best one has the last place, and the others have no rule for the pair.
FIRST_RULE = 1000
PLACES_OF_A_PAIR = 7
#: Their routing tables are this many above the `if_id`.
TABLE = 1 << 16

#: Bytes that ESP adds in tunnel mode (RFC 4303): outer IPv4, SPI and sequence number, pad length and next header.
_OUTER, _HEAD, _TRAILER = 20, 8, 2
#: UDP around ESP (RFC 3948).
_UDP = 8
#: Initialization vector and block that the plain text is padded to: RFC 3602 (AES-CBC), 2451 (3DES), 4106 (GCM).
_CIPHER = {"3des": (8, 8), "aes-128-gcm-16": (8, 4), "aes-256-gcm-16": (8, 4)}
_AES_CBC = (16, 16)
#: Integrity check value: RFC 2403, 2404, 4868; the 16 of GCM come with the cipher.
_ICV = {"md5": 12, "sha1": 12, "sha2-256": 16, "sha2-384": 24, "sha2-512": 32}
_GCM_ICV = 16
#: RFC 791: every host takes so much.
_LEAST = 576


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMetric:
    """The metric of a tunnel's route. Of two routes to one network the lower metric leads. Its 32 bits are, from the highest on: `by_rule`, `down`,
    `standby`, and 29 bits of `if_id`, which tell equal routes apart. `by_rule`: only the rules of a policy lead into the tunnel, and the route is
    for those who ask for the MTU of the path back. A metric whose lower 29 bits are 0 is never ours.
    """

    if_id: int
    standby: bool = False
    down: bool = False
    by_rule: bool = False

    def pack(self) -> int:
        """Raises ValueError for an `if_id` that does not fit."""
        if not 0 < self.if_id < model.IF_ID_END:
            raise ValueError(f"an if_id of {self.if_id}")
        return self.if_id + model.IF_ID_END * (4 * self.by_rule + 2 * self.down + self.standby)

    @classmethod
    def unpack(cls, metric: int) -> Self:
        rank, if_id = divmod(metric, model.IF_ID_END)
        return cls(if_id=if_id, standby=bool(rank & 1), down=bool(rank & 2), by_rule=bool(rank & 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePriority:
    """The priority of a policy's rule; the kernel asks the rule with the lower priority first. `width` grows with the destination,
    then with the source, from 0 for a pair of hosts; `age` counts the older connections with the same pair, up to PLACES_OF_A_PAIR - 1.
    """

    width: int
    standby: bool = False
    down: bool = False
    age: int = 0

    def pack(self) -> int:
        return FIRST_RULE + PLACES_OF_A_PAIR * (4 * self.width + 2 * self.down + self.standby) + self.age

    @classmethod
    def unpack(cls, priority: int) -> Self:
        rank, age = divmod(priority - FIRST_RULE, PLACES_OF_A_PAIR)
        return cls(width=rank // 4, standby=bool(rank & 1), down=bool(rank & 2), age=age)


#: A network, and the `if_id` of each tunnel that carries it, in ascending order. The kernel keeps the packets of a flow in one tunnel
#: (ECMP, RFC 2992). Its metric is 0, which comes before the metrics of all tunnels.
SharedRoute: TypeAlias = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The XFRM interface of a connection, with its address, routes and rules."""

    connection_id: str
    if_id: int
    mtu: int
    #: Our inner address with its mask.
    address: str | None = None
    #: (destination, metric).
    routes: frozenset[tuple[str, int]] = frozenset()
    #: (priority, source, destination) of a policy connection: a rule into the tunnel for each.
    pairs: frozenset[tuple[int, str, str]] = frozenset()
    #: False when the kernel has only a part of it.
    whole: bool = True
    #: Whether some routes were added by a version that did not mark its routes.
    has_older_routes: bool = False


#: The TUN of the userland data plane, which all connections share.
TUN = "ipsec0"


def interface(if_id: int, plane: model.Plane) -> str:
    """The name of the interface that a connection's inner packets pass."""
    return name(if_id) if plane == "kernel" else TUN


def name(if_id: int) -> str:
    """The name of the interface: at most 11 of 15 bytes."""
    return f"x{if_id}"


@dataclass(frozen=True, slots=True)
class Path:
    """What is known of the way to a connection's peer."""

    #: Whether a CHILD_SA is installed, and echoes do not show that it leads nowhere.
    up: bool
    #: Whether ESP is in UDP.
    encapsulated: bool
    #: Bytes.
    mtu: int
    #: The networks that the device of a policy-template has negotiated.
    networks: frozenset[str] = frozenset()


def desired_tunnels(
    desired: model.DesiredGateway, supported: Collection[str], paths: Mapping[str, Path]
) -> dict[str, Tunnel]:
    """Connection id -> its tunnel on the kernel data plane. `supported`: ids of connections; `paths`: by connection id."""
    specs = sorted((spec for spec in desired.connections if spec.id in supported), key=lambda spec: spec.if_id)
    ranks = {spec.id: _rank(desired.gateway, spec, paths[spec.id]) for spec in specs}
    same_pair: defaultdict[tuple[str, str], list[RouteMetric]] = defaultdict(list)
    for spec in specs:
        for source, destination in set(_subnet_pairs(spec.connection)):
            same_pair[str(source), str(destination)].append(ranks[spec.id])
    return {spec.id: _tunnel(spec, paths[spec.id], ranks[spec.id], same_pair) for spec in specs}


def _rank(gateway: model.VpnGateway, spec: model.DesiredConnection, path: Path) -> RouteMetric:
    standby, by_rule = gateway.stands_by(spec.connection.ha_role), spec.connection.style == "policy"
    return RouteMetric(if_id=spec.if_id, standby=standby, down=not path.up, by_rule=by_rule)


def _tunnel(
    spec: model.DesiredConnection,
    path: Path,
    rank: RouteMetric,
    same_pair: Mapping[tuple[str, str], Sequence[RouteMetric]],
) -> Tunnel:
    """`same_pair`: (source, destination) -> the ranks of all connections with that pair, the oldest first."""
    connection = spec.connection
    return Tunnel(
        connection_id=spec.id,
        if_id=spec.if_id,
        mtu=inner_mtu(path.mtu, connection.ipsec_policy, encapsulated=path.encapsulated),
        address=connection.tunnel_local_address,
        routes=frozenset(_routes(connection, path, rank)),
        pairs=frozenset(_pairs(connection, rank, same_pair)),
    )


def _routes(connection: model.Connection, path: Path, metric: RouteMetric) -> Iterator[tuple[str, int]]:
    """For a policy-template, the routes to negotiated networks lead, and the routes to its other subnets have the metric of a tunnel that
    is down. The routes of a BGP session are learned.
    """
    if connection.style == "bgp":
        return
    up = path.networks if connection.style == "policy-template" else None
    if up is not None:
        yield from ((net, metric.pack()) for net in up)
        metric = dataclasses.replace(metric, down=True)
    yield from ((net, metric.pack()) for net in destinations(connection) if up is None or net not in up)


def destinations(connection: model.Connection) -> Iterator[str]:
    """The networks behind the tunnel."""
    yield from (str(subnets.parse_net(subnet)) for subnet in connection.peer_subnets or ())
    for rule in connection.policy_rules:
        yield from (str(subnets.parse_net(subnet)) for subnet in rule.destinations)


def _subnet_pairs(connection: model.Connection) -> Iterator[tuple[subnets.Net, subnets.Net]]:
    """(source, destination) of each policy rule."""
    for rule in connection.policy_rules:
        for destination in rule.destinations:
            yield subnets.parse_net(rule.source), subnets.parse_net(destination)


def _pairs(
    connection: model.Connection, rank: RouteMetric, same_pair: Mapping[tuple[str, str], Sequence[RouteMetric]]
) -> Iterator[tuple[int, str, str]]:
    """The rules of a policy connection. When two rules match, the narrower destination wins, then the narrower source, then rank and age, as
    with routes.
    """
    for source, destination in _subnet_pairs(connection):
        pair = str(source), str(destination)
        age = _age(rank, same_pair[pair])
        if age is not None:
            width = _width(destination, source.prefixlen)
            yield RulePriority(width=width, standby=rank.standby, down=rank.down, age=age).pack(), *pair


def _age(rank: RouteMetric, same_pair: Sequence[RouteMetric]) -> int | None:
    """Returns how many older connections have the pair. After PLACES_OF_A_PAIR - 1 of them there is one place: the best of the younger ones has it."""
    age, last = same_pair.index(rank), PLACES_OF_A_PAIR - 1
    if age < last:
        return age
    return last if rank == min(same_pair[last:], key=RouteMetric.pack) else None


def before_rules_to(net: subnets.Net) -> int:
    """The priority of a rule that is asked before those of policies to this network, and after those to narrower ones."""
    return RulePriority(width=_width(net, 32)).pack() - 1


def _width(destination: subnets.Net, source_length: int) -> int:
    return (32 - destination.prefixlen) * 33 + 32 - source_length


def inner_mtu(path: int, policy: model.IpsecPolicy, *, encapsulated: bool) -> int:
    """Bytes of the largest packet that still fits into one of `path` bytes when it has been through ESP."""
    vector, block = _CIPHER.get(policy.encryption_algorithm, _AES_CBC)
    icv = _GCM_ICV if policy.is_gcm else _ICV[policy.authentication_algorithm]
    room = path - _OUTER - (_UDP if encapsulated else 0) - _HEAD - vector - icv
    return max(room // block * block - _TRAILER, _LEAST)


def preferred_priorities(current: Iterable[Tunnel]) -> dict[tuple[str, str], int]:
    """(source, destination) -> the priority of the rule that its traffic takes, of all tunnels in a namespace; with no source, the
    metric of the route.
    """
    metrics: dict[tuple[str, str], int] = {}
    for tunnel in current:
        by_route = ((metric, "", net) for net, metric in tunnel.routes)
        for rank, source, net in (*by_route, *tunnel.pairs):
            metrics[source, net] = min(rank, metrics.get((source, net), rank))
    return metrics


def shared_routes(desired: Iterable[Tunnel]) -> frozenset[SharedRoute]:
    """The networks that several tunnels carry together. All of these tunnels have the same role."""
    leading: defaultdict[str, list[int]] = defaultdict(list)
    for tunnel in desired:
        for net, metric in tunnel.routes:
            if _leads_by_route(metric):
                leading[net].append(tunnel.if_id)
    return frozenset((net, tuple(sorted(if_ids))) for net, if_ids in leading.items() if len(if_ids) > 1)


def destinations_carried(
    current: Tunnel, first: Mapping[tuple[str, str], int], shared: Collection[SharedRoute] = ()
) -> set[str]:
    """The destinations whose traffic goes into this tunnel while it is up. `first`: the preferred priorities of the namespace; `shared`: its
    shared routes.
    """
    by_route = {net for net, metric in current.routes if _leads_by_route(metric) and metric == first["", net]}
    by_share = {net for net, if_ids in shared if current.if_id in if_ids}
    return (
        by_route
        | by_share
        | {
            net
            for priority, source, net in current.pairs
            if not RulePriority.unpack(priority).down and priority == first[source, net]
        }
    )


def _leads_by_route(metric: int) -> bool:
    unpacked = RouteMetric.unpack(metric)
    return not unpacked.down and not unpacked.by_rule


def is_ranked_down(current: Tunnel) -> bool:
    """Whether its routes let those of other tunnels to the same networks lead."""
    return any(RouteMetric.unpack(metric).down for _, metric in current.routes)


def carries_all(current: Tunnel | None, desired: Tunnel) -> bool:
    """Whether what belongs into the tunnel goes there, at whatever rank and size. A network inside another one of the tunnel goes there too."""
    return (
        current is not None
        and current.whole
        and current.address == desired.address
        and {pair[1:] for pair in current.pairs} == {pair[1:] for pair in desired.pairs}
        and (_nets(current) == _nets(desired) or _space(current) == _space(desired))
    )


def _nets(tunnel: Tunnel) -> set[str]:
    return {net for net, _ in tunnel.routes}


def _space(tunnel: Tunnel) -> list[subnets.Net]:
    return list(ipaddress.collapse_addresses(map(subnets.parse_net, _nets(tunnel))))
