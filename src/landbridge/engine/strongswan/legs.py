"""A gateway's two legs: the outer one to the underlay or a real network, the inner one into its VPC. Through netlink.

It knows nothing of charon or of tunnels. Everything here may be done twice. Invariant: no clear text crosses a gateway. What comes in
by the outer leg is forwarded nowhere, and the default route is only for packets that the namespace itself makes.
"""

import errno
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import names, namespace, reading
from landbridge.engine.strongswan import underlay as around

#: The routing table that holds the default route, out of the reach of forwarded packets.
OWN_TABLE = 195
#: charon's table of routes into userland tunnels (`routing_table` of its configuration).
CHARONS_TABLE = 220
MAIN_TABLE = 254
#: Before all but `local`: what an outer address of ours sends never goes into a tunnel, whatever networks are behind it.
FROM_OUR_ADDRESS = 100
#: Before charon's own (220), which has the routes into the tunnels: what comes from outside must not be forwarded, least of
#: all into a tunnel because it claims to come from the VPC.
FROM_OUTSIDE = 210
#: Between these two: what belongs into a network that the gateway itself is in goes into no tunnel, however wide its networks are, but for
#: what is behind a tunnel and narrower (where only charon's table knows that).
WITHIN_OWN_NETWORK = 214
OWN_NETWORK = 215
#: After main and default: packets that this namespace makes find the default route.
FROM_HERE = 33000
#: Of all links, also of those that come later.
ANSWERS_TO_ARP = Path("/proc/sys/net/ipv4/conf/all/arp_ignore")
OWN_ADDRESSES_ONLY = "1"


@dataclass(frozen=True, slots=True)
class Inside:
    """What the namespace shows. `wan` and `lan`: a leg's kind of link and its parent's index."""

    wan: tuple[str, int] | None = None
    wan_whole: bool = False
    router: str | None = None
    wan_mtu: int = 1500
    lan: tuple[str, int] | None = None
    lan_up: bool = False
    addresses: frozenset[tuple[str, str]] = frozenset()
    rules: frozenset[tuple[int, str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Look:
    """As in `seen.Seen`."""

    wan: str | None
    wan_whole: bool
    wan_end: bool
    lan: str | None
    addresses: frozenset[tuple[str, str]]


def lay_wan(gateway_id: str, underlay: str | None, kind: str, router: str) -> None:
    """`kind` is `routed` or `macvlan LINK`; `router` its next hop."""
    name = names.namespace(gateway_id)
    with namespace.opened(name) as fd:
        if kind == "routed":
            mtu = namespace.inside(underlay, lambda ip: _outer_end(ip, names.wan_end(gateway_id), router, fd))
        else:
            mtu = namespace.inside(underlay, lambda ip: _macvlan(ip, kind.split(" ", 1)[1], "wan", fd))
    namespace.inside(name, lambda ip: _inner_end_of_wan(ip, router, mtu))


def _outer_end(ip: Any, end: str, router: str, fd: int) -> int:
    if not ip.link_lookup(ifname=end):
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "wan", "net_ns_fd": fd})
    index, mtu = namespace.index(ip, end), _way_out_mtu(ip)
    ip.link("set", index=index, mtu=mtu, state="up")
    ip.addr("replace", index=index, address=router, prefixlen=32)
    return mtu


def _way_out_mtu(ip: Any) -> int:
    """Of the link with the default route: what is larger would not leave this machine."""
    for route in ip.get_default_routes(family=socket.AF_INET):
        if route.get("oif"):
            return int(ip.link("get", index=route.get("oif"))[0].get("mtu"))
    return 1500


def _macvlan(ip: Any, interface: str, name: str, fd: int) -> int:
    parent = namespace.link(ip, interface)
    if parent is None:
        raise OSError(errno.ENODEV, "no such interface", interface)
    with namespace.but(errno.EEXIST):
        ip.link("add", ifname=name, kind="macvlan", link=parent["index"], macvlan_mode="bridge", net_ns_fd=fd)
    return int(parent.get("mtu"))


