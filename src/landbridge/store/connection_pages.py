"""Lists of connections, page by page: each row with what decides its status, and without what was observed of it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select

from landbridge import model
from landbridge.store import carriers, connections, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_connection = tables.connection
_inner = _connection.alias("inner")

_LISTED = select(_connection.c.seq, _connection.c.spec, *connections.FACTS).select_from(connections.OBSERVED)
_FIND_LISTED = Statement(_LISTED.where(connections.OF_ID))
_PAGE = Statement(
    _LISTED.where(_connection.c.project_id == bindparam("project_id"), _connection.c.seq > bindparam("after"))
    .order_by(_connection.c.seq)
    .limit(bindparam("limit"))
)
_PAGE_OF_GATEWAY = Statement(
    _LISTED.where(_connection.c.gateway_seq == bindparam("gateway_seq"), _connection.c.seq > bindparam("after"))
    .order_by(_connection.c.seq)
    .limit(bindparam("limit"))
)
_PAGE_OF_ENDPOINT = Statement(
    _LISTED.where(
        _connection.c.gateway_seq == bindparam("gateway_seq"),
        _connection.c.endpoint == bindparam("endpoint"),
        _connection.c.seq > bindparam("after"),
    )
    .order_by(_connection.c.seq)
    .limit(bindparam("limit"))
)
_COUNT_OF_ENDPOINT = Statement(
    select(func.count()).where(
        _connection.c.gateway_seq == bindparam("gateway_seq"), _connection.c.endpoint == bindparam("endpoint")
    )
)
#: The inner query reads the index of gateways alone, and only the page's own rows are read whole.
_PAGE_OF_GATEWAYS = Statement(
    _LISTED.where(
        _connection.c.seq.in_(
            select(_inner.c.seq)
            .where(
                expressions.IsAmong(_inner.c.gateway_seq, "gateways"),
                _inner.c.seq > bindparam("after"),
            )
            .order_by(_inner.c.seq)
            .limit(bindparam("limit"))
        )
    ).order_by(_connection.c.seq)
)


def _page_of_facts(condition: ColumnElement[bool]) -> Statement:
    return Statement(
        select(_connection.c.seq, tables.CONNECTION_DESCRIPTION, *connections.FACTS)
        .select_from(connections.OBSERVED)
        .where(condition, _connection.c.seq > bindparam("after"))
        .order_by(_connection.c.seq)
        .limit(bindparam("limit"))
    )


_FACTS_OF_PROJECT = _page_of_facts(_connection.c.project_id == bindparam("project_id"))
_PAGE_OF_FACTS = _page_of_facts(_connection.c.gateway_seq == bindparam("gateway_seq"))


class ListedRow(NamedTuple):
    """A connection as lists show it: with what decides its status, and without what was observed of it."""

    seq: int
    connection: model.Connection
    facts: model.StatusFacts


def _listed(rows: list[Any]) -> list[ListedRow]:
    return [ListedRow(row[0], connections.decode(row[1]), connections.status_facts(row[2:])) for row in rows]


def find_listed(tx: Transaction, project_id: str, connection_id: str) -> ListedRow | None:
    listed = _listed(tx.all(_FIND_LISTED, id=connection_id, project_id=project_id))
    return listed[0] if listed else None


def page(tx: Transaction, project_id: str, after: int, limit: int) -> list[ListedRow]:
    return _listed(tx.all(_PAGE, project_id=project_id, after=after, limit=limit))


def page_of_facts(
    tx: Transaction, project_id: str, gateway_seq: int | None, after: int, limit: int
) -> list[tuple[int, str, model.StatusFacts]]:
    """Seq, name and what decides the status of the connections of a project, or of a gateway: rows that cost little."""
    rows = (
        tx.all(_FACTS_OF_PROJECT, project_id=project_id, after=after, limit=limit)
        if gateway_seq is None
        else tx.all(_PAGE_OF_FACTS, gateway_seq=gateway_seq, after=after, limit=limit)
    )
    return [(row[0], carriers.described(row[1])[0], connections.status_facts(row[2:])) for row in rows]


def page_of_gateway(tx: Transaction, gateway_seq: int, after: int, limit: int) -> list[ListedRow]:
    return _listed(tx.all(_PAGE_OF_GATEWAY, gateway_seq=gateway_seq, after=after, limit=limit))


def page_of_endpoint(tx: Transaction, gateway_seq: int, endpoint: int, after: int, limit: int) -> list[ListedRow]:
    return _listed(tx.all(_PAGE_OF_ENDPOINT, gateway_seq=gateway_seq, endpoint=endpoint, after=after, limit=limit))


def count_of_endpoint(tx: Transaction, gateway_seq: int, endpoint: int) -> int:
    """Counts rows, which is cheap for one gateway."""
    return int(tx.all(_COUNT_OF_ENDPOINT, gateway_seq=gateway_seq, endpoint=endpoint)[0][0])


def page_of_gateways(tx: Transaction, gateway_seqs: Iterable[int], after: int, limit: int) -> list[ListedRow]:
    return _listed(tx.all(_PAGE_OF_GATEWAYS, gateways=expressions.values(gateway_seqs), after=after, limit=limit))
