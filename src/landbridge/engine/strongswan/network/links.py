"""A gateway's two links: the uplink to the underlay or a real network, and the VPC link into its VPC. Through netlink.

In the gateway's namespace the uplink is called `wan` and the VPC link `lan`.

This module knows neither charon nor tunnels. Every function is idempotent. Invariant: no clear text crosses a gateway. A packet that comes
in by the uplink is forwarded nowhere, and only packets that the namespace itself makes take the default route.
"""

import errno
import socket
import struct
import time
from pathlib import Path
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import namespace, netlink
from landbridge.engine.strongswan.network import underlay as underlay_checks

#: The routing table that holds the default route, out of the reach of forwarded packets.
DEFAULT_ROUTE_TABLE = 195
#: charon's table of routes into userland tunnels (`routing_table` of its configuration).
CHARON_TABLE = 220
MAIN_TABLE = 254
#: RTPROT of every route that we add (rtnetlink(7) leaves numbers above RTPROT_STATIC to programs): routes of another number are not
#: ours. `ip route` shows it as `proto 195`.
ROUTE_PROTOCOL = 195
#: RTPROT_STATIC: the protocol of routes that versions before decision 34 added.
OLDER_ROUTE_PROTOCOL = 4
#: Priority of the rules for packets from the uplink's addresses, right after `local`: they never go into a tunnel, whatever networks are
#: behind it.
RULE_FROM_UPLINK_ADDRESS = 100
#: Priority of the rule for packets from outside, before charon's own (220), which has the routes into the tunnels: such packets are not
#: forwarded, least of all into a tunnel because they claim to come from the VPC.
RULE_FROM_OUTSIDE = 210
#: Priorities of the rules for the gateway's own networks, between those two: packets for them go into no tunnel, however wide the peer's
#: networks are. A narrower network behind a tunnel comes first, where only charon's table has its route.
RULE_WITHIN_OWN_NETWORK = 214
RULE_OWN_NETWORK = 215
#: Priority of the rule for learned routes, after main and default: a static route always wins, and a device cannot announce away traffic for
#: the gateway's own networks.
RULE_LEARNED = 32800
#: Priority of the rule after that: packets that this namespace makes find the default route.
RULE_LOCAL_OUTPUT = 33000
#: The setting of all links, later ones included.
ANSWERS_TO_ARP = Path("/proc/sys/net/ipv4/conf/all/arp_ignore")
OWN_ADDRESSES_ONLY = "1"
#: How the kernel tells flows (Documentation/networking/ip-sysctl): by addresses, ports and protocol in place of addresses alone.
HASH_POLICY = Path("/proc/sys/net/ipv4/fib_multipath_hash_policy")
BY_PORTS = "1"

#: Seconds. A bridge with the spanning tree protocol forwards from a new port after half a minute, and nobody waits for that.
PORT_TIMEOUT = 1.0
#: BR_STATE_FORWARDING of <linux/if_bridge.h>.
_FORWARDING = 3


def ensure_uplink(gateway_id: str, underlay: str | None, kind: str, next_hop: str) -> None:
    """`kind` is `routed` or `macvlan LINK`; `next_hop` its router."""
    name = names.namespace(gateway_id)
    with namespace.opened(name) as fd:
        if kind == "routed":
            mtu = namespace.inside(
                underlay, lambda ip: _ensure_uplink_peer(ip, names.uplink_peer(gateway_id), next_hop, fd)
            )
        else:
            mtu = namespace.inside(underlay, lambda ip: _macvlan(ip, kind.split(" ", 1)[1], "wan", fd))
    namespace.inside(name, lambda ip: _configure_uplink(ip, next_hop, mtu))


def _ensure_uplink_peer(ip: Any, end: str, next_hop: str, fd: int) -> int:
    if not ip.link_lookup(ifname=end):
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "wan", "net_ns_fd": fd})
    index, mtu = namespace.index(ip, end), _default_route_mtu(ip)
    ip.link("set", index=index, mtu=mtu, state="up")
    ip.addr("replace", index=index, address=next_hop, prefixlen=32)
    return mtu


def _default_route_mtu(ip: Any) -> int:
    """The MTU of the link with the default route; larger packets cannot leave this machine."""
    for route in ip.get_default_routes(family=socket.AF_INET):
        if route.get("oif"):
            return int(ip.link("get", index=route.get("oif"))[0].get("mtu"))
    return 1500


def _macvlan(ip: Any, interface: str, name: str, fd: int) -> int:
    parent = namespace.link(ip, interface)
    if parent is None:
        raise OSError(errno.ENODEV, "no such interface", interface)
    with namespace.suppressed(errno.EEXIST):
        ip.link("add", ifname=name, kind="macvlan", link=parent["index"], macvlan_mode="bridge", net_ns_fd=fd)
    return int(parent.get("mtu"))


