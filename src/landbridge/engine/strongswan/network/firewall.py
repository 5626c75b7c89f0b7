"""The nftables rules of a gateway's namespace, and of the machine where an EIP is only forwarded, as text. Pure.

This module decides nothing about routes; `nftables` loads a table and looks at it. The name of a table has a fingerprint of its values.

The filter table, by the way of a packet:

- Uplink: the gateway accepts IKE, ESP and pings to the addresses of the uplink, and sends nothing else there.
- VPC link to tunnel, and back: packets of the gateway's local subnets are forwarded, and no others.
- From a tunnel: a source must belong to that tunnel, so that one customer's device cannot speak for another's network. ICMP errors
  (RFC 792) may come from any router behind the tunnel.
- Inner address: it answers its own VPC and the networks behind the tunnel. A reply to any other source, or an error that quotes an inner
  packet, would leave unencrypted by the uplink.
- TCP: the segment size is clamped in both directions to what the route of the tunnel carries.
- BGP and BFD: accepted only from the inner address of a device and out of its own tunnel. Packets from networks that the device announces
  are also accepted out of that tunnel. Sets hold these networks, and change without the table. The segments of BGP itself are clamped to
  BGP_SEGMENT: otherwise a session on a path that drops large packets would be established and exchange no routes.
- First messages of IKEv1: their rate is limited, because charon has no cookies for them. Each message makes a half-open IKE_SA, and in
  aggressive mode charon also computes a Diffie-Hellman exchange. First messages from unknown addresses are accepted only while a connection
  waits for a device without a fixed address.

The table has two sets about packets from tunnels:

- `refused`: ICMP errors "destination unreachable", by interface, reporter, code, and the destination of the quoted packet, without errors
  about protocols, ports and sizes (codes 2 to 4).
- `seen`: a sample of the sources, for checks of paths. Each tunnel has its own sample, so that a busy tunnel leaves room for a quiet one.
  On the userland plane, where all tunnels have one interface, each /24 of sources has its own sample.
"""

import functools
import hashlib
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from landbridge.engine.strongswan import subnets

#: Every table that we make has a name with this prefix.
PREFIX = "landbridge-"
#: Names of the ends of tunnels: the userland's TUN, and XFRM interfaces.
TUNNELS = '"ipsec0", "x*"'

#: First messages of IKEv1, packets a second and at once: of each customer gateway with a fixed address, of each other address, and of
#: all other addresses together. Aggressive mode costs charon 5 to 50 ms each, by the DH group.
KNOWN_PEER, STRANGER = "10/second burst 50 packets", "2/second burst 25 packets"
STRANGERS = {"main": "20/second burst 100 packets", "aggressive": "10/second burst 50 packets"}
#: Addresses that are counted at a time; beyond them only the limit of all together holds.
COUNTED = 8192
#: Of the two sets about packets from tunnels: the timeout of an element, the most elements of `refused`, and the rate at which sources are
#: sampled. A tunnel has at most 17 sources in `seen`, so that COUNTED of them are those of 480 tunnels.
REMEMBERED, MOST, SAMPLED = "2m", 1024, "6/minute burst 5 packets"

