"""The time of the service, in milliseconds: the API shows no finer time."""

import time
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)


def next_after(now: datetime, last: datetime | None) -> datetime:
    """`now`, or the millisecond after `last` when the clock is not later. So two versions of a resource have different times, as have two
    entries of a list that is paged by time.
    """
    return now if last is None else max(now, last + timedelta(milliseconds=1))
