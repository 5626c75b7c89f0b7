"""The site file: the operator's inventory of EIPs, networks, zones and the node.

Every refusal names file, line and key. Without a file there is a default site that makes the API usable at once.
"""

import functools
import ipaddress
import itertools
import re
import types
import typing
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from landbridge import config, errors, model
from landbridge.model import allowed_values

#: RFC 5737: addresses that are in no network, for a site of which nothing is known.
DOCUMENTATION = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")
#: Addresses of gateways behind forwarded EIPs: of a block that no network uses (RFC 6890, IETF protocol assignments), but for
#: those that the registry has given away.
NAT_INNER_ADDRESSES = [ipaddress.IPv4Address("192.0.0.0") + last for last in (*range(16, 170), *range(172, 255))]
#: What private gateways of the default site have: of a block that is for measurements alone (RFC 2544).
PRIVATE_ADDRESSES = ("198.19.240.1", "198.19.255.254")
RANGE_ALLOWED = "FIRST-LAST, such as 10.0.0.200-10.0.0.220, or a block"
#: As `landbridge projects create` makes them.
PROJECT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Characters of the name of a Linux interface (IFNAMSIZ), a bridge's too.
LINK_NAME_LENGTH = 15
_EIP_NAMES = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")

KEYS: Mapping[str, tuple[str, ...]] = types.MappingProxyType(
    {
        "eip": ("id", "address", "gateway", "interface", "attach", "project"),
        "network": ("id", "cidr", "interface", "bridge", "address", "gateway_addresses", "project"),
        "zone": ("id",),
        "node": ("id", "zone", "underlay"),
    }
)


def find(settings: config.Settings) -> model.Site:
    """The site of the file that the settings name, or else the default site. Raises ConfigError."""
    return load(Path(settings.serve.site)) if settings.serve.site else default()


@functools.cache
def default() -> model.Site:
    """A pool of documentation addresses, two zones, and any VPC id: enough to use the API at once, for one project."""
    hosts = [host for block in DOCUMENTATION for host in ipaddress.ip_network(block).hosts()]
    eips = tuple(model.Eip(id=str(uuid.uuid5(_EIP_NAMES, str(host))), address=str(host)) for host in hosts)
    return model.Site(
        eips=eips, networks=(), zones=("zone-1", "zone-2"), any_network=True, gateway_addresses=PRIVATE_ADDRESSES
    )


def load(path: Path) -> model.Site:
    """The operator's inventory. Raises ConfigError with file, line and key."""
    tables = _SiteFile(path)
    eips = tuple(_eip(entry) for entry in tables.entries("eip"))
    networks = tuple(_network(entry) for entry in tables.entries("network"))
    zones = tuple(entry.text("id") for entry in tables.entries("zone")) or ("zone-1", "zone-2")
    nodes = tables.entries("node")
    if len(nodes) > 1:
        raise nodes[1].wrong("id", "more than one node is not supported yet", "one [[node]]")
    for node in nodes:
        node.text("id", "")
        if node.text("zone", zones[0]) not in zones:
            raise node.wrong("zone", "is no [[zone]] of this file", ", ".join(zones))
    for kind, key, values in (
        ("eip", "id", [e.id for e in eips]),
        ("eip", "address", [e.address for e in eips]),
        ("network", "id", [n.id for n in networks]),
        ("zone", "id", list(zones)),
    ):
        again = next((n for n, value in enumerate(values) if value in values[:n]), None)
        if again is not None:
            what = f"{values[again]} stands in another [[{kind}]] too"
            raise tables.entries(kind)[again].wrong(key, what, f"each [[{kind}]] has its own")
    _check_behind(tables, eips)
    for entry, network in zip(tables.entries("network"), networks, strict=True):
        _check_range(entry, network, networks, eips)
    underlay = nodes[0].text("underlay", "") if nodes else ""
    return model.Site(eips=eips, networks=networks, zones=zones, any_network=not networks, underlay=underlay or None)


def _check_behind(tables: "_SiteFile", eips: tuple[model.Eip, ...]) -> None:
    known: dict[str, str] = {}
    for entry, eip in zip(tables.entries("eip"), eips, strict=True):
        if eip.behind is not None and eip.behind in known:
            what = f"{eip.address} and {known[eip.behind]} would have the same inner address {eip.behind}"
            raise entry.wrong("address", what, "one of the two with attach = nat")
        known[eip.behind or ""] = eip.address