# Of an ICMP error, 192 bits from its head: the destination of the packet that it quotes (RFC 792).
# Offsets in bits from the head of UDP (RFC 2408, 3.1): the responder's cookie, empty in a first message; the version, 1.x; the exchange
# type, 2 (main) or 4 (aggressive). On port 4500 four zero bytes come before (RFC 3948, 2.2).
_FILTER_TABLE = """\
table inet {name} {{
  set inner {{
    type ipv4_addr
    {inner}
  }}
  set local {{
    type ipv4_addr
    flags interval
    {local}
  }}
  set near {{
    type ipv4_addr
    flags interval
    {near}
  }}
  set peers {{
    type ifname . ipv4_addr
    flags interval
    {peers}
  }}
  set known {{
    type ipv4_addr
    {known}
  }}
{learned_sets}  set known_first {{
    type ipv4_addr
    size {counted}
    flags dynamic
    timeout 1m
  }}
  set stranger_first {{
    type ipv4_addr
    size {counted}
    flags dynamic
    timeout 1m
  }}
  set refused {{
    typeof iifname . ip saddr . icmp code . @th,192,32
    size {most}
    flags dynamic
    timeout {remembered}
    counter
  }}
  set seen {{
    type ifname . ipv4_addr
    size {counted}
    flags dynamic
    timeout {remembered}
  }}
  set sampled_links {{
    type ifname
    size {counted}
    flags dynamic
    timeout 1m
  }}
  set sampled_nets {{
    type ipv4_addr
    size {counted}
    flags dynamic
    timeout 1m
  }}
  limit main {{
    rate {main_rate}
  }}
  limit aggressive {{
    rate {aggressive_rate}
  }}
  chain prerouting {{
    type filter hook prerouting priority filter; policy accept;
    iifname "wan" meta nfproto ipv6 drop
    iifname "wan" fib daddr . iif type != local drop
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    iifname "wan" udp dport 500 @th,128,64 0 @th,200,4 1 goto ikev1_first
    iifname "wan" udp dport 4500 @th,64,32 0 @th,160,64 0 @th,232,4 1 goto ikev1_first
    iifname "wan" udp dport {{ 500, 4500 }} accept
    iifname "wan" ip protocol esp accept
    iifname "wan" ip protocol icmp accept
    iifname "lan" ip protocol icmp ip daddr @inner ip saddr @near accept
    iifname {{ {tunnels} }} jump remember
    iifname {{ {tunnels} }} ip protocol icmp ip daddr @inner iifname . ip saddr @peers accept
    iifname {{ {tunnels} }} ip daddr @inner icmp type {{ destination-unreachable, time-exceeded }} accept
{bgp_input}  }}
{bgp_chain}  chain ikev1_first {{
    ip saddr @known update @known_first {{ ip saddr limit rate {known_peer} }} accept
    ip saddr @known drop
    update @stranger_first {{ ip saddr limit rate over {stranger} }} drop
    udp dport 500 @th,208,8 2 {main}
    udp dport 4500 @th,240,8 2 {main}
    udp dport 500 @th,208,8 4 {aggressive}
    udp dport 4500 @th,240,8 4 {aggressive}
    drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    iifname "lan" oifname {{ {tunnels} }} ip saddr @local accept
    iifname {{ {tunnels} }} jump remember
    iifname {{ {tunnels} }} oifname "lan" ip daddr @local iifname . ip saddr @peers accept
    iifname {{ {tunnels} }} oifname "lan" ip daddr @local icmp type {{ destination-unreachable, time-exceeded }} accept
{learned_forward}  }}
  chain remember {{
    icmp type destination-unreachable icmp code != {{ 2-4 }} update @refused {{ iifname . ip saddr . icmp code . @th,192,32 }}
    iifname != "ipsec0" update @sampled_links {{ iifname limit rate {sampled} }} update @seen {{ iifname . ip saddr }}
    iifname "ipsec0" update @sampled_nets {{ ip saddr & 255.255.255.0 limit rate {sampled} }} update @seen {{ iifname . ip saddr }}
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    oifname "wan" meta nfproto ipv6 drop
    oifname "wan" fib saddr . oif type != local drop
    oifname "wan" udp sport {{ 500, 4500 }} accept
    oifname "wan" ip protocol esp accept
    oifname "wan" icmp type {{ echo-request, echo-reply }} accept
    oifname "wan" drop
{bgp_output}  }}
}}
"""

_LEARNED_SET = """\
  set {name} {{
    type ipv4_addr
    flags interval
  }}
"""
_DEVICES = """\
  set speakers {{
    type ifname . ipv4_addr
    {devices}
  }}
"""
_BGP_INPUT = """\
    iifname . ip saddr @speakers ip daddr @inner tcp dport 179 goto bgp
    iifname . ip saddr @speakers ip daddr @inner tcp sport 179 tcp flags & (syn | ack) != syn goto bgp
    iifname . ip saddr @speakers ip daddr @inner {bfd} accept
"""
_SHORT_SEGMENTS = "tcp flags & (syn | rst) == syn tcp option maxseg size set {segment}"
_BGP_CHAIN = """\
  chain bgp {{
    {short_segments}
    accept
  }}
"""
_BGP_OUTPUT = """\
    oifname {{ {tunnels} }} {short_segments}
"""
_LEARNED_FORWARD = """\
    iifname "{link}" oifname "lan" ip daddr @local ip saddr @{name} accept
"""
#: Bytes of data in a segment of BGP, at most: it fits into any path that carries a tunnel.
BGP_SEGMENT = 1000
#: BFD between two ends of a tunnel (RFC 5881: a packet that was forwarded has less than 255), and over a hop (RFC 5883).
BFD, BFD_OVER_A_HOP = "udp dport 3784 ip ttl 255", "udp dport 4784"

#: The machine's side of EIPs that it only forwards: the namespace has an address of its own behind each.
_NAT_TABLE = """\
table ip {name} {{
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    {inwards}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    {outwards}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterTable:
    """What the table of a gateway's namespace is made of. Networks that overlap are joined."""

    #: The gateway's inner addresses.
    inner: frozenset[str]
    #: Networks (CIDR) that may send through the tunnels.
    local: frozenset[str]
    #: Networks on the VPC link that may send to the gateway itself.
    near: frozenset[str]
    #: Interface -> the sources that are accepted from it.
    peers: Mapping[str, Iterable[str]]
    #: Addresses of customer gateways.
    known: frozenset[str]
    #: Modes of IKEv1 in which a device from any address may begin.
    strangers: frozenset[str]
    #: (interface, inner address) of devices with a BGP session.
    devices: frozenset[tuple[str, str]] = frozenset()
    #: The match of their BFD packets.
    bfd: str = BFD
    #: Interfaces behind which networks are learned.
    learning: tuple[str, ...] = ()


