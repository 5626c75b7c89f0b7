"""Statements about the newest rows of connections, for tables with the columns `connection_seq` and `seq`."""

from collections.abc import Callable

from sqlalchemy import Column, ColumnElement, FromClause, Table, bindparam, delete, func, select

from landbridge.store import expressions
from landbridge.store.statement import Statement


def last(table: Table, *columns: "Column[object]") -> Statement:
    """Selects `connection_seq` and `columns` of the newest row of each of the connections `seqs`."""
    newest = table.alias("newest")
    numbers = (
        select(func.max(newest.c.seq))
        .where(expressions.IsAmong(newest.c.connection_seq, "seqs"))
        .group_by(newest.c.connection_seq)
    )
    return Statement(select(table.c.connection_seq, *columns).where(table.c.seq.in_(numbers)))


def prune(table: Table, *among: Callable[[FromClause], ColumnElement[bool]]) -> Statement:
    """Deletes the rows of the connection `connection_seq`, but for the `kept` newest ones. Rows that do not meet the conditions `among` neither
    count nor go.
    """
    newest = table.alias("newest")
    newest_gone = (
        select(newest.c.seq)
        .where(newest.c.connection_seq == bindparam("connection_seq"), *(condition(newest) for condition in among))
        .order_by(newest.c.seq.desc())
        .limit(1)
        .offset(bindparam("kept"))
        .scalar_subquery()
    )
    return Statement(
        delete(table).where(
            table.c.connection_seq == bindparam("connection_seq"),
            table.c.seq <= newest_gone,
            *(condition(table) for condition in among),
        )
    )
