"""Settings, parsed once: defaults, then the configuration file, then LANDBRIDGE_… variables, then flags.

A setting `tick_seconds` of the group `agent` is `[agent] tick_seconds = 30` in the file and LANDBRIDGE_AGENT_TICK_SECONDS
in the environment; the five of `[serve]` are flags of `landbridge serve` too and their variables have no group. An
unknown key is refused, with its place.
"""

import dataclasses
import ipaddress
import itertools
import os
import tomllib
import types
import typing
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge import errors, model

ENGINES = ("auto", "strongswan", "simulated", "none")


def _default_data() -> str:
    return "/var/lib/landbridge" if os.geteuid() == 0 else str(Path.home() / ".local/share/landbridge")


@dataclass(frozen=True, slots=True)
class Serve:
    data: str = dataclasses.field(default_factory=_default_data)
    """Folder of the database, the master key and the engine's files. Default: /var/lib/landbridge for root."""

    listen: str = "127.0.0.1:8700"
    """Address and port of the API, HOST:PORT. Port 0 takes a free one; credentials.toml tells which."""

    engine: str = "auto"
    """What makes tunnels: auto (strongswan, or stop with what is missing), strongswan, simulated, none (no agent)."""

    site: str = ""
    """Path of the site file. Empty: a default site with a pool of documentation addresses, any VPC id accepted."""

    config: str = ""
    """Path of the configuration file (TOML). Empty: none."""


@dataclass(frozen=True, slots=True)
class Agent:
    tick_seconds: float = 30.0
    """Seconds between two looks at every gateway. Nudges and the engine's events come between."""

    unseen_after_seconds: float = 120.0
    """Seconds after which a status says that the engine has not been seen since. Four ticks."""


@dataclass(frozen=True, slots=True)
class Limits:
    connections_per_gateway: int = 0
    """Connections that one gateway may have. 0: what its flavor says (20 for Basic, 200 for the others)."""


@dataclass(frozen=True, slots=True)
class Secrets:
    master_key: str = ""
    """Path of the file with the 32-byte master key. Empty: master.key in the data folder, made at the first start."""


@dataclass(frozen=True, slots=True)
class Settings:
    serve: Serve = Serve()
    agent: Agent = Agent()
    limits: Limits = Limits()
    secrets: Secrets = Secrets()


def load(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """All settings. `flags`: of the group serve, None where not given. Raises ConfigError."""
    given: dict[str, dict[str, tuple[str, Any]]] = {}
    groups = typing.get_type_hints(Settings)
    from_variables = _variables(groups, environment)
    path = flags.get("config") or from_variables.get(("serve", "config"), ("", ""))[1]
    if path:
        given = _file(Path(path), groups)
    for (group, key), value in from_variables.items():
        given.setdefault(group, {})[key] = value
    for key, text in flags.items():
        if text is not None:
            given.setdefault("serve", {})[key] = (f"--{key}", text)
    return Settings(**{name: _group(kind, given.get(name, {})) for name, kind in groups.items()})


def _variables(groups: Mapping[str, type], environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, str]]:
    names = {
        "LANDBRIDGE_" + ("" if group == "serve" else group.upper() + "_") + field.name.upper(): (group, field.name)
        for group, kind in groups.items()
        for field in dataclasses.fields(kind)
    }
    found = {}
    for variable, value in environment.items():
        if not variable.startswith("LANDBRIDGE_"):
            continue
        if variable not in names:
            raise errors.ConfigError(f"{variable}: no such setting (there are {', '.join(sorted(names))})")
        found[names[variable]] = (variable, value)
    return found


