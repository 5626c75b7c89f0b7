"""The results of ICMP echoes in a diagnosis (an extension of ours)."""

from typing import Any, get_args, get_type_hints

from pydantic import Field

from landbridge import model
from landbridge.wire import schema, shapes

STATES = get_args(get_type_hints(model.Reachability)["state"])


class ReachabilityAnswer(schema.Answer):
    """The echoes of the last minute before the last observation."""

    source_ip: str
    destination_ip: str
    state: str = schema.listed(STATES, "unknown: there was no answer yet, and not enough losses")
    since: str | None = Field(None, description="since when the state holds")
    sent: int
    lost: int
    rtt_min_ms: float | None = Field(None, description="round-trip times in milliseconds; absent without an answer")
    rtt_average_ms: float | None = None
    rtt_max_ms: float | None = None
    answered_at: str | None = Field(None, description="the last answer")


def reachability(value: model.Reachability) -> dict[str, Any]:
    return shapes.without_none(
        source_ip=value.source,
        destination_ip=value.destination,
        state=value.state,
        since=shapes.time(value.since) if value.since else None,
        sent=value.sent,
        lost=value.lost,
        rtt_min_ms=value.rtt_min,
        rtt_average_ms=value.rtt_average,
        rtt_max_ms=value.rtt_max,
        answered_at=shapes.time(value.answered_at) if value.answered_at else None,
    )
