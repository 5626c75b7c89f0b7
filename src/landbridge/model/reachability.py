"""The results of ICMP echoes to an address: through a tunnel (NQA), or outside of it (a connection monitor)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """`state` is `unknown` until the first answer or enough losses; it holds since `since`. `sent` and `lost` count the echoes of the last minute. Round-trip
    times are in milliseconds, of the answered ones among them; None without any. `answered_at`: the last answer.
    """

    source: str
    destination: str
    state: Literal["unknown", "up", "down"] = "unknown"
    since: datetime | None = None
    sent: int = 0
    lost: int = 0
    rtt_min: float | None = None
    rtt_average: float | None = None
    rtt_max: float | None = None
    answered_at: datetime | None = None
