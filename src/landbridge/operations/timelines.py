"""The timeline of a connection: its attempts, statuses, BGP sessions, probes and changes (an extension of ours)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from landbridge import model
from landbridge.operations import connections as connection_operations
from landbridge.operations import paging
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import attempts, audit_trail, bgp_changes, connection_states, connections, probes
from landbridge.store.database import Transaction

Item = model.Attempt | model.StateChange | model.BgpChange | model.RecordedProbe | model.AuditEvent
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
#: A marker is the time of a page's last entry, and how many entries of that millisecond were shown.
_SHOWN_BITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`at`: the time of the item; of an attempt, the time of its last fact. `order`: the place among the items of its kind, the oldest
    first.
    """

    at: datetime
    item: Item
    order: int

    @property
    def milliseconds(self) -> int:
        return (self.at - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """Entries, newest first. `configuration`: the configuration that is loaded now (see `model.Attempt`)."""

    entries: list[Entry]
    configuration: str
    next_marker: str | None


@operation("show_vpn_connection_timeline", "reader", "long read")
def show(tx: Transaction, call: Call, request: model.TimelineRequest) -> TimelinePage:
    row = connection_operations.find(tx, call, request.connection_id)
    list_name = f"timeline of {row.connection.id}"
    marker = paging.after(call, list_name, request.marker)
    last, shown = divmod(marker, 1 << _SHOWN_BITS) if marker else (None, 0)
    entries = sorted(_entries(tx, row, last, request.limit + shown + 1), key=_newest_first)
    skipped = min(shown, sum(entry.milliseconds == last for entry in entries))
    page = entries[skipped : skipped + request.limit]
    more = len(entries) > skipped + len(page)
    return TimelinePage(
        entries=page,
        configuration=row.observation.configuration if row.observation else "",
        next_marker=paging.marker(call, list_name, _marker(entries[: skipped + len(page)])) if more else None,
    )


def _marker(shown: list[Entry]) -> int:
    last = shown[-1].milliseconds
    return last << _SHOWN_BITS | sum(entry.milliseconds == last for entry in shown)


def _newest_first(entry: Entry) -> tuple[int, str, int]:
    return -entry.milliseconds, type(entry.item).__name__, -entry.order


def _entries(tx: Transaction, row: connections.ConnectionRow, last: int | None, limit: int) -> Iterator[Entry]:
    """The entries up to the time `last` (milliseconds). The audit trail gives at most `limit` events each of the connection, its VPN
    gateway and its customer gateway. Events of the gateways count since the creation of the connection.
    """
    items: Iterator[tuple[datetime, Item]] = itertools.chain(
        ((attempt.updated_at, attempt) for attempt in attempts.of_connection(tx, row.seq)),
        ((change.at, change) for change in connection_states.of_connection(tx, row.seq)),
        ((change.at, change) for change in bgp_changes.of_connection(tx, row.seq)),
        ((probe.result.at if probe.result else probe.asked_at, probe) for probe in probes.of_connection(tx, row.seq)),
    )
    entries = (Entry(at=at, item=item, order=order) for order, (at, item) in enumerate(items))
    yield from (entry for entry in entries if last is None or entry.milliseconds <= last)
    until = None if last is None else _EPOCH + last * _MILLISECOND
    connection = row.connection
    for resource_id, since in (
        (connection.id, None),
        (connection.gateway_id, connection.created_at),
        (connection.customer_gateway_id, connection.created_at),
    ):
        for event in audit_trail.newest(
            tx, connection.project_id, limit, resource_id=resource_id, since=since, until=until
        ):
            yield Entry(at=event.at, item=event, order=event.seq)
