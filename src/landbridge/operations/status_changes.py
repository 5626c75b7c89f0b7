"""Finds the connections whose status, cause or BGP session changed with an observation, stores the changes and logs them."""

import dataclasses
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from landbridge import model
from landbridge.operations import related
from landbridge.status import bgp_causes, rule_context
from landbridge.status import connection as connection_status
from landbridge.status.rule_context import Context, Related
from landbridge.store import (
    attempts,
    bgp_changes,
    connection_states,
    connections,
    gateways,
    observations,
    pauses,
    probes,
)
from landbridge.store.database import Transaction
from landbridge.telemetry import log_fields

log = logging.getLogger(__name__)
#: Lines of one connection in WINDOW_SECONDS, so that a connection that goes up and down again and again does not fill the log.
LINES = 10
WINDOW_SECONDS = 600.0
#: Strangers are compared with all connections of a gateway that are down. A flood of strangers causes this once in so many seconds.
STRANGERS_SECONDS = 10.0


class StatusChange(NamedTuple):
    """`seq` and `after` None: the connection is gone. `cause`: the code of the first cause of a connection that is DOWN, or of the
    first warning of one that is ACTIVE. `is_news` False: neither the status nor the cause changed.
    """

    connection: model.Connection
    seq: int | None
    before: model.ConnectionStatusName
    after: model.ConnectionStatusName | None
    cause: str | None = None
    is_news: bool = True


class SessionChange(NamedTuple):
    """`before`: the state of the BGP session at its last change; None without any."""

    connection: model.Connection
    seq: int
    before: model.BgpState | None
    now: model.BgpChange
    is_news: bool = True


def find(
    tx: Transaction, site: model.Site, observation: model.Observation, recorded: observations.RecordResult
) -> list[StatusChange | SessionChange]:
    """A change for each of `observation.connections`, and for those that are gone. `recorded`: what the store made of the observation. The
    status of a connection that it did not write is as before, and its cause may be another one.
    """
    gone = [
        StatusChange(connection, None, connection_status.name_from_facts(facts), None)
        for connection, facts in recorded.gone
    ]
    return [*gone, *_changed(tx, site, observation, recorded.written)]


def _changed(
    tx: Transaction, site: model.Site, observation: model.Observation, written: list[observations.WrittenStatus]
) -> Iterator[StatusChange | SessionChange]:
    row, now = gateways.find_any(tx, observation.gateway_id), observation.seen_at
    seen = {connection.connection_id: connection for connection in observation.connections}
    if row is None or not seen:
        return
    gateway = related.load_gateway(tx, site, row)
    paused_since = pauses.since(tx, observation.gateway_id)
    looked_at = [*written, *_as_before(tx, row.seq, seen.keys() - {status.connection_id for status in written})]
    seqs = [written.seq for written in looked_at]
    last, stored = connection_states.last(tx, seqs), attempts.of_connections(tx, seqs)
    sessions, holes = bgp_changes.last(tx, seqs), probes.black_holes(tx, seqs)
    for status_row in looked_at:
        connection, observed = connections.get(tx, status_row.connection_id), seen[status_row.connection_id]
        observed = dataclasses.replace(observed, attempts=stored.get(status_row.seq, observed.attempts))
        known = model.KnownConnection(connection, *status_row.after[:3], observed, observation.seen_at, status_row.seq)
        before, after = (
            connection_status.name_from_facts(status_row.before),
            connection_status.name_from_facts(status_row.after),
        )
        alone = Related(probes=(holes[status_row.seq],) if status_row.seq in holes else ())
        loaded = related.load(tx, known, gateway) if after == "DOWN" or observed.bgp is not None else alone
        if observed.bgp is not None:
            session = _session(Context(connection=connection, seen=observed, related=loaded, seen_at=now), observed.bgp)
            before_it = sessions.get(status_row.seq)
            if bgp_changes.is_news(before_it, session):
                loaded = dataclasses.replace(loaded, sessions=(*loaded.sessions, session))
                yield SessionChange(connection, status_row.seq, before_it.state if before_it else None, session)
        status = connection_status.derive(known, now, timedelta.max, paused_since, observation.failure, loaded)
        cause = connection_status.first_cause(status)
        is_news = before != after or connection_states.is_news(last.get(status_row.seq), after, cause)
        yield StatusChange(connection, status_row.seq, before, after, cause, is_news)


def _as_before(tx: Transaction, gateway_seq: int, connection_ids: set[str]) -> Iterator[observations.WrittenStatus]:
    facts = connections.facts(tx, gateway_seq) if connection_ids else {}
    for connection_id in connection_ids & facts.keys():
        seq, now = facts[connection_id]
        yield observations.WrittenStatus(connection_id, seq, now, now)


