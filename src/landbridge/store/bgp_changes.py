"""Rows of changes of BGP sessions."""

from collections.abc import Iterable

from sqlalchemy import bindparam, insert, select

from landbridge import model
from landbridge.store import codec, expressions, newest_rows, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Changes of one connection.
KEPT = 50

_bgp_change = tables.bgp_change
_VALUES = ("at", "state", "cause", "reason", "received")
_COLUMNS = tuple(_bgp_change.c[name] for name in _VALUES)
_INSERT = Statement(insert(_bgp_change).values({name: bindparam(name) for name in ("connection_seq", *_VALUES)}))
_LAST = newest_rows.last(_bgp_change, *_COLUMNS)
_PRUNE = newest_rows.prune(_bgp_change)
_OF_CONNECTION = Statement(
    select(*_COLUMNS).where(_bgp_change.c.connection_seq == bindparam("connection_seq")).order_by(_bgp_change.c.seq)
)


def last(tx: Transaction, connection_seqs: Iterable[int]) -> dict[int, model.BgpChange]:
    """The last change of each connection. A connection without any is missing."""
    rows = tx.all(_LAST, seqs=expressions.values(connection_seqs))
    return {seq: _change(*values) for seq, *values in rows}


def is_news(last: model.BgpChange | None, now: model.BgpChange) -> bool:
    """Whether the session is established now and was not, or the reverse, whether its cause differs, and whether it has its first route. A
    session that only tries again is no news.
    """
    if last is None:
        return now.state == "established" or now.cause is not None
    return _summary(last) != _summary(now)


def _summary(change: model.BgpChange) -> tuple[str, str | None, bool]:
    state = change.state if change.state in {"established", "down"} else "connecting"
    return state, change.cause, change.received > 0


def add(tx: Transaction, connection_seq: int, change: model.BgpChange) -> None:
    tx.run(
        _INSERT,
        connection_seq=connection_seq,
        at=codec.milliseconds(change.at),
        state=change.state,
        cause=change.cause,
        reason=change.reason,
        received=change.received,
    )
    tx.run(_PRUNE, connection_seq=connection_seq, kept=KEPT)


def of_connection(tx: Transaction, connection_seq: int) -> tuple[model.BgpChange, ...]:
    """The last changes of a connection, oldest first."""
    return tuple(_change(*values) for values in tx.all(_OF_CONNECTION, connection_seq=connection_seq))


def _change(at: int, state: model.BgpState, cause: str | None, reason: str | None, received: int) -> model.BgpChange:
    return model.BgpChange(at=codec.moment(at), state=state, cause=cause, reason=reason, received=received)
