"""The loop as state in, state out: what is wanted, what is there afterwards, and what was reported."""

import threading
import time
from collections import Counter
from typing import Any

import pytest

from landbridge.agent import loop
from landbridge.engine import base

# -- one cycle --------------------------------------------------------------------------------------------------------


def _cycle(small: Any, gateway_id: str = "g") -> bool:
    return loop.cycle(small.source, small.engine, gateway_id)


def test_a_cycle_makes_what_is_wanted_and_reports_what_is_then_true(small: Any):
    small.world.wanted["g"] = frozenset("ab")
    assert _cycle(small)
    assert small.world.there == {"g": {"a", "b"}}
    (seen,) = small.world.reports["g"]
    assert (seen.exists, seen.present, seen.failure) == (True, {"a", "b"}, None)


def test_a_second_cycle_changes_nothing(small: Any):
    small.world.wanted["g"] = frozenset("ab")
    _cycle(small)
    small.engine.wrong = {f"make {name}": RuntimeError("a step was taken") for name in ("a", "b", "gateway")}
    assert _cycle(small)
    assert small.world.there == {"g": {"a", "b"}}


def test_a_failed_step_leaves_the_other_connections_their_chance(small: Any):
    small.world.wanted["g"] = frozenset("abc")
    small.engine.wrong = {"make b": base.StepFailed("no room")}
    assert not _cycle(small)
    assert small.world.there == {"g": {"a", "c"}}
    failures = {each.connection_id: each.failure for each in small.world.reports["g"][0].connections}
    assert failures == {"a": None, "b": "make b: no room", "c": None}


def test_a_failure_of_the_gateway_stops_the_rest(small: Any):
    small.world.wanted["g"] = frozenset("ab")
    small.engine.wrong = {"make gateway": base.StepFailed("no namespace")}
    assert not _cycle(small)
    assert small.world.there == {}
    (seen,) = small.world.reports["g"]
    assert (seen.exists, seen.failure) == (False, "make gateway: no namespace")
    assert all(each.failure is None for each in seen.connections)


def test_after_a_failure_a_later_cycle_does_the_rest(small: Any):
    small.world.wanted["g"] = frozenset("abc")
    small.engine.wrong = {"make b": base.StepFailed("no room")}
    _cycle(small)
    small.engine.wrong = {}
    assert _cycle(small)
    assert small.world.there == {"g": {"a", "b", "c"}}
    assert all(each.failure is None for each in small.world.reports["g"][-1].connections)


def test_what_is_not_wanted_any_more_goes(small: Any):
    small.world.there["g"] = {"a", "b"}
    small.world.wanted["g"] = frozenset("b")
    assert _cycle(small)
    assert small.world.there == {"g": {"b"}}


def test_a_gateway_that_is_not_wanted_goes_wholly(small: Any):
    small.world.there["g"] = {"a"}
    assert _cycle(small)
    assert small.world.there == {}
    assert not small.world.reports["g"][0].exists


# -- the loop ---------------------------------------------------------------------------------------------------------


def test_what_is_wanted_at_the_start_is_made(small: Any, run: Any):
    small.world.wanted = {f"g{n}": frozenset("a") for n in range(20)}
    run()
    small.until(lambda: small.world.there == {f"g{n}": {"a"} for n in range(20)}, "all gateways")


def test_a_nudge_is_enough(small: Any, run: Any):
    agent = run()
    small.world.wanted["g"] = frozenset("a")
    agent.nudge({"g"})
    small.until(lambda: small.world.there == {"g": {"a"}}, "the gateway")


def test_a_lost_nudge_costs_one_tick(small: Any, run: Any):
    run(tick=0.1)
    small.world.wanted["g"] = frozenset("a")
    small.until(lambda: small.world.there == {"g": {"a"}}, "the gateway")


def test_an_event_of_the_engine_causes_a_look(small: Any, run: Any):
    small.world.wanted["g"] = frozenset("a")
    run()
    small.until(lambda: len(small.world.reports["g"]) >= 1, "a first look")
    small.world.there["g"].clear()
    small.engine.tell("g")
    small.until(lambda: small.world.there["g"] == {"a"}, "the repair")


def test_lost_events_are_listened_for_again(small: Any, run: Any):
    small.engine.events_broken_times = 1
    small.world.wanted["g"] = frozenset("a")
    run(first_back_off=0.05)
    small.until(lambda: small.world.there.get("g") == {"a"}, "the gateway")
    small.world.there["g"].clear()

    def told() -> bool:
        small.engine.tell("g")
        return small.world.there["g"] == {"a"}

    small.until(told, "the repair")


def test_orphans_of_the_engine_are_torn_down(small: Any, run: Any):
    small.world.there = {"orphan": {"a"}, "kept": {"b"}}
    small.world.wanted["kept"] = frozenset("b")
    run()
    small.until(lambda: small.world.there == {"kept": {"b"}}, "the orphan to go")