def _inner_end_of_wan(ip: Any, router: str, mtu: int) -> None:
    """Reverse path filtering would drop what comes by the second tunnel of a pair; the firewall looks at sources itself. A leg answers
    ARP for its own addresses alone: those of the other leg are not there, and those on `lo` may be a host's of the network.
    """
    ipv4 = Path("/proc/sys/net/ipv4")
    (ipv4 / "ip_forward").write_text("1")
    (ipv4 / "conf/all/rp_filter").write_text("0")
    (ipv4 / "conf/default/rp_filter").write_text("0")
    ANSWERS_TO_ARP.write_text(OWN_ADDRESSES_ONLY)
    wan = namespace.index(ip, "wan")
    ip.link("set", index=namespace.index(ip, "lo"), state="up")
    ip.link("set", index=wan, mtu=mtu, state="up")
    (ipv4 / "conf/wan/rp_filter").write_text("0")
    ip.route("replace", dst="0.0.0.0/0", gateway=router, oif=wan, flags=["onlink"], table=OWN_TABLE)
    for table in (CHARONS_TABLE, MAIN_TABLE):
        for net in model.RESERVED_NETS:
            ip.route("replace", dst=net, type="unreachable", table=table)
    with namespace.but(errno.EEXIST):
        ip.rule("add", iifname="wan", action="unreachable", priority=FROM_OUTSIDE)
    with namespace.but(errno.EEXIST):
        ip.rule("add", iifname="lo", table=OWN_TABLE, priority=FROM_HERE)


def lay_lan(gateway_id: str, underlay: str | None, kind: str) -> None:
    """`kind` is `bridge NAME` or `interface NAME`, a link of the underlay."""
    name, end = names.namespace(gateway_id), names.lan_end(gateway_id)
    how, link = kind.split(" ", 1)
    with namespace.opened(name) as fd:
        if how == "bridge":
            namespace.inside(underlay, lambda ip: _onto_bridge(ip, link, end, fd))
        else:
            namespace.inside(underlay, lambda ip: _macvlan(ip, link, "lan", fd))
    namespace.inside(name, lambda ip: ip.link("set", index=namespace.index(ip, "lan"), state="up"))


def _onto_bridge(ip: Any, bridge: str, end: str, fd: int) -> None:
    master = namespace.index(ip, bridge)
    if not ip.link_lookup(ifname=end):
        # The same address whenever it is laid: a new leg's announcement is lost while its port in the bridge comes up.
        mac = "02:" + bytes.fromhex(end[-10:]).hex(":")
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "lan", "net_ns_fd": fd, "address": mac})
    ip.link("set", index=namespace.index(ip, end), master=master, state="up")


def check_move(gateway_id: str, underlay: str | None, leg: str, kind: str) -> None:
    """Whether the leg can be laid anew on `kind`. Raises OSError: it is to stay where it is."""
    how, _, link = kind.partition(" ")
    if link:
        namespace.look(underlay, lambda read: _check_place(read, link, "bridge" if how == "bridge" else ""))
    ours = namespace.look(names.namespace(gateway_id), lambda read: read.link(name=leg))
    if ours is not None and ours.kind == "veth":
        there = namespace.look(underlay, lambda read: read.link(number=ours.parent))
        if there is None or there.kind != "veth" or there.parent != ours.number:
            place = f"network namespace {underlay}" if underlay else "machine's own network namespace"
            raise OSError(f"its other end is not in the {place}; `landbridge engine stop` takes it down")


def _check_place(read: reading.Reader, name: str, kind: str) -> None:
    found = read.link(name=name)
    if found is None:
        raise OSError(errno.ENODEV, "no such interface", name)
    if kind and found.kind != kind:
        raise OSError(f"{name} is no {kind}")


def cut(gateway_id: str, underlay: str | None, leg: str) -> None:
    """Removes the leg `wan` or `lan`, from whichever side it can be reached: a namespace dies slowly, a link at once."""
    end = names.wan_end(gateway_id) if leg == "wan" else names.lan_end(gateway_id)
    namespace.inside(underlay, lambda ip: _delete_link(ip, end))
    if namespace.exists(names.namespace(gateway_id)):
        namespace.inside(names.namespace(gateway_id), lambda ip: _delete_link(ip, leg))


