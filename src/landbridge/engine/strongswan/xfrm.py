"""XFRM interfaces in a gateway's namespace: laid, cut and looked at, through netlink.

It decides nothing: `tunnels.Tunnel` says how one must be. Everything here may be done twice. What is new is put before what is
old is taken away, so that a change of one route leaves no gap for the others.
"""

import contextlib
import errno
import ipaddress
import re
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from landbridge.engine.strongswan import legs, namespace, tunnels

_NAME = re.compile(r"x[1-9]\d*")
#: <linux/rtnetlink.h>: also what the kernel learned, such as a path's MTU.
_RTM_F_CLONED = 0x200


def lay(ip: Any, tunnel: tunnels.Tunnel) -> None:
    name = tunnels.name(tunnel.if_id)
    if not ip.link_lookup(ifname=name):
        ip.link("add", ifname=name, kind="xfrm", xfrm_if_id=tunnel.if_id)
    index = namespace.index(ip, name)
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6; with it the tunnel would be asked for routers
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    ip.link("set", index=index, mtu=tunnel.mtu, ifalias=tunnel.connection_id, state="up")
    _set_address(ip, index, tunnel.address)
    _set_routes(ip, index, tunnel.routes)
    _set_pairs(ip, index, tunnel)


def _set_address(ip: Any, index: int, wanted: str | None) -> None:
    if wanted:
        host, length = wanted.split("/")
        ip.addr("replace", index=index, address=host, prefixlen=int(length))
    for address in ip.get_addr(family=socket.AF_INET, index=index):
        if _text(address.get("local"), address["prefixlen"]) != wanted:
            ip.addr("del", index=index, address=address.get("local"), prefixlen=address["prefixlen"])


def _set_routes(ip: Any, index: int, wanted: Iterable[tuple[str, int]]) -> None:
    for net, metric in wanted:
        ip.route("replace", dst=net, oif=index, priority=metric, table=legs.MAIN_TABLE)
    for net, metric in _routes(ip, index) - set(wanted):
        with namespace.but(errno.ESRCH):
            ip.route("del", dst=net, oif=index, priority=metric, table=legs.MAIN_TABLE)


def _set_pairs(ip: Any, index: int, tunnel: tunnels.Tunnel) -> None:
    table = tunnels.TABLE + tunnel.if_id
    if tunnel.pairs:
        ip.route("replace", dst="0.0.0.0/0", oif=index, table=table)
    for pair in tunnel.pairs:
        with namespace.but(errno.EEXIST):
            ip.rule("add", **_rule(pair, table))
    for pair in _pairs(ip.get_rules(family=socket.AF_INET), table) - tunnel.pairs:
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
    for pair in _pairs(ip.get_rules(family=socket.AF_INET), table):
        ip.rule("del", **_rule(pair, table))
    for index in ip.link_lookup(ifname=tunnels.name(if_id)):
        ip.link("del", index=index)


def look(ip: Any) -> dict[str, tunnels.Tunnel]:
    """Name of the interface -> what there is of it; one without the name of a connection has the empty one."""
    found = [link for link in ip.get_links() if link.get(("linkinfo", "kind")) == "xfrm"]
    rules = ip.get_rules(family=socket.AF_INET) if found else ()
    routes: dict[int, set[tuple[str, int]]] = {}
    tables = set()
    for route in ip.get_routes(family=socket.AF_INET) if found else ():
        if route.get("table") == legs.MAIN_TABLE and route["proto"] != _BY_THE_KERNEL:
            routes.setdefault(route.get("oif"), set()).add(_route(route))
        tables.add((route.get("table"), route.get("oif")))
    addresses = {one["index"]: one for one in ip.get_addr(family=socket.AF_INET)} if found else {}
    tunnel = {}
    for link in found:
        name, index = link.get("ifname"), link["index"]
        if not _NAME.fullmatch(name):
            continue
        if_id = int(name[1:])
        address, pairs = addresses.get(index), _pairs(rules, tunnels.TABLE + if_id)
        tunnel[name] = tunnels.Tunnel(
            connection_id=link.get("ifalias") or "",
            if_id=if_id,
            mtu=link.get("mtu"),
            address=_text(address.get("local"), address["prefixlen"]) if address else None,
            routes=frozenset(routes.get(index, ())),
            pairs=pairs,
            whole=bool(link["flags"] & 1) and (not pairs or (tunnels.TABLE + if_id, index) in tables),
        )
    return tunnel


#: RTPROT_KERNEL: the route that comes with an address.
_BY_THE_KERNEL = 2


def _routes(ip: Any, index: int) -> set[tuple[str, int]]:
    found = ip.get_routes(family=socket.AF_INET, table=legs.MAIN_TABLE, oif=index)
    return {_route(route) for route in found if route["proto"] != _BY_THE_KERNEL}


def _route(route: Any) -> tuple[str, int]:
    return _text(route.get("dst"), route["dst_len"]), route.get("priority") or 0


def _pairs(rules: Any, table: int) -> frozenset[tuple[int, str, str]]:
    return frozenset(
        (
            rule.get("priority"),
            _text(rule.get("src"), rule["src_len"]),
            _text(rule.get("dst"), rule["dst_len"]),
        )
        for rule in rules
        if rule.get("table") == table
    )


def _text(host: str | None, length: int) -> str:
    """The kernel leaves out what is all zeros."""
    return f"{host or ipaddress.IPv4Address(0)}/{length}"


def learned_mtus(ip: Any) -> dict[str, int]:
    """Peer -> the path MTU that a router on the way told us (RFC 1191)."""
    routes = ip.get_routes(family=socket.AF_INET, flags=_RTM_F_CLONED)
    found = ((route.get("dst"), route.get(("metrics", "mtu"))) for route in routes if route["dst_len"] == 32)
    return {host: mtu for host, mtu in found if mtu}


def flush(name: str) -> None:
    """Forgets the SAs and policies of a charon that is gone: a new one knows nothing of them and would not end them."""
    for what in ("state", "policy"):
        done = subprocess.run(["ip", "-n", name, "xfrm", what, "flush"], capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise OSError(f"ip xfrm {what} flush: {done.stderr.strip()}")
