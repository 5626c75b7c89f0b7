"""Query strings and small bodies that are not a resource: filters of lists, the simulate wish."""

import re
from collections.abc import Mapping

import pydantic

from landbridge import errors, model
from landbridge.wire import body, shapes

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", re.ASCII)


def connection_page(query: Mapping[str, str]) -> model.AskConnections:
    """`vpn_id` and `eip_id` are older names of `vgw_id` and `vgw_ip`. Raises Invalid."""
    limit, marker = shapes.page(query)
    return model.AskConnections(
        limit=limit,
        marker=marker,
        gateway_ids=frozenset(filter(None, (an_id(query, name) for name in ("vgw_id", "vpn_id")))),
        endpoints=frozenset(filter(None, (_endpoint(query, name) for name in ("vgw_ip", "eip_id")))),
        enterprise_project_ids=each(query, "enterprise_project_id"),
    )


def gateway_filters(query: Mapping[str, str]) -> tuple[str | None, frozenset[str]]:
    """(id, enterprise projects) that a list of gateways is cut to; none is all. Raises Invalid."""
    return an_id(query, "vgw_id"), each(query, "enterprise_project_id")


def customer_gateway_page(query: Mapping[str, str]) -> tuple[int, str, str | None]:
    """(limit, marker, only this id). Raises Invalid."""
    return *shapes.page(query), an_id(query, "cgw_id")


def monitor_filters(query: Mapping[str, str]) -> tuple[str | None, frozenset[str]]:
    """(connection, enterprise projects) that a list of monitors is cut to; none is all. Raises Invalid."""
    return an_id(query, "vpn_connection_id"), each(query, "enterprise_project_id")


def each(query: Mapping[str, str], name: str) -> frozenset[str]:
    """All values of a parameter that may be given several times."""
    pairs = getattr(query, "multi_items", query.items)()  # a mapping alone would give the last one
    return frozenset(value.lower() for key, value in pairs if key == name and value)


def an_id(query: Mapping[str, str], name: str) -> str | None:
    """None where it is absent or empty. Raises Invalid."""
    value = query.get(name, "").lower()
    if value and not _UUID.fullmatch(value):
        raise errors.Invalid([model.Violation(name, f"{value!r} is not an id", "a UUID of 36 characters")])
    return value or None


def _endpoint(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name, "").lower()
    if value and not (_UUID.fullmatch(value) or _ADDRESS.fullmatch(value)):
        wrong = f"{value!r} is neither an EIP id nor an IPv4 address"
        raise errors.Invalid([model.Violation(name, wrong, "one of a gateway's endpoints, as in vgw_ip")])
    return value or None


class Simulate(body.Shape):
    """How a connection is to fare on the simulated engine."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [{"state": "down:psk"}]})

    state: str | None = shapes.choice(model.SIMULATED_STATES, description="default active")


def simulation(content: bytes) -> body.Parsed[Simulate]:
    """The wish of a simulate request. Raises Invalid."""
    parsed = body.parse(Simulate, "simulate", content)
    wrong = list(parsed.violations)
    state = parsed.value.state
    if state is not None and state not in model.SIMULATED_STATES:
        wrong.append(model.Violation("state", f"{state!r} is not known", ", ".join(model.SIMULATED_STATES)))
    if wrong:
        raise errors.Invalid(wrong)
    return parsed