def _delete_link(ip: Any, ifname: str) -> None:
    for index in ip.link_lookup(ifname=ifname):
        with namespace.but(errno.ENODEV):
            ip.link("del", index=index)


def add_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    def within(read: reading.Reader) -> None:
        index = {leg: _number(read, leg) for leg in {leg for leg, _ in addresses}}
        for leg, address in addresses:
            host, length = address.split("/")
            read.put_address(index[leg], host, int(length))

    def tell(ip: Any) -> None:
        for leg, address in addresses:
            host = address.split("/", maxsplit=1)[0]
            if leg == "wan":
                with namespace.but(errno.EEXIST):
                    ip.rule("add", src=host, src_len=32, table=OWN_TABLE, priority=FROM_OUR_ADDRESS)
            if leg != "lo":
                _announce(leg, namespace.link(ip, leg).get("address"), host)

    name = names.namespace(gateway_id)
    outer = [address for leg, address in addresses if leg == "wan"]
    if outer:
        hosts = [address.split("/", maxsplit=1)[0] for address in outer]
        namespace.look(underlay, lambda read: around.check_free(read, hosts))
    namespace.look(name, within)
    if any(leg != "lo" for leg, _ in addresses):
        namespace.inside(name, tell)
    if outer:
        namespace.inside(underlay, lambda ip: _route_here(ip, names.wan_end(gateway_id), outer))


def _number(read: reading.Reader, leg: str) -> int:
    found = read.link(name=leg)
    if found is None:
        raise OSError(errno.ENODEV, "no such interface", leg)
    return found.number


def _route_here(ip: Any, end: str, outer: list[str]) -> None:
    """Nothing to do on a macvlan: the network itself asks who has the address."""
    for index in ip.link_lookup(ifname=end):
        for address in outer:
            ip.route("replace", dst=address, oif=index)


def _announce(leg: str, mac: str, address: str) -> None:
    """Tells the neighbours whose the address is now (RFC 5227, 2.3): they may remember an earlier leg's for a minute."""
    hardware, protocol = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    header = b"\xff" * 6 + hardware + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as announcer:
        announcer.bind((leg, 0))
        announcer.send(header + hardware + protocol + bytes(6) + protocol)


def remove_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    outer = [address for leg, address in addresses if leg == "wan"]

    def without(ip: Any) -> None:
        for index in ip.link_lookup(ifname=names.wan_end(gateway_id)):
            for address in outer:
                with namespace.but(errno.ESRCH):
                    ip.route("del", dst=address, oif=index)

    def within(ip: Any) -> None:
        for leg, address in addresses:
            host, length = address.split("/")
            with namespace.but(errno.EADDRNOTAVAIL):
                ip.addr("del", index=namespace.index(ip, leg), address=host, prefixlen=int(length))
            if leg == "wan":
                with namespace.but(errno.ENOENT):
                    ip.rule("del", src=host, src_len=32, table=OWN_TABLE, priority=FROM_OUR_ADDRESS)

    if outer:
        namespace.inside(underlay, without)
    namespace.inside(names.namespace(gateway_id), within)


def set_rules(gateway_id: str, wanted: frozenset[tuple[int, str, int]]) -> None:
    """Those of `ground.Ground.rules`, new ones before old ones go."""

    def within(ip: Any) -> None:
        with reading.Reader() as read:
            known = _own_rules(read.rules())
        for rule in wanted - known:
            with namespace.but(errno.EEXIST):
                ip.rule("add", **_rule(rule))
        for rule in known - wanted:
            with namespace.but(errno.ENOENT):
                ip.rule("del", **_rule(rule))

    namespace.inside(names.namespace(gateway_id), within)


def _rule(rule: tuple[int, str, int]) -> dict[str, Any]:
    priority, net, table = rule
    dst, length = net.split("/")
    return {"priority": priority, "dst": dst, "dst_len": int(length), "table": table}


