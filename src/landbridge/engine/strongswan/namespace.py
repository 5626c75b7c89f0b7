"""A gateway's network namespace and its two legs, through netlink.

It may not start processes other than `ip netns add` and `delete`, and knows nothing of charon. Everything here may be done
twice. Invariant: no clear text crosses a gateway. What comes in by the outer leg is forwarded nowhere, and the default route is
only for packets that the namespace itself makes.

A namespace is entered by a thread that lives no longer than its work: setns(2) is per thread, and pyroute2's own way forks,
which a process with threads must not do.
"""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from landbridge.engine.strongswan import names

T = TypeVar("T")

RUN = Path("/run/netns")
#: The underlay's end of every outer leg; the API gives this block to no tunnel.
ROUTER = "169.254.195.1"
#: The routing table that holds the default route, out of the reach of forwarded packets.
OWN_TABLE = 195
#: Before charon's own (220), which has the routes into the tunnels: what comes from outside must not be forwarded, least of
#: all into a tunnel because it claims to come from the VPC.
FROM_OUTSIDE = 210
#: After main and default: packets that this namespace makes find the default route.
FROM_HERE = 33000

_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_UNREACHABLE = 7  # FR_ACT_UNREACHABLE, <linux/fib_rules.h>
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Look:
    """What there is of a gateway's network. `lan` as in `seen.Seen`."""

    wan: bool
    wan_end: bool
    lan: str | None
    addresses: frozenset[tuple[str, str]]


def inside(name: str | None, work: Callable[[Any], T]) -> T:
    """The result of `work(netlink socket)` done within the namespace (None: our own)."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            if name is not None:
                _enter(name)
            with IPRoute() as ip:
                results.append(work(ip))
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name=f"inside-{name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(name: str) -> None:
    with _opened(name) as fd:
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[int]:
    fd = os.open(RUN / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def exists(name: str) -> bool:
    return (RUN / name).exists()


def add(name: str) -> None:
    if not exists(name):
        _ip("netns", "add", name)


def remove(name: str) -> None:
    if exists(name):
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    """`ip netns` knows how to share the mounts of /run/netns with other programs."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise OSError(done.stderr.strip() or f"ip {' '.join(arguments)} failed")


def lay_wan(gateway_id: str, underlay: str | None) -> None:
    name, end = names.namespace(gateway_id), names.wan_end(gateway_id)
    with _opened(name) as fd:
        inside(underlay, lambda ip: _outer_end(ip, end, fd))
    inside(name, _inner_end_of_wan)


def _outer_end(ip: Any, end: str, fd: int) -> None:
    if not ip.link_lookup(ifname=end):
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "wan", "net_ns_fd": fd})
    index = _index(ip, end)
    ip.link("set", index=index, state="up")
    ip.addr("replace", index=index, address=ROUTER, prefixlen=32)


def _inner_end_of_wan(ip: Any) -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    wan = _index(ip, "wan")
    ip.link("set", index=_index(ip, "lo"), state="up")
    ip.link("set", index=wan, state="up")
    ip.route("replace", dst="0.0.0.0/0", gateway=ROUTER, oif=wan, flags=["onlink"], table=OWN_TABLE)
    with _but(errno.EEXIST):
        ip.rule("add", iifname="wan", action="unreachable", priority=FROM_OUTSIDE)
    with _but(errno.EEXIST):
        ip.rule("add", iifname="lo", table=OWN_TABLE, priority=FROM_HERE)


def lay_lan(gateway_id: str, underlay: str | None, kind: str) -> None:
    """`kind` is `bridge NAME` or `interface NAME`, a link of the underlay."""
    name, end = names.namespace(gateway_id), names.lan_end(gateway_id)
    how, link = kind.split(" ", 1)
    plug = _onto_bridge if how == "bridge" else _onto_interface
    with _opened(name) as fd:
        inside(underlay, lambda ip: plug(ip, link, end, fd))
    inside(name, lambda ip: ip.link("set", index=_index(ip, "lan"), state="up"))


def _onto_bridge(ip: Any, bridge: str, end: str, fd: int) -> None:
    master = _index(ip, bridge)
    if not ip.link_lookup(ifname=end):
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "lan", "net_ns_fd": fd})
    ip.link("set", index=_index(ip, end), master=master, state="up")


def _onto_interface(ip: Any, interface: str, _end: str, fd: int) -> None:
    parent = _index(ip, interface)
    with _but(errno.EEXIST):
        ip.link("add", ifname="lan", kind="macvlan", link=parent, macvlan_mode="bridge", net_ns_fd=fd)


def cut(gateway_id: str, underlay: str | None, leg: str) -> None:
    """Removes the leg `wan` or `lan`, from whichever side it can be reached: a namespace dies slowly, a link at once."""
    end = names.wan_end(gateway_id) if leg == "wan" else names.lan_end(gateway_id)
    inside(underlay, lambda ip: _delete_link(ip, end))
    if exists(names.namespace(gateway_id)):
        inside(names.namespace(gateway_id), lambda ip: _delete_link(ip, leg))


def _delete_link(ip: Any, ifname: str) -> None:
    for index in ip.link_lookup(ifname=ifname):
        with _but(errno.ENODEV):
            ip.link("del", index=index)


