"""Parses the answers of BIRD's control socket. Pure.

No text raises an error. A line about a protocol that is not as expected becomes the fault `unknown` of that session, and a route without
an IPv4 prefix is left out.
"""

import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from landbridge import model
from landbridge.engine.strongswan.bgp import faults
from landbridge.engine.strongswan.bgp.client import Line

_PROTOCOL, _DETAILS = 1002, 1006
#: Names of details that change with the routes of a session.
COUNTED = ("BGP state", "Routes", "Import updates", "Import withdraws", "Receive limit")
#: Name, kind, table, state, since, info.
_HEAD = re.compile(r"(\S+)\s+(\S+)\s+\S+\s+(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\s*(.*)")
#: BIRD's own spelling of a state -> ours; states that ours lacks are states on the way down.
_STATES = {state.replace("_", ""): state for state in get_args(model.BgpState)}
_ROUTES = re.compile(r"(\d+) imported(?:, (\d+) filtered)?, (\d+) exported")
_ROUTE = re.compile(r"(\S+)?\s+([a-z]+) \[(\S+) ")
_END = "-"
_ATTRIBUTE = "\tBGP."
_ORIGINS: Mapping[str, model.BgpOrigin] = {"IGP": "igp", "EGP": "egp", "Incomplete": "incomplete"}
#: An address and the length of its prefix.
_Order = tuple[bytes, int]
_LENGTHS = tuple(map(str, range(33)))
_BFD = re.compile(r"(\S+)\s+\S+\s+(Up|Down|Init|AdminDown)\s")


@dataclass(slots=True)
class Protocol:
    """`details`: the lines of `show protocols all` that have a name and a value; the last one of a name counts. `since` is None where
    the first line is not as expected; then `info` is that line.
    """

    name: str
    kind: str
    state: str
    since: datetime | None
    info: str
    details: dict[str, str] = field(default_factory=dict)


def protocols(lines: Iterable[Line]) -> list[Protocol]:
    """Reads `show protocols all`."""
    protocols: list[Protocol] = []
    for line in lines:
        if line.code == _PROTOCOL:
            protocols.append(_protocol(line.text))
        elif line.code == _DETAILS and protocols:
            name, separator, value = line.text.strip().partition(":")
            if separator:
                protocols[-1].details[name] = value.strip()
    return protocols


def _protocol(text: str) -> Protocol:
    head = _HEAD.match(text)
    if head and (since := faults.time(head[4])):
        return Protocol(head[1], head[2], head[3], since, head[5].strip())
    name, kind, *_ = *text.split(), "", ""
    return Protocol(name, kind, "", None, text)


def fingerprint(protocols: Iterable[Protocol]) -> str:
    return next((protocol.details.get("Description", "") for protocol in protocols if protocol.kind == "Device"), "")


def session(
    protocol: Protocol,
    *,
    bfd: Mapping[str, str],
    notification: model.BgpFault | None,
    now: datetime,
) -> model.BgpSession:
    """`bfd`: address -> state of its BFD session; `notification`: the last one of the session in the log."""
    details = protocol.details
    state = _state(protocol)
    routes = _ROUTES.search(details.get("Routes", ""))
    accepted, filtered, announced = (int(count or 0) for count in routes.groups()) if routes else (0, 0, 0)
    fault = faults.of_session(
        state, protocol.info.removeprefix(details.get("BGP state", "")).strip(), protocol.since, notification, now
    )
    neighbor = details.get("Neighbor address", "").partition("%")[0]
    return model.BgpSession(
        state=state,
        since=protocol.since,
        hold_time=_hold_time(details.get("Hold timer", "")),
        bfd=_bfd(bfd.get(neighbor, ""), state, fault),
        received=accepted + filtered,
        accepted=accepted,
        announced=announced,
        limit=_number(details.get("Receive limit", "")),
        fault=fault,
    )


def _state(protocol: Protocol) -> model.BgpState:
    if protocol.state in ("down", "stop", "flush"):
        return "down"
    word = protocol.details.get("BGP state", "").lower()
    return next((ours for theirs, ours in _STATES.items() if theirs == word), "idle")


def _hold_time(text: str) -> int | None:
    """`7.170/9`: seconds that are left, and those that were agreed."""
    return _number(text.partition("/")[2])


def _number(text: str) -> int | None:
    match = re.match(r"\d+", text.strip())
    return int(match[0]) if match else None


def _bfd(word: str, state: model.BgpState, fault: model.BgpFault | None) -> Literal["up", "down"] | None:
    """A device that does no BFD has a session of ours that never came up; BGP goes on without it."""
    if word == "Up":
        return "up"
    return "down" if state != "established" and fault is not None and fault.code == "bfd_down" else None


def bfd_sessions(lines: Iterable[Line]) -> dict[str, str]:
    """Reads `show bfd sessions`: address -> state."""
    matches = (_BFD.match(line.text) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def routes(lines: Iterable[Line]) -> dict[str, tuple[model.BgpRoute, ...]]:
    """Reads `show route all`: protocol -> its routes, in the order of their prefixes."""
    routes_of: defaultdict[str, list[tuple[_Order, model.BgpRoute]]] = defaultdict(list)
    for name, route in _routes(lines):
        if order := _order(route.prefix):
            routes_of[name].append((order, route))
    return {
        name: tuple(route for _, route in sorted(ordered, key=lambda entry: entry[0]))
        for name, ordered in routes_of.items()
    }


def _routes(lines: Iterable[Line]) -> Iterator[tuple[str, model.BgpRoute]]:
    """A route begins with its network, or with spaces where the network is that of the route before. Its attributes follow."""
    network, kind, name = "", "", ""
    attributes: dict[str, str] = {}
    for text in (*(line.text for line in lines), f"{_END} none [{_END} "):
        if begin := _ROUTE.match(text):
            if kind == "unicast":
                yield name, _route(network, attributes)
            network, kind, name, attributes = begin[1] or network, begin[2], begin[3], {}
        elif text.startswith(_ATTRIBUTE):
            key, _, value = text.removeprefix(_ATTRIBUTE).partition(": ")
            attributes[key] = value.strip()


def _route(network: str, attributes: Mapping[str, str]) -> model.BgpRoute:
    return model.BgpRoute(
        prefix=network,
        next_hop=attributes.get("next_hop", ""),
        as_path=tuple(map(int, re.findall(r"\d+", attributes.get("as_path", "")))),
        origin=_ORIGINS.get(attributes.get("origin", "")),
        med=_number(attributes.get("med", "")),
    )


def _order(prefix: str) -> _Order | None:
    """The place of a prefix among others; None for what is no IPv4 prefix."""
    address, _, length = prefix.partition("/")
    try:
        return socket.inet_pton(socket.AF_INET, address), _LENGTHS.index(length)
    except (OSError, ValueError):
        return None