def _own_rules(standing: list[reading.Rule]) -> frozenset[tuple[int, str, int]]:
    """All that lead a destination, whatever its source, into a table that is no tunnel's own."""
    return frozenset(
        (rule.priority, rule.destination, rule.table)
        for rule in standing
        if rule.table in (MAIN_TABLE, CHARONS_TABLE) and rule.destination != "0.0.0.0/0" and rule.source == "0.0.0.0/0"
    )


def look_inside(standing: reading.Standing) -> Inside:
    links = {link.name: link for link in standing.links}
    by_number = {link.number: link.name for link in standing.links}
    ruled = {rule.source for rule in standing.rules if rule.priority == FROM_OUR_ADDRESS}
    found = {(by_number.get(address.link, ""), address.text) for address in standing.addresses}
    wan, lan = links.get("wan"), links.get("lan")
    return Inside(
        wan=(wan.kind, wan.parent) if wan else None,
        wan_whole=wan is not None and wan.up and _is_guarded(standing),
        router=next((route.gateway for route in standing.routes if route.table == OWN_TABLE), None),
        wan_mtu=wan.mtu if wan else 1500,
        lan=(lan.kind, lan.parent) if lan else None,
        lan_up=lan is not None and lan.up,
        addresses=frozenset((leg, address) for leg, address in found if _is_ours(leg, address, ruled)),
        rules=_own_rules(standing.rules),
    )


def _is_ours(leg: str, address: str, ruled: set[str]) -> bool:
    """An outer address counts when its rule stands too."""
    if leg == "wan":
        return f"{address.split('/', maxsplit=1)[0]}/32" in ruled
    return leg == "lan" or (leg == "lo" and not address.startswith("127."))


def _is_guarded(standing: reading.Standing) -> bool:
    """Whether the rules of the invariant stand, and the routes that nobody's network overrides; in the calling thread's namespace."""
    known = {(rule.priority, rule.incoming) for rule in standing.rules}
    kept = {route.net for route in standing.routes if route.table == MAIN_TABLE}
    silent = ANSWERS_TO_ARP.read_text().strip() == OWN_ADDRESSES_ONLY
    return {(FROM_OUTSIDE, "wan"), (FROM_HERE, "lo")} <= known and kept.issuperset(model.RESERVED_NETS) and silent


def look_outside(read: reading.Reader, gateway_id: str, here: Inside) -> Look:
    wan_end = read.link(name=names.wan_end(gateway_id))
    wan = _wan(read, here, wan_end)
    lost = {
        (leg, address)
        for leg, address in here.addresses
        if leg == "wan" and wan_end and wan == "routed" and not _goes_through(read, address, wan_end)
    }
    return Look(
        wan=wan,
        wan_whole=here.wan_whole and (wan != "routed" or (wan_end is not None and wan_end.up)),
        wan_end=wan_end is not None,
        lan=_lan(read, here, read.link(name=names.lan_end(gateway_id))),
        addresses=here.addresses - lost,
    )


def _wan(read: reading.Reader, here: Inside, end: reading.Link | None) -> str | None:
    if here.wan is None:
        return None
    if here.wan[0] == "macvlan":
        return f"macvlan {_name(read, here.wan[1])}"
    return "routed" if end is not None else "?"


def _lan(read: reading.Reader, here: Inside, end: reading.Link | None) -> str | None:
    if here.lan is None and end is None:
        return None
    if not here.lan_up or here.lan is None:
        return "?"
    if end is not None:
        return f"bridge {_name(read, end.master)}" if end.up else "?"
    return f"interface {_name(read, here.lan[1])}" if here.lan[0] == "macvlan" else "?"


def _name(read: reading.Reader, number: int) -> str:
    found = read.link(number=number) if number else None
    return found.name if found else ""


def _goes_through(read: reading.Reader, address: str, end: reading.Link) -> bool:
    return read.way_out(address.split("/", maxsplit=1)[0]) == end.number
