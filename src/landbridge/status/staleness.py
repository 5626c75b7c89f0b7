"""Explains a resource that the engine has not observed for a long time, and a pause of the agent."""

from datetime import datetime, timedelta

from landbridge import model


def not_seen_since(seen_at: datetime | None, now: datetime, unseen_after: timedelta) -> datetime | None:
    """Returns since when the engine has not seen the resource. None when the last observation is recent, and when there was no observation."""
    return seen_at if seen_at is not None and now - seen_at > unseen_after else None


def explain_pause(since: datetime | None) -> model.Explanation | None:
    """The explanation of a pause; None without a pause."""
    if since is None:
        return None
    return model.Explanation(
        reason=f"paused since {since:%Y-%m-%d %H:%M:%S} UTC: the agent watches and changes nothing",
        remedy="landbridge resume",
    )
