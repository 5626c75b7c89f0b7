"""The status of a connection and, when it is not simply up, why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import diagnosis, sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store knows. `applied`: the newest generation that an engine ever reported as wholly applied; `paused_since`:
    since when the agent only watches, asked for where a diagnosis is made of it.
    """

    connection: model.Connection
    generation: int
    deleting: bool
    applied: int | None
    observation: model.ConnectionObservation | None
    seen_at: datetime | None
    paused_since: datetime | None = None


def of(known: Known, now: datetime, unseen_after: timedelta) -> model.ConnectionStatus:
    """The status now. After `unseen_after` without a look it is the last known one, and says since when."""
    seen = known.observation
    word, advice = _judge(known, seen)
    return model.ConnectionStatus(
        word=word,
        advice=advice,
        seen_at=known.seen_at,
        not_seen_since=sight.lost(known.seen_at, now, unseen_after),
        paused_since=known.paused_since,
        observation=seen,
    )


def _judge(known: Known, seen: model.ConnectionObservation | None) -> tuple[str, model.Advice | None]:
    if known.deleting:
        return "PENDING_DELETE", sight.paused(known.paused_since) or _failure(seen)
    if known.applied != known.generation:
        word = "PENDING_CREATE" if known.applied is None else "PENDING_UPDATE"
        return word, sight.paused(known.paused_since) or _failure(seen) or _waiting()
    if seen is None:
        return "PENDING_CREATE", sight.paused(known.paused_since) or _waiting()
    if seen.refused is not None:
        return "ERROR", model.Advice(reason=seen.refused)
    if seen.children:
        return "ACTIVE", _partly(seen)
    return "DOWN", _why_down(known, seen)


def _why_down(known: Known, seen: model.ConnectionObservation) -> model.Advice:
    """During a pause nothing is negotiated by us: what was said before it is the cause only if it says one."""
    found = _failure(seen) or diagnosis.of(known.connection, seen)
    return found if found.evidence or seen.waits_for_peer else sight.paused(known.paused_since) or found


def _waiting() -> model.Advice:
    return model.Advice(reason="waiting for the engine to apply it")


def _failure(seen: model.ConnectionObservation | None) -> model.Advice | None:
    if seen is None or seen.failure is None:
        return None
    return model.Advice(reason=f"the engine could not apply it and tries again: {seen.failure}", evidence=seen.evidence)


def _partly(seen: model.ConnectionObservation) -> model.Advice | None:
    up = {(child.local_ts, child.remote_ts) for child in seen.children}
    if len(up) >= seen.expected_children:
        return None
    return model.Advice(
        reason=f"{len(up)} of {seen.expected_children} traffic selector pairs are up",
        remedy="compare the subnets of both sides: the device may not know all pairs",
        evidence=seen.evidence,
    )
