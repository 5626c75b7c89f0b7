"""Rows of the changes of connections' statuses: when, and why where that was known."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Changes of one connection.
KEPT = 50

_s = tables.connection_state
_newest = _s.alias("newest")
_INSERT = Statement(insert(_s).values({name: bindparam(name) for name in ("connection_seq", "at", "status", "cause")}))
_LAST = Statement(
    select(_s.c.status, _s.c.cause)
    .where(_s.c.connection_seq == bindparam("connection_seq"))
    .order_by(_s.c.seq.desc())
    .limit(1)
)
_OLDEST_KEPT = (
    select(_newest.c.seq)
    .where(_newest.c.connection_seq == bindparam("connection_seq"))
    .order_by(_newest.c.seq.desc())
    .limit(1)
    .offset(bindparam("kept"))
    .scalar_subquery()
)
_PRUNE = Statement(delete(_s).where(_s.c.connection_seq == bindparam("connection_seq"), _s.c.seq <= _OLDEST_KEPT))
_OF_CONNECTION = Statement(
    select(_s.c.at, _s.c.status, _s.c.cause)
    .where(_s.c.connection_seq == bindparam("connection_seq"))
    .order_by(_s.c.seq)
)


@dataclass(frozen=True, slots=True)
class StateChange:
    """Since `at` the connection has this status, for this cause where one is known."""

    at: datetime
    status: model.ConnectionStatusName
    cause: str | None


def note(
    tx: Transaction, connection_seq: int, at: datetime, status: model.ConnectionStatusName, cause: str | None
) -> None:
    """Writes a status or a cause that is not the last one of the connection. The cause of a status may become known later: that is a
    row too.
    """
    last = tx.one(_LAST, connection_seq=connection_seq)
    if last is not None and last[0] == status and cause in (None, last[1]):
        return
    tx.run(_INSERT, connection_seq=connection_seq, at=codec.milliseconds(at), status=status, cause=cause)
    tx.run(_PRUNE, connection_seq=connection_seq, kept=KEPT)


def of_connection(tx: Transaction, connection_seq: int) -> list[StateChange]:
    """The last changes of a connection, oldest first."""
    return [
        StateChange(codec.moment(at), status, cause)
        for at, status, cause in tx.all(_OF_CONNECTION, connection_seq=connection_seq)
    ]
