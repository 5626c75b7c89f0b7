"""The status of a connection and, when it is not simply up, why."""

from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import diagnosis, staleness

#: How many missing pairs a reason names.
SHOWN_PAIRS = 5


def api_status(known: model.KnownConnection) -> model.ConnectionStatusName:
    """The status alone. Lists need no explanation."""
    seen = known.observation
    if known.deleting:
        return "PENDING_DELETE"
    if known.applied is None:
        return "PENDING_CREATE"
    if known.applied != known.generation:
        return "PENDING_UPDATE"
    if seen is None:
        return "PENDING_CREATE"
    if seen.refused is not None:
        return "ERROR"
    return "ACTIVE" if seen.children else "DOWN"


def since(known: model.KnownConnection, times: model.Times) -> datetime | None:
    """When the status became what `api_status` says, as far as the store knows."""
    if known.deleting:
        return times.changed_at
    if known.applied is None or known.observation is None:
        return known.connection.created_at
    return times.changed_at if known.applied != known.generation else times.state_since


def of(
    known: model.KnownConnection,
    now: datetime,
    unseen_after: timedelta,
    paused_since: datetime | None = None,
    gateway_failure: str | None = None,
) -> model.ConnectionStatus:
    """The status now. When the last look is older than `unseen_after`, the status is the last known one and says since
    when. `paused_since`: since when the agent changes nothing. `gateway_failure`: why its VPN gateway is FAULT.
    """
    fault = _fault(gateway_failure)
    return model.ConnectionStatus(
        status=api_status(known),
        explanation=_explanation(known, known.observation, staleness.explain_pause(paused_since), fault),
        seen_at=known.seen_at,
        not_seen_since=staleness.not_seen_since(known.seen_at, now, unseen_after),
        paused_since=paused_since,
        observation=known.observation,
    )


def _explanation(
    known: model.KnownConnection,
    seen: model.ConnectionObservation | None,
    paused: model.Explanation | None,
    fault: model.Explanation | None,
) -> model.Explanation | None:
    if known.deleting:
        return paused or fault or _failure(seen)
    if seen is None or known.applied != known.generation:
        return paused or fault or _failure(seen) or _waiting()
    if seen.refused is not None:
        return model.Explanation(reason=seen.refused)
    if seen.children:
        return fault or _partly(seen)
    return fault or _why_down(known.connection, seen, paused)


def _fault(failure: str | None) -> model.Explanation | None:
    """The fault is the gateway's. The tunnel itself may be up or down."""
    if failure is None:
        return None
    return model.Explanation(
        reason=f"the VPN gateway is FAULT: {failure}",
        remedy="look at the diagnosis of the VPN gateway; it is the operator who can mend it",
    )


def _why_down(
    connection: model.Connection, seen: model.ConnectionObservation, paused: model.Explanation | None
) -> model.Explanation:
    """During a pause the agent negotiates nothing. A cause from before the pause still counts; without a cause the
    pause is the reason.
    """
    found = _failure(seen) or diagnosis.of(connection, seen)
    return found if found.evidence or seen.waits_for_peer else paused or found


def _waiting() -> model.Explanation:
    return model.Explanation(reason="waiting for the engine to apply it")


def _failure(seen: model.ConnectionObservation | None) -> model.Explanation | None:
    if seen is None or seen.failure is None:
        return None
    return model.Explanation(
        reason=f"the engine could not apply it and tries again: {seen.failure}", evidence=seen.evidence
    )


def _partly(seen: model.ConnectionObservation) -> model.Explanation | None:
    """For a connection with some of its CHILD_SAs: how many are up, which pairs are missing, and why, when the lines
    say it.
    """
    up = {(child.local_ts, child.remote_ts) for child in seen.children}
    if len(up) >= seen.expected_children and not seen.missing_pairs:
        return None
    found = diagnosis.of_pairs(seen)
    parts = [_how_much(len(up), seen), *([found.reason] if found else [])]
    return model.Explanation(
        reason="; ".join(part for part in parts if part),
        remedy=(found and found.remedy) or "compare the subnets of both sides: the device may not know all pairs",
        evidence=found.evidence if found else seen.evidence,
    )


def _how_much(up: int, seen: model.ConnectionObservation) -> str:
    """All pairs that the engine asked for may be up and some subnets still missing: then the device has narrowed the
    pairs.
    """
    shown = ", ".join(seen.missing_pairs[:SHOWN_PAIRS])
    more = f" and {len(seen.missing_pairs) - SHOWN_PAIRS} more" if len(seen.missing_pairs) > SHOWN_PAIRS else ""
    if up >= seen.expected_children:
        return f"the device carries only a part of the subnets; not carried: {shown}{more}"
    missing = f"; missing: {shown}{more}" if shown else ""
    return f"{up} of {seen.expected_children} traffic selector pairs are up{missing}"
