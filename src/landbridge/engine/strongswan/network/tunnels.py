"""The XFRM interface of each connection on the kernel data plane: what it must be, and how large a packet it takes.

Pure. Invariants: a tunnel's routes stand from its creation to its removal, whether there is an SA or not, so that what belongs into
it never leaves in clear; of several connections to one network the one that is up comes first, then the master, then the oldest.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import subnets

#: Bits of a route's metric above the `if_id` that tells equals apart. What only a policy's rules lead into the tunnel comes last
#: among the routes: there it serves those who ask for the size of the way back.
STANDBY = model.IF_ID_END
DOWN = 2 * STANDBY
BY_RULE = 4 * STANDBY
#: Priorities of the rules of policy connections: after charon's and ours, before main. The narrower pair comes first. There is room
#: for so many connections with one pair and rank, each with a priority of its own: of equal rules the kernel asks the one that was
#: added first, so that a tunnel that had been down would stay behind a younger one.
FIRST_RULE = 1000
EQUALS = 7
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


@dataclass(frozen=True, slots=True)
class Tunnel:
    """`routes`: (destination, metric). `pairs`: (priority, source, destination) of a policy connection, each a rule that leads
    into the tunnel. `address`: our inner address with its mask. `whole` is False when the kernel holds it only in part.
    """

    connection_id: str
    if_id: int
    mtu: int
    address: str | None = None
    routes: frozenset[tuple[str, int]] = frozenset()
    pairs: frozenset[tuple[int, str, str]] = frozenset()
    whole: bool = True


def name(if_id: int) -> str:
    """Of the interface: at most 11 of 15 bytes."""
    return f"x{if_id}"


@dataclass(frozen=True, slots=True)
class Path:
    """What a connection's SAs say of the way to its peer. `up`: a CHILD_SA is installed. `encapsulated`: ESP is in UDP. `mtu`: bytes."""

    up: bool
    encapsulated: bool
    mtu: int


def desired_tunnels(
    desired: model.DesiredGateway, supported: Collection[str], paths: Mapping[str, Path]
) -> dict[str, Tunnel]:
    """Connection id -> its tunnel on the kernel data plane. `supported`: ids of connections; `paths`: by connection id."""
    elders: Counter[tuple[str, str]] = Counter()
    found = {}
    for wish in sorted(desired.connections, key=lambda wish: wish.if_id):
        if wish.id in supported:
            found[wish.id] = _tunnel(wish, paths[wish.id], elders)
            elders.update(pair[1:] for pair in found[wish.id].pairs)
    return found


def _tunnel(wish: model.DesiredConnection, path: Path, elders: Mapping[tuple[str, str], int]) -> Tunnel:
    """`elders`: (source, destination) -> how many older connections have that pair."""
    connection = wish.connection
    rank = _rank(wish, up=path.up)
    by_rule = BY_RULE if connection.style == "policy" else 0
    return Tunnel(
        connection_id=wish.id,
        if_id=wish.if_id,
        mtu=inner_mtu(path.mtu, connection.ipsec_policy, encapsulated=path.encapsulated),
        address=connection.tunnel_local_address,
        routes=frozenset((net, rank + by_rule + wish.if_id) for net in destinations(connection)),
        pairs=frozenset(_pairs(connection, rank, elders)),
    )


def _rank(wish: model.DesiredConnection, *, up: bool) -> int:
    return (0 if up else DOWN) + (STANDBY if wish.connection.ha_role == "slave" else 0)


def destinations(connection: model.Connection) -> Iterator[str]:
    """The networks behind the tunnel."""
    yield from (str(subnets.parse_net(subnet)) for subnet in connection.peer_subnets or ())
    for rule in connection.policy_rules:
        yield from (str(subnets.parse_net(subnet)) for subnet in rule.destinations)


def _pairs(
    connection: model.Connection, rank: int, elders: Mapping[tuple[str, str], int]
) -> Iterator[tuple[int, str, str]]:
    """Of two rules that match the narrower destination wins, then the narrower source, then rank and age, as with routes."""
    place = 2 * bool(rank & DOWN) + bool(rank & STANDBY)
    for rule in connection.policy_rules:
        source = subnets.parse_net(rule.source)
        for destination in map(subnets.parse_net, rule.destinations):
            pair = str(source), str(destination)
            yield (
                FIRST_RULE
                + EQUALS * (4 * _width(destination, source.prefixlen) + place)
                + min(elders.get(pair, 0), EQUALS - 1),
                *pair,
            )


def before_rules_to(net: subnets.Net) -> int:
    """The priority of a rule that is asked before those of policies to this network, and after those to narrower ones."""
    return FIRST_RULE + EQUALS * 4 * _width(net, 32) - 1


def _width(destination: subnets.Net, source_length: int) -> int:
    return (32 - destination.prefixlen) * 33 + 32 - source_length


def inner_mtu(path: int, policy: model.IpsecPolicy, *, encapsulated: bool) -> int:
    """Bytes of the largest packet that still fits into one of `path` bytes when it has been through ESP."""
    gcm = "gcm" in policy.encryption_algorithm
    vector, block = _CIPHER.get(policy.encryption_algorithm, _AES_CBC)
    icv = _GCM_ICV if gcm else _ICV[policy.authentication_algorithm]
    room = path - _OUTER - (_UDP if encapsulated else 0) - _HEAD - vector - icv
    return max(room // block * block - _TRAILER, _LEAST)


def first(standing: Iterable[Tunnel]) -> dict[tuple[str, str], int]:
    """(source, destination) -> the priority of the rule that its traffic takes, of all tunnels in a namespace; with no source, the
    metric of the route.
    """
    found: dict[tuple[str, str], int] = {}
    for one in standing:
        by_route = ((metric, "", net) for net, metric in one.routes)
        for rank, source, net in (*by_route, *one.pairs):
            found[source, net] = min(rank, found.get((source, net), rank))
    return found


def led(standing: Tunnel, first: Mapping[tuple[str, str], int]) -> set[str]:
    """The destinations whose traffic goes into this tunnel, while it is up."""
    by_route = {net for net, metric in standing.routes if metric < DOWN and metric == first["", net]}
    return by_route | {
        net
        for priority, source, net in standing.pairs
        if not (priority - FIRST_RULE) // EQUALS & 2 and priority == first[source, net]
    }


def leads(standing: Tunnel | None, desired: Tunnel) -> bool:
    """Whether what belongs into the tunnel goes there, at whatever rank and size."""
    return standing is not None and standing.whole and _ends(standing) == _ends(desired)


def _ends(tunnel: Tunnel) -> tuple[str | None, set[str], set[tuple[str, str]]]:
    return tunnel.address, {net for net, _ in tunnel.routes}, {pair[1:] for pair in tunnel.pairs}
