"""Simulations on the wire: the state that the simulated engine shows for a connection."""

from typing import ClassVar

from landbridge import errors, model
from landbridge.wire import body, schema


class Simulate(body.Shape):
    """The state that the simulated engine shows for a connection."""

    examples: ClassVar = {"a wrong key": {"state": "down:psk"}, "as if all were well": {"state": "active"}}

    state: str | None = schema.field(
        schema.string(enum=list(model.SIMULATED_STATES), default="active"), "the word after the colon is the cause"
    )


def parse(content: bytes) -> body.Parsed[Simulate]:
    """The body of a simulate request. Raises Invalid for everything that is wrong with it."""
    parsed = body.parse(Simulate, "simulate", content)
    wrong = list(parsed.violations)
    state = parsed.value.state
    if state is not None and state not in model.SIMULATED_STATES:
        wrong.append(model.Violation("state", f"{state!r} is not known", ", ".join(model.SIMULATED_STATES)))
    if wrong:
        raise errors.Invalid(wrong)
    return parsed
