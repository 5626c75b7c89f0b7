"""What is said of a resource that the engine has not looked at for long, or that is looked at and left alone."""

from datetime import datetime, timedelta

from landbridge import model


def lost(seen_at: datetime | None, now: datetime, unseen_after: timedelta) -> datetime | None:
    """Since when it is out of sight; None while the last look is young enough, or when there never was one."""
    return seen_at if seen_at is not None and now - seen_at > unseen_after else None


def paused(since: datetime | None) -> model.Explanation | None:
    """The words for a pause; None without one."""
    if since is None:
        return None
    return model.Explanation(
        reason=f"paused since {since:%Y-%m-%d %H:%M:%S} UTC: the agent watches and changes nothing",
        remedy="landbridge resume",
    )