def add_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    def within(ip: Any) -> None:
        for link, address in addresses:
            host, length = address.split("/")
            ip.addr("replace", index=_index(ip, link), address=host, prefixlen=int(length))
            if link == "lan":
                _announce(_link(ip, link).get("address"), host)

    inside(names.namespace(gateway_id), within)
    end = names.wan_end(gateway_id)
    outer = [address for link, address in addresses if link == "wan"]
    if outer:
        inside(underlay, lambda ip: [ip.route("replace", dst=address, oif=_index(ip, end)) for address in outer])


def _announce(mac: str, address: str) -> None:
    """Tells the neighbours whose the address is now (RFC 5227, 2.3): they may remember an earlier leg's for a minute."""
    hardware, protocol = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    header = b"\xff" * 6 + hardware + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as announcer:
        announcer.bind(("lan", 0))
        announcer.send(header + hardware + protocol + bytes(6) + protocol)


def remove_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    outer = [address for link, address in addresses if link == "wan"]

    def without(ip: Any) -> None:
        for address in outer:
            with _but(errno.ESRCH):
                ip.route("del", dst=address, oif=_index(ip, names.wan_end(gateway_id)))

    def within(ip: Any) -> None:
        for link, address in addresses:
            host, length = address.split("/")
            with _but(errno.EADDRNOTAVAIL):
                ip.addr("del", index=_index(ip, link), address=host, prefixlen=int(length))

    if outer:
        inside(underlay, without)
    inside(names.namespace(gateway_id), within)


def look(gateway_id: str, underlay: str | None) -> Look:
    name = names.namespace(gateway_id)
    here = inside(name, _look_inside) if exists(name) else _Inside()
    outer = [address for link, address in here.addresses if link == "wan"]
    there = inside(underlay, lambda ip: _look_outside(ip, gateway_id, here, outer))
    routed = {(link, address) for link, address in here.addresses if link != "wan" or address in there.routed}
    return Look(wan=here.wan and there.wan_end, wan_end=there.wan_end, lan=there.lan, addresses=frozenset(routed))


@dataclass(frozen=True, slots=True)
class _Inside:
    """`lan` is the leg's kind of link and its parent's index, where it has one."""

    wan: bool = False
    lan: tuple[str, int] | None = None
    lan_up: bool = False
    addresses: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Outside:
    wan_end: bool
    lan: str | None
    routed: frozenset[str]


def _look_inside(ip: Any) -> _Inside:
    links = {link.get("ifname"): link for link in ip.get_links()}
    by_index = {link["index"]: ifname for ifname, link in links.items()}
    found = {
        (by_index.get(address["index"], ""), f"{address.get('local')}/{address['prefixlen']}")
        for address in ip.get_addr(family=socket.AF_INET)
    }
    return _Inside(
        wan=_is_up(links.get("wan")) and _is_guarded(ip),
        lan=_parent(links["lan"]) if "lan" in links else None,
        lan_up=_is_up(links.get("lan")),
        addresses=frozenset((link, address) for link, address in found if _is_ours(link, address)),
    )


def _is_ours(link: str, address: str) -> bool:
    return link in ("wan", "lan") or (link == "lo" and not address.startswith("127."))


def _is_up(link: Any) -> bool:
    return link is not None and bool(link["flags"] & 1)  # IFF_UP


def _is_guarded(ip: Any) -> bool:
    """Whether the rules of the invariant stand, and the default route."""
    rules = {(rule.get("priority"), rule.get("iifname")) for rule in ip.get_rules(family=socket.AF_INET)}
    routes = ip.get_routes(family=socket.AF_INET, table=OWN_TABLE)
    return {(FROM_OUTSIDE, "wan"), (FROM_HERE, "lo")} <= rules and any(routes)


def _parent(link: Any) -> tuple[str, int]:
    return link.get(("linkinfo", "kind")) or "", link.get("link") or 0


def _look_outside(ip: Any, gateway_id: str, here: _Inside, outer: list[str]) -> _Outside:
    wan_end = _link(ip, names.wan_end(gateway_id))
    lan_end = _link(ip, names.lan_end(gateway_id))
    index = wan_end["index"] if wan_end else 0
    return _Outside(
        wan_end=wan_end is not None,
        lan=_lan(ip, here, lan_end),
        routed=frozenset(address for address in outer if _goes_through(ip, address, index)),
    )


def _lan(ip: Any, here: _Inside, end: Any) -> str | None:
    if here.lan is None and end is None:
        return None
    if not here.lan_up or here.lan is None:
        return "?"
    if end is not None:
        return f"bridge {_name(ip, end.get('master'))}" if _is_up(end) else "?"
    return f"interface {_name(ip, here.lan[1])}" if here.lan[0] == "macvlan" else "?"


def _goes_through(ip: Any, address: str, index: int) -> bool:
    try:
        route = ip.route("get", dst=address.split("/", maxsplit=1)[0])[0]
    except NetlinkError:
        return False
    return bool(route.get("oif") == index)


def _link(ip: Any, ifname: str) -> Any:
    try:
        return ip.link("get", ifname=ifname)[0]
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
        return None


def _name(ip: Any, index: int | None) -> str:
    if not index:
        return ""
    try:
        return str(ip.link("get", index=index)[0].get("ifname"))
    except NetlinkError:
        return ""


def _index(ip: Any, ifname: str) -> int:
    link = _link(ip, ifname)
    if link is None:
        raise OSError(errno.ENODEV, "no such interface", ifname)
    return int(link["index"])


@contextlib.contextmanager
def _but(code: int) -> Iterator[None]:
    """Lets one netlink error pass: what should be done was done already."""
    try:
        yield
    except NetlinkError as error:
        if error.code != code:
            raise
