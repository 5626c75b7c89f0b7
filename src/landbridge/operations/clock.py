"""The time of the service, in milliseconds: the API shows no finer time."""

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def next_after(now: datetime, last: datetime | None) -> datetime:
    """`now`, or the first millisecond after `last` when the clock has not passed it. No two versions of a resource, and no two
    entries of a list that is paged by time, share a time.
    """
    return now if last is None else max(now, last + timedelta(milliseconds=1))
