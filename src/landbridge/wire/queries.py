"""What the query of a list of connections asks, and the simulate wish."""

from collections.abc import Mapping
from typing import Any, ClassVar

from landbridge import errors, model
from landbridge.wire import body, schema


def connection_page(query: Mapping[str, Any]) -> model.ConnectionListRequest:
    """`vpn_id` and `eip_id` are older names of `vgw_id` and `vgw_ip`."""
    return model.ConnectionListRequest(
        limit=query["limit"],
        marker=query["marker"] or "",
        gateway_ids=frozenset(filter(None, (query["vgw_id"], query["vpn_id"]))),
        endpoints=frozenset(filter(None, (query["vgw_ip"], query["eip_id"]))),
        enterprise_project_ids=query["enterprise_project_id"],
    )


class Simulate(body.Shape):
    """How a connection is to fare on the simulated engine."""

    examples: ClassVar = {"a wrong key": {"state": "down:psk"}, "as if all were well": {"state": "active"}}

    state: str | None = schema.field(
        schema.string(enum=list(model.SIMULATED_STATES), default="active"), "the word after the colon is the cause"
    )


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
