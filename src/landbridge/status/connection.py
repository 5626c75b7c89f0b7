"""The status of a connection and, when it is not simply up, why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store knows. `applied`: the newest generation that an engine ever reported as wholly applied."""

    connection: model.Connection
    generation: int
    deleting: bool
    applied: int | None
    observation: model.ConnectionObservation | None
    seen_at: datetime | None


def of(known: Known, now: datetime, unseen_after: timedelta) -> model.ConnectionStatus:
    """The status now. After `unseen_after` without a look it is the last known one, and says since when."""
    seen = known.observation
    word, advice = _judge(known, seen)
    stale = known.seen_at is not None and now - known.seen_at > unseen_after
    return model.ConnectionStatus(
        word=word,
        advice=advice,
        seen_at=known.seen_at,
        not_seen_since=known.seen_at if stale else None,
        observation=seen,
    )


def _judge(known: Known, seen: model.ConnectionObservation | None) -> tuple[str, model.Advice | None]:
    if known.deleting:
        return "PENDING_DELETE", _failure(seen)
    if known.applied != known.generation:
        return ("PENDING_CREATE" if known.applied is None else "PENDING_UPDATE"), _failure(seen) or _waiting()
    if seen is None:
        return "PENDING_CREATE", _waiting()
    if seen.refused is not None:
        return "ERROR", model.Advice(reason=seen.refused)
    if seen.children:
        return "ACTIVE", _partly(seen)
    return "DOWN", _failure(seen) or diagnosis.of(known.connection, seen)


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
