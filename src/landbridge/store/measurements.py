"""Queries for `/metrics`. They read the values of connections and gateways without decoding whole rows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, literal_column, or_, select

from landbridge import model
from landbridge.store import codec, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_connection, _connection_observation, _vpn_gateway, _gateway_observation = (
    tables.connection,
    tables.connection_observation,
    tables.vpn_gateway,
    tables.gateway_observation,
)
_state = tables.connection_state
#: In the order of `model.StatusFacts`.
_FACTS = (
    _connection.c.generation,
    _connection.c.deleting,
    _connection_observation.c.applied_generation,
    _connection_observation.c.state,
)
_OBSERVED = _connection.outerjoin(
    _connection_observation, _connection_observation.c.connection_seq == _connection.c.seq
)
_BGP = ("state", "received", "accepted", "announced", "limit")
_TRAFFIC = ("bytes_in", "bytes_out", "packets_in", "packets_out", "rekeys")
_newest = _state.alias("newest")
#: The last change of a connection's status.
_LAST = select(func.max(_newest.c.seq)).where(_newest.c.connection_seq == _connection.c.seq).scalar_subquery()
_CONNECTIONS = (
    select(
        _connection.c.id,
        expressions.JsonValue(_connection.c.spec, "name"),
        _vpn_gateway.c.id,
        _connection.c.project_id,
        *_FACTS,
        _connection_observation.c.since,
        _state.c.status,
        _state.c.cause,
        expressions.JsonValue(_connection_observation.c.report, "traffic", "received_at"),
        *(expressions.JsonValue(_connection_observation.c.report, "traffic", name) for name in _TRAFFIC),
    )
    .select_from(
        _OBSERVED.join(_vpn_gateway, _vpn_gateway.c.seq == _connection.c.gateway_seq).outerjoin(
            _state, _state.c.seq == _LAST
        )
    )
    .where(_connection.c.deleting == literal_column("0"))
)
_SESSIONS = (
    select(_connection.c.id, *(expressions.JsonValue(_connection_observation.c.report, "bgp", name) for name in _BGP))
    .select_from(_OBSERVED)
    .where(
        _connection.c.deleting == literal_column("0"),
        expressions.JsonValue(_connection_observation.c.report, "bgp", "state").is_not(None),
    )
)
_NQA_STATE, _MONITOR_STATE = (
    expressions.JsonValue(_connection_observation.c.report, kind, "state") for kind in ("nqa", "monitor")
)
_ECHOES = (
    select(
        _connection.c.id,
        *(expressions.JsonValue(_connection_observation.c.report, kind) for kind in ("nqa", "monitor")),
    )
    .select_from(_OBSERVED)
    .where(_connection.c.deleting == literal_column("0"), or_(_NQA_STATE.is_not(None), _MONITOR_STATE.is_not(None)))
)
_COUNTS = (
    select(
        _connection.c.project_id,
        _connection.c.deleting,
        _connection_observation.c.applied_generation == _connection.c.generation,
        _connection_observation.c.state,
        func.count(),
    )
    .select_from(_OBSERVED)
    .group_by(
        _connection.c.project_id,
        _connection.c.deleting,
        _connection_observation.c.applied_generation == _connection.c.generation,
        _connection_observation.c.state,
    )
)
_GATEWAYS = (
    select(
        _vpn_gateway.c.id,
        expressions.JsonValue(_vpn_gateway.c.spec, "name"),
        _vpn_gateway.c.project_id,
        _gateway_observation.c.failure,
        _gateway_observation.c.seen_at,
        expressions.JsonValue(_gateway_observation.c.report, "unknown_lines"),
    )
    .select_from(_vpn_gateway.outerjoin(_gateway_observation, _gateway_observation.c.gateway_seq == _vpn_gateway.c.seq))
    .where(_vpn_gateway.c.deleting == literal_column("0"))
)


def _both(query: Any, project: Any) -> dict[bool, Statement]:
    """The statement for one project (True), and for all."""
    return {True: Statement(query.where(project == bindparam("project_id"))), False: Statement(query)}


_CONNECTIONS_OF = _both(_CONNECTIONS, _connection.c.project_id)
_SESSIONS_OF = _both(_SESSIONS, _connection.c.project_id)
_ECHOES_OF = _both(_ECHOES, _connection.c.project_id)
_COUNTS_OF = _both(_COUNTS, _connection.c.project_id)
_GATEWAYS_OF = _both(_GATEWAYS, _vpn_gateway.c.project_id)


ConnectionRow = tuple[str, str, str, str, model.StatusFacts, int | None, model.Traffic, tuple[str | None, str | None]]
GatewayRow = tuple[str, str, str, bool, int | None, int]


def connections(tx: Transaction, project_id: str | None) -> Iterator[ConnectionRow]:
    """The connections of a project, or all (None), that are not being deleted: id, name, gateway id, project id, facts, since when, traffic, and
    (status, cause) of the last change.
    """
    for row in _each(tx, _CONNECTIONS_OF, project_id):
        generation, deleting, applied, state, since, status, cause, received_at = row[4:12]
        traffic = model.Traffic(
            **{name: value or 0 for name, value in zip(_TRAFFIC, row[12:], strict=True)},
            received_at=datetime.fromisoformat(received_at) if received_at else None,
        )
        facts = model.StatusFacts(generation, bool(deleting), applied, state)
        yield (*row[:4], facts, since, traffic, (status, cause))


def sessions(tx: Transaction, project_id: str | None) -> dict[str, model.BgpSession]:
    """Id of a connection -> its BGP session without the routes, for the same connections."""
    return {
        connection_id: model.BgpSession(**dict(zip(_BGP, values, strict=True)))
        for connection_id, *values in _each(tx, _SESSIONS_OF, project_id)
    }


def echoes(tx: Transaction, project_id: str | None) -> dict[str, tuple[model.Reachability | None, ...]]:
    """Id of a connection -> the results of its echoes: of NQA, and of its monitor. A connection without echoes is missing."""
    return {
        connection_id: tuple(codec.reachability.validate_json(text) if text else None for text in said)
        for connection_id, *said in _each(tx, _ECHOES_OF, project_id)
    }


def counts(tx: Transaction, project_id: str | None) -> Iterator[tuple[str, model.StatusFacts, int]]:
    """Returns how many connections of each project have the same facts. The generations of these facts are only comparable with each other."""
    for project, deleting, is_applied, state, number in _each(tx, _COUNTS_OF, project_id):
        applied = None if is_applied is None else int(bool(is_applied))
        yield project, model.StatusFacts(1, bool(deleting), applied, state), number


def gateways(tx: Transaction, project_id: str | None) -> Iterator[GatewayRow]:
    """Id, name, project id, whether it is FAULT, when it was seen and its unknown lines, of those that are not being deleted."""
    for gateway_id, name, project, failure, seen_at, lines in _each(tx, _GATEWAYS_OF, project_id):
        yield gateway_id, name, project, failure is not None, seen_at, lines or 0


def _each(tx: Transaction, statements: dict[bool, Statement], project_id: str | None) -> Iterator[Any]:
    return tx.each(statements[True], project_id=project_id) if project_id is not None else tx.each(statements[False])
