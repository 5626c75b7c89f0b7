"""A pause: the loop looks and reports, and changes nothing."""

from typing import Any

import pytest

from landbridge.agent import loop


@pytest.mark.parametrize("paused", [None, "g"], ids=["all", "this one"])
def test_a_paused_gateway_is_reported_and_left_alone(small: Any, paused: str | None):
    small.world.wanted["g"] = frozenset("ab")
    small.world.there["g"] = {"b", "old"}
    small.world.paused = frozenset({paused})
    assert loop.cycle(small.source, small.engine, "g")
    assert small.world.there == {"g": {"b", "old"}}
    (seen,) = small.world.reports["g"]
    assert (seen.present, seen.failure) == ({"b", "old"}, None)


def test_a_gateway_that_is_to_go_stays_while_it_is_paused(small: Any):
    small.world.there["g"] = {"a"}
    small.world.paused = frozenset({"g"})
    loop.cycle(small.source, small.engine, "g")
    assert small.world.there == {"g": {"a"}}
    assert small.world.reports["g"][0].exists


def test_the_pause_of_one_gateway_is_nothing_to_another(small: Any):
    small.world.wanted["g"] = frozenset("a")
    small.world.paused = frozenset({"other"})
    loop.cycle(small.source, small.engine, "g")
    assert small.world.there == {"g": {"a"}}


def test_nothing_is_done_in_a_pause_whatever_happens(small: Any, run: Any):
    small.world.wanted["g"] = frozenset("a")
    small.world.there["orphan"] = {"a"}
    small.world.paused = frozenset({None})
    agent = run(tick=0.05)
    agent.nudge({"g"})
    small.until(lambda: min(len(small.world.reports[name]) for name in ("g", "orphan")) >= 3, "some looks")
    assert small.world.there == {"orphan": {"a"}}


@pytest.mark.parametrize("paused", [None, "g"], ids=["all", "one"])
def test_what_waited_is_done_when_the_pause_ends_and_needs_no_tick(small: Any, run: Any, paused: str | None):
    small.world.wanted["g"] = frozenset("a")
    small.world.paused = frozenset({paused})
    run(tick=600.0, pause_check=0.05)
    small.until(lambda: small.world.reports["g"], "a look")
    small.world.paused = frozenset()
    small.until(lambda: small.world.there == {"g": {"a"}}, "the gateway")


def test_a_pause_that_cannot_be_read_stops_nobody_for_good(small: Any, run: Any):
    """Without knowing, nothing is done: the cycle fails and is tried again."""
    small.world.wanted["g"] = frozenset("a")
    small.source.pause_broken_times = 3
    run(tick=0.2)
    small.until(lambda: small.world.there == {"g": {"a"}}, "the gateway")
    assert small.source.pause_broken_times == 0


def test_whether_a_pause_is_over_is_not_asked_at_every_wake_up(small: Any, run: Any):
    """A cycle asks for itself. With a look at every wake-up 500 nudges made 1,499 reads."""
    small.world.wanted = {f"g{n}": frozenset("a") for n in range(200)}
    agent = run(tick=600.0, pause_check=600.0)
    for _ in range(3):
        for name in small.world.wanted:
            agent.nudge({name})
    small.until(lambda: len(small.world.there) == 200, "all gateways")
    agent.stop()
    assert small.source.pause_reads == small.world.cycles.total() + 1