def _configure_uplink(ip: Any, next_hop: str, mtu: int) -> None:
    """Reverse path filtering would drop what comes by the second tunnel of a pair; the firewall looks at sources itself. A link answers
    ARP for its own addresses alone: those of the other link are not there, and those on `lo` may be a host's of the network.
    """
    ipv4 = Path("/proc/sys/net/ipv4")
    (ipv4 / "ip_forward").write_text("1")
    (ipv4 / "conf/all/rp_filter").write_text("0")
    (ipv4 / "conf/default/rp_filter").write_text("0")
    ANSWERS_TO_ARP.write_text(OWN_ADDRESSES_ONLY)
    uplink = namespace.index(ip, "wan")
    ip.link("set", index=namespace.index(ip, "lo"), state="up")
    ip.link("set", index=uplink, mtu=mtu, state="up")
    (ipv4 / "conf/wan/rp_filter").write_text("0")
    ip.route(
        "replace",
        dst="0.0.0.0/0",
        gateway=next_hop,
        oif=uplink,
        flags=["onlink"],
        table=DEFAULT_ROUTE_TABLE,
        proto=ROUTE_PROTOCOL,
    )
    for table in (CHARON_TABLE, MAIN_TABLE):
        for net in model.RESERVED_NETS:
            ip.route("replace", dst=net, type="unreachable", table=table, proto=ROUTE_PROTOCOL)
    with namespace.suppressed(errno.EEXIST):
        ip.rule("add", iifname="wan", action="unreachable", priority=RULE_FROM_OUTSIDE)
    with namespace.suppressed(errno.EEXIST):
        ip.rule("add", iifname="lo", table=DEFAULT_ROUTE_TABLE, priority=RULE_LOCAL_OUTPUT)


def ensure_vpc_link(gateway_id: str, underlay: str | None, kind: str) -> None:
    """`kind` is `bridge NAME` or `interface NAME`, a link of the underlay."""
    name, end = names.namespace(gateway_id), names.vpc_link_peer(gateway_id)
    how, link = kind.split(" ", 1)
    with namespace.opened(name) as fd:
        if how == "bridge":
            namespace.inside(underlay, lambda ip: _attach_to_bridge(ip, link, end, fd))
        else:
            namespace.inside(underlay, lambda ip: _macvlan(ip, link, "lan", fd))
    namespace.inside(name, lambda ip: ip.link("set", index=namespace.index(ip, "lan"), state="up"))
    if how == "bridge":
        namespace.inside(underlay, lambda ip: _wait_until_forwarding(ip, end))


def _wait_until_forwarding(ip: Any, end: str) -> None:
    """Waits until the bridge forwards from the port `end`: before that, the announcement of an address would be lost, and hosts
    would send to an earlier link for a minute.
    """
    deadline = time.monotonic() + PORT_TIMEOUT
    while time.monotonic() < deadline:
        link = namespace.link(ip, end)
        path = ("IFLA_LINKINFO", "IFLA_INFO_SLAVE_DATA", "IFLA_BRPORT_STATE")
        if link is None or link.get_nested(*path) in (None, _FORWARDING):
            break
        time.sleep(0.005)


def _attach_to_bridge(ip: Any, bridge: str, end: str, fd: int) -> None:
    master = namespace.index(ip, bridge)
    if not ip.link_lookup(ifname=end):
        # The same address whenever the link is created: a new link's announcement is lost while its port in the bridge comes up.
        mac = "02:" + bytes.fromhex(end[-10:]).hex(":")
        ip.link("add", ifname=end, kind="veth", peer={"ifname": "lan", "net_ns_fd": fd, "address": mac})
    ip.link("set", index=namespace.index(ip, end), master=master, state="up")


def check_move(gateway_id: str, underlay: str | None, link: str, kind: str) -> None:
    """Checks that the link can be created anew on `kind`. Raises OSError when it must stay where it is."""
    how, _, parent = kind.partition(" ")
    if parent:
        namespace.read(underlay, lambda read: _check_parent(read, parent, "bridge" if how == "bridge" else ""))
    ours = namespace.read(names.namespace(gateway_id), lambda read: read.link(name=link))
    if ours is not None and ours.kind == "veth":
        observed_link = namespace.read(underlay, lambda read: read.link(ifindex=ours.parent))
        if observed_link is None or observed_link.kind != "veth" or observed_link.parent != ours.ifindex:
            place = f"network namespace {underlay}" if underlay else "machine's own network namespace"
            raise OSError(f"its other end is not in the {place}; `landbridge engine stop` takes it down")


def _check_parent(read: netlink.Reader, name: str, kind: str) -> None:
    link = read.link(name=name)
    if link is None:
        raise OSError(errno.ENODEV, "no such interface", name)
    if kind and link.kind != kind:
        raise OSError(f"{name} is no {kind}")


def delete(gateway_id: str, underlay: str | None, link: str) -> None:
    """Deletes the link `wan` or `lan`, from the side where it can be reached: a namespace dies slowly, a link at once."""
    end = names.uplink_peer(gateway_id) if link == "wan" else names.vpc_link_peer(gateway_id)
    namespace.inside(underlay, lambda ip: _delete_link(ip, end))
    if namespace.exists(names.namespace(gateway_id)):
        namespace.inside(names.namespace(gateway_id), lambda ip: _delete_link(ip, link))