def _file(path: Path, groups: Mapping[str, type]) -> dict[str, dict[str, tuple[str, Any]]]:
    given: dict[str, dict[str, tuple[str, Any]]] = {}
    for group, values in read_toml(path).items():
        kind = groups.get(group)
        if kind is None or not isinstance(values, dict):
            raise errors.ConfigError(f"{path}: no such group [{group}] (there are {', '.join(groups)})")
        known = [field.name for field in dataclasses.fields(kind)]
        for key, value in values.items():
            if (group, key) == ("serve", "config"):
                raise errors.ConfigError(f"{path}: [serve] config names this file and cannot stand in it")
            if key not in known:
                raise errors.ConfigError(f"{path}: [{group}] has no setting {key} (there are {', '.join(known)})")
            given.setdefault(group, {})[key] = (f"{path}: [{group}] {key}", value)
    return given


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _group(kind: type, given: Mapping[str, tuple[str, Any]]) -> Any:
    wanted = typing.get_type_hints(kind)
    made = kind(**{key: _value(place, value, wanted[key]) for key, (place, value) in given.items()})
    if isinstance(made, Serve):
        _check_serve(made, given)
    if isinstance(made, Agent):
        for key in ("tick_seconds", "unseen_after_seconds"):
            if getattr(made, key) == 0:
                raise errors.ConfigError(f"{given[key][0]}: 0 is not allowed (more than 0)")
    return made


def _value(place: str, value: Any, wanted: type) -> Any:
    if wanted is str and isinstance(value, str):
        return value
    try:
        number = float(value) if wanted is float else int(str(value))
    except (TypeError, ValueError):
        number = -1
    if wanted is str or isinstance(value, bool) or not 0 <= number < float("inf"):
        raise errors.ConfigError(f"{place}: {value!r} is not allowed ({_ALLOWED[wanted]})")
    return number


_ALLOWED: Mapping[type, str] = {str: "a string", int: "a whole number, 0 or more", float: "a number, 0 or more"}


def _check_serve(serve: Serve, given: Mapping[str, tuple[str, Any]]) -> None:
    def place(key: str) -> str:
        return given.get(key, (key, None))[0]

    if not serve.data:
        raise errors.ConfigError(f"{place('data')}: is empty (the path of a folder)")
    if serve.engine not in ENGINES:
        raise errors.ConfigError(f"{place('engine')}: {serve.engine!r} is not one of {', '.join(ENGINES)}")
    host, _, port = serve.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise errors.ConfigError(f"{place('listen')}: {serve.listen!r} is not HOST:PORT")


def describe() -> list[tuple[str, str, str, str]]:
    """(group, key, default, docstring) of every setting, for the reference page and `check-config`."""
    source = Path(__file__).read_text().splitlines()
    found = []
    for group, kind in typing.get_type_hints(Settings).items():
        made = kind()
        for field in dataclasses.fields(kind):
            line = next(i for i, text in enumerate(source) if text.startswith(f"    {field.name}: "))
            found.append((group, field.name, str(getattr(made, field.name)), source[line + 1].strip().strip('"')))
    return found


# -- the site file --------------------------------------------------------------------------------------------------

#: RFC 5737: addresses that are in no network, for a site of which nothing is known.
DOCUMENTATION = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")
_EIP_NAMES = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")

_SITE_KEYS: Mapping[str, tuple[str, ...]] = types.MappingProxyType(
    {
        "eip": ("id", "address", "gateway", "interface", "attach"),
        "network": ("id", "cidr", "interface", "bridge", "address"),
        "zone": ("id",),
        "node": ("id", "zone", "underlay"),
    }
)


def default_site() -> model.Site:
    """A pool of documentation addresses, two zones, and any VPC id: enough to use the API at once."""
    hosts = [host for block in DOCUMENTATION for host in ipaddress.ip_network(block).hosts()]
    eips = tuple(model.Eip(id=str(uuid.uuid5(_EIP_NAMES, str(host))), address=str(host)) for host in hosts)
    return model.Site(eips=eips, networks=(), zones=("zone-1", "zone-2"), any_network=True)


