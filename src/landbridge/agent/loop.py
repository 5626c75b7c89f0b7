"""The loop itself: gateways that are due, a few threads, one cycle a gateway at a time.

Invariant: a gateway is never in two cycles at once, and a nudge that comes during a cycle causes another one after it.
"""

import heapq
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from landbridge import model
from landbridge.engine import base

log = logging.getLogger(__name__)

WORKERS = 8
FIRST_BACK_OFF_SECONDS = 1.0
#: A gateway rests this many times as long as its last cycle took of the processor, times the gateways that are busy at
#: once, but no longer than a tick: the agent takes about a fifth of a core from the API beside it, however fast changes come.
REST = 4


class Source(Protocol):
    """Where desired state comes from and what was seen goes to: the store, or an API far away."""

    def gateways(self) -> frozenset[str]:
        """Ids of all gateways of this node, those that are to go included."""

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        """What ought to be now; None: nothing of it."""

    def report(self, seen: model.Observation) -> None: ...


@dataclass(slots=True)
class _Gateway:
    running: bool = False
    again: bool = False
    failures: int = 0
    due: float | None = None
    rests_until: float = 0.0


class Agent:
    """Runs in threads of its own between `start` and `stop`."""

    def __init__(self, source: Source, engine: base.Engine[Any, Any], tick_seconds: float) -> None:
        self._source = source
        self._engine = engine
        self._tick = tick_seconds
        self._gateways: dict[str, _Gateway] = {}
        self._queue: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS, "agent")
        self._threads = [
            threading.Thread(target=self._schedule, name="agent-schedule"),
            threading.Thread(target=self._watch, name="agent-watch"),
        ]
        self.last_tick: float | None = None

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
        """Look at these soon."""
        with self._changed:
            for gateway_id in gateway_ids:
                self._plan_look(gateway_id, time.monotonic())
            self._changed.notify_all()

    def _plan_look(self, gateway_id: str, when: float) -> None:
        state = self._gateways.setdefault(gateway_id, _Gateway())
        if state.running:
            state.again = True
            return
        when = max(when, state.rests_until)
        if state.due is None or when < state.due:
            state.due = when
            heapq.heappush(self._queue, (when, gateway_id))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._engine.watch(lambda gateway_id: self.nudge({gateway_id}), self._stop)
            except Exception:
                log.exception("the engine's events are lost; listening again")
                self._stop.wait(FIRST_BACK_OFF_SECONDS)

    def _schedule(self) -> None:
        next_tick = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + self._tick
                self._look_at_all()
            with self._changed:
                self._start_due(time.monotonic())
                wait = min(next_tick, self._queue[0][0] if self._queue else next_tick) - time.monotonic()
                if wait > 0 and not self._stop.is_set():
                    self._changed.wait(wait)

    def _look_at_all(self) -> None:
        try:
            known = self._source.gateways() | self._engine.gateways()
        except Exception:
            log.exception("the list of gateways could not be read; next try at the next tick")
            return
        self.last_tick = time.monotonic()
        with self._changed:
            for gateway_id in [
                g for g, state in self._gateways.items() if g not in known and not state.running and state.due is None
            ]:
                del self._gateways[gateway_id]
            for gateway_id in known:
                if self._gateways.get(gateway_id, _Gateway()).failures == 0:
                    self._plan_look(gateway_id, time.monotonic())

    def _start_due(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            when, gateway_id = heapq.heappop(self._queue)
            state = self._gateways.get(gateway_id)
            if state is None or state.due != when:  # gone, or an earlier look took its place
                continue
            state.running, state.again, state.due = True, False, None
            self._workers.submit(self._run, gateway_id)

    def _run(self, gateway_id: str) -> None:
        started = time.thread_time()
        clean = self._cycle(gateway_id)
        now = time.monotonic()
        with self._changed:
            state = self._gateways.get(gateway_id, _Gateway())
            state.running = False
            state.rests_until = now + min(REST * self._busy(now) * (time.thread_time() - started), self._tick)
            state.failures = 0 if clean else state.failures + 1
            if state.again:
                self._plan_look(gateway_id, now)
            elif not clean:
                self._plan_look(gateway_id, now + self._back_off(state.failures))
            self._changed.notify_all()

    def _cycle(self, gateway_id: str) -> bool:
        try:
            return cycle(self._source, self._engine, gateway_id)
        except base.StepFailed as error:
            log.warning("gateway %s cannot be seen: %s", gateway_id, error)
        except Exception:
            log.exception("gateway %s: the cycle failed", gateway_id)
        return False

    def _busy(self, now: float) -> int:
        """Gateways that want the processor, those among them that rest; not the ones in back-off."""
        wanting = (
            one.running or (one.due is not None and one.due <= max(now, one.rests_until))
            for one in self._gateways.values()
        )
        return 1 + sum(wanting)

    def _back_off(self, failures: int) -> float:
        """Doubling, with jitter, up to the tick."""
        return float(min(FIRST_BACK_OFF_SECONDS * 2 ** min(failures - 1, 10), self._tick) * random.uniform(0.8, 1.2))


def cycle(source: Source, engine: base.Engine[Any, Any], gateway_id: str) -> bool:
    """One whole cycle. True when every step went well; a failed step leaves the others their chance."""
    desired = source.desired(gateway_id)
    seen = engine.observe(gateway_id)
    steps = engine.plan(gateway_id, desired, seen)
    failures: base.Failures = {}
    for step in steps:
        if step.connection_id not in failures and None not in failures:
            _apply(engine, gateway_id, step, failures)
    if steps:
        seen = engine.observe(gateway_id)
    source.report(engine.report(gateway_id, desired, seen, failures))
    return not failures


def _apply(engine: base.Engine[Any, Any], gateway_id: str, step: base.Step, failures: base.Failures) -> None:
    try:
        engine.apply(gateway_id, step)
    except base.StepFailed as error:
        log.warning("gateway %s: %s: %s", gateway_id, step, error)
        failures[step.connection_id] = f"{step}: {error}"
    else:
        log.info("gateway %s: %s", gateway_id, step)
