"""Finds the connections that this engine does not carry, with the reason, before anything is loaded. Pure.

What the API accepts and the machine cannot do becomes a reason for the user here. Of two connections that exclude each other,
the older one is carried.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from landbridge import model
from landbridge.engine.strongswan import subnets
from landbridge.engine.strongswan.ike import messages, selectors

NO_PSK = "the connection has no pre-shared key"
NO_INTERFACE_ID = "the VPN gateway has used up its interface ids; a connection of a new VPN gateway has one"
NO_SUBNETS = "there is no local or no peer subnet to make a traffic selector of"
NO_ASN = "the customer gateway has no bgp_asn"
ONE_SESSION = (
    "the userland data plane carries one connection of style bgp of a VPN gateway, and connection {} is that one"
)
NO_ROOM = "the userland data plane needs an address of its own in the local subnet {}, and it has none to spare"


def refusals(
    desired: model.DesiredGateway, plane: model.Plane, pairs_of: selectors.PairsOf, *, bgp: bool = True
) -> dict[str, str]:
    """Connection id -> why this engine does not carry it. `bgp`: the machine has a routing daemon."""
    abilities = model.abilities_of("strongswan", plane, bgp=bgp)
    refused: dict[str, str] = {}
    used = _UsedPairs({pair.remote.prefixlen for pairs in pairs_of.values() for pair in pairs})
    identities, speaker = _Identities(), ""
    for spec in sorted(desired.connections, key=lambda spec: (spec.connection.created_at, spec.id)):
        pairs = pairs_of[spec.id]
        reason = _refusal(spec, pairs, abilities)
        if plane == "userland":
            reason = reason or _userland_refusal(desired, spec, pairs, speaker) or used.refusal(pairs)
        reason = reason or identities.refusal(spec)
        if reason:
            refused[spec.id] = reason
        else:
            used.add(spec.id, pairs)
            identities.add(spec)
            speaker = spec.id if spec.connection.style == "bgp" else speaker
    return refused


def _refusal(
    spec: model.DesiredConnection, pairs: tuple[selectors.Pair, ...], abilities: model.Abilities
) -> str | None:
    uncarried = model.uncarried(spec.connection, abilities)
    if uncarried is not None:
        return uncarried.text
    if spec.psk is None:
        return NO_PSK
    if spec.if_id >= model.IF_ID_END:
        return NO_INTERFACE_ID
    if spec.connection.style == "bgp" and spec.peer_asn is None:
        return NO_ASN
    return None if pairs else NO_SUBNETS


def _userland_refusal(
    desired: model.DesiredGateway, spec: model.DesiredConnection, pairs: tuple[selectors.Pair, ...], speaker: str
) -> str | None:
    """`speaker`: the older connection of style bgp that is carried, if there is one."""
    if any(pair.everything for pair in pairs):
        return model.NO_DEFAULT_ROUTE
    if spec.connection.style == "bgp" and speaker:
        return ONE_SESSION.format(speaker)
    full = (net for net in selectors.uncovered(desired.network, pairs) if _is_full(net, spec.connection))
    return next((NO_ROOM.format(net) for net in full), None)


def _is_full(net: subnets.Net, connection: model.Connection) -> bool:
    """A host may have any address of a /31 or /32, and would lose its traffic to us. The inner tunnel address is ours."""
    inner = connection.tunnel_local_address
    return net.prefixlen >= 31 and not (inner and net == subnets.parse_host(inner))


class _Identities:
    """Pairs of identities in use. charon takes two IKE_SAs between the same identities for duplicates and ends the older one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def add(self, spec: model.DesiredConnection) -> None:
        self._known[_folded(spec)] = spec.id

    def refusal(self, spec: model.DesiredConnection) -> str | None:
        other = self._known.get(_folded(spec))
        if other is None:
            return None
        local_id, peer_id = (identity.removeprefix("fqdn:") for identity in messages.identities(spec))
        return f"IKE cannot tell it apart from connection {other}: both have local id {local_id} and peer id {peer_id}"


def _folded(spec: model.DesiredConnection) -> tuple[str, str]:
    """charon compares names without regard to case."""
    local_id, peer_id = messages.identities(spec)
    return local_id.lower(), peer_id.lower()


class _UsedPairs:
    """Selector pairs in use. One TUN carries all tunnels of a charon, so overlapping pairs would steal traffic.

    Indexed by the remote net and by the nets around it, of the `lengths` that occur: a look-up costs a probe for each length,
    not one per pair of the gateway.
    """

    def __init__(self, lengths: Iterable[int]) -> None:
        self._lengths = tuple(lengths)
        self._exact: defaultdict[int, list[tuple[str, selectors.Pair]]] = defaultdict(list)
        self._within: defaultdict[int, list[tuple[str, selectors.Pair]]] = defaultdict(list)

    def add(self, connection_id: str, pairs: tuple[selectors.Pair, ...]) -> None:
        for pair in pairs:
            self._exact[_node(pair.remote)].append((connection_id, pair))
            for around in self._around(pair.remote):
                self._within[around].append((connection_id, pair))

    def refusal(self, pairs: tuple[selectors.Pair, ...]) -> str | None:
        for pair in pairs:
            for connection_id, other in self._near(pair.remote):
                if pair.overlaps(other):
                    return f"the userland data plane cannot tell it apart from connection {connection_id}"
        return None

    def _near(self, remote: subnets.Net) -> Iterator[tuple[str, selectors.Pair]]:
        node = _node(remote)
        yield from self._exact.get(node, ())
        yield from self._within.get(node, ())
        for around in self._around(remote):
            yield from self._exact.get(around, ())

    def _around(self, net: subnets.Net) -> list[int]:
        node = _node(net)
        return [node >> (net.prefixlen - length) for length in self._lengths if length < net.prefixlen]


def _node(net: subnets.Net) -> int:
    """The net's place in the tree of all nets: the whole is 1, the halves of n are 2n and 2n + 1."""
    return 1 << net.prefixlen | int(net.network_address) >> (32 - net.prefixlen)
