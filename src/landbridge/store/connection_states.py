"""Rows of status changes of connections, with the cause where it was known."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from landbridge import model
from landbridge.store import codec, expressions, newest_rows, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Changes of one connection.
KEPT = 50

_connection_state = tables.connection_state
_INSERT = Statement(
    insert(_connection_state).values({name: bindparam(name) for name in ("connection_seq", "at", "status", "cause")})
)
_LAST = newest_rows.last(_connection_state, _connection_state.c.status, _connection_state.c.cause)
_PRUNE = newest_rows.prune(_connection_state)
_OF_CONNECTION = Statement(
    select(_connection_state.c.at, _connection_state.c.status, _connection_state.c.cause)
    .where(_connection_state.c.connection_seq == bindparam("connection_seq"))
    .order_by(_connection_state.c.seq)
)


Last = tuple[model.ConnectionStatusName, str | None]


def last(tx: Transaction, connection_seqs: Iterable[int]) -> dict[int, Last]:
    """The last status of each connection, and its cause. A connection without any is missing."""
    rows = tx.all(_LAST, seqs=expressions.values(connection_seqs))
    return {seq: (status, cause) for seq, status, cause in rows}


def is_news(last: Last | None, status: model.ConnectionStatusName, cause: str | None) -> bool:
    """Whether the status or the cause differs from the last change. That a connection which is up has no cause any more is news too."""
    return last is None or last[0] != status or (last[1] != cause and (cause is not None or status == "ACTIVE"))


def note(
    tx: Transaction, connection_seq: int, at: datetime, status: model.ConnectionStatusName, cause: str | None
) -> None:
    """Writes a row when the status or the cause differs from the last row of the connection. A cause that becomes known later makes a row
    too.
    """
    if not is_news(last(tx, (connection_seq,)).get(connection_seq), status, cause):
        return
    tx.run(_INSERT, connection_seq=connection_seq, at=codec.milliseconds(at), status=status, cause=cause)
    tx.run(_PRUNE, connection_seq=connection_seq, kept=KEPT)


def of_connection(tx: Transaction, connection_seq: int) -> list[model.StateChange]:
    """The last changes of a connection, oldest first."""
    return [
        model.StateChange(codec.moment(at), status, cause)
        for at, status, cause in tx.all(_OF_CONNECTION, connection_seq=connection_seq)
    ]