def _delete_link(ip: Any, ifname: str) -> None:
    for index in ip.link_lookup(ifname=ifname):
        with namespace.suppressed(errno.ENODEV):
            ip.link("del", index=index)


def add_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    def within(read: netlink.Reader) -> None:
        index = {link: _index(read, link) for link in {link for link, _ in addresses}}
        for link, address in addresses:
            host, length = address.split("/")
            read.ensure_address(index[link], host, int(length))

    def announce(ip: Any) -> None:
        for link, address in addresses:
            host = address.split("/", maxsplit=1)[0]
            if link == "wan":
                with namespace.suppressed(errno.EEXIST):
                    ip.rule("add", src=host, src_len=32, table=DEFAULT_ROUTE_TABLE, priority=RULE_FROM_UPLINK_ADDRESS)
            if link != "lo":
                _announce(link, namespace.link(ip, link).get("address"), host)

    name = names.namespace(gateway_id)
    outer = [address for link, address in addresses if link == "wan"]
    if outer:
        hosts = [address.split("/", maxsplit=1)[0] for address in outer]
        namespace.read(underlay, lambda read: underlay_checks.check_free(read, hosts))
    namespace.read(name, within)
    if any(link != "lo" for link, _ in addresses):
        namespace.inside(name, announce)
    if outer:
        namespace.inside(underlay, lambda ip: _add_host_routes(ip, names.uplink_peer(gateway_id), outer))


def _index(read: netlink.Reader, link: str) -> int:
    observed = read.link(name=link)
    if observed is None:
        raise OSError(errno.ENODEV, "no such interface", link)
    return observed.ifindex


def _add_host_routes(ip: Any, end: str, outer: list[str]) -> None:
    """Adds the underlay's routes to the addresses. A macvlan has no end in the underlay and needs none: its network asks by ARP."""
    for index in ip.link_lookup(ifname=end):
        for address in outer:
            ip.route("replace", dst=address, oif=index, proto=ROUTE_PROTOCOL)


def _announce(link: str, mac: str, address: str) -> None:
    """Tells the neighbours whose the address is now (RFC 5227, 2.3): they may remember an earlier link's for a minute."""
    hardware, protocol = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    header = b"\xff" * 6 + hardware + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as announcer:
        announcer.bind((link, 0))
        announcer.send(header + hardware + protocol + bytes(6) + protocol)


def delete_addresses(gateway_id: str, underlay: str | None, addresses: tuple[tuple[str, str], ...]) -> None:
    outer = [address for link, address in addresses if link == "wan"]

    def without(ip: Any) -> None:
        for index in ip.link_lookup(ifname=names.uplink_peer(gateway_id)):
            for address in outer:
                with namespace.suppressed(errno.ESRCH):
                    ip.route("del", dst=address, oif=index)

    def within(ip: Any) -> None:
        for link, address in addresses:
            host, length = address.split("/")
            with namespace.suppressed(errno.EADDRNOTAVAIL):
                ip.addr("del", index=namespace.index(ip, link), address=host, prefixlen=int(length))
            if link == "wan":
                with namespace.suppressed(errno.ENOENT):
                    ip.rule("del", src=host, src_len=32, table=DEFAULT_ROUTE_TABLE, priority=RULE_FROM_UPLINK_ADDRESS)

    if outer:
        namespace.inside(underlay, without)
    namespace.inside(names.namespace(gateway_id), within)


def ensure_rules(gateway_id: str, desired: frozenset[tuple[int, str, int]]) -> None:
    """`desired`: as `GatewayNetwork.rules`. New rules are added before old ones are deleted."""

    def within(ip: Any) -> None:
        if any(table == names.LEARNED_TABLE for _, _, table in desired):
            HASH_POLICY.write_text(BY_PORTS)
        with netlink.Reader() as read:
            current = own_rules(read.rules())
        for rule in desired - current:
            with namespace.suppressed(errno.EEXIST):
                ip.rule("add", **_rule(rule))
        for rule in current - desired:
            with namespace.suppressed(errno.ENOENT):
                ip.rule("del", **_rule(rule))

    namespace.inside(names.namespace(gateway_id), within)


def _rule(rule: tuple[int, str, int]) -> dict[str, Any]:
    priority, net, table = rule
    dst, length = net.split("/")
    return {"priority": priority, "dst": dst, "dst_len": int(length), "table": table}


def own_rules(snapshot: list[netlink.Rule]) -> frozenset[tuple[int, str, int]]:
    """The rules without a source whose table is no tunnel's. The kernel's own are without a destination."""
    return frozenset(
        (rule.priority, rule.destination, rule.table)
        for rule in snapshot
        if rule.source == "0.0.0.0/0"
        and (
            rule.table == names.LEARNED_TABLE
            or (rule.table in (MAIN_TABLE, CHARON_TABLE) and rule.destination != "0.0.0.0/0")
        )
    )


def delete_learned_routes(gateway_id: str) -> None:
    """BIRD removes its routes when it ends, but not when it dies."""
    namespace.inside(names.namespace(gateway_id), lambda ip: ip.flush_routes(table=names.LEARNED_TABLE))
