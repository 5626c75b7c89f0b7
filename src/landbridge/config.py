"""Settings, parsed once. A flag wins over a LANDBRIDGE_… variable, a variable over the configuration file, the file over the default.

The setting `tick_seconds` of the group `agent` is `[agent] tick_seconds = 30` in the file and LANDBRIDGE_AGENT_TICK_SECONDS in the
environment. The settings of `[serve]` are flags of `landbridge serve` too, and their variables have no group. An unknown key in the file is
an error that names its place. An unknown variable is a warning, since other programs may export it.
"""

import dataclasses
import difflib
import logging
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from landbridge import errors, paths

log = logging.getLogger(__name__)

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning")
ENGINES = ("auto", "strongswan", "simulated", "none")


@dataclass(frozen=True, slots=True)
class Serve:
    data: str = dataclasses.field(default_factory=paths.default_data)
    """Folder of the database, the master key and the engine's files. Default: /var/lib/landbridge for root."""

    listen: str = "127.0.0.1:8700"
    """Address and port of the API, HOST:PORT. Port 0 takes a free one; credentials.toml tells which."""

    engine: str = "auto"
    """What makes tunnels: auto (strongswan, or stop with what is missing), strongswan, simulated, none (no agent)."""

    site: str = ""
    """Path of the site file. Empty: a default site with a pool of documentation addresses, any VPC id accepted."""

    config: str = ""
    """Path of the configuration file (TOML). Empty: none."""

    tls_certificate: str = ""
    """Path of the certificate and its chain (PEM). Renewed files are used from the next handshake on. Empty: no TLS."""

    tls_key: str = ""
    """Path of the certificate's private key (PEM, without a passphrase)."""

    insecure_http: bool = False
    """Whether the service may listen on other addresses than loopback without TLS, as behind a proxy that has TLS."""

    processes: int = 0
    """Processes that answer the API, at most 64. 0: one a processor, but no more than 4. The agent is in the first of them."""


#: Flags of `landbridge serve`; some are of other commands too.
FLAGS = tuple(field.name for field in dataclasses.fields(Serve))


@dataclass(frozen=True, slots=True)
class Agent:
    tick_seconds: float = 30.0
    """Seconds between two observations of every gateway. Nudges and the engine's events come between."""

    @property
    def unseen_after(self) -> timedelta:
        """After this time without an observation, a status says since when the engine has not been seen: four ticks."""
        return timedelta(seconds=4 * self.tick_seconds)


@dataclass(frozen=True, slots=True)
class Engine:
    systemd: bool = False
    """Whether systemd runs the charons, in the units that `landbridge install` writes. `[serve] data` must be /var/lib/landbridge then. false: they are child processes."""

    automatic_probes: bool = True
    """Whether the service asks a device that refuses a connection which IKE parameters it accepts, once for each configuration."""

    prove_pfs: bool = True
    """Whether each IKEv2 tunnel is rekeyed once, seconds after it came up. false: a wrong PFS shows only at the first regular rekey."""

    path_check_seconds: float = 300.0
    """Seconds between two checks of the path through a tunnel with traffic: whether the largest packets pass. 0: only by an order."""


@dataclass(frozen=True, slots=True)
class Echo:
    nqa_interval_seconds: float = 0.5
    """Seconds between two echoes through the tunnel of a connection with enable_nqa, from 0.1 to 60."""

    monitor_interval_seconds: float = 1.0
    """Seconds between two echoes of a connection monitor, from 0.1 to 60."""

    losses: int = 3
    """A path is down when so many echoes in a row have no answer, from 1 to 100. An answer must come within an interval."""

    stable_seconds: float = 10.0
    """Seconds without so many losses in a row, after which a path that was down is up again."""


@dataclass(frozen=True, slots=True)
class Limits:
    connections_per_gateway: int = 0
    """Connections that one gateway may have. 0: what its flavor says (20 for Basic, 200 for the others)."""

    learned_prefixes: int = 10_000
    """Prefixes that the device of a bgp connection may announce, from 1 to 100,000. With more, its session is closed for 5 minutes."""

    audit_days: int = 365
    """Days after which an audit event is removed. 0: never."""

    audit_events: int = 5_000_000
    """Audit events that are kept, the newest; some 300 bytes each. 0: any number."""


@dataclass(frozen=True, slots=True)
class Http:
    connections: int = 0
    """Connections of clients, in each process that answers the API. 0: half of the files that a process may open."""

    connections_per_address: int = 100
    """Connections of one client address (of an IPv6 client: its /64), in each process. 0: any number, as behind a proxy."""

    unfinished_per_address: int = 50
    """Connections of one client address whose TLS handshake or first request has not come, in each process. 0: any number, as behind a proxy."""

    waiting_per_key: int = 100
    """Long reads, and writes, of one access key that wait for their turn in each process; one more is refused. 0: any number."""


