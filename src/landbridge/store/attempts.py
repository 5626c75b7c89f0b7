"""Rows of attempts: the last ones of each connection, and the last ones of strangers at each gateway."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from sqlalchemy import Table, bindparam, delete, select

from landbridge import model
from landbridge.store import codec, expressions, repeated_attempts, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Attempts of one connection, and of all strangers at one gateway.
KEPT = 20
#: Attempts that a process keeps decoded.
REMEMBERED = 4096

_of_connection, _of_strangers = tables.connection_attempt, tables.stranger_attempt


def _put(table: Table) -> Statement:
    keys = table.columns[0].name, "number"
    return Statement(
        expressions.Upsert(table, (*keys, "report"), keys=keys, update=lambda new: {"report": new["report"]})
    )


def _delete(table: Table) -> Statement:
    return Statement(
        delete(table).where(table.columns[0] == bindparam("owner"), expressions.IsAmong(table.c.number, "numbers"))
    )


_PUT = {table.name: _put(table) for table in (_of_connection, _of_strangers)}
_DELETE = {table.name: _delete(table) for table in (_of_connection, _of_strangers)}
_OF_CONNECTIONS = Statement(
    select(_of_connection.c.connection_seq, _of_connection.c.report)
    .where(expressions.IsAmong(_of_connection.c.connection_seq, "seqs"))
    .order_by(_of_connection.c.connection_seq, _of_connection.c.number)
)
_STRANGERS = Statement(
    select(_of_strangers.c.report)
    .where(_of_strangers.c.gateway_seq == bindparam("gateway_seq"))
    .order_by(_of_strangers.c.number)
)


_FORGET = Statement(
    delete(_of_connection).where(
        expressions.IsAmong(_of_connection.c.number, "numbers"),
        _of_connection.c.connection_seq.in_(
            select(tables.connection.c.seq).where(
                tables.connection.c.gateway_seq == bindparam("gateway_seq"),
                tables.connection.c.seq != bindparam("connection_seq"),
            )
        ),
    )
)


@functools.lru_cache(maxsize=REMEMBERED)
def _decode(report: str) -> model.Attempt:
    return codec.load_attempt(report)


def record(tx: Transaction, connection_seq: int, attempts: Iterable[model.Attempt]) -> None:
    """Writes attempts that are new or have changed. Those that failed in the same way are folded into one; the oldest ones are deleted."""
    _record(tx, _of_connection, connection_seq, attempts, of_connection)


def take_from_others(tx: Transaction, gateway_seq: int, connection_seq: int, peer_address: str) -> None:
    """Assigns attempts to the connection as which the device at this address has come up. Its earlier attempts without a name were stored
    at every connection that waits for a device. The other connections lose them.
    """
    numbers = [
        int(attempt.id)
        for attempt in of_connection(tx, connection_seq)
        if not attempt.is_named and attempt.peer_address == peer_address
    ]
    if numbers:
        tx.run(_FORGET, gateway_seq=gateway_seq, connection_seq=connection_seq, numbers=expressions.values(numbers))


def record_strangers(tx: Transaction, gateway_seq: int, attempts: Iterable[model.Attempt]) -> None:
    _record(tx, _of_strangers, gateway_seq, attempts, of_strangers)


def _record(
    tx: Transaction,
    table: Table,
    owner: int,
    attempts: Iterable[model.Attempt],
    read: Callable[[Transaction, int], tuple[model.Attempt, ...]],
) -> None:
    news = tuple(attempts)
    if not news:
        return
    stored = read(tx, owner)
    folded = repeated_attempts.fold(repeated_attempts.add(stored, news))[-KEPT:]
    gone = {attempt.id for attempt in stored} - {attempt.id for attempt in folded}
    if gone:
        tx.run(_DELETE[table.name], owner=owner, numbers=expressions.values(map(int, gone)))
    tx.run_many(
        _PUT[table.name],
        [
            {table.columns[0].name: owner, "number": int(attempt.id), "report": codec.dump(codec.attempt, attempt)}
            for attempt in folded
            if attempt not in stored
        ],
    )


def of_connection(tx: Transaction, connection_seq: int) -> tuple[model.Attempt, ...]:
    """The last attempts of a connection, oldest first."""
    return of_connections(tx, (connection_seq,)).get(connection_seq, ())


def of_connections(tx: Transaction, connection_seqs: Iterable[int]) -> dict[int, tuple[model.Attempt, ...]]:
    """The last attempts of several connections, oldest first. A connection without any is missing."""
    rows = tx.all(_OF_CONNECTIONS, seqs=expressions.values(connection_seqs))
    return {seq: tuple(_decode(report) for _, report in group) for seq, group in itertools.groupby(rows, itemgetter(0))}


def add_to(tx: Transaction, rows: Sequence[model.KnownConnection]) -> list[model.KnownConnection]:
    """The same connections, with the stored attempts in their observations."""
    attempts = of_connections(tx, (row.seq for row in rows if row.observation is not None))
    return [_with(row, attempts.get(row.seq, ())) for row in rows]


def _with(row: model.KnownConnection, attempts: tuple[model.Attempt, ...]) -> model.KnownConnection:
    if row.observation is None or not attempts:
        return row
    return row._replace(observation=dataclasses.replace(row.observation, attempts=attempts))


def of_strangers(tx: Transaction, gateway_seq: int) -> tuple[model.Attempt, ...]:
    """The last attempts at a gateway from addresses that no connection of their endpoint has, oldest first."""
    return tuple(_decode(report) for (report,) in tx.all(_STRANGERS, gateway_seq=gateway_seq))
