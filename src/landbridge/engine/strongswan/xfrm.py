"""XFRM interfaces in a gateway's namespace: laid, cut and looked at, through netlink.

It decides nothing: `tunnels.Tunnel` says how one must be. Everything here may be done twice. What is new is put before what is
old is taken away, so that a change of one route leaves no gap for the others.
"""

import contextlib
import errno
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from landbridge.engine.strongswan import legs, namespace, reading, tunnels

_NAME = re.compile(r"x[1-9]\d*")
#: RTPROT_KERNEL: the route that comes with an address.
_BY_THE_KERNEL = 2


def lay(ip: Any, tunnel: tunnels.Tunnel) -> None:
    name = tunnels.name(tunnel.if_id)
    if not ip.link_lookup(ifname=name):
        ip.link("add", ifname=name, kind="xfrm", xfrm_if_id=tunnel.if_id)
    index = namespace.index(ip, name)
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6; with it the tunnel would be asked for routers
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    ip.link("set", index=index, mtu=tunnel.mtu, ifalias=tunnel.connection_id, state="up")
    with reading.Reader() as read:
        _set_address(ip, index, tunnel.address, read.addresses())
        _set_routes(ip, index, tunnel.routes, read.routes())
        _set_pairs(ip, index, tunnel, read.rules())


def _set_address(ip: Any, index: int, wanted: str | None, known: list[reading.Address]) -> None:
    if wanted:
        host, length = wanted.split("/")
        ip.addr("replace", index=index, address=host, prefixlen=int(length))
    for address in known:
        if address.link == index and address.text != wanted:
            host, length = address.text.split("/")
            ip.addr("del", index=index, address=host, prefixlen=int(length))


def _set_routes(ip: Any, index: int, wanted: Iterable[tuple[str, int]], known: list[reading.Route]) -> None:
    for net, metric in wanted:
        ip.route("replace", dst=net, oif=index, priority=metric, table=legs.MAIN_TABLE)
    for net, metric in _made(known)[index] - set(wanted):
        with namespace.but(errno.ESRCH):
            ip.route("del", dst=net, oif=index, priority=metric, table=legs.MAIN_TABLE)


def _set_pairs(ip: Any, index: int, tunnel: tunnels.Tunnel, known: list[reading.Rule]) -> None:
    table = tunnels.TABLE + tunnel.if_id
    if tunnel.pairs:
        ip.route("replace", dst="0.0.0.0/0", oif=index, table=table)
    for pair in tunnel.pairs:
        with namespace.but(errno.EEXIST):
            ip.rule("add", **_rule(pair, table))
    for pair in _pairs(known)[table] - tunnel.pairs:
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


def cut(ip: Any, if_id: int) -> None:
    """Its addresses and routes go with it; its rules do not."""
    table = tunnels.TABLE + if_id
    with reading.Reader() as read:
        known = _pairs(read.rules())
    for pair in known[table]:
        ip.rule("del", **_rule(pair, table))
    for index in ip.link_lookup(ifname=tunnels.name(if_id)):
        ip.link("del", index=index)


def look(standing: reading.Standing) -> dict[str, tunnels.Tunnel]:
    """Name of the interface -> what there is of it; one without the name of a connection has the empty one."""
    routes, pairs = _made(standing.routes), _pairs(standing.rules)
    tables = {(route.table, route.link) for route in standing.routes}
    addresses = {address.link: address.text for address in standing.addresses}
    tunnel = {}
    for link in standing.links:
        if link.kind != "xfrm" or not _NAME.fullmatch(link.name):
            continue
        if_id = int(link.name[1:])
        table = tunnels.TABLE + if_id
        tunnel[link.name] = tunnels.Tunnel(
            connection_id=link.alias,
            if_id=if_id,
            mtu=link.mtu,
            address=addresses.get(link.number),
            routes=frozenset(routes[link.number]),
            pairs=frozenset(pairs[table]),
            whole=link.up and (not pairs[table] or (table, link.number) in tables),
        )
    return tunnel


def _made(routes: list[reading.Route]) -> defaultdict[int, set[tuple[str, int]]]:
    """Interface -> the main table's (net, metric), those that came by themselves left out."""
    found: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)
    for route in routes:
        if route.table == legs.MAIN_TABLE and route.protocol != _BY_THE_KERNEL and not route.learned:
            found[route.link].add((route.net, route.metric))
    return found


def _pairs(rules: list[reading.Rule]) -> defaultdict[int, set[tuple[int, str, str]]]:
    """Table -> (priority, source, destination)."""
    found: defaultdict[int, set[tuple[int, str, str]]] = defaultdict(set)
    for rule in rules:
        found[rule.table].add((rule.priority, rule.source, rule.destination))
    return found


def learned_mtus(standing: reading.Standing) -> dict[str, int]:
    """Peer -> the path MTU that a router on the way told us (RFC 1191)."""
    wan = {link.number for link in standing.links if link.name == "wan"}
    learned = (route for route in standing.routes if route.learned and route.mtu and route.link in wan)
    return {route.net.removesuffix("/32"): route.mtu for route in learned}


def flush(name: str) -> None:
    """Forgets the SAs and policies of a charon that is gone: a new one knows nothing of them and would not end them."""
    for what in ("state", "policy"):
        done = subprocess.run(["ip", "-n", name, "xfrm", what, "flush"], capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise OSError(f"ip xfrm {what} flush: {done.stderr.strip()}")
