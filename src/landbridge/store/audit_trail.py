"""Rows of the audit trail: who did what, when. Events are only appended; `retention` removes the oldest."""

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, insert, select, tuple_

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_audit = tables.audit
#: Later than any event: milliseconds.
_END = 1 << 62
_APPEND = Statement(
    insert(_audit).values(
        {name: bindparam(name) for name in ("at", "project_id", "actor", "action", "resource_id", "request_id")}
    )
)
_AT = Statement(select(_audit.c.at).where(_audit.c.seq == bindparam("seq")))


def _newest(*conditions: ColumnElement[bool]) -> Statement:
    """Events that meet the conditions, newest first. An index has them in this order."""
    return Statement(
        select(_audit.c.seq, _audit.c.at, _audit.c.actor, _audit.c.action, _audit.c.resource_id, _audit.c.request_id)
        .where(
            _audit.c.project_id == bindparam("project_id"),
            *conditions,
            _audit.c.at >= bindparam("since"),
            tuple_(_audit.c.at, _audit.c.seq) < tuple_(bindparam("before_at"), bindparam("before_seq")),
        )
        .order_by(_audit.c.at.desc(), _audit.c.seq.desc())
        .limit(bindparam("limit"))
    )


_OF_PROJECT = _newest()
_OF_RESOURCE = _newest(_audit.c.resource_id == bindparam("resource_id"))


def append(
    tx: Transaction, *, at: datetime, project_id: str | None, actor: str, action: str, resource_id: str, request_id: str
) -> None:
    tx.run(
        _APPEND,
        at=codec.milliseconds(at),
        project_id=project_id,
        actor=actor,
        action=action,
        resource_id=resource_id,
        request_id=request_id,
    )


def append_local(tx: Transaction, action: str, resource_id: str, now: datetime, project_id: str | None = None) -> None:
    """Appends an event of a command on this machine, which no access key made."""
    append(
        tx,
        at=now,
        project_id=project_id,
        actor="this machine",
        action=action,
        resource_id=resource_id,
        request_id=str(uuid.uuid4()),
    )


def newest(
    tx: Transaction,
    project_id: str,
    limit: int,
    *,
    before: int | None = None,
    resource_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[model.AuditEvent]:
    """Up to `limit` events of a project, newest first. `before`: only those that are older than the event of this seq; none when
    retention has removed it, since older ones went first.
    """
    end = _end(tx, until, before)
    if end is None:
        return []
    statement, more = (_OF_PROJECT, {}) if resource_id is None else (_OF_RESOURCE, {"resource_id": resource_id})
    rows = tx.all(
        statement,
        project_id=project_id,
        since=0 if since is None else codec.milliseconds(since),
        before_at=end[0],
        before_seq=end[1],
        limit=limit,
        **more,
    )
    return [_event(*row) for row in rows]


def _end(tx: Transaction, until: datetime | None, before: int | None) -> tuple[int, int] | None:
    """Time and seq that are later than those of every event to list; None when the event `before` is not there any more."""
    end = (_END if until is None else codec.milliseconds(until) + 1, 0)
    if before is None:
        return end
    row = tx.one(_AT, seq=before)
    return None if row is None else min(end, (row[0], before))


def _event(seq: int, at: int, actor: str, action: str, resource_id: str, request_id: str) -> model.AuditEvent:
    return model.AuditEvent(
        seq=seq, at=codec.moment(at), actor=actor, action=action, resource_id=resource_id, request_id=request_id
    )
