"""Runs the cycles of the gateways that are due, in a few threads. A gateway has one cycle at a time.

Invariants: a gateway is never in two cycles at once, and a nudge that comes during a cycle causes another one after it. Gateways
that hang or fail leave the others their places: see `_has_place`.
"""

import heapq
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from landbridge import model
from landbridge.engine import base
from landbridge.telemetry import shared_metrics

log = logging.getLogger(__name__)
_CYCLES = shared_metrics.Histogram(
    "landbridge_agent_cycle_seconds",
    "Duration of a cycle of the agent with one VPN gateway, in seconds. A cycle fails when a step fails or when the agent cannot look at the gateway.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    outcome=("succeeded", "failed"),
)

#: Fast cycles at once, which are the places for cycles. A cycle that takes longer than `Timing.slow_after` waits for something, and counts no more as a fast one.
WORKERS = 8
#: Cycles at once, fast and slow ones.
THREADS = 32
#: Seconds. A gateway whose desired state somebody changed comes before gateways that have been due for an observation for less than this. So changes keep an observation
#: waiting for at most this time while all places are taken.
CHANGES_FIRST = 2.0
#: A gateway's cooldown after a cycle: this many times the processor time of the cycle, times the gateways that contend for the
#: processor, at most a tick. The agent takes about a fifth of a core from the API beside it, however fast changes come.
COOLDOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. `tick`: between two observations of everything. `first_back_off` doubles with each failure, up to a tick.

    `event_back_off`: an event of the engine shortens a back-off to this: a killed charon does not wait for a connection that cannot
    be loaded, and a charon that dies at every start is not started without end. `slow_after`: see WORKERS. `pause_check`: between two
    checks whether a pause is over.
    """

    tick: float = 30.0
    first_back_off: float = 1.0
    event_back_off: float = 5.0
    slow_after: float = 1.0
    pause_check: float = 1.0


class Source(Protocol):
    """Gives the desired state and takes reports: the store, or an API on another machine."""

    def gateways(self) -> frozenset[str]:
        """Ids of all gateways of this node, those that are to go included."""

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        """Returns what ought to be now; None: nothing of the gateway."""

    def paused(self) -> frozenset[str | None]:
        """Ids of the paused gateways: the agent observes them and changes nothing. None among them: all gateways are paused."""

    def beat(self) -> None:
        """The agent begins to observe all gateways."""

    def report(self, observed: model.Observation) -> None: ...


@dataclass(slots=True)
class _Gateway:
    """`nudged`: during its cycle; `event_seen`: an event came during its cycle. `events_after`: events wait until then.
    `was_paused`: its last cycle found it paused. `unreported`: a cycle ended with its steps, and none has reported since.
    """

    running: bool = False
    started: float = 0.0
    nudged: bool = False
    unreported: bool = False
    event_seen: bool = False
    was_paused: bool = False
    failures: int = 0
    due: float | None = None
    cooldown_until: float = 0.0
    events_after: float = 0.0


class Agent:
    """Runs in threads of its own between `start` and `stop`."""

    def __init__(self, source: Source, engine: base.Engine[Any, Any, Any], timing: Timing) -> None:
        self._source = source
        self._engine = engine
        self._timing = timing
        self._gateways: dict[str, _Gateway] = {}
        self._running: dict[str, _Gateway] = {}
        self._queue: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._workers = ThreadPoolExecutor(THREADS, "agent")
        self._threads = [
            threading.Thread(target=self._schedule, name="agent-schedule"),
            threading.Thread(target=self._watch, name="agent-watch"),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets running cycles finish; touches no tunnel."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._workers.shutdown(cancel_futures=True)

    def nudge(self, gateway_ids: set[str]) -> None:
        """Looks at these gateways soon: somebody changed what is desired. A back-off does not delay that observation."""
        with self._changed:
            for gateway_id in gateway_ids:
                state = self._gateways.setdefault(gateway_id, _Gateway())
                state.nudged = state.running
                self._schedule_cycle(gateway_id, time.monotonic() - CHANGES_FIRST)
            self._changed.notify_all()

    def _on_event(self, gateway_id: str) -> None:
        """Something happened in the engine."""
        with self._changed:
            state = self._gateways.setdefault(gateway_id, _Gateway())
            state.event_seen = state.running
            self._schedule_cycle(gateway_id, max(time.monotonic(), state.events_after))
            self._changed.notify_all()

    def _schedule_cycle(self, gateway_id: str, when: float) -> None:
        state = self._gateways.setdefault(gateway_id, _Gateway())
        if state.running:
            return
        when = max(when, state.cooldown_until)
        if state.due is None or when < state.due:
            state.due = when
            heapq.heappush(self._queue, (when, gateway_id))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._engine.watch(self._on_event, self._stop)
            except Exception:
                log.exception("the engine's events are lost; listening again")
                self._stop.wait(self._timing.first_back_off)

    def _schedule(self) -> None:
        next_tick = next_pause_check = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + self._timing.tick
                self._observe_all()
            if now >= next_pause_check:
                next_pause_check = now + self._timing.pause_check
                self._observe_resumed()
            with self._changed:
                self._start_due(time.monotonic())
                until = min(next_tick, next_pause_check, self._next_start())
                wait = until - time.monotonic()
                if wait > 0 and not self._stop.is_set():
                    self._changed.wait(wait)

    def _next_start(self) -> float:
        """When a gateway may have its turn: when it is due, or when a running cycle becomes a slow one. The end of a cycle is notified."""
        now = time.monotonic()
        if not self._queue:
            return math.inf
        if self._queue[0][0] > now:
            return self._queue[0][0]
        return min((gateway.started + self._timing.slow_after for gateway in self._fast_cycles(now)), default=math.inf)

    def _observe_resumed(self) -> None:
        try:
            paused = self._source.paused()
        except Exception:
            log.exception("what is paused could not be read; next try in a second")
            return
        with self._changed:
            self.nudge(
                {
                    gateway_id
                    for gateway_id, state in self._gateways.items()
                    if state.was_paused and not _is_paused(paused, gateway_id)
                }
            )

    def _observe_all(self) -> None:
        try:
            known = self._source.gateways() | self._engine.gateways()
        except Exception:
            log.exception("the list of gateways could not be read; next try at the next tick")
            return
        self._source.beat()
        with self._changed:
            for gateway_id in [
                gateway_id
                for gateway_id, state in self._gateways.items()
                if gateway_id not in known and not state.running and state.due is None
            ]:
                del self._gateways[gateway_id]
            for gateway_id in known:
                if self._gateways.get(gateway_id, _Gateway()).failures == 0:
                    self._schedule_cycle(gateway_id, time.monotonic())

    def _start_due(self, now: float) -> None:
        """Gateways that must wait for a place are due again at once, in their order."""
        waiting = []
        while self._queue and self._queue[0][0] <= now and self._has_place(now):
            when, gateway_id = heapq.heappop(self._queue)
            state = self._gateways.get(gateway_id)
            if state is None or state.due != when:  # gone, or an earlier observation took its place
                continue
            if state.failures and not self._has_place(now, failing=True):
                waiting.append((when, gateway_id))
                continue
            state.running, state.nudged, state.event_seen, state.due = True, False, False, None
            state.started = now
            self._running[gateway_id] = state
            self._workers.submit(self._run, gateway_id)
        for waiting_gateway in waiting:
            heapq.heappush(self._queue, waiting_gateway)

    def _has_place(self, now: float, *, failing: bool = False) -> bool:
        """Gateways whose last cycle failed get half of the places, so that those that are well always find one: within
        `slow_after` even when everything hangs, as long as no more than THREADS do.
        """
        share = 2 if failing else 1
        fast = [gateway for gateway in self._fast_cycles(now) if gateway.failures or not failing]
        running = [gateway for gateway in self._running.values() if gateway.failures or not failing]
        return len(fast) < WORKERS // share and len(running) < THREADS // share

    def _fast_cycles(self, now: float) -> list[_Gateway]:
        return [gateway for gateway in self._running.values() if now - gateway.started < self._timing.slow_after]

    def _run(self, gateway_id: str) -> None:
        started, began = time.thread_time(), time.monotonic()
        clean = self._cycle(gateway_id)
        now = time.monotonic()
        _CYCLES.observe(now - began, "succeeded" if clean else "failed")
        with self._changed:
            state = self._running.pop(gateway_id)
            state.running = False
            state.cooldown_until = now + min(
                COOLDOWN * self._contenders(now) * (time.thread_time() - started), self._timing.tick
            )
            state.failures = 0 if clean else state.failures + 1
            back_off = 0.0 if clean else self._back_off(state.failures)
            state.events_after = now + min(back_off, self._timing.event_back_off)
            if state.nudged or (clean and state.unreported):
                self._schedule_cycle(gateway_id, now)
            elif state.event_seen:
                self._schedule_cycle(gateway_id, state.events_after)
            elif not clean:
                self._schedule_cycle(gateway_id, now + back_off)
            self._changed.notify_all()

    def _cycle(self, gateway_id: str) -> bool:
        state = self._running[gateway_id]
        must_report, state.unreported = state.unreported, False
        try:
            paused = state.was_paused = _is_paused(self._source.paused(), gateway_id)
            may_end = partial(self._ends_early, state, must_report=must_report)
            return cycle(self._source, self._engine, gateway_id, paused=paused, may_end=may_end)
        except base.StepFailed as error:
            log.warning("gateway %s cannot be seen: %s", gateway_id, error)
        except Exception:
            log.exception("gateway %s: the cycle failed", gateway_id)
        state.unreported = must_report
        return False

    def _ends_early(self, state: _Gateway, *, must_report: bool) -> bool:
        """Whether a cycle ends after its steps, without a report, because other gateways wait for a place. The gateway gets another cycle after
        them, and that cycle reports (docs/decisions/0062).
        """
        now = time.monotonic()
        with self._changed:
            others_wait = bool(self._queue) and self._queue[0][0] <= now
            state.unreported = others_wait and not must_report
            return state.unreported

    def _contenders(self, now: float) -> int:
        """Returns how many gateways want the processor. Gateways in their cooldown count, gateways in back-off do not."""
        wanting = (
            gateway.running or (gateway.due is not None and gateway.due <= max(now, gateway.cooldown_until))
            for gateway in self._gateways.values()
        )
        return 1 + sum(wanting)

    def _back_off(self, failures: int) -> float:
        """Doubling, with jitter, up to the tick."""
        return float(
            min(self._timing.first_back_off * 2 ** min(failures - 1, 10), self._timing.tick) * random.uniform(0.8, 1.2)
        )


def _is_paused(paused: frozenset[str | None], gateway_id: str) -> bool:
    return not paused.isdisjoint((None, gateway_id))


def cycle(
    source: Source,
    engine: base.Engine[Any, Any, Any],
    gateway_id: str,
    *,
    paused: bool | None = None,
    may_end: Callable[[], bool] = lambda: False,
) -> bool:
    """Runs one whole cycle. Returns True when every step went well. The steps of other connections go on after a failed step. A pause
    that begins during the cycle lets the cycle finish: half a change is worse than none. `paused`: where that is known already. `may_end`: asked
    when all steps went well; True: the cycle ends without a report.
    """
    paused = _is_paused(source.paused(), gateway_id) if paused is None else paused
    desired = source.desired(gateway_id)
    observed = engine.observe(gateway_id)
    prepared = engine.prepare(gateway_id, desired, observed)
    steps = () if paused else engine.plan(gateway_id, prepared, observed)
    failures = engine.carry_out(gateway_id, steps)
    if steps:
        if not failures and may_end():
            return True
        observed = engine.observe(gateway_id)
    source.report(engine.report(gateway_id, prepared, observed, failures))
    return not failures
