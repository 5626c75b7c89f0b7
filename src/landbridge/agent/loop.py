"""The loop itself: gateways that are due, a few threads, one cycle a gateway at a time.

Invariants: a gateway is never in two cycles at once, and a nudge that comes during a cycle causes another one after it. Gateways
that hang or fail leave the others their places: see `_has_place`.
"""

import heapq
import logging
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from landbridge import model
from landbridge.engine import base

log = logging.getLogger(__name__)

#: Cycles at once. One that takes longer than a pace's `prompt` is waiting for something and does not count any more.
WORKERS = 8
#: Cycles at once, those included that do not count any more.
THREADS = 32
#: A gateway rests this many times as long as its last cycle took of the processor, times the gateways that are busy at
#: once, but no longer than a tick: the agent takes about a fifth of a core from the API beside it, however fast changes come.
REST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. `tick`: between two looks at everything. `first_back_off` doubles with each failure, up to a tick.

    `event_back_off`: what the engine's events cut a back-off down to; a killed charon does not wait for a connection that cannot be
    loaded, and one that dies at every start is not started for ever. `prompt`: see WORKERS. `pause_look`: between two looks
    whether a pause is over.
    """

    tick: float = 30.0
    first_back_off: float = 1.0
    event_back_off: float = 5.0
    prompt: float = 1.0
    pause_look: float = 1.0


class Source(Protocol):
    """Where desired state comes from and what was seen goes to: the store, or an API far away."""

    def gateways(self) -> frozenset[str]:
        """Ids of all gateways of this node, those that are to go included."""

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        """What ought to be now; None: nothing of it."""

    def paused(self) -> frozenset[str | None]:
        """Ids of the gateways that are watched and left alone; None among them: all are."""

    def beat(self) -> None:
        """The agent begins to look at all gateways."""

    def report(self, seen: model.Observation) -> None: ...


@dataclass(slots=True)
class _Gateway:
    """`again`: nudged during its cycle; `stirred`: an event came during its cycle. `heeds_from`: events wait until then.
    `left_alone`: its last cycle found it paused.
    """

    running: bool = False
    started: float = 0.0
    again: bool = False
    stirred: bool = False
    left_alone: bool = False
    failures: int = 0
    due: float | None = None
    rests_until: float = 0.0
    heeds_from: float = 0.0


class Agent:
    """Runs in threads of its own between `start` and `stop`."""

    def __init__(self, source: Source, engine: base.Engine[Any, Any], pace: Pace) -> None:
        self._source = source
        self._engine = engine
        self._pace = pace
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
        """Look at these soon: somebody changed what is wanted. No back-off holds that up."""
        with self._changed:
            for gateway_id in gateway_ids:
                state = self._gateways.setdefault(gateway_id, _Gateway())
                state.again = state.running
                self._plan_look(gateway_id, time.monotonic())
            self._changed.notify_all()

    def _heed(self, gateway_id: str) -> None:
        """Something happened in the engine."""
        with self._changed:
            state = self._gateways.setdefault(gateway_id, _Gateway())
            state.stirred = state.running
            self._plan_look(gateway_id, max(time.monotonic(), state.heeds_from))
            self._changed.notify_all()

    def _plan_look(self, gateway_id: str, when: float) -> None:
        state = self._gateways.setdefault(gateway_id, _Gateway())
        if state.running:
            return
        when = max(when, state.rests_until)
        if state.due is None or when < state.due:
            state.due = when
            heapq.heappush(self._queue, (when, gateway_id))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._engine.watch(self._heed, self._stop)
            except Exception:
                log.exception("the engine's events are lost; listening again")
                self._stop.wait(self._pace.first_back_off)

    def _schedule(self) -> None:
        next_tick = next_pause_look = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + self._pace.tick
                self._look_at_all()
            if now >= next_pause_look:
                next_pause_look = now + self._pace.pause_look
                self._look_at_resumed()
            with self._changed:
                self._start_due(time.monotonic())
                until = min(next_tick, next_pause_look, self._next_start())
                wait = until - time.monotonic()
                if wait > 0 and not self._stop.is_set():
                    self._changed.wait(wait)

    def _next_start(self) -> float:
        """When a gateway may have its turn: when it is due, or when a running cycle no longer counts. An end is notified."""
        now = time.monotonic()
        if not self._queue:
            return math.inf
        if self._queue[0][0] > now:
            return self._queue[0][0]
        return min((one.started + self._pace.prompt for one in self._prompt(now)), default=math.inf)

    def _look_at_resumed(self) -> None:
        try:
            paused = self._source.paused()
        except Exception:
            log.exception("what is paused could not be read; next try in a second")
            return
        with self._changed:
            self.nudge({one for one, state in self._gateways.items() if state.left_alone and not _holds(paused, one)})

    def _look_at_all(self) -> None:
        try:
            known = self._source.gateways() | self._engine.gateways()
        except Exception:
            log.exception("the list of gateways could not be read; next try at the next tick")
            return
        self._source.beat()
        with self._changed:
            for gateway_id in [
                g for g, state in self._gateways.items() if g not in known and not state.running and state.due is None
            ]:
                del self._gateways[gateway_id]
            for gateway_id in known:
                if self._gateways.get(gateway_id, _Gateway()).failures == 0:
                    self._plan_look(gateway_id, time.monotonic())

    def _start_due(self, now: float) -> None:
        """Those that must wait for a place are due again at once, in their order."""
        waiting = []
        while self._queue and self._queue[0][0] <= now and self._has_place(now):
            when, gateway_id = heapq.heappop(self._queue)
            state = self._gateways.get(gateway_id)
            if state is None or state.due != when:  # gone, or an earlier look took its place
                continue
            if state.failures and not self._has_place(now, sick=True):
                waiting.append((when, gateway_id))
                continue
            state.running, state.again, state.stirred, state.due = True, False, False, None
            state.started = now
            self._running[gateway_id] = state
            self._workers.submit(self._run, gateway_id)
        for one in waiting:
            heapq.heappush(self._queue, one)

    def _has_place(self, now: float, *, sick: bool = False) -> bool:
        """Gateways whose last cycle failed get half of the places, so that those that are well always find one: within
        `prompt` even when everything hangs, as long as no more than THREADS do.
        """
        share = 2 if sick else 1
        prompt = [one for one in self._prompt(now) if one.failures or not sick]
        running = [one for one in self._running.values() if one.failures or not sick]
        return len(prompt) < WORKERS // share and len(running) < THREADS // share

    def _prompt(self, now: float) -> list[_Gateway]:
        return [one for one in self._running.values() if now - one.started < self._pace.prompt]

    def _run(self, gateway_id: str) -> None:
        started = time.thread_time()
        clean = self._cycle(gateway_id)
        now = time.monotonic()
        with self._changed:
            state = self._running.pop(gateway_id)
            state.running = False
            state.rests_until = now + min(REST * self._busy(now) * (time.thread_time() - started), self._pace.tick)
            state.failures = 0 if clean else state.failures + 1
            back_off = 0.0 if clean else self._back_off(state.failures)
            state.heeds_from = now + min(back_off, self._pace.event_back_off)
            if state.again:
                self._plan_look(gateway_id, now)
            elif state.stirred:
                self._plan_look(gateway_id, state.heeds_from)
            elif not clean:
                self._plan_look(gateway_id, now + back_off)
            self._changed.notify_all()

    def _cycle(self, gateway_id: str) -> bool:
        try:
            paused = self._running[gateway_id].left_alone = _holds(self._source.paused(), gateway_id)
            return cycle(self._source, self._engine, gateway_id, paused=paused)
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
        return float(
            min(self._pace.first_back_off * 2 ** min(failures - 1, 10), self._pace.tick) * random.uniform(0.8, 1.2)
        )


def _holds(paused: frozenset[str | None], gateway_id: str) -> bool:
    return not paused.isdisjoint((None, gateway_id))


def cycle(source: Source, engine: base.Engine[Any, Any], gateway_id: str, *, paused: bool | None = None) -> bool:
    """One whole cycle. True when every step went well; a failed step leaves the others their chance. A pause that comes in the
    middle lets it finish: half a change is worse than none. `paused`: where that is known already.
    """
    paused = _holds(source.paused(), gateway_id) if paused is None else paused
    desired = source.desired(gateway_id)
    seen = engine.observe(gateway_id)
    steps = () if paused else engine.plan(gateway_id, desired, seen)
    failures = engine.carry_out(gateway_id, steps)
    if steps:
        seen = engine.observe(gateway_id)
    source.report(engine.report(gateway_id, desired, seen, failures))
    return not failures
