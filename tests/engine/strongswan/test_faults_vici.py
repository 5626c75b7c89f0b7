"""VICI answers late, wrongly or not at all, and charon dies during a load: at every request of a cycle that adds and of one that
removes a connection. The next cycle finishes, what is said in between is true, and nothing happens to the other connection.
"""

import contextlib
import gc
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cycles, sites
from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import charon, vici_events
from tests.engine.strongswan import fault_bench, vici_proxy
from tests.engine.strongswan.fault_bench import Bench, Teller

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]

SLOW = (vici_proxy.answer_late, vici_proxy.stop_in_the_middle)
FAULTS = (
    vici_proxy.hang_up,
    vici_proxy.lose_the_answer,
    vici_proxy.refuse,
    vici_proxy.garble,
    vici_proxy.say_nothing_in_a_packet,
    vici_proxy.promise_too_much,
    *SLOW,
    vici_proxy.die_at_once,
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fault_bench.bench() as made:
        yield made


def _spoilt(bench: Bench, desired: model.DesiredGateway, teller: Teller, proxy: vici_proxy.Proxy) -> None:
    """One cycle with the fault in it. What the agent is not told is not reported."""
    before = bench.installed()
    with proxy, contextlib.suppress(base.StepFailed):
        observation = cycles.run_cycle(bench.fresh(), bench.id, desired)
        if any(one.connection_id == bench.main.id for one in observation.connections):
            teller.take(observation)
    if bench.main.id not in {one.id for one in desired.connections}:
        return
    if proxy.fault is vici_proxy.die_at_once:  # what was true when it was looked at may be so no more
        teller.look(desired)
    else:
        teller.judge(desired, before, bench.installed())


def _requests(bench: Bench, desired: model.DesiredGateway) -> int:
    """Of a cycle in which none is spoilt."""
    with vici_proxy.Proxy(bench) as proxy:
        cycles.run_cycle(bench.fresh(), bench.id, desired)
    return proxy.count


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", " "))
def test_whichever_request_is_spoilt_the_next_cycle_finishes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: vici_proxy.Fault
):
    both = bench.desired(bench.main, bench.other)
    wanted = {"removed": bench.desired(bench.other), "added": both}
    bench.settle(both)
    requests, ends = {}, {}
    for name, desired in wanted.items():
        requests[name] = _requests(bench, desired)
        ends[name] = bench.settle(desired)
    assert max(requests.values()) > 12
    kept = bench.spis(bench.other)
    stride = 3 if fault is vici_proxy.die_at_once else 1  # each costs a new charon
    for at in range(1, max(requests.values()) + 1, stride):
        for name, desired in wanted.items():
            with monkeypatch.context() as impatient:
                if fault in SLOW:
                    impatient.setattr(daemon, "ANSWER_TIMEOUT", 0.2)
                _spoilt(bench, desired, Teller(bench), vici_proxy.Proxy(bench, at, fault))
            assert bench.settle(desired) == ends[name], f"{name}, request {at}"
    assert (bench.spis(bench.other) == kept) == (fault is not vici_proxy.die_at_once)
    bench.carries()


def test_a_proxy_that_spoils_nothing_is_not_noticed(bench: Bench):
    bench.settle(bench.desired(bench.other))
    both = bench.desired(bench.main, bench.other)
    with vici_proxy.Proxy(bench) as proxy:
        bench.settle(both)
    assert proxy.count > 12


def test_what_was_up_is_active_still_when_nobody_can_look(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    both = bench.desired(bench.main, bench.other)
    bench.settle(both)
    teller = Teller(bench)
    assert teller.look(both) == "ACTIVE"
    seen_at = teller.seen_at
    monkeypatch.setattr(daemon, "ANSWER_TIMEOUT", 0.15)
    for fault in FAULTS:
        if fault is not vici_proxy.die_at_once:
            with vici_proxy.Proxy(bench, 2, fault), pytest.raises(base.StepFailed):
                cycles.run_cycle(bench.fresh(), bench.id, both)
            assert (teller.word(both), teller.seen_at) == ("ACTIVE", seen_at)


def test_no_psk_outlives_its_cycle(bench: Bench):
    """What is prepared for the plan and the report of a cycle is kept by nobody else."""
    engine = bench.fresh()
    observed = engine.observe(bench.id)
    prepared = engine.prepare(bench.id, bench.desired(bench.main, bench.other), observed)
    failed = engine.carry_out(bench.id, engine.plan(bench.id, prepared, observed))
    assert engine.report(bench.id, prepared, observed, failed).failure is None
    assert [one for one in gc.get_referrers(prepared) if not isinstance(one, types.FrameType)] == []


def _other_way_in(bench: Bench) -> Path:
    """A folder whose socket is the real one behind the proxy."""
    folder = bench.world.folder / "well"
    folder.mkdir()
    charon.CHARON.socket_path(folder).symlink_to(bench.folder / "real")
    return folder


def test_a_charon_that_stops_in_the_middle_of_an_event_does_not_deafen_us_to_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """One thread listens to all: it lets go of the one, and hears the other."""
    monkeypatch.setattr(daemon, "ANSWER_TIMEOUT", 0.3)
    bench.settle(bench.desired(bench.other))
    heard: list[str] = []
    stop = threading.Event()
    with vici_proxy.Proxy(bench, 3, vici_proxy.stop_in_the_middle):
        folders = {"sick": bench.folder, "well": _other_way_in(bench)}
        engine = bench.fresh()
        memory = engine._memory
        logs = (lambda one: memory(one).unanswered, lambda one: memory(one).attempts, lambda one: memory(one).silence)
        watcher = vici_events.Watcher(
            lambda known: {one: each for one, each in folders.items() if each.name not in known}, *logs, heard.append
        )
        thread = threading.Thread(target=watcher.run, args=(stop,))
        thread.start()
        try:
            sites.wait_for(lambda: "sick" in heard, "the sick one to be given up")
            time.sleep(0.1)
            heard.clear()
            bench.world.devices[1].swanctl("--terminate", "--ike", "hq", "--force")
            sites.wait_for(lambda: "well" in heard, "the news of the other one")
        finally:
            stop.set()
            thread.join()
