"""Loads the nftables rules that `firewall` has as text, and reads what is loaded, in the namespace of the calling thread.

Invariant: an owner has one table in a namespace. A new table replaces it in one transaction, so there is no moment without a table.
"""

import functools
import ipaddress
import json
import re
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from landbridge.engine.strongswan import subnets
from landbridge.engine.strongswan.network import firewall, netlink


def load(table: str | None, owner: str = "", *, learned: Iterable[tuple[str, str]] = ()) -> None:
    """Puts the table (None: nothing) in place of the owner's older ones, in the namespace of the calling thread. `learned`: (interface,
    network) of its sets.
    """
    deletions = [f"delete table {kind} {old}" for kind, old in _read(netlink.firewall_generation(), owner)]
    added = _additions(firewall.table_name(table), learned) if table else ()
    _nft("-f", "-", text="\n".join([*deletions, table or "", *added]))


def load_learned(table: str, links: Iterable[str], learned: Iterable[tuple[str, str]]) -> None:
    """Makes `learned` all that the sets of these interfaces hold, in one transaction. The table is loaded."""
    name = firewall.table_name(table)
    emptied = (f"flush set inet {name} {firewall.learned_set(link)}" for link in links)
    _nft("-f", "-", text="\n".join([*emptied, *_additions(name, learned)]))


def _additions(name: str, learned: Iterable[tuple[str, str]]) -> Iterator[str]:
    nets: defaultdict[str, list[str]] = defaultdict(list)
    for link, net in sorted(learned):
        nets[link].append(net)
    for link, link_nets in nets.items():
        yield f"add element inet {name} {firewall.learned_set(link)} {{ {', '.join(link_nets)} }}"


def learned_sources() -> frozenset[tuple[str, str]]:
    """(interface, network) of the sets of learned networks, in the namespace of the calling thread."""
    return _read_learned(netlink.firewall_generation())


@functools.lru_cache(maxsize=1 << 8)
def _read_learned(generation: tuple[int, int]) -> frozenset[tuple[str, str]]:
    """Reads the sets with a process of `nft`, once for each generation (see `_read`)."""
    tables = [(kind, name) for (kind, name), shape in _read(generation, "").items() if " bgp None " in shape]
    sets = [entry["set"] for table in tables for entry in _nft_json("list", "table", *table) if "set" in entry]
    prefix = firewall.learned_set("")
    return frozenset(
        (nft_set["name"].removeprefix(prefix), net)
        for nft_set in sets
        if nft_set["name"].startswith(prefix)
        for element in nft_set.get("elem", ())
        for net in _nets(element)
    )


def _nets(element: Any) -> Iterator[str]:
    """nft writes an address, a prefix or a range."""
    if isinstance(element, str):
        yield str(subnets.parse_net(element))
    elif "prefix" in element:
        yield f"{element['prefix']['addr']}/{element['prefix']['len']}"
    elif "range" in element:
        yield from map(str, ipaddress.summarize_address_range(*map(ipaddress.IPv4Address, element["range"])))


def summary(owner: str = "") -> str | None:
    """The summary of the owner's tables as they stand in the namespace of the calling thread; None without one."""
    return "; ".join(_read(netlink.firewall_generation(), owner).values()) or None


@functools.lru_cache(maxsize=1 << 12)
def _read(_generation: tuple[int, int], owner: str) -> dict[tuple[str, str], str]:
    """(family, name) of the owner's tables -> the summary. Read once for each generation of the nftables."""
    ours = re.compile(firewall.PREFIX + (f"{owner}-" if owner else "") + r"[0-9a-f]{12}")
    return {
        table: firewall.summary_of(table[1], chains)
        for table, chains in netlink.firewall_tables(ours.fullmatch).items()
    }


class Refused(NamedTuple):
    """ICMP errors from a tunnel of the last minutes: `reporter` says `code` (of type 3) about packets to `destination`."""

    link: str
    reporter: str
    destination: str
    code: int
    packets: int


def refused() -> tuple[Refused, ...]:
    """The ICMP errors that the table of the calling thread's namespace remembers."""
    return tuple(
        Refused(
            _link(element.key),
            _address(element.key, 16),
            _address(element.key, 24),
            code=element.key[20],
            packets=element.packets,
        )
        for element in _elements_of("refused")
    )


def seen() -> tuple[tuple[str, str], ...]:
    """(link, source) of packets from tunnels: a sample of the last minutes."""
    return tuple((_link(element.key), _address(element.key, 16)) for element in _elements_of("seen"))


def _elements_of(name: str) -> Iterator[netlink.SetElement]:
    for _, table in _read(netlink.firewall_generation(), ""):
        yield from netlink.set_elements(table, name)


def _link(key: bytes) -> str:
    return key[:16].rstrip(b"\0").decode()


def _address(key: bytes, at: int) -> str:
    return socket.inet_ntoa(key[at : at + 4])


def stands() -> bool:
    """Whether any table of ours is in the namespace of the calling thread, whoever owns it."""
    return bool(netlink.firewall_tables(lambda name: name.startswith(firewall.PREFIX)))


def _nft_json(*arguments: str) -> list[Any]:
    listed: list[Any] = json.loads(_nft("-j", *arguments))["nftables"]
    return listed


def _nft(*arguments: str, text: str | None = None) -> str:
    """Runs `nft`, the one program that knows the whole language of tables; it answers in JSON."""
    done = subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise OSError(f"nft: {(done.stderr.strip() or 'failed').splitlines()[0]}")
    return done.stdout
