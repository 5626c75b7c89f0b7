"""Samples: what a connection carried and what its echoes said in a slot of time, and the rings that keep the newest slots."""

from dataclasses import dataclass
from typing import Literal

RingName = Literal["hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Ring:
    """The newest `slots` slots of `seconds` each. Slot n begins n times `seconds` after 1970-01-01T00:00:00Z."""

    name: RingName
    seconds: int
    slots: int


#: Seconds of a slot of the finest ring. Each longer slot consists of whole slots of this length.
FINEST_SECONDS = 60
RINGS = (Ring("hour", FINEST_SECONDS, 60), Ring("day", 15 * 60, 96), Ring("month", 8 * 3600, 90))


@dataclass(frozen=True, slots=True)
class EchoSample:
    """Echoes that were sent, and those of them that were lost. The round-trip times of the answered ones in microseconds: their sum, and the
    shortest and the longest one (None without an answer).
    """

    sent: int
    lost: int
    rtt_total: int = 0
    rtt_min: int | None = None
    rtt_max: int | None = None

    @property
    def rtt_average(self) -> float | None:
        """In microseconds."""
        return self.rtt_total / (self.sent - self.lost) if self.rtt_min is not None else None


@dataclass(frozen=True, slots=True)
class Sample:
    """What a connection carried in a slot of time."""

    #: The milliseconds of the slot between two consecutive observations.
    observed: int = 0
    #: The part of `observed` in which the tunnel was up.
    up: int = 0
    #: What the tunnel carried in the observed time.
    bytes_in: int = 0
    bytes_out: int = 0
    #: None when no echoes were sent, as for `monitor`.
    nqa: EchoSample | None = None
    monitor: EchoSample | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """The samples of a connection in a ring."""

    connection_id: str
    last: RingName = "hour"
