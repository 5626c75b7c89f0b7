"""Reads the few values of each tunnel of a project that the overview shows, at a low cost."""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic_core import from_json
from sqlalchemy import bindparam, func, select

from landbridge import model
from landbridge.store import carriers, connections, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Customer gateways whose decoded descriptions are kept.
CUSTOMER_GATEWAYS = 1 << 14

_connection, _connection_observation, _customer_gateway, _state = (
    tables.connection,
    tables.connection_observation,
    tables.customer_gateway,
    tables.connection_state,
)
_newest = _state.alias("newest")
_LAST = select(func.max(_newest.c.seq)).where(_newest.c.connection_seq == _connection.c.seq).scalar_subquery()
_SELECT = (
    select(
        _connection.c.seq,
        _connection.c.id,
        _connection.c.gateway_seq,
        _connection.c.endpoint,
        _connection.c.customer_gateway_seq,
        func.coalesce(_connection_observation.c.since, _connection.c.changed_at),
        _state.c.status,
        _state.c.cause,
        tables.CONNECTION_DESCRIPTION,
        *connections.FACTS,
    )
    .select_from(connections.OBSERVED.outerjoin(_state, _state.c.seq == _LAST))
    .order_by(_connection.c.seq)
)
_TUNNELS = Statement(_SELECT.where(_connection.c.project_id == bindparam("project_id")))
_OF_GATEWAY = Statement(_SELECT.where(_connection.c.gateway_seq == bindparam("gateway_seq")))
_PEER = select(_customer_gateway.c.seq, tables.CUSTOMER_GATEWAY_DESCRIPTION)
_PEERS = Statement(_PEER.where(_customer_gateway.c.project_id == bindparam("project_id")))
_PEERS_OF_GATEWAY = Statement(
    _PEER.where(
        _customer_gateway.c.seq.in_(
            select(_connection.c.customer_gateway_seq).where(_connection.c.gateway_seq == bindparam("gateway_seq"))
        )
    )
)
_ROUTES = Statement(
    select(
        _connection_observation.c.connection_seq,
        expressions.JsonValue(_connection_observation.c.report, "bgp", "routes"),
    ).where(expressions.IsAmong(_connection_observation.c.connection_seq, "seqs"))
)


class TunnelRow(NamedTuple):
    """A connection with the values that the picture of a project needs."""

    seq: int
    id: str
    gateway_seq: int
    endpoint: int
    customer_gateway_seq: int
    #: Milliseconds: when the present state began, or when the oldest change was requested that is not applied.
    since: int | None
    #: The status at the last change of status or cause.
    noted: str | None
    #: The cause at the last change of status or cause.
    cause: str | None
    name: str
    facts: model.StatusFacts
    #: This and `subnets`, `learned`, `up`: as in `model.Carrier`. `up` takes echoes through the tunnel into account,
    #: as the reported state does.
    style: str
    subnets: tuple[str, ...]
    learned: tuple[str, ...] | None
    up: bool


def tunnels(tx: Transaction, project_id: str, gateway_seq: int | None = None) -> Iterator[TunnelRow]:
    """All connections of the project, or of one of its gateways, oldest first."""
    rows = (
        tx.all(_TUNNELS, project_id=project_id) if gateway_seq is None else tx.all(_OF_GATEWAY, gateway_seq=gateway_seq)
    )
    described = [carriers.described(row[8]) for row in rows]
    sessions = [row[0] for row, (_, style, _) in zip(rows, described, strict=True) if style == "bgp"]
    routes = dict(tx.all(_ROUTES, seqs=expressions.values(sessions))) if sessions else {}
    status_facts = functools.cache(connections.status_facts)  # most connections have the same values
    for row, (name, style, subnets) in zip(rows, described, strict=True):
        facts = status_facts(row[9:])
        learned = carriers.learned_of(style, facts.state, routes.get(row[0]))
        up = facts.state == "up" and learned != ()
        yield TunnelRow._make((*row[:8], name, facts, style, subnets, learned, up))


def carrying(rows: Iterable[TunnelRow]) -> dict[int, list[TunnelRow]]:
    """Gateway seq -> the rows that count for its redundancy."""
    tunnels: defaultdict[int, list[TunnelRow]] = defaultdict(list)
    for row in rows:
        if not row.facts.deleting:
            tunnels[row.gateway_seq].append(row)
    return tunnels


@functools.lru_cache(maxsize=CUSTOMER_GATEWAYS)
def _described(text: str) -> tuple[str, str]:
    name, value = from_json(text)
    return name, value


def customer_gateways(tx: Transaction, project_id: str, gateway_seq: int | None = None) -> dict[int, tuple[str, str]]:
    """Seq -> name, and address or identity: of the project, or of the connections of one gateway."""
    rows = (
        tx.all(_PEERS, project_id=project_id)
        if gateway_seq is None
        else tx.all(_PEERS_OF_GATEWAY, gateway_seq=gateway_seq)
    )
    return {seq: _described(text) for seq, text in rows}
