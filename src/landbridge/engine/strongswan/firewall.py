"""The nftables of a gateway's namespace, and of the machine where an EIP is only forwarded: rules as text, and a look at them.

It decides nothing about routes. Invariant: one table a namespace, whose name carries a fingerprint of what it was made of, is
replaced in one transaction: there is no moment without it.

In a gateway's namespace: outside only IKE, ESP and ICMP; between the inner leg and the tunnels only what belongs to the
gateway's local subnets, and from a tunnel only sources that have a route into that same tunnel, so that one customer's device
cannot speak for another's network. TCP's segment size is clamped in both directions to what the tunnel's route carries.
"""

import hashlib
import ipaddress
import json
import re
import subprocess
from collections.abc import Iterable, Mapping

#: Of every table that we make.
PREFIX = "landbridge-"
#: Names of the ends of tunnels: the userland's TUN, and XFRM interfaces.
TUNNELS = '{ "ipsec0", "x*" }'

_GUARD = """\
table inet {name} {{
  set local {{
    type ipv4_addr
    flags interval
    {elements}
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    iifname "wan" udp dport {{ 500, 4500 }} accept
    iifname "wan" ip protocol {{ esp, icmp }} accept
    iifname "lan" ip protocol icmp accept
    iifname {tunnels} ip protocol icmp accept
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    iifname "lan" oifname {tunnels} ip saddr @local accept
    iifname {tunnels} oifname "lan" ip daddr @local fib saddr . iif oif exists accept
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    oifname "wan" udp sport {{ 500, 4500 }} accept
    oifname "wan" ip protocol {{ esp, icmp }} accept
    oifname "wan" drop
  }}
}}
"""

#: The machine's side of EIPs that it only forwards: the namespace has an address of its own behind each.
_FORWARD = """\
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


def guard(local: Iterable[str]) -> str:
    """The table of a gateway's namespace. `local`: what may speak through its tunnels (CIDR); what overlaps is joined."""
    nets = ipaddress.collapse_addresses(ipaddress.IPv4Network(net, strict=False) for net in local)
    listed = ", ".join(str(net) for net in nets)
    elements = f"elements = {{ {listed} }}" if listed else ""
    return _named("", _GUARD, elements=elements, tunnels=TUNNELS)


def forward(owner: str, behind: Mapping[str, str]) -> str | None:
    """The machine's table for EIPs with attach = nat (EIP -> the namespace's own address); None without any.

    `owner`: the gateway's short name, part of the table's.
    """
    if not behind:
        return None
    pairs = sorted(behind.items())
    inwards = "\n    ".join(f"ip daddr {eip} udp dport {{ 500, 4500 }} dnat to {inner}" for eip, inner in pairs)
    outwards = "\n    ".join(f"ip saddr {inner} snat to {eip}" for eip, inner in pairs)
    return _named(f"{owner}-", _FORWARD, inwards=inwards, outwards=outwards)


def _named(owner: str, template: str, **values: str) -> str:
    mark = hashlib.sha256(template.format(name="", **values).encode()).hexdigest()[:12]
    return template.format(name=f"{PREFIX}{owner}{mark}", **values)


def load(table: str | None, owner: str = "") -> None:
    """Puts the table (None: nothing) in place of the owner's older ones, in the namespace of the calling thread."""
    gone = [f"delete table {kind} {old}" for kind, old in _tables(owner)]
    _nft("-f", "-", text="\n".join([*gone, table or ""]))


def summary(table: str) -> str:
    """Name, chains with their policies and numbers of rules: what `look` shows of this table when nobody meddled."""
    chains = re.findall(r"  chain (\S+) {\n[^\n]* policy (\w+);\n(.*?)\n  }", table, re.DOTALL)
    return _summary(
        table.split(maxsplit=3)[2], {name: (policy, len(rules.splitlines())) for name, policy, rules in chains}
    )


def look(owner: str = "") -> str | None:
    """The summary of the owner's tables as they stand in the namespace of the calling thread; None without one."""
    found = [_look(kind, name) for kind, name in _tables(owner)]
    return "; ".join(found) or None


def stands() -> bool:
    """Whether any table of ours is in the namespace of the calling thread, whoever owns it."""
    return any(name.startswith(PREFIX) for _, name in _every_table())


def _look(kind: str, name: str) -> str:
    listed = json.loads(_nft("-j", "list", "table", kind, name))["nftables"]
    rules = [entry["rule"]["chain"] for entry in listed if "rule" in entry]
    chains = [entry["chain"] for entry in listed if "chain" in entry]
    return _summary(name, {chain["name"]: (chain.get("policy"), rules.count(chain["name"])) for chain in chains})


def _summary(name: str, shape: Mapping[str, tuple[str | None, int]]) -> str:
    chains = (f"{chain} {policy} {rules}" for chain, (policy, rules) in sorted(shape.items()))
    return f"{name}: {', '.join(chains)}"


def _tables(owner: str) -> list[tuple[str, str]]:
    """(family, name) of the owner's tables."""
    ours = re.compile(PREFIX + (f"{owner}-" if owner else "") + r"[0-9a-f]{12}")
    return [(kind, name) for kind, name in _every_table() if ours.fullmatch(name)]


def _every_table() -> list[tuple[str, str]]:
    listed = json.loads(_nft("-j", "list", "tables"))["nftables"]
    return [(entry["table"]["family"], entry["table"]["name"]) for entry in listed if "table" in entry]


def _nft(*arguments: str, text: str | None = None) -> str:
    """`nft` is the one program that speaks this language whole; its answers are read as JSON."""
    done = subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise OSError(f"nft: {(done.stderr.strip() or 'failed').splitlines()[0]}")
    return done.stdout
