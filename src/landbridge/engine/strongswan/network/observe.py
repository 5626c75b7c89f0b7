"""Observes the network of a gateway, in its namespace and in the underlay. It changes nothing."""

from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import links, namespace, netlink, nftables, xfrm
from landbridge.engine.strongswan.network.state import NetworkState


@dataclass(frozen=True, slots=True)
class _Inside:
    """The links of the namespace, with what belongs to them. `uplink` and `vpc_link`: (kind of link, its parent's index)."""

    uplink: tuple[str, int] | None = None
    uplink_ready: bool = False
    next_hop: str | None = None
    uplink_mtu: int = 1500
    vpc_link: tuple[str, int] | None = None
    vpc_link_up: bool = False
    addresses: frozenset[tuple[str, str]] = frozenset()
    rules: frozenset[tuple[int, str, int]] = frozenset()


def observe(gateway_id: str, underlay: str | None, *, nat: bool, foreign: bool) -> NetworkState:
    """`nat`: whether the machine may have a table for this gateway's EIPs. `foreign`: whether the namespace with the gateway's name is not its own.
    Raises OSError or NetlinkError.
    """
    name, owner = names.namespace(gateway_id), names.short(gateway_id)
    exists = not foreign and namespace.exists(name)
    inside, fields = namespace.read(name, _observe_inside) if exists else (_Inside(), dict[str, Any]())
    outside = namespace.read(underlay, lambda read: _observe_underlay(read, gateway_id, inside))
    return NetworkState(
        namespace=exists,
        foreign=foreign,
        uplink_mtu=inside.uplink_mtu,
        next_hop=inside.next_hop,
        rules=inside.rules,
        nat_table=namespace.inside(underlay, lambda _: nftables.summary(owner)) if nat else None,
        **outside,
        **fields,
    )


def _observe_inside(read: netlink.Reader) -> tuple[_Inside, dict[str, Any]]:
    snapshot = read.snapshot(without=links.CHARON_TABLE)
    fields = {
        "filter_table": nftables.summary(),
        "refused": nftables.refused(),
        "seen": nftables.seen(),
        "tunnels": xfrm.read_tunnels(snapshot),
        "shared_routes": xfrm.read_shared_routes(snapshot),
        "hashes_ports": xfrm.hashes_ports(),
        "learned_mtus": xfrm.learned_mtus(snapshot),
        "learned_routes": _learned_routes(snapshot),
        "learned_sources": nftables.learned_sources(),
    }
    return _links_inside(snapshot), fields


def _learned_routes(snapshot: netlink.Snapshot) -> frozenset[tuple[str, str]]:
    """(link, network) of the routes in the table of learned routes; a route over several links stands for each."""
    called = {link.ifindex: link.name for link in snapshot.links}
    return frozenset(
        (called.get(link, ""), route.net)
        for route in snapshot.routes
        if route.table == names.LEARNED_TABLE
        for link in route.links or (route.link,)
    )


def _links_inside(snapshot: netlink.Snapshot) -> _Inside:
    named = {link.name: link for link in snapshot.links}
    by_number = {link.ifindex: link.name for link in snapshot.links}
    ruled = {rule.source for rule in snapshot.rules if rule.priority == links.RULE_FROM_UPLINK_ADDRESS}
    addresses = {(by_number.get(address.link, ""), address.text) for address in snapshot.addresses}
    uplink, vpc_link = named.get("wan"), named.get("lan")
    return _Inside(
        uplink=(uplink.kind, uplink.parent) if uplink else None,
        uplink_ready=uplink is not None and uplink.up and _is_protected(snapshot),
        next_hop=next((route.gateway for route in snapshot.routes if route.table == links.DEFAULT_ROUTE_TABLE), None),
        uplink_mtu=uplink.mtu if uplink else 1500,
        vpc_link=(vpc_link.kind, vpc_link.parent) if vpc_link else None,
        vpc_link_up=vpc_link is not None and vpc_link.up,
        addresses=frozenset((link, address) for link, address in addresses if _is_ours(link, address, ruled)),
        rules=links.own_rules(snapshot.rules),
    )


def _is_ours(link: str, address: str, ruled: set[str]) -> bool:
    """An outer address counts when its rule stands too."""
    if link == "wan":
        return f"{address.split('/', maxsplit=1)[0]}/32" in ruled
    return link == "lan" or (link == "lo" and not address.startswith("127."))


def _is_protected(snapshot: netlink.Snapshot) -> bool:
    """Whether the rules of the invariant stand, and the routes that nobody's network overrides; in the calling thread's namespace."""
    current = {(rule.priority, rule.incoming) for rule in snapshot.rules}
    kept = {route.net for route in snapshot.routes if route.table == links.MAIN_TABLE}
    silent = links.ANSWERS_TO_ARP.read_text().strip() == links.OWN_ADDRESSES_ONLY
    return (
        {(links.RULE_FROM_OUTSIDE, "wan"), (links.RULE_LOCAL_OUTPUT, "lo")} <= current
        and kept.issuperset(model.RESERVED_NETS)
        and silent
    )


def _observe_underlay(read: netlink.Reader, gateway_id: str, inside: _Inside) -> dict[str, Any]:
    """The fields of `NetworkState` that the underlay decides."""
    uplink_peer = read.link(name=names.uplink_peer(gateway_id))
    uplink = _uplink(read, inside, uplink_peer)
    lost = {
        (link, address)
        for link, address in inside.addresses
        if link == "wan" and uplink_peer and uplink == "routed" and not _leaves_by(read, address, uplink_peer)
    }
    return {
        "uplink": uplink,
        "uplink_ready": inside.uplink_ready and (uplink != "routed" or (uplink_peer is not None and uplink_peer.up)),
        "uplink_peer": uplink_peer is not None,
        "vpc_link": _vpc_link(read, inside, read.link(name=names.vpc_link_peer(gateway_id))),
        "addresses": inside.addresses - lost,
    }


def _uplink(read: netlink.Reader, inside: _Inside, end: netlink.Link | None) -> str | None:
    if inside.uplink is None:
        return None
    if inside.uplink[0] == "macvlan":
        return f"macvlan {_name(read, inside.uplink[1])}"
    return "routed" if end is not None else "?"


def _vpc_link(read: netlink.Reader, inside: _Inside, end: netlink.Link | None) -> str | None:
    if inside.vpc_link is None and end is None:
        return None
    if not inside.vpc_link_up or inside.vpc_link is None:
        return "?"
    if end is not None:
        return f"bridge {_name(read, end.master)}" if end.up else "?"
    return f"interface {_name(read, inside.vpc_link[1])}" if inside.vpc_link[0] == "macvlan" else "?"


def _name(read: netlink.Reader, index: int) -> str:
    link = read.link(ifindex=index) if index else None
    return link.name if link else ""


def _leaves_by(read: netlink.Reader, address: str, end: netlink.Link) -> bool:
    return read.output_link(address.split("/", maxsplit=1)[0]) == end.ifindex
