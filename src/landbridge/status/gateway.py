"""Derives the status of a VPN gateway."""

from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import staleness


def derive(
    known: model.KnownGateway, now: datetime, unseen_after: timedelta, paused_since: datetime | None = None
) -> model.GatewayStatus:
    """The status now. When the last observation is older than `unseen_after`, the status is the last known one and says since
    when.
    """
    return model.GatewayStatus(
        status=api_status(known),
        explanation=_explanation(known, paused_since),
        seen_at=known.seen_at,
        not_seen_since=staleness.not_seen_since(known.seen_at, now, unseen_after),
        paused_since=paused_since,
    )


def _explanation(known: model.KnownGateway, paused_since: datetime | None) -> model.Explanation | None:
    """A failure may be older than the pause, and comes first."""
    if known.failure is not None:
        return model.Explanation(reason=known.failure)
    return staleness.explain_pause(paused_since)


def api_status(known: model.KnownGateway) -> model.GatewayStatusName:
    if known.deleting:
        return "PENDING_DELETE"
    if known.failure is not None:
        return "FAULT"
    if known.applied is None:
        return "PENDING_CREATE"
    return "ACTIVE" if known.applied == known.generation else "PENDING_UPDATE"


def since(known: model.KnownGateway, times: model.Times) -> datetime | None:
    """When the status became what `api_status` says, as far as the store knows."""
    if known.deleting:
        return times.changed_at
    if known.failure is not None:
        return times.state_since
    if known.applied is None:
        return known.gateway.created_at
    return times.state_since if known.applied == known.generation else times.changed_at