def test_a_source_that_fails_once_is_asked_again(small: Any, run: Any):
    small.source.broken_times = 1
    small.world.wanted["g"] = frozenset("a")
    run(tick=0.1)
    small.until(lambda: small.world.there == {"g": {"a"}}, "the gateway")
    assert small.source.ticks


def test_an_agent_whose_source_stays_away_does_not_tick(small: Any, run: Any):
    small.source.broken_times = 1000
    run(tick=0.05)
    small.until(lambda: small.source.broken_times <= 997, "three tries")
    assert not small.source.ticks


def test_a_nudge_during_a_cycle_causes_another_one(small: Any, run: Any):
    entered, leave = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        if not entered.is_set():
            entered.set()
            leave.wait(60)

    small.engine.wait = hold
    small.world.wanted["g"] = frozenset("a")
    agent = run()
    assert entered.wait(60)
    small.world.wanted["g"] = frozenset("ab")
    agent.nudge({"g"})
    leave.set()
    small.until(lambda: small.world.there.get("g") == {"a", "b"}, "what came during the cycle")
    assert small.world.cycles["g"] == 2


def test_many_nudges_during_a_cycle_cause_one_more(small: Any, run: Any):
    entered, leave = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        entered.set()
        leave.wait(60)

    small.engine.wait = hold
    small.world.wanted["g"] = frozenset("a")
    agent = run()
    assert entered.wait(60)
    for _ in range(100):
        agent.nudge({"g"})
    leave.set()
    small.until(lambda: small.world.cycles["g"] == 2, "the second cycle")
    time.sleep(0.1)
    assert small.world.cycles["g"] == 2