@dataclass(frozen=True, slots=True)
class Quotas:
    vpn_gateway: int = 0
    """VPN gateways that a project may have. 0: any number, which the API shows as -1."""

    customer_gateway: int = 0
    """Customer gateways that a project may have. 0: any number, which the API shows as -1."""

    vpn_connection: int = 0
    """Connections that a project may have, over all its gateways. 0: any number, which the API shows as -1."""


@dataclass(frozen=True, slots=True)
class Metrics:
    connections: int = 20_000
    """The largest number of connections with series of their own in /metrics. With more, it has only their numbers by project and status."""


@dataclass(frozen=True, slots=True)
class Console:
    idle_minutes: int = 60
    """Minutes without a click after which a session of the console ends. A page that only refreshes itself does not count."""

    session_hours: int = 12
    """Hours after its sign-in at which a session of the console ends in any case."""


@dataclass(frozen=True, slots=True)
class Log:
    format: str = "text"
    """text: lines for people. json: each line is an object with the fields of the line."""

    level: str = "info"
    """The lowest level that is logged: debug (also each request of a client), info or warning."""


@dataclass(frozen=True, slots=True)
class Secrets:
    master_key: str = ""
    """Path of the file with the 32-byte master key. Empty: master.key in the data folder, made at the first start."""


@dataclass(frozen=True, slots=True)
class Settings:
    serve: Serve = Serve()
    agent: Agent = Agent()
    engine: Engine = Engine()
    echo: Echo = Echo()
    limits: Limits = Limits()
    http: Http = Http()
    quotas: Quotas = Quotas()
    metrics: Metrics = Metrics()
    console: Console = Console()
    log: Log = Log()
    secrets: Secrets = Secrets()


#: Settings of earlier versions. A file or a variable that names one is read, and a warning tells what takes its place.
REMOVED = {
    ("agent", "unseen_after_seconds"): "it is four times tick_seconds",
    ("engine", "charon_unit"): "[engine] systemd takes its place",
    ("engine", "sockets"): "[engine] systemd takes its place",
}


def load(flags: Mapping[str, str | bool | None], environment: Mapping[str, str]) -> Settings:
    """Reads all settings. `flags` are those of the group serve, None where not given. Raises ConfigError."""
    given: dict[str, dict[str, tuple[str, Any]]] = {}
    groups = typing.get_type_hints(Settings)
    from_variables = _variables(environment)
    path = str(flags.get("config") or "") or from_variables.get(("serve", "config"), ("", ""))[1]
    if path:
        given = _file(Path(path), groups)
    for (group, key), text in from_variables.items():
        given.setdefault(group, {})[key] = text
    _replace_removed(given)
    for key, value in flags.items():
        if value is not None:
            given.setdefault("serve", {})[key] = (f"--{key.replace('_', '-')}", value)
    return Settings(**{name: _group(kind, given.get(name, {})) for name, kind in groups.items()})


def _replace_removed(given: dict[str, dict[str, tuple[str, Any]]]) -> None:
    for (group, key), instead in REMOVED.items():
        place, value = given.get(group, {}).pop(key, ("", ""))
        if place:
            log.warning("%s: is no longer a setting: %s", place, instead)
        if value and key == "charon_unit":  # written by an earlier `landbridge install`
            given[group].setdefault("systemd", (place, True))


def _variables(environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, str]]:
    known = {
        "LANDBRIDGE_" + ("" if group == "serve" else group.upper() + "_") + key.upper(): (group, key)
        for group, key in (*names(), *REMOVED)
    }
    values = {}
    for variable, value in environment.items():
        if not variable.startswith("LANDBRIDGE_") or variable in paths.CLIENT_VARIABLES:
            continue
        if variable not in known:
            near = difflib.get_close_matches(variable[:80], known, n=1)
            meant = f"; the nearest is {near[0]}" if near else ""
            log.warning("%.80s: no such setting, it changes nothing%s", variable, meant)
            continue
        values[known[variable]] = (variable, value)
    return values


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
            if key not in known and (group, key) not in REMOVED:
                raise errors.ConfigError(f"{path}: [{group}] has no setting {key} (there are {', '.join(known)})")
            given.setdefault(group, {})[key] = (f"{path}: [{group}] {key}", value)
    return given


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise errors.ConfigError(f"{path}{_toml_fault(str(error))}") from None
    except UnicodeDecodeError as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _toml_fault(text: str) -> str:
    """The parser's message, with the line number in front as in the other errors."""
    message, line = text, ""
    if match := re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", text, re.DOTALL):
        message, line = match[1], f", line {match[2]}"
    hint = " (texts stand in quotes)" if message.startswith(("Invalid value", "Expected newline")) else ""
    return f"{line}: {message}{hint}"


