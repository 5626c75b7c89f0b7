"""The results of the echoes to one destination: losses and round-trip times of the last minute, and whether the path is up. Pure.

`now` is seconds of a monotonic clock, `wall` seconds since 1970: a report has times of the wall clock.
"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from landbridge import model
from landbridge.engine.strongswan.echo.state import Kind

#: Seconds that the counts go back.
SHOWN = 60.0
#: Seconds after which an echo without an answer counts as lost.
PENDING = 1.0
#: Echoes of one destination that are remembered, however short their interval is.
MOST = 1024
#: Sequence numbers of an ICMP echo (RFC 792).
_NUMBERS = 1 << 16
_UNANSWERED = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`interval`: seconds between two echoes. `losses`: a path is down when so many in a row have no answer. `stable`: seconds for which that
    must not happen again before the path is up again.
    """

    interval: float
    losses: int
    stable: float


#: A path that is cut is down 2 s later: three echoes are lost, and the last one had an interval to be answered.
TIMINGS: Mapping[Kind, Timing] = {
    "nqa": Timing(interval=0.5, losses=3, stable=10.0),
    "monitor": Timing(interval=1.0, losses=3, stable=10.0),
}


class Window:
    """The echoes to one destination. Invariant: an answer that comes late, or twice, is that of its own echo alone."""

    __slots__ = ("_answered", "_answered_at", "_lost_at", "_next", "_rtts", "_sent", "_timing", "since", "state")

    def __init__(self, timing: Timing) -> None:
        size = min(MOST, max(math.ceil(SHOWN / timing.interval), timing.losses) + 1)
        self._timing = timing
        self._sent = array("d", [-math.inf]) * size
        self._rtts = array("d", [_UNANSWERED]) * size
        self._next = 0
        self._answered = -1
        self._answered_at: float | None = None
        self._lost_at = -math.inf
        self.state: Literal["unknown", "up", "down"] = "unknown"
        self.since: float | None = None

    def send(self, now: float, wall: float) -> int:
        """Evaluates the earlier echoes, and records a new one. Returns the sequence number of the new one."""
        if self._next - 1 - self._answered >= self._timing.losses:
            self._lost_at = now
            self._become("down", wall)
        elif self.state == "down" and now - self._lost_at >= self._timing.stable:
            self._become("up", wall)
        number, slot = self._next, self._next % len(self._sent)
        self._sent[slot], self._rtts[slot] = now, _UNANSWERED
        self._next += 1
        return number % _NUMBERS

    def answer(self, sequence: int, now: float, wall: float) -> None:
        """An answer came `now`. `sequence`: that of its echo."""
        number = self._next - 1 - (self._next - 1 - sequence) % _NUMBERS
        slot = number % len(self._sent)
        if number < 0 or self._next - number > len(self._sent) or self._rtts[slot] != _UNANSWERED:
            return
        self._rtts[slot] = max(now - self._sent[slot], 0.0)
        self._answered, self._answered_at = max(number, self._answered), wall
        if self.state == "unknown":
            self._become("up", wall)

    def _become(self, state: Literal["up", "down"], wall: float) -> None:
        if self.state != state:
            self.state, self.since = state, wall

    def reachability(self, source: str, destination: str, now: float) -> model.Reachability:
        """The report of these echoes. Round-trip times in milliseconds."""
        rtts, lost = [], 0
        for sent, rtt in zip(self._sent, self._rtts, strict=True):
            if now - sent > SHOWN:
                continue
            if rtt != _UNANSWERED:
                rtts.append(rtt * 1000)
            else:
                lost += now - sent >= PENDING
        return model.Reachability(
            source=source,
            destination=destination,
            state=self.state,
            since=_moment(self.since),
            sent=len(rtts) + lost,
            lost=lost,
            rtt_min=round(min(rtts), 3) if rtts else None,
            rtt_average=round(sum(rtts) / len(rtts), 3) if rtts else None,
            rtt_max=round(max(rtts), 3) if rtts else None,
            answered_at=_moment(self._answered_at),
        )


def _moment(wall: float | None) -> datetime | None:
    """To a millisecond."""
    return None if wall is None else datetime.fromtimestamp(round(wall, 3), UTC)
