"""Gateways that fail or hang: when they are tried again, what cuts the wait, and what they leave to the others."""

import threading
import time
from collections import Counter
from typing import Any

import pytest

from landbridge.agent import loop
from landbridge.engine import base


@pytest.fixture
def failing(small: Any, run: Any) -> None:
    """An agent whose gateway `g` failed once and waits far longer than anybody here does."""
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("b")
    agent = run(tick=600.0, first_back_off=600.0, event_back_off=600.0)
    small.until(lambda: agent._gateways["g"].due is not None and small.world.reports["g"], "the back-off to begin")
    small.until(lambda: small.engine.tell.__name__ == "_on_event", "the events to be listened for")


def test_two_gateways_that_fail_together_are_not_tried_again_together(small: Any):
    agent = loop.Agent(small.source, small.engine, loop.Timing())
    waits = [agent._back_off(3) for _ in range(200)]
    assert max(waits) - min(waits) > 1.0


def test_a_success_ends_the_doubling(small: Any, run: Any):
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("b")
    agent = run(first_back_off=0.005)
    small.until(lambda: agent._gateways["g"].failures >= 5, "five failures")
    small.engine.wrong = {}
    small.until(lambda: agent._gateways["g"].failures == 0, "a success")
    assert agent._gateways["g"].events_after <= time.monotonic()


@pytest.mark.usefixtures("failing")
def test_events_do_not_defeat_the_back_off(small: Any):
    for _ in range(1000):
        small.engine.tell("g")
    time.sleep(0.1)
    assert small.world.cycles["g"] == 1


def test_events_during_a_failing_cycle_do_not_defeat_the_back_off(small: Any, run: Any):
    small.engine.wait = lambda _: small.engine.tell("g")
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("b")
    run(tick=600.0, first_back_off=600.0, event_back_off=600.0)
    small.until(lambda: small.world.cycles["g"] == 1, "the first try")
    time.sleep(0.1)
    assert small.world.cycles["g"] == 1


def test_an_event_cuts_a_long_back_off_short(small: Any, run: Any):
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("ab")
    run(tick=600.0, first_back_off=600.0, event_back_off=0.1)
    small.until(lambda: small.world.there.get("g") == {"a"}, "what can be made")
    small.world.there["g"].clear()
    small.until(lambda: small.engine.tell("g") or small.world.there["g"] == {"a"}, "the repair")
    first, second = small.world.started_at["g"][:2]
    assert second - first >= 0.1


def test_an_event_during_a_clean_cycle_causes_another_one(small: Any, run: Any):
    small.world.wanted["g"] = frozenset("a")
    small.engine.wait = lambda name: small.engine.tell(name) if small.world.cycles[name] == 2 else None
    agent = run(tick=600.0)
    small.until(lambda: small.world.cycles["g"] == 1 and small.engine.tell.__name__ == "_on_event", "a first look")
    agent.nudge({"g"})
    small.until(lambda: small.world.cycles["g"] == 3, "the look that the event asked for")


@pytest.mark.parametrize("count", [20])
def test_gateways_that_begin_to_hang_hold_the_others_up_for_a_while_only(small: Any, run: Any, count: int):
    """20 that hang take the 8 places until they are slow ones; then a place is free again, though nothing has ended."""
    leave = threading.Event()
    small.engine.wait = lambda name: leave.wait() if name.startswith("hangs") else None
    small.world.wanted = {f"hangs{n}": frozenset("a") for n in range(count)} | {
        f"well{n}": frozenset("a") for n in range(30)
    }
    run(tick=600.0, slow_after=0.2)
    try:
        small.until(lambda: sum(name.startswith("well") for name in small.world.there) == 30, "those that are well")
        assert not any(name.startswith("hangs") for name in small.world.there)
    finally:
        leave.set()


def test_gateways_that_failed_before_leave_half_of_the_places_to_the_others(small: Any, run: Any):
    """However many of them hang, and also when no place is given back."""
    sick = {f"sick{n}": frozenset("a") for n in range(20)}
    leave, hang, hanging = threading.Event(), threading.Event(), list[str]()

    def wait(name: str) -> None:
        if hang.is_set() and name in sick:
            hanging.append(name)
            leave.wait()

    small.engine.wrong = {"make gateway": base.StepFailed("not yet")}
    small.engine.wait = wait
    small.world.wanted = dict(sick)
    agent = run(tick=600.0, first_back_off=0.01, slow_after=600.0)
    small.until(lambda: all(agent._gateways[name].failures for name in sick), "all to fail")
    hang.set()
    small.until(lambda: len(hanging) == loop.WORKERS // 2, "half to hang")
    small.engine.wrong = {}
    for number in range(50):
        small.world.wanted[f"well{number}"] = frozenset("a")
    try:
        agent.nudge({f"well{number}" for number in range(50)})
        small.until(lambda: len(small.world.there) == 50, "those that are well")
        assert sum(agent._gateways[name].running for name in sick) == loop.WORKERS // 2
    finally:
        leave.set()
    small.until(lambda: len(small.world.there) == 70, "the sick ones")


def test_a_gateway_that_waits_for_a_place_costs_no_processor(small: Any, run: Any):
    """The loop comes round when it looks whether a pause is over, and not for those that wait."""
    leave, rounds = threading.Event(), Counter[str]()
    small.engine.wait = lambda _: leave.wait()
    small.world.wanted = {f"g{n}": frozenset("a") for n in range(20)}
    agent = run(tick=600.0, slow_after=600.0, pause_check=0.05)
    start_due, paused = agent._start_due, small.source.paused
    try:
        small.until(lambda: len(small.world.cycles) == loop.WORKERS, "all places to be taken")
        agent._start_due = lambda now: rounds.update(["all"]) or start_due(now)
        small.source.paused = lambda: rounds.update(["looks"]) or paused()
        small.until(lambda: rounds["looks"] >= 10, "ten looks")
        assert rounds["all"] < 2 * rounds["looks"]
    finally:
        leave.set()