def load_site(path: Path) -> model.Site:
    """The operator's inventory. Raises ConfigError with file, line and key."""
    tables = _SiteFile(path)
    eips = tuple(_eip(row) for row in tables.rows("eip"))
    networks = tuple(_network(row) for row in tables.rows("network"))
    zones = tuple(row.text("id") for row in tables.rows("zone")) or ("zone-1", "zone-2")
    nodes = tables.rows("node")
    if len(nodes) > 1:
        raise nodes[1].wrong("id", "more than one node is not carried yet", "one [[node]]")
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
            raise tables.rows(kind)[again].wrong(key, f"{values[again]} is there twice", "once")
    underlay = nodes[0].text("underlay", "") if nodes else ""
    return model.Site(eips=eips, networks=networks, zones=zones, any_network=not networks, underlay=underlay or None)


class _SiteFile:
    """The file as tables, remembering on which line each one starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = read_toml(path)
        lines = path.read_text().splitlines()
        self.starts = {
            kind: [n for n, line in enumerate(lines, 1) if line.split("#")[0].strip() == f"[[{kind}]]"]
            for kind in _SITE_KEYS
        }
        self.lines = lines
        for kind, rows in self._content.items():
            if kind not in _SITE_KEYS or not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
                number = next((n for n, line in enumerate(lines, 1) if kind in line), 1)
                known = ", ".join(f"[[{k}]]" for k in _SITE_KEYS)
                raise errors.ConfigError(f"{path}, line {number}: {kind}: is not known ({known})")

    def rows(self, kind: str) -> list["_Row"]:
        return [_Row(self, kind, index, row) for index, row in enumerate(self._content.get(kind, []))]


class _Row:
    def __init__(self, file: _SiteFile, kind: str, index: int, values: dict[str, Any]) -> None:
        self._file = file
        self._kind = kind
        self._values = values
        self._start = (file.starts[kind] + [1] * (index + 1))[index]
        for key in values:
            if key not in _SITE_KEYS[kind]:
                raise self.wrong(key, "is not known", ", ".join(_SITE_KEYS[kind]))

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

    def uuid(self, key: str) -> str:
        value = self.text(key)
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise self.wrong(key, f"{value!r} is not an id", "a UUID of 36 characters") from None


def _eip(row: _Row) -> model.Eip:
    attach = row.text("attach", "routed")
    if attach in ("macvlan", "nat"):
        raise row.wrong("attach", f"{attach} is not carried yet", "routed")
    if attach != "routed":
        raise row.wrong("attach", f"{attach!r} is not known", "routed")
    address, gateway = row.text("address"), row.text("gateway", "")
    row.text("interface", "")
    try:
        interface = ipaddress.IPv4Interface(address)
    except ValueError:
        raise row.wrong("address", f"{address!r} is not an IPv4 address", "such as 203.0.113.7/24") from None
    try:
        ipaddress.IPv4Address(gateway or interface.ip)
    except ValueError:
        raise row.wrong("gateway", f"{gateway!r} is not an IPv4 address", "such as 203.0.113.1") from None
    return model.Eip(id=row.uuid("id"), address=str(interface.ip))


def _network(row: _Row) -> model.Network:
    cidr, address = row.text("cidr"), row.text("address", "")
    for key, text, kind in (("cidr", cidr, ipaddress.IPv4Network), ("address", address, ipaddress.IPv4Interface)):
        try:
            if text:
                kind(text)
        except ValueError as error:
            raise row.wrong(key, str(error), "such as 10.0.0.0/16 (address: 10.0.0.1/16)") from None
    bridge, interface = row.text("bridge", ""), row.text("interface", "")
    if bridge and interface:
        raise row.wrong("interface", "does not go with bridge", "one of the two")
    if address and ipaddress.IPv4Interface(address).ip not in ipaddress.IPv4Network(cidr):
        raise row.wrong("address", f"{address} is not in the network", f"an address of {cidr}")
    if bool(bridge or interface) != bool(address):
        raise row.wrong("address", "goes with bridge or interface", "both or neither")
    return model.Network(
        id=row.uuid("id"),
        cidr=cidr,
        bridge=bridge or None,
        interface=interface or None,
        address=address or None,
    )
