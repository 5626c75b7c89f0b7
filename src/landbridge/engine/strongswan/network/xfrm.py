"""Creates, deletes and reads XFRM interfaces in a gateway's namespace, through netlink.

`tunnels.Tunnel` says how an interface must be. Every function is idempotent. New addresses, routes and rules are added before old ones are
deleted, so that a change of one route leaves no gap for the others.
"""

import contextlib
import errno
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from landbridge.engine.strongswan.network import links, namespace, netlink, tunnels

_NAME = re.compile(r"x[1-9]\d*")
#: RT_SCOPE_NOWHERE: a route of any scope is deleted. RT_SCOPE_LINK.
_ANY_SCOPE, _LINK_SCOPE = 255, 253
_OUR_PROTOCOLS = (links.ROUTE_PROTOCOL, links.OLDER_ROUTE_PROTOCOL)


def ensure(ip: Any, tunnel: tunnels.Tunnel) -> None:
    name = tunnels.name(tunnel.if_id)
    if not ip.link_lookup(ifname=name):
        ip.link("add", ifname=name, kind="xfrm", xfrm_if_id=tunnel.if_id)
    index = namespace.index(ip, name)
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6; with it the tunnel would be asked for routers
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    ip.link("set", index=index, mtu=tunnel.mtu, ifalias=tunnel.connection_id, state="up")
    with netlink.Reader() as read:
        _set_address(ip, index, tunnel.address, read.addresses())
        ensure_routes(ip, index, tunnel.routes, read.routes())
        _set_pairs(ip, index, tunnel, read.rules())


def _set_address(ip: Any, index: int, desired: str | None, current: list[netlink.Address]) -> None:
    if desired:
        host, length = desired.split("/")
        ip.addr("replace", index=index, address=host, prefixlen=int(length))
    for address in current:
        if address.link == index and address.text != desired:
            host, length = address.text.split("/")
            ip.addr("del", index=index, address=host, prefixlen=int(length))


def ensure_routes(ip: Any, index: int, desired: Iterable[tuple[str, int]], current: list[netlink.Route]) -> None:
    """Makes `desired` our routes of the link `index`, and leaves other programs' routes alone.

    The kernel replaces a route of the same network and metric in place, so a route of an older version gets our protocol without a
    moment in which the network has no route.
    """
    for net, metric in desired:
        ip.route("replace", dst=net, oif=index, priority=metric, table=links.MAIN_TABLE, proto=links.ROUTE_PROTOCOL)
    kept = set(desired)
    for route in _our_routes(current)[index]:
        if (route.net, route.metric) not in kept:
            with namespace.suppressed(errno.ESRCH):
                ip.route(
                    "del",
                    dst=route.net,
                    oif=index,
                    priority=route.metric,
                    table=links.MAIN_TABLE,
                    proto=route.protocol,
                    scope=_ANY_SCOPE,
                )


def _set_pairs(ip: Any, index: int, tunnel: tunnels.Tunnel, current: list[netlink.Rule]) -> None:
    table = tunnels.TABLE + tunnel.if_id
    if tunnel.pairs:
        ip.route("replace", dst="0.0.0.0/0", oif=index, table=table, proto=links.ROUTE_PROTOCOL)
    for pair in tunnel.pairs:
        with namespace.suppressed(errno.EEXIST):
            ip.rule("add", **_rule(pair, table))
    for pair in _pairs(current)[table] - tunnel.pairs:
        ip.rule("del", **_rule(pair, table))


def _rule(pair: tuple[int, str, str], table: int) -> dict[str, Any]:
    priority, source, destination = pair
    (src, src_len), (dst, dst_len) = source.split("/"), destination.split("/")
    return {
        "priority": priority,
        "src": src,
        "src_len": int(src_len),
        "dst": dst,
        "dst_len": int(dst_len),
        "table": table,
    }


def ensure_shared_routes(ip: Any, desired: frozenset[tunnels.SharedRoute]) -> None:
    """Makes `desired` our multipath routes. A new one is behind the old one of its network until that is deleted."""
    if desired:
        links.HASH_POLICY.write_text(links.BY_PORTS)
    with netlink.Reader() as read:
        current = _shared_routes(read.routes(), _if_ids(read.links()))
    added = desired - current.keys()
    index = {if_id: namespace.index(ip, tunnels.name(if_id)) for _, if_ids in added for if_id in if_ids}
    for net, if_ids in sorted(added):
        with namespace.suppressed(errno.EEXIST):
            ip.route("append", **_multipath(net, [index[if_id] for if_id in if_ids]))
    for net, if_ids in sorted(current.keys() - desired):
        with namespace.suppressed(errno.ESRCH):
            ip.route("del", **_multipath(net, current[net, if_ids]))


