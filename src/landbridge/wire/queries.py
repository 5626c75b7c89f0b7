"""Query strings and small bodies that are not a resource: filters of lists, the simulate wish."""

import re
from collections.abc import Mapping

import pydantic

from landbridge import errors, model
from landbridge.wire import body, shapes

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Filters of the connection list that are not served yet; refused, since a list that ignores its filter is wrong.
NOT_YET = ("vpn_id", "eip_id", "vgw_ip", "enterprise_project_id")


def connection_page(query: Mapping[str, str]) -> tuple[int, str, str | None]:
    """(limit, marker, gateway id). Raises Invalid."""
    refused = [
        model.Violation(name, "this filter is not served yet", "vgw_id")
        for name in NOT_YET
        if query.get(name, "") != ""
    ]
    if refused:
        raise errors.Invalid(refused)
    return *shapes.page(query), _id(query, "vgw_id")


def gateway_filters(query: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(id, enterprise project) that a list of gateways is cut to. Raises Invalid."""
    return _id(query, "vgw_id"), query.get("enterprise_project_id", "").lower() or None


def _id(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name, "").lower()
    if value and not _UUID.fullmatch(value):
        raise errors.Invalid([model.Violation(name, f"{value!r} is not an id", "a UUID of 36 characters")])
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
