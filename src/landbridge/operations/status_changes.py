"""Finds the connections whose status or cause changed with an observation, stores the changes and logs them."""

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from landbridge import model
from landbridge.operations import related
from landbridge.status import connection as connection_status
from landbridge.status.rule_context import Related
from landbridge.store import attempts, connection_states, connections, gateways, observations, pauses
from landbridge.store.database import Transaction
from landbridge.telemetry import log_fields

log = logging.getLogger(__name__)
#: Lines of one connection in WINDOW_SECONDS, so that a connection that goes up and down again and again does not fill the log.
LINES = 10
WINDOW_SECONDS = 600.0


class StatusChange(NamedTuple):
    """`seq` and `after` None: the connection is gone. `cause`: the code of the first cause of a connection that is DOWN, or of the
    first warning of one that is ACTIVE.
    """

    connection: model.Connection
    seq: int | None
    before: model.ConnectionStatusName
    after: model.ConnectionStatusName | None
    cause: str | None = None


def find(
    tx: Transaction, site: model.Site, observation: model.Observation, recorded: observations.Recorded
) -> list[StatusChange]:
    """`recorded`: what the store made of the observation."""
    gone = [
        StatusChange(connection, None, connection_status.of_facts(facts), None) for connection, facts in recorded.gone
    ]
    return [*gone, *_changed(tx, site, observation, recorded.written)]


def _changed(
    tx: Transaction, site: model.Site, observation: model.Observation, written: list[observations.Written]
) -> Iterator[StatusChange]:
    row, now = gateways.find_any(tx, observation.gateway_id), observation.seen_at
    gateway = related.load_gateway(tx, site, row) if row is not None and written else None
    paused_since = pauses.since(tx, observation.gateway_id)
    seqs = [one.seq for one in written]
    last, stored = connection_states.last(tx, seqs), attempts.of_connections(tx, seqs)
    seen = {one.connection_id: one for one in observation.connections}
    for one in written:
        connection, look = connections.get(tx, one.connection_id), seen[one.connection_id]
        look = dataclasses.replace(look, attempts=stored.get(one.seq, look.attempts))
        known = model.KnownConnection(connection, *one.after[:3], look, observation.seen_at, one.seq)
        before, after = connection_status.of_facts(one.before), connection_status.of_facts(one.after)
        loaded = related.load(tx, known, gateway) if after == "DOWN" else Related()
        status = connection_status.of(known, now, timedelta.max, paused_since, observation.failure, loaded)
        cause = connection_status.first_cause(status)
        if before != after or connection_states.is_news(last.get(one.seq), after, cause):
            yield StatusChange(connection, one.seq, before, after, cause)


def keep(tx: Transaction, observation: model.Observation, changes: Iterable[StatusChange]) -> None:
    for change in changes:
        if change.seq is not None and change.after is not None:
            connection_states.note(tx, change.seq, observation.seen_at, change.after, change.cause)


@dataclass(slots=True)
class _LineCount:
    """`lines`: the lines since `began`. `left_out`: the changes since the last line that were not logged."""

    began: float = 0.0
    lines: int = 0
    left_out: int = 0


@dataclass(slots=True)
class StatusLog:
    """Logs changes of statuses, and counts the lines of each connection."""

    _counts: dict[str, _LineCount] = field(default_factory=dict)

    def write(self, change: StatusChange) -> None:
        connection, after = change.connection, change.after or "deleted"
        count = self._counts.setdefault(connection.id, _LineCount())
        if change.after is None:
            del self._counts[connection.id]
        if not _may_log(count):
            return
        text = f"{change.before} -> {after}" if change.before != change.after else f"is still {after}"
        over = ", its warning is over" if change.before == change.after else ""
        text += f": {change.cause}" if change.cause else over
        text += f" ({count.left_out} changes before were not logged)" if count.left_out else ""
        count.left_out = 0
        fields = {
            "connection_id": connection.id,
            "gateway_id": connection.gateway_id,
            "project_id": connection.project_id,
            "before": change.before,
            "status": after,
            **({"cause": change.cause} if change.cause else {}),
        }
        log.info("%s %s", connection.name, text, extra=log_fields.of(**fields))


def _may_log(count: _LineCount) -> bool:
    now = time.monotonic()
    if now - count.began > WINDOW_SECONDS:
        count.began, count.lines = now, 0
    count.lines += 1
    count.left_out += count.lines > LINES
    return count.lines <= LINES
