"""A small world to run the loop in: a source that remembers, and an engine whose steps can fail or hang."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from landbridge import model
from landbridge.agent import loop
from landbridge.engine import base

#: It is no claim: a busy machine is slow, not wrong.
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Step:
    """Makes a connection (None: the gateway) what is wanted."""

    connection_id: str | None
    present: bool

    def __str__(self) -> str:
        return f"{'make' if self.present else 'remove'} {self.connection_id or 'gateway'}"


@dataclass(slots=True)
class World:
    """What is wanted and what is. A desired gateway is the set of its connections."""

    wanted: dict[str, frozenset[str]] = field(default_factory=dict)
    there: dict[str, set[str]] = field(default_factory=dict)
    paused: frozenset[str | None] = frozenset()
    reports: dict[str, list[model.Observation]] = field(default_factory=lambda: defaultdict(list))
    cycles: Counter[str] = field(default_factory=Counter)
    started_at: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lock: Any = field(default_factory=threading.Lock)


class Source:
    def __init__(self, world: World) -> None:
        self.world = world
        self.broken_times = 0
        self.ticks = 0
        self.pause_broken_times = 0
        self.pause_reads = 0

    def gateways(self) -> frozenset[str]:
        if self.broken_times:
            self.broken_times -= 1
            raise ConnectionError("the source is away")
        return frozenset(self.world.wanted)

    def desired(self, gateway_id: str) -> Any:
        return self.world.wanted.get(gateway_id)

    def beat(self) -> None:
        self.ticks += 1

    def paused(self) -> frozenset[str | None]:
        with self.world.lock:
            self.pause_reads += 1
        if self.pause_broken_times:
            self.pause_broken_times -= 1
            raise ConnectionError("the source is away")
        return self.world.paused

    def report(self, seen: model.Observation) -> None:
        self.world.reports[seen.gateway_id].append(seen)


class Engine:
    """`wrong` maps a step's text to what it raises; `wait` is called in every observe that starts a cycle."""

    name = "small"

    def __init__(self, world: World) -> None:
        self.world = world
        self.wrong: dict[str, Exception] = {}
        self.wait: Callable[[str], None] = lambda _: None
        self.tell: Callable[[str], None] = lambda _: None
        self.events_broken_times = 0

    def describe(self) -> dict[str, str]:
        return {"name": self.name}

    def gateways(self) -> frozenset[str]:
        return frozenset(self.world.there)

    def observe(self, gateway_id: str) -> frozenset[str] | None:
        there = self.world.there.get(gateway_id)
        return None if there is None else frozenset(there)

    def prepare(self, gateway_id: str, desired: Any, observed: frozenset[str] | None) -> Any:
        return desired

    def plan(self, gateway_id: str, desired: Any, seen: frozenset[str] | None) -> Sequence[Step]:
        with self.world.lock:
            self.world.cycles[gateway_id] += 1
            self.world.started_at[gateway_id].append(time.monotonic())
        self.wait(gateway_id)
        if desired is None:
            return [Step(None, present=False)] if seen is not None else []
        have = seen or frozenset()
        start = [Step(None, present=True)] if seen is None else []
        make = [Step(each, present=True) for each in sorted(desired - have)]
        return [*start, *make, *(Step(each, present=False) for each in sorted(have - desired))]

    def apply(self, gateway_id: str, step: Step) -> None:
        if str(step) in self.wrong:
            raise self.wrong[str(step)]
        if step.connection_id is None and step.present:
            self.world.there[gateway_id] = set()
        elif step.connection_id is None:
            del self.world.there[gateway_id]
        elif step.present:
            self.world.there[gateway_id].add(step.connection_id)
        else:
            self.world.there[gateway_id].discard(step.connection_id)

    def carry_out(self, gateway_id: str, plan: Sequence[Step]) -> base.Failures:
        return base.apply_in_order(self.apply, gateway_id, plan)

    def report(self, gateway_id: str, desired: Any, seen: Any, failures: base.Failures) -> model.Observation:
        return model.Observation(
            gateway_id=gateway_id,
            seen_at=datetime.now(UTC),
            exists=seen is not None,
            applied_generation=1 if seen is not None else None,
            failure=failures.get(None),
            present=seen or frozenset(),
            connections=tuple(
                model.ConnectionObservation(connection_id=each, failure=failures.get(each))
                for each in sorted(desired or ())
            ),
        )

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        if self.events_broken_times:
            self.events_broken_times -= 1
            raise ConnectionError("the events are away")
        self.tell = changed
        stop.wait()


def until(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(KeyError, IndexError):
            if value := found():
                return value
        time.sleep(0.002)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}")


@pytest.fixture
def small() -> SimpleNamespace:
    """A world with its source and its engine, not running."""
    world = World()
    return SimpleNamespace(world=world, source=Source(world), engine=Engine(world), until=until)


@pytest.fixture
def run(small: SimpleNamespace) -> Iterator[Callable[..., loop.Agent]]:
    """Starts an agent in the small world: `run(tick=…)` and the other fields of its Timing."""
    started: list[loop.Agent] = []

    def start(**timing: float) -> loop.Agent:
        agent = loop.Agent(small.source, small.engine, loop.Timing(**({"tick": 60.0} | timing)))
        started.append(agent)
        agent.start()
        return agent

    yield start
    for agent in started:
        agent.stop()
