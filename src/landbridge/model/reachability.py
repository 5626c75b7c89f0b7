"""The results of ICMP echoes to an address: through a tunnel (NQA), or outside of it (a connection monitor)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """The results of echoes to one address."""

    source: str
    destination: str
    #: `unknown` until the first answer or enough losses.
    state: Literal["unknown", "up", "down"] = "unknown"
    #: When the state began.
    since: datetime | None = None
    #: The echoes of the last minute.
    sent: int = 0
    #: The echoes of the last minute without an answer.
    lost: int = 0
    #: Round-trip times of the answered echoes of the last minute, in milliseconds; None without any.
    rtt_min: float | None = None
    rtt_average: float | None = None
    rtt_max: float | None = None
    #: The time of the last answer.
    answered_at: datetime | None = None