class _SiteFile:
    """The file as tables, remembering on which line each one starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = config.read_toml(path)
        lines = path.read_text().splitlines()
        self.starts = {
            kind: [n for n, line in enumerate(lines, 1) if line.split("#")[0].strip() == f"[[{kind}]]"] for kind in KEYS
        }
        self.lines = lines
        for kind, entries in self._content.items():
            if kind not in KEYS or not isinstance(entries, list) or not all(isinstance(r, dict) for r in entries):
                number = next((n for n, line in enumerate(lines, 1) if kind in line), 1)
                known = ", ".join(f"[[{k}]]" for k in KEYS)
                raise errors.ConfigError(f"{path}, line {number}: {kind}: is not known ({known})")

    def entries(self, kind: str) -> list["_Entry"]:
        return [_Entry(self, kind, index, entry) for index, entry in enumerate(self._content.get(kind, []))]


class _Entry:
    def __init__(self, file: _SiteFile, kind: str, index: int, values: dict[str, Any]) -> None:
        self._file = file
        self._kind = kind
        self._values = values
        self._start = (file.starts[kind] + [1] * (index + 1))[index]
        for key in values:
            if key not in KEYS[kind]:
                raise self.wrong(key, "is not known", ", ".join(KEYS[kind]))

    def wrong(self, key: str, what: str, allowed: str) -> errors.ConfigError:
        below = enumerate(self._file.lines[self._start :], self._start + 1)
        mine = itertools.takewhile(lambda numbered: not numbered[1].lstrip().startswith("["), below)
        line = next((n for n, text in mine if text.split("=")[0].strip() == key), self._start)
        return errors.ConfigError(f"{self._file.path}, line {line}: [[{self._kind}]] {key}: {what} ({allowed})")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, "is mandatory", "a string")
        if not isinstance(value, str):
            raise self.wrong(key, f"{value!r} is not a string", "a string")
        return value

    def link(self, key: str) -> str:
        """The name of a network interface; empty where it is left out."""
        name = self.text(key, "")
        if len(name) > LINK_NAME_LENGTH or re.search(r"[\s/]", name):
            allowed = f"at most {LINK_NAME_LENGTH} characters, no space and no slash"
            raise self.wrong(key, f"{name!r} is not the name of an interface", allowed)
        return name

    def projects(self) -> tuple[str, ...]:
        """The ids of the key `project`; empty where the key is left out."""
        value = self._values.get("project")
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            raise self.wrong("project", f"{value!r} is no list of ids", 'such as ["…"], or leave it out: all projects')
        for entry in value:
            if not isinstance(entry, str) or not PROJECT_ID.fullmatch(entry):
                raise self.wrong(
                    "project", f"{entry!r} is not the id of a project", "one of `landbridge projects list`"
                )
        return tuple(value)

    def uuid(self, key: str) -> str:
        value = self.text(key)
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise self.wrong(key, f"{value!r} is not an id", str(allowed_values.UUID)) from None


def _eip(entry: _Entry) -> model.Eip:
    attach = entry.text("attach", "routed")
    if attach not in typing.get_args(model.Attach):
        raise entry.wrong("attach", f"{attach!r} is not known", ", ".join(typing.get_args(model.Attach)))
    address, gateway, link = entry.text("address"), entry.text("gateway", ""), entry.link("interface")
    try:
        interface = ipaddress.IPv4Interface(address)
    except ValueError:
        raise entry.wrong("address", f"{address!r} is not an IPv4 address", "such as 203.0.113.7/24") from None
    try:
        ipaddress.IPv4Address(gateway or interface.ip)
    except ValueError:
        raise entry.wrong("gateway", f"{gateway!r} is not an IPv4 address", "such as 203.0.113.1") from None
    if attach == "macvlan":
        _check_macvlan(entry, interface, gateway, link)
    return model.Eip(
        id=entry.uuid("id"),
        address=str(interface.ip),
        attach=typing.cast(model.Attach, attach),
        prefix=interface.network.prefixlen,
        gateway=gateway or None,
        interface=link or None,
        behind=_behind(interface.ip) if attach == "nat" else None,
        projects=entry.projects(),
    )


def _behind(address: ipaddress.IPv4Address) -> str:
    """Always the same address for an EIP, whatever else the file lists: with another address a gateway would begin its tunnels anew."""
    return str(NAT_INNER_ADDRESSES[int(address) % len(NAT_INNER_ADDRESSES)])


def _check_macvlan(entry: _Entry, address: ipaddress.IPv4Interface, gateway: str, link: str) -> None:
    if not link:
        raise entry.wrong(
            "interface", "is mandatory with attach = macvlan", "the network interface that has the address's network"
        )
    if (
        not gateway
        or ipaddress.IPv4Address(gateway) not in address.network
        or ipaddress.IPv4Address(gateway) == address.ip
    ):
        raise entry.wrong(
            "gateway", f"{gateway!r} is not the router of attach = macvlan", f"another address of {address.network}"
        )


def _network(entry: _Entry) -> model.Network:
    cidr, address = entry.text("cidr"), entry.text("address", "")
    for key, text, kind in (("cidr", cidr, ipaddress.IPv4Network), ("address", address, ipaddress.IPv4Interface)):
        try:
            if text:
                kind(text)
        except ValueError as error:
            raise entry.wrong(key, str(error), "such as 10.0.0.0/16 (address: 10.0.0.1/16)") from None
    bridge, interface = entry.link("bridge"), entry.link("interface")
    if bridge and interface:
        raise entry.wrong("interface", "does not go with bridge", "one of the two")
    if address:
        _check_own_address(entry, address, ipaddress.IPv4Network(cidr))
    if bool(bridge or interface) != bool(address):
        raise entry.wrong("address", "goes with bridge or interface", "both or neither")
    return model.Network(
        id=entry.uuid("id"),
        cidr=cidr,
        bridge=bridge or None,
        interface=interface or None,
        address=address or None,
        gateway_addresses=_range(entry),
        projects=entry.projects(),
    )


def _check_own_address(entry: _Entry, text: str, network: ipaddress.IPv4Network) -> None:
    """The gateway's own address in the network."""
    address = ipaddress.IPv4Interface(text).ip
    if "/" not in text:
        raise entry.wrong("address", f"{text} has no prefix length", f"such as {text}/{network.prefixlen}")
    if address not in network:
        raise entry.wrong("address", f"{text} is not in the network", f"an address of {network}")
    if network.prefixlen < 31 and address in (network[0], network[-1]):
        what = "network's own address" if address == network[0] else "broadcast address"
        raise entry.wrong("address", f"{address} is the {what}", f"another address of {network}")