def test_a_gateway_is_never_in_two_cycles_at_once(small: Any, run: Any, monkeypatch: pytest.MonkeyPatch):
    """Also when a cycle ends without a report, as the first ones do here while other gateways wait."""
    names = [f"g{n}" for n in range(loop.WORKERS + 2)]
    small.world.wanted = {name: frozenset("a") for name in names}
    small.engine.wait = lambda _: time.sleep(0.001)
    inside, twice = set[str](), set[str]()
    real_cycle = loop.cycle

    def watched_cycle(source: Any, engine: Any, gateway_id: str, **rest: Any) -> bool:
        with small.world.lock:
            if gateway_id in inside:
                twice.add(gateway_id)
            inside.add(gateway_id)
        try:
            return real_cycle(source, engine, gateway_id, **rest)
        finally:
            with small.world.lock:
                inside.discard(gateway_id)

    monkeypatch.setattr(loop, "cycle", watched_cycle)
    agent = run(tick=0.02)
    enough = threading.Event()

    def nudge() -> None:
        while not enough.is_set():
            agent.nudge(set(names))
            time.sleep(0.0005)

    threads = [threading.Thread(target=nudge) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        small.until(lambda: min(small.world.cycles[name] for name in names) > 40, "many cycles of each")
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert not twice


def test_the_steps_of_all_come_before_the_first_report(small: Any, run: Any):
    """Eight are in their cycles while 32 wait. Before a report, all have a place or are done."""
    begun, leave = Counter[str](), threading.Event()
    before_report: dict[str, int] = {}
    report = small.source.report

    def note(seen: Any) -> None:
        before_report.setdefault(seen.gateway_id, len(small.world.cycles))
        report(seen)

    def wait(name: str) -> None:
        begun[name] += 1
        leave.wait()

    small.engine.wait, small.source.report = wait, note
    small.world.wanted = {f"g{n}": frozenset("a") for n in range(40)}
    run(slow_after=600.0)
    small.until(lambda: len(begun) == loop.WORKERS, "all places to be taken")
    first = [*begun]
    leave.set()
    small.until(lambda: len(before_report) == 40, "all reports")
    assert min(before_report[name] for name in first) > 40 - loop.WORKERS


def test_a_gateway_with_endless_steps_reports_in_every_second_cycle(small: Any, run: Any):
    """However long others wait: those that failed and hang now leave the others no more than half of the places."""
    sick = {f"sick{n}": frozenset("a") for n in range(20)}
    leave, hang = threading.Event(), threading.Event()
    small.engine.wrong = {"make gateway": base.StepFailed("not yet")}
    small.engine.wait = lambda name: leave.wait() if hang.is_set() and name in sick else None
    small.world.wanted = dict(sick)
    agent = run(tick=600.0, first_back_off=0.01, slow_after=600.0)
    small.until(lambda: all(agent._gateways[name].failures for name in sick), "all to fail")
    hang.set()
    small.until(lambda: sum(one.running for one in agent._gateways.values()) == loop.WORKERS // 2, "half to hang")
    small.until(lambda: len(agent._queue) >= len(sick) - loop.WORKERS // 2, "the others to wait")
    small.engine.wrong = {}
    try:
        for number in range(20):
            small.world.wanted["busy"] = frozenset({f"a{number}"})
            agent.nudge({"busy"})
            small.until(lambda number=number: small.world.there["busy"] == {f"a{number}"}, "the change")
        small.until(lambda: len(small.world.reports["busy"]) >= small.world.cycles["busy"] // 2, "the reports")
    finally:
        leave.set()


def test_a_cycle_that_fails_leaves_the_report_to_the_next_one(small: Any, run: Any):
    """One place is left, and others wait for it in each cycle. Each second cycle fails, and the others have steps."""
    leave, taken = threading.Event(), [f"slow{n}" for n in range(loop.WORKERS - 1)]
    small.world.wanted = {name: frozenset("a") for name in taken}
    small.engine.wait = lambda name: leave.wait() if name in taken else None
    agent = run(tick=600.0, first_back_off=0.01, slow_after=600.0)
    small.until(lambda: len(agent._running) == len(taken), "one place to be left")

    def wait(name: str) -> None:
        if name in taken:
            leave.wait()
        elif name == "busy":
            number = small.world.cycles[name]
            small.world.wanted |= {name: frozenset({f"a{number}"}), f"other{number}": frozenset("a")}
            agent.nudge({f"other{number}"})
            if number % 2 == 0:
                raise base.StepFailed("charon does not answer")

    small.engine.wait = wait
    small.world.wanted["busy"] = frozenset("a")
    try:
        agent.nudge({"busy"})
        small.until(lambda: small.world.reports["busy"] or small.world.cycles["busy"] > 8, "a report or many cycles")
    finally:
        leave.set()
    assert small.world.reports["busy"]


def test_a_change_goes_before_looks_that_wait(small: Any, run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "CHANGES_FIRST", 600.0)  # a busy machine lets looks wait for long
    leave, begun = threading.Semaphore(0), list[str]()

    def wait(name: str) -> None:
        begun.append(name)
        leave.acquire()

    names = [f"g{n}" for n in range(loop.WORKERS + 10)]
    small.world.wanted = {name: frozenset("a") for name in names}
    agent = run(tick=600.0, slow_after=600.0)
    small.until(lambda: len(small.world.reports) == len(names), "first reports")
    small.until(lambda: not agent._running and time.monotonic() > max(map(_rest, agent._gateways.values())), "a rest")
    small.engine.wait = wait
    for name in names:
        small.engine.tell(name)
    try:
        small.until(lambda: len(begun) == loop.WORKERS, "all places to be taken")
        agent.nudge({changed := names[-1]})
        assert changed not in begun
        leave.release()
        small.until(lambda: len(begun) > loop.WORKERS, "the place that one cycle left")
    finally:
        leave.release(len(names))
    assert begun[loop.WORKERS] == changed


def _rest(gateway: Any) -> float:
    return float(gateway.cooldown_until)


def test_one_hanging_gateway_does_not_stall_the_others(small: Any, run: Any):
    leave = threading.Event()
    small.engine.wait = lambda name: leave.wait(60) if name == "stuck" else None
    small.world.wanted = {"stuck": frozenset("a")} | {f"g{n}": frozenset("a") for n in range(30)}
    agent = run()
    try:
        small.until(lambda: len(small.world.there) == 30, "the others")
        small.world.wanted["late"] = frozenset("b")
        agent.nudge({"late", "stuck"})
        small.until(lambda: small.world.there.get("late") == {"b"}, "a late one")
        assert "stuck" not in small.world.there
    finally:
        leave.set()


def test_a_cycle_that_breaks_does_not_end_the_loop(small: Any, run: Any):
    small.engine.wrong = {"make a": RuntimeError("a fault of ours")}
    small.world.wanted["g"] = frozenset("a")
    agent = run(tick=0.05)
    small.until(lambda: small.world.cycles["g"] >= 2, "another try")
    small.engine.wrong = {}
    small.until(lambda: small.world.there["g"] == {"a"}, "the gateway")
    small.world.wanted["h"] = frozenset("a")
    agent.nudge({"h"})
    small.until(lambda: small.world.there["h"] == {"a"}, "another gateway")


# -- back-off, rest, stop ---------------------------------------------------------------------------------------------


def test_the_back_off_grows_and_is_bounded_by_the_tick(small: Any):
    agent = loop.Agent(small.source, small.engine, loop.Timing())
    waits = [agent._back_off(failures) for failures in range(1, 40)]
    for wait, expected in zip(waits, [1, 2, 4, 8, 16, *[30] * 34], strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected


def test_a_failure_is_retried_by_itself_after_a_while(small: Any, run: Any):
    small.engine.wrong = {"make gateway": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset()
    run(tick=600.0, first_back_off=0.2)
    small.until(lambda: small.world.cycles["g"] >= 2, "a second try")
    first, second = small.world.started_at["g"][:2]
    assert second - first >= 0.16


#: Far longer than anybody here waits: what happens did not wait for it. The tick is its bound.
LONG_BACK_OFF = {"tick": 600.0, "first_back_off": 600.0}


def test_a_nudge_does_not_wait_for_the_back_off(small: Any, run: Any):
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("b")
    agent = run(**LONG_BACK_OFF)
    small.until(lambda: len(small.world.reports["g"]) == 1, "the failure")
    small.until(lambda: agent._gateways["g"].due is not None, "the back-off to begin")
    small.world.wanted["g"] = frozenset("a")
    agent.nudge({"g"})
    small.until(lambda: small.world.there["g"] == {"a"}, "the change")


def test_a_nudge_during_a_failing_cycle_does_not_wait_for_the_back_off(small: Any, run: Any):
    entered, leave = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        if not entered.is_set():
            entered.set()
            leave.wait(60)

    small.engine.wait = hold
    small.engine.wrong = {"make b": base.StepFailed("not yet")}
    small.world.wanted["g"] = frozenset("b")
    agent = run(**LONG_BACK_OFF)
    assert entered.wait(60)
    small.world.wanted["g"] = frozenset("a")
    agent.nudge({"g"})
    leave.set()
    small.until(lambda: small.world.there["g"] == {"a"}, "the change")


def test_many_nudges_of_a_resting_gateway_do_not_lengthen_the_rest_of_others(small: Any, run: Any):
    def work(gateway_id: str) -> None:
        end = time.thread_time() + (0.1 if gateway_id == "resting" else 0.01)
        while time.thread_time() < end:
            pass

    small.engine.wait = work
    small.world.wanted["resting"] = frozenset("a")
    agent = run(tick=600.0)
    small.until(lambda: small.world.reports["resting"], "a first cycle")
    time.sleep(0.02)
    for _ in range(10_000):
        agent.nudge({"resting"})
    small.world.wanted["other"] = frozenset("a")
    agent.nudge({"other"})
    small.until(lambda: small.world.reports["other"], "the other one's first cycle")
    small.world.wanted["other"] = frozenset("ab")
    agent.nudge({"other"})
    small.until(lambda: small.world.there["other"] == {"a", "b"}, "the change: ten thousand rests would take 400 s")


def test_stop_ends_its_threads_and_lets_a_running_cycle_finish(small: Any):
    entered, leave = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        entered.set()
        leave.wait(60)

    small.engine.wait = hold
    small.world.wanted["g"] = frozenset("a")
    agent = loop.Agent(small.source, small.engine, loop.Timing(tick=60.0))
    agent.start()
    assert entered.wait(60)
    stopper = threading.Thread(target=agent.stop)
    stopper.start()
    leave.set()
    stopper.join(60)
    assert not stopper.is_alive()
    assert len(small.world.reports["g"]) == 1
    assert [thread for thread in agent._threads if thread.is_alive()] == []


def test_stop_does_not_begin_what_was_only_waiting(small: Any):
    entered, leave = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        entered.set()
        leave.wait(60)
        time.sleep(0.02)  # so that those that had begun do not end before the stop comes to the rest

    small.engine.wait = hold
    small.world.wanted = {f"g{n}": frozenset("a") for n in range(120)}
    agent = loop.Agent(small.source, small.engine, loop.Timing(tick=60.0))
    agent.start()
    assert entered.wait(60)
    stopper = threading.Thread(target=agent.stop)
    stopper.start()
    small.until(lambda: not any(thread.is_alive() for thread in agent._threads), "the loop's own threads to end")
    leave.set()
    stopper.join(60)
    assert not stopper.is_alive()
    assert len(small.world.cycles) < 120


def test_a_nudge_after_the_stop_does_nothing(small: Any):
    agent = loop.Agent(small.source, small.engine, loop.Timing(tick=60.0))
    agent.start()
    agent.stop()
    small.world.wanted["g"] = frozenset("a")
    agent.nudge({"g"})
    assert (small.world.there, small.world.cycles) == ({}, {})


@pytest.mark.parametrize("count", [1000])
def test_a_gateway_that_is_gone_is_forgotten(small: Any, run: Any, count: int):
    small.world.wanted = {f"g{n}": frozenset() for n in range(count)}
    agent = run(tick=0.2)
    small.until(lambda: len(small.world.there) == count, "all gateways")
    small.world.wanted = {}
    small.until(lambda: small.world.there == {}, "all to be gone")
    small.until(lambda: agent._gateways == {}, "nothing to be remembered")
