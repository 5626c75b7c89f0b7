"""The status of a VPN gateway."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`applied`: the newest generation that an engine ever reported as applied; `failure`: of the last attempt."""

    generation: int
    deleting: bool
    applied: int | None
    failure: str | None
    seen_at: datetime | None
    paused_since: datetime | None = None


def of(known: Known, now: datetime, unseen_after: timedelta) -> model.GatewayStatus:
    """The status now. After `unseen_after` without a look it is the last known one, and says since when."""
    return model.GatewayStatus(
        word=_word(known),
        advice=_advice(known),
        seen_at=known.seen_at,
        not_seen_since=sight.lost(known.seen_at, now, unseen_after),
        paused_since=known.paused_since,
    )


def _advice(known: Known) -> model.Advice | None:
    """A failure may be older than the pause, and shows beside it."""
    if known.failure is not None:
        return model.Advice(reason=known.failure)
    return sight.paused(known.paused_since)


def _word(known: Known) -> str:
    if known.deleting:
        return "PENDING_DELETE"
    if known.failure is not None:
        return "FAULT"
    if known.applied is None:
        return "PENDING_CREATE"
    return "ACTIVE" if known.applied == known.generation else "PENDING_UPDATE"