def _session(context: Context, session: model.BgpSession) -> model.BgpChange:
    wrong = next((cause for cause in bgp_causes.find(context) if cause.code != "negotiating"), None)
    return model.BgpChange(
        at=context.seen_at or rule_context.NEVER,
        state=session.state,
        cause=wrong.code if wrong else None,
        reason=wrong.reason if wrong else None,
        received=session.received,
    )


def keep(tx: Transaction, observation: model.Observation, changes: Iterable[StatusChange | SessionChange]) -> None:
    for change in changes:
        if isinstance(change, SessionChange):
            bgp_changes.add(tx, change.seq, change.now)
        elif change.seq is not None and change.after is not None:
            connection_states.note(tx, change.seq, observation.seen_at, change.after, change.cause)


@dataclass(slots=True)
class StaleCauses:
    """Finds connections that did not change, but whose cause may be another one now: their devices were probed; a stranger arrived, who may
    be the device of any connection that is down; or they are up with a warning, which can end by time.
    """

    _warned: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _strangers: set[str] = field(default_factory=set)
    _next: dict[str, float] = field(default_factory=dict)

    def find(self, news: model.Observation) -> list[model.ConnectionObservation]:
        """`news`: an observation with all connections, and with the strangers and probes that are new."""
        probed = {result.connection_id for result in news.probes} | self._warned[news.gateway_id]
        strange = self._is_due(news)
        return [
            observation
            for observation in news.connections
            if observation.connection_id in probed or (strange and observation.state == "down")
        ]

    def _is_due(self, news: model.Observation) -> bool:
        if news.gateway.strangers:
            self._strangers.add(news.gateway_id)
        now = time.monotonic()
        if news.gateway_id not in self._strangers or self._next.get(news.gateway_id, now) > now:
            return False
        self._strangers.discard(news.gateway_id)
        self._next[news.gateway_id] = now + STRANGERS_SECONDS
        return True

    def keep(self, gateway_ids: frozenset[str]) -> None:
        """Forgets all other gateways."""
        for gateway_id in {*self._warned, *self._strangers, *self._next} - gateway_ids:
            self._warned.pop(gateway_id, None)
            self._strangers.discard(gateway_id)
            self._next.pop(gateway_id, None)

    def note(self, gateway_id: str, changes: Iterable[StatusChange | SessionChange]) -> None:
        """Takes the result of `find` of this module."""
        warned = self._warned[gateway_id]
        for change in changes:
            if isinstance(change, StatusChange):
                warned.discard(change.connection.id)
                if change.after == "ACTIVE" and change.cause:
                    warned.add(change.connection.id)


@dataclass(slots=True)
class _LineCount:
    """`lines`: the lines since `began`. `left_out`: the changes since the last line that were not logged."""

    began: float = 0.0
    lines: int = 0
    left_out: int = 0


@dataclass(slots=True)
class StatusLog:
    """Logs changes of statuses and sessions, and counts the lines of each connection."""

    _counts: dict[str, _LineCount] = field(default_factory=dict)

    def write(self, change: StatusChange | SessionChange) -> None:
        connection = change.connection
        count = self._counts.setdefault(connection.id, _LineCount())
        if isinstance(change, StatusChange) and change.after is None:
            del self._counts[connection.id]
        if not _may_log(count):
            return
        text, fields = _of_session(change) if isinstance(change, SessionChange) else _of_status(change)
        text += f" ({count.left_out} changes before were not logged)" if count.left_out else ""
        count.left_out = 0
        ids = {
            "connection_id": connection.id,
            "gateway_id": connection.gateway_id,
            "project_id": connection.project_id,
        }
        log.info("%s%s", connection.name, text, extra=log_fields.extra(**ids, **fields))


def _of_status(change: StatusChange) -> tuple[str, dict[str, str]]:
    """The text behind the connection's name, and the fields of the line."""
    after = change.after or "deleted"
    text = f" {change.before} -> {after}" if change.before != change.after else f" is still {after}"
    over = ", its warning is over" if change.before == change.after else ""
    text += f": {change.cause}" if change.cause else over
    return text, {"before": change.before, "status": after, **({"cause": change.cause} if change.cause else {})}


def _of_session(change: SessionChange) -> tuple[str, dict[str, str]]:
    now = change.now
    text = f": BGP {change.before} -> {now.state}" if change.before not in (None, now.state) else f": BGP {now.state}"
    detail = now.reason or (f"{now.received} routes received" if now.state == "established" else None)
    return text + (f": {detail}" if detail else ""), {"bgp": now.state, **({"cause": now.cause} if now.cause else {})}


def _may_log(count: _LineCount) -> bool:
    now = time.monotonic()
    if now - count.began > WINDOW_SECONDS:
        count.began, count.lines = now, 0
    count.lines += 1
    count.left_out += count.lines > LINES
    return count.lines <= LINES
