"""The loop of the agent at its barest: one turn, or turns until something is true. For tests and the demonstration."""

import time
from collections.abc import Callable
from typing import Any

from landbridge import model
from landbridge.engine import base


def turn(engine: Any, gateway_id: str, desired: model.DesiredGateway | None) -> model.Observation:
    """Observe, plan, apply every step, observe again, report. A failed step is in the report."""
    failures: base.Failures = {}
    for step in engine.plan(gateway_id, desired, engine.observe(gateway_id)):
        try:
            engine.apply(gateway_id, step)
        except base.StepFailed as failed:
            failures.setdefault(step.connection_id, str(failed))
    return look(engine, gateway_id, desired, failures)


def look(
    engine: Any, gateway_id: str, desired: model.DesiredGateway | None, failures: base.Failures | None = None
) -> model.Observation:
    observation: model.Observation = engine.report(gateway_id, desired, engine.observe(gateway_id), failures or {})
    return observation


def until(
    engine: Any,
    gateway_id: str,
    desired: model.DesiredGateway | None,
    happened: Callable[[model.Observation], object],
    *,
    seconds: float = 10.0,
) -> model.Observation:
    """Turns until the report shows it; raises TimeoutError with the last report."""
    deadline = time.monotonic() + seconds
    while not happened(observation := turn(engine, gateway_id, desired)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {seconds:.0f} s; the last look: {observation}")
        time.sleep(0.02)
    return observation


def all_up(observation: model.Observation) -> bool:
    return all(
        shown.refused or (shown.expected_children and len(shown.children) == shown.expected_children)
        for shown in observation.connections
    )