def _multipath(net: str, output_links: Iterable[int]) -> dict[str, Any]:
    """The scope tells it from the routes of one tunnel. The kernel deletes the first route that differs in none of the given values, and a
    route into the first of these links alone would be such a route.
    """
    return {
        "dst": net,
        "multipath": [{"oif": link} for link in output_links],
        "table": links.MAIN_TABLE,
        "proto": links.ROUTE_PROTOCOL,
        "scope": _LINK_SCOPE,
    }


def delete(ip: Any, if_id: int) -> None:
    """Deletes the interface, and the kernel deletes its addresses and routes. Rules are deleted separately."""
    table = tunnels.TABLE + if_id
    with netlink.Reader() as read:
        current = _pairs(read.rules())
    for pair in current[table]:
        ip.rule("del", **_rule(pair, table))
    for index in ip.link_lookup(ifname=tunnels.name(if_id)):
        ip.link("del", index=index)


def read_tunnels(snapshot: netlink.Snapshot) -> dict[str, tunnels.Tunnel]:
    """Name of the interface -> its tunnel as it stands. `connection_id` is empty where the interface's alias is."""
    routes, pairs = _our_routes(snapshot.routes), _pairs(snapshot.rules)
    tables = {(route.table, route.link) for route in snapshot.routes}
    addresses = {address.link: address.text for address in snapshot.addresses}
    tunnel = {}
    for link in snapshot.links:
        if link.kind != "xfrm" or not _NAME.fullmatch(link.name):
            continue
        if_id = int(link.name[1:])
        table = tunnels.TABLE + if_id
        tunnel[link.name] = tunnels.Tunnel(
            connection_id=link.alias,
            if_id=if_id,
            mtu=link.mtu,
            address=addresses.get(link.ifindex),
            routes=frozenset((route.net, route.metric) for route in routes[link.ifindex]),
            has_older_routes=any(route.protocol != links.ROUTE_PROTOCOL for route in routes[link.ifindex]),
            pairs=frozenset(pairs[table]),
            whole=link.up and (not pairs[table] or (table, link.ifindex) in tables),
        )
    return tunnel


def read_shared_routes(snapshot: netlink.Snapshot) -> frozenset[tunnels.SharedRoute]:
    return frozenset(_shared_routes(snapshot.routes, _if_ids(snapshot.links)))


def hashes_ports() -> bool:
    """The setting in the namespace of the calling thread. A kernel without multipath routes does not have it."""
    return links.HASH_POLICY.exists() and links.HASH_POLICY.read_text().strip() == links.BY_PORTS


def _shared_routes(
    routes: list[netlink.Route], if_ids: Mapping[int, int]
) -> dict[tunnels.SharedRoute, tuple[int, ...]]:
    """Our multipath routes, with the indices of their output links. `if_ids`: as of `_if_ids`."""
    return {
        (route.net, tuple(if_ids.get(link, 0) for link in route.links)): route.links
        for route in routes
        if route.links and route.table == links.MAIN_TABLE and route.protocol == links.ROUTE_PROTOCOL
    }


def _if_ids(links: list[netlink.Link]) -> dict[int, int]:
    """Index of a tunnel's interface -> its `if_id`."""
    return {link.ifindex: int(link.name[1:]) for link in links if _NAME.fullmatch(link.name)}


def _our_routes(routes: list[netlink.Route]) -> defaultdict[int, list[netlink.Route]]:
    """Interface -> the routes of the main table that we added, in this version or an older one."""
    routes_of: defaultdict[int, list[netlink.Route]] = defaultdict(list)
    for route in routes:
        if route.table == links.MAIN_TABLE and route.protocol in _OUR_PROTOCOLS and not route.learned:
            routes_of[route.link].append(route)
    return routes_of


def _pairs(rules: list[netlink.Rule]) -> defaultdict[int, set[tuple[int, str, str]]]:
    """Table -> (priority, source, destination)."""
    routes: defaultdict[int, set[tuple[int, str, str]]] = defaultdict(set)
    for rule in rules:
        routes[rule.table].add((rule.priority, rule.source, rule.destination))
    return routes


def learned_mtus(snapshot: netlink.Snapshot) -> dict[str, int]:
    """Peer -> the path MTU that a router on the way told us (RFC 1191)."""
    uplink = {link.ifindex for link in snapshot.links if link.name == "wan"}
    learned = (route for route in snapshot.routes if route.learned and route.mtu and route.link in uplink)
    return {route.net.removesuffix("/32"): route.mtu for route in learned}


def flush(name: str) -> None:
    """Forgets the SAs and policies of a charon that is gone: a new one knows nothing of them and would not end them."""
    for kind in ("state", "policy"):
        done = subprocess.run(["ip", "-n", name, "xfrm", kind, "flush"], capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise OSError(f"ip xfrm {kind} flush: {done.stderr.strip()}")