def filter_table(table: FilterTable) -> str:
    """The table as text."""
    speakers = [f'"{link}" . {net}' for link, nets in sorted(table.peers.items()) for net in _joined(nets)]
    verdicts = {mode: f'limit name "{mode}" accept' if mode in table.strangers else "drop" for mode in STRANGERS}
    return _named(
        "",
        _FILTER_TABLE,
        inner=_elements(sorted(table.inner)),
        local=_elements(_joined(table.local)),
        near=_elements(_joined(table.near)),
        peers=_elements(speakers),
        known=_elements(sorted(table.known)),
        tunnels=TUNNELS,
        counted=str(COUNTED),
        remembered=REMEMBERED,
        most=str(MOST),
        sampled=SAMPLED,
        known_peer=KNOWN_PEER,
        stranger=STRANGER,
        **{f"{mode}_rate": rate for mode, rate in STRANGERS.items()},
        **verdicts,
        **_bgp(table),
    )


def _bgp(table: FilterTable) -> dict[str, str]:
    """The parts of the table that a gateway without BGP does not have."""
    if not table.devices:
        return dict.fromkeys(("learned_sets", "bgp_input", "bgp_chain", "bgp_output", "learned_forward"), "")
    devices = _elements([f'"{link}" . {address}' for link, address in sorted(table.devices)])
    short = _SHORT_SEGMENTS.format(segment=BGP_SEGMENT)
    sets = (_LEARNED_SET.format(name=learned_set(link)) for link in table.learning)
    forward = (_LEARNED_FORWARD.format(link=link, name=learned_set(link)) for link in table.learning)
    return {
        "learned_sets": "".join((_DEVICES.format(devices=devices), *sets)),
        "bgp_input": _BGP_INPUT.format(bfd=table.bfd),
        "bgp_chain": _BGP_CHAIN.format(short_segments=short),
        "bgp_output": _BGP_OUTPUT.format(tunnels=TUNNELS, short_segments=short),
        "learned_forward": "".join(forward),
    }


def learned_set(link: str) -> str:
    """The name of the set with the networks that the device behind this interface announced."""
    return f"learned_{link}"


def joined_sources(learned: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """(interface, network) as the sets of learned networks hold them: what overlaps is joined."""
    nets: defaultdict[str, set[str]] = defaultdict(set)
    for link, net in learned:
        nets[link].add(net)
    return frozenset((link, net) for link, link_nets in nets.items() for net in _joined(link_nets))


def _joined(nets: Iterable[str]) -> tuple[str, ...]:
    return _collapsed(frozenset(nets))


@functools.lru_cache(maxsize=1 << 10)
def _collapsed(nets: frozenset[str]) -> tuple[str, ...]:
    """Cached: a cycle needs it several times, and a thousand networks take 50 ms."""
    return tuple(map(str, ipaddress.collapse_addresses(map(subnets.parse_net, nets))))


def _elements(listed: Sequence[str]) -> str:
    return f"elements = {{ {', '.join(listed)} }}" if listed else ""


def nat_table(owner: str, behind: Mapping[str, str]) -> str | None:
    """The machine's table for EIPs with attach = nat (EIP -> the namespace's own address); None without any.

    `owner`: the gateway's short name, part of the table's.
    """
    if not behind:
        return None
    pairs = sorted(behind.items())
    inwards = "\n    ".join(f"ip daddr {eip} udp dport {{ 500, 4500 }} dnat to {inner}" for eip, inner in pairs)
    outwards = "\n    ".join(f"ip saddr {inner} snat to {eip}" for eip, inner in pairs)
    return _named(f"{owner}-", _NAT_TABLE, inwards=inwards, outwards=outwards)


def _named(owner: str, template: str, **values: str) -> str:
    mark = hashlib.sha256(template.format(name="", **values).encode()).hexdigest()[:12]
    return template.format(name=f"{PREFIX}{owner}{mark}", **values)


def table_name(table: str) -> str:
    """The name of a table, from its text."""
    return table.split(maxsplit=3)[2]


@functools.lru_cache(maxsize=1 << 8)
def summary(table: str) -> str:
    """Name, chains with their policies and numbers of rules: what `nftables.summary` shows of this table unless somebody changed it."""
    chains = re.findall(r"  chain (\S+) {\n(?:[^\n]* policy (\w+);\n)?(.*?)\n  }", table, re.DOTALL)
    return summary_of(
        table_name(table), {name: (policy or None, len(rules.splitlines())) for name, policy, rules in chains}
    )


def summary_of(name: str, chains: Mapping[str, tuple[str | None, int]]) -> str:
    """`chains`: name -> policy and number of rules."""
    listed = (f"{chain} {policy} {rules}" for chain, (policy, rules) in sorted(chains.items()))
    return f"{name}: {', '.join(listed)}"
