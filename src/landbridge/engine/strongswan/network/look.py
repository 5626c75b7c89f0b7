"""One look at a gateway's network, in its namespace and in the underlay. It changes nothing."""

from typing import Any

from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import links, namespace, netlink, nftables, xfrm
from landbridge.engine.strongswan.network.state import NetworkState


def look(gateway_id: str, underlay: str | None, *, nat: bool) -> NetworkState:
    """`nat`: whether the machine may have a table for this gateway's EIPs. Raises OSError or NetlinkError."""
    name, owner = names.namespace(gateway_id), names.short(gateway_id)
    exists = namespace.exists(name)
    inside, found = namespace.look(name, _look_inside) if exists else (links.NamespaceLook(), dict[str, Any]())
    outside = namespace.look(underlay, lambda read: links.look_in_underlay(read, gateway_id, inside))
    return NetworkState(
        namespace=exists,
        uplink=outside.uplink,
        uplink_ready=outside.uplink_ready,
        uplink_mtu=inside.uplink_mtu,
        next_hop=inside.next_hop,
        uplink_peer=outside.uplink_peer,
        vpc_link=outside.vpc_link,
        addresses=outside.addresses,
        rules=inside.rules,
        nat_table=namespace.inside(underlay, lambda _: nftables.look(owner)) if nat else None,
        **found,
    )


def _look_inside(read: netlink.Reader) -> tuple[links.NamespaceLook, dict[str, Any]]:
    snapshot = read.snapshot(without=links.CHARON_TABLE)
    found = {
        "filter_table": nftables.look(),
        "refused": nftables.refused(),
        "seen": nftables.seen(),
        "tunnels": xfrm.look(snapshot),
        "shared_routes": xfrm.look_at_shared_routes(snapshot),
        "hashes_ports": xfrm.hashes_ports(),
        "learned_mtus": xfrm.learned_mtus(snapshot),
        "learned_routes": links.learned_routes(snapshot),
        "learned_sources": nftables.learned_sources(),
    }
    return links.look_in_namespace(snapshot), found