def _range(entry: _Entry) -> tuple[str, str] | None:
    """First and last address of the key `gateway_addresses`, which is FIRST-LAST or a block."""
    text = entry.text("gateway_addresses", "")
    if not text:
        return None
    try:
        if "/" in text:
            block = ipaddress.IPv4Network(text)
            first, last = block[0], block[-1]
        else:
            first, last = (ipaddress.IPv4Address(end.strip()) for end in text.split("-"))
    except ValueError:
        raise entry.wrong("gateway_addresses", f"{text!r} is no range", RANGE_ALLOWED) from None
    if first > last:
        raise entry.wrong("gateway_addresses", f"{text} ends before it begins", RANGE_ALLOWED)
    if first == last:
        raise entry.wrong("gateway_addresses", f"{text} has fewer than two addresses", RANGE_ALLOWED)
    return str(first), str(last)


def _check_range(
    entry: _Entry, network: model.Network, networks: Iterable[model.Network], eips: Iterable[model.Eip]
) -> None:
    """A private gateway's address is routed to it on this machine, so nothing else of the site may have it."""
    if network.gateway_addresses is None:
        return
    first, last = map(ipaddress.IPv4Address, network.gateway_addresses)

    def refuse_if(wrong: bool, what: str) -> None:
        if wrong:
            allowed = f"addresses of {network.cidr} that nothing else has"
            raise entry.wrong("gateway_addresses", f"{first}-{last} {what}", allowed)

    def has(text: str | None) -> bool:
        return bool(text) and first <= ipaddress.IPv4Interface(text or "").ip <= last

    cidr = ipaddress.IPv4Network(network.cidr or "")
    refuse_if(first not in cidr or last not in cidr, f"is not in {cidr}")
    refuse_if(first == cidr[0] or last == cidr[-1], f"has the first or the last address of {cidr}")
    refuse_if(has(network.address), f"has the gateway's own address {network.address}")
    for eip in eips:
        for text in (eip.address, eip.gateway, eip.behind):
            refuse_if(has(text), f"has {text}, which is an EIP's or a router's")
    for other in networks:
        block = ipaddress.IPv4Network(other.cidr or "")
        overlaps = first <= block[-1] and last >= block[0]
        refuse_if(overlaps and other.id != network.id, f"overlaps with network {other.id}, {block}")
    for block in map(ipaddress.IPv4Network, model.RESERVED_NETS):
        refuse_if(first <= block[-1] and last >= block[0], f"overlaps with {block}, which is kept for other purposes")
