"""The status of a connection and, when it is not simply up, why."""

from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import diagnosis, sight

#: How many missing pairs a reason names.
SHOWN_PAIRS = 5


def api_status(known: model.KnownConnection) -> str:
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
    """The status now. After `unseen_after` without a look it is the last known one, and says since when. `paused_since`: since
    when the agent only watches. `gateway_failure`: why its VPN gateway is FAULT.
    """
    fault = _fault(gateway_failure)
    return model.ConnectionStatus(
        status=api_status(known),
        explanation=_explanation(known, known.observation, sight.paused(paused_since), fault),
        seen_at=known.seen_at,
        not_seen_since=sight.lost(known.seen_at, now, unseen_after),
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
    """Its tunnel may be up all the same, and carry or not: that is the gateway's."""
    if failure is None:
        return None
    return model.Explanation(
        reason=f"the VPN gateway is FAULT: {failure}",
        remedy="look at the diagnosis of the VPN gateway; it is the operator who can mend it",
    )


def _why_down(
    connection: model.Connection, seen: model.ConnectionObservation, paused: model.Explanation | None
) -> model.Explanation:
    """During a pause nothing is negotiated by us: what was said before it is the cause only if it says one."""
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
    """Up, and not all of it: how much, which pairs are not, and why where the lines say it."""
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
    """As many pairs are up as the engine has asked for, and still some subnets are not carried: the device has narrowed them."""
    shown = ", ".join(seen.missing_pairs[:SHOWN_PAIRS])
    more = f" and {len(seen.missing_pairs) - SHOWN_PAIRS} more" if len(seen.missing_pairs) > SHOWN_PAIRS else ""
    if up >= seen.expected_children:
        return f"the device carries only a part of the subnets; not carried: {shown}{more}"
    missing = f"; missing: {shown}{more}" if shown else ""
    return f"{up} of {seen.expected_children} traffic selector pairs are up{missing}"