def _group(kind: type, given: Mapping[str, tuple[str, Any]]) -> Any:
    types = typing.get_type_hints(kind)
    made = kind(**{key: _value(place, value, types[key]) for key, (place, value) in given.items()})
    for key, fault in _CHECKS.get(kind, _no_faults)(made):
        raise errors.ConfigError(f"{given.get(key, (key, None))[0]}: {fault}")
    return made


def _value(place: str, value: Any, expected: type) -> Any:
    if expected is str and isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise errors.ConfigError(f"{place}: {value!r} is not allowed (a string in UTF-8, without NUL)")
        return value
    if expected is bool:
        return _boolean(place, value)
    try:
        number = float(value) if expected is float else int(str(value))
    except (TypeError, ValueError):
        number = -1
    if expected is str or isinstance(value, bool) or not 0 <= number < float("inf"):
        raise errors.ConfigError(f"{place}: {value!r} is not allowed ({_ALLOWED[expected]})")
    return number


def _boolean(place: str, value: Any) -> bool:
    """Takes the texts `true` and `false` too: a variable is text."""
    parsed = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(parsed, bool):
        raise errors.ConfigError(f"{place}: {value!r} is not allowed (true or false)")
    return parsed


_ALLOWED: Mapping[type, str] = {str: "a string", int: "a whole number, 0 or more", float: "a number, 0 or more"}


def _serve_faults(serve: Serve) -> Iterator[tuple[str, str]]:
    """The key of each wrong value, and what is wrong with it."""
    if not serve.data:
        yield "data", "is empty (the path of a folder)"
    if serve.engine not in ENGINES:
        yield "engine", f"{serve.engine!r} is not one of {', '.join(ENGINES)}"
    host, _, port = serve.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        yield "listen", f"{serve.listen!r} is not HOST:PORT"
    if serve.processes > 64:
        yield "processes", f"{serve.processes} is not allowed (from 0 to 64)"
    for present, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if getattr(serve, present) and not getattr(serve, other):
            yield present, f"needs {other} too"


def _agent_faults(agent: Agent) -> Iterator[tuple[str, str]]:
    if agent.tick_seconds == 0:
        yield "tick_seconds", "0 is not allowed (more than 0)"


def _echo_faults(echo: Echo) -> Iterator[tuple[str, str]]:
    for key in ("nqa_interval_seconds", "monitor_interval_seconds"):
        if not 0.1 <= getattr(echo, key) <= 60:
            yield key, f"{getattr(echo, key):g} is not allowed (from 0.1 to 60)"
    if not 1 <= echo.losses <= 100:
        yield "losses", f"{echo.losses} is not allowed (from 1 to 100)"


def _limits_faults(limits: Limits) -> Iterator[tuple[str, str]]:
    if not 1 <= limits.learned_prefixes <= 100_000:
        yield "learned_prefixes", f"{limits.learned_prefixes} is not allowed (from 1 to 100000)"


def _console_faults(console: Console) -> Iterator[tuple[str, str]]:
    for key in ("idle_minutes", "session_hours"):
        if not 1 <= getattr(console, key) <= 10_000:
            yield key, f"{getattr(console, key)} is not allowed (from 1 to 10000)"


def _log_faults(chosen: Log) -> Iterator[tuple[str, str]]:
    for key, value, allowed in (("format", chosen.format, LOG_FORMATS), ("level", chosen.level, LOG_LEVELS)):
        if value not in allowed:
            yield key, f"{value!r} is not one of {', '.join(allowed)}"


def _no_faults(_: Any) -> Iterator[tuple[str, str]]:
    return iter(())


_CHECKS: Mapping[type, Callable[[Any], Iterator[tuple[str, str]]]] = {
    Serve: _serve_faults,
    Agent: _agent_faults,
    Echo: _echo_faults,
    Limits: _limits_faults,
    Console: _console_faults,
    Log: _log_faults,
}


def names() -> list[tuple[str, str]]:
    """(group, key) of every setting."""
    groups = typing.get_type_hints(Settings)
    return [(group, field.name) for group, kind in groups.items() for field in dataclasses.fields(kind)]
