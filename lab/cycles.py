"""Runs the agent's own cycle: once, or until something is true. For tests of engines."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.agent import loop
from landbridge.engine import base
from landbridge.model import negotiation


@dataclass
class _Source:
    """A source of one gateway. It keeps the last report."""

    gateway: model.DesiredGateway | None
    seen: model.Observation | None = None

    def gateways(self) -> frozenset[str]:
        return frozenset()

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        return self.gateway

    def paused(self) -> frozenset[str | None]:
        return frozenset()

    def beat(self) -> None:
        """Nobody waits for a heartbeat."""

    def report(self, seen: model.Observation) -> None:
        self.seen = seen


def run_cycle(engine: Any, gateway_id: str, desired: model.DesiredGateway | None) -> model.Observation:
    """One cycle. A failed step is in the report."""
    source = _Source(desired)
    loop.cycle(source, engine, gateway_id)
    assert source.seen is not None
    return source.seen


def look(
    engine: Any, gateway_id: str, desired: model.DesiredGateway | None, failures: base.Failures | None = None
) -> model.Observation:
    observed = engine.observe(gateway_id)
    prepared = engine.prepare(gateway_id, desired, observed)
    observation: model.Observation = engine.report(gateway_id, prepared, observed, failures or {})
    return observation


def plan(engine: Any, gateway_id: str, desired: model.DesiredGateway | None, observed: Any = None) -> list[Any]:
    """What the engine would do next. `observed`: where somebody has looked already."""
    observed = observed or engine.observe(gateway_id)
    return list(engine.plan(gateway_id, engine.prepare(gateway_id, desired, observed), observed))


def until(
    engine: Any,
    gateway_id: str,
    desired: model.DesiredGateway | None,
    happened: Callable[[model.Observation], object],
    *,
    seconds: float = 90.0,
) -> model.Observation:
    """Runs cycles until `happened` is true of the report. Raises TimeoutError with the last report."""
    deadline = time.monotonic() + seconds
    while not happened(observation := run_cycle(engine, gateway_id, desired)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {seconds:.0f} s; the last look: {observation}")
        time.sleep(0.02)
    return observation


def lines(connection: model.ConnectionObservation) -> list[str]:
    """What was said in its attempts."""
    return [said.line for attempt in connection.attempts for said in negotiation.lines(attempt.facts)]


def all_up(observation: model.Observation) -> bool:
    return all(
        shown.refused or (shown.expected_children and len(shown.children) >= shown.expected_children)
        for shown in observation.connections
    )


def all_up_as_desired(observation: model.Observation) -> bool:
    """Also when other SAs were up before: what is up is of the present configuration."""
    return all_up(observation) and all(one.refused or one.applied_generation for one in observation.connections)
