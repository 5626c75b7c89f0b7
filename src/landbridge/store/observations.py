"""Rows of the observations that the agent reports.

A deleted resource stays, as deleting, until an observation finds nothing of it: `record` deletes its row.
"""

import dataclasses
from typing import Any, NamedTuple

from sqlalchemy import Table, and_, case, func

from landbridge import model
from landbridge.store import attempts, codec, connections, counters, expressions, gateways, probes, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement


def _put(table: Table, key: str, *columns: str) -> Statement:
    """A new observation replaces the row of the one before.

    `applied_generation` is kept where the new observation has none. `since` is kept while the state and what is applied stay.
    """

    def update(new: Any) -> dict[str, Any]:
        applied = func.coalesce(new.applied_generation, table.c.applied_generation)
        same = and_(table.c.state == new.state, table.c.applied_generation.is_not_distinct_from(applied))
        since = case((same, table.c.since), else_=new.since)
        return {"applied_generation": applied, "since": since, **{name: new[name] for name in (*columns, "state")}}

    names = (key, "applied_generation", "state", "since", *columns)
    return Statement(expressions.Upsert(table, names, keys=(key,), update=update))


_PUT_GATEWAY = _put(tables.gateway_observation, "gateway_seq", "failure", "report", "seen_at")
_PUT_CONNECTION = _put(tables.connection_observation, "connection_seq", "report")


class WrittenStatus(NamedTuple):
    """What decides the status of a connection, before and after an observation was written."""

    connection_id: str
    seq: int
    before: model.StatusFacts
    after: model.StatusFacts


class RecordResult(NamedTuple):
    """The effect of writing an observation. `gone`: the connections whose rows were deleted. `written`: the others."""

    gone: list[tuple[model.Connection, model.StatusFacts]]
    written: list[WrittenStatus]


def record(tx: Transaction, observation: model.Observation) -> RecordResult:
    """Writes one observation of one gateway, and deletes the rows of deleted resources that are gone.

    `seen.connections` may leave out connections that did not change since the observation before: the time of observation stands
    in the gateway's row. Their `attempts`, and the strangers, may leave out those that did not change.
    """
    row = gateways.find_any(tx, observation.gateway_id)
    if row is None:
        return RecordResult([], [])
    removed = _remove_gone(tx, row.seq, observation.present)
    if row.deleting and not observation.exists:
        gateways.remove(tx, row)
        counters.add(tx, row.gateway.project_id, "vpn_gateway", -1)
        return RecordResult(removed, [])
    _put_gateway(tx, row, observation)
    written = _put_connections(tx, row.seq, observation)
    for result in observation.probes:
        probes.record(tx, row.seq, result)
    return RecordResult(removed, written)


def _remove_gone(
    tx: Transaction, gateway_seq: int, present: frozenset[str]
) -> list[tuple[model.Connection, model.StatusFacts]]:
    """Deletes the rows of the deleting connections of which nothing is present."""
    removed = [deleting for deleting in connections.deleting(tx, gateway_seq) if deleting[0].id not in present]
    for connection, _ in removed:
        connections.remove(tx, connection.id)
        gateways.count_down(tx, gateway_seq)
    return removed


def _put_gateway(tx: Transaction, row: gateways.GatewayRow, observation: model.Observation) -> None:
    report = _lasting(row.observed, observation.gateway) if row.restarts else observation.gateway
    at = codec.milliseconds(observation.seen_at)
    tx.run(
        _PUT_GATEWAY,
        gateway_seq=row.seq,
        applied_generation=observation.applied_generation,
        failure=observation.failure,
        report=codec.dump_gateway_report(report),
        seen_at=at,
        state="failed" if observation.failure is not None else "well",
        since=at,
    )
    attempts.record_strangers(tx, row.seq, observation.gateway.strangers)


def _put_connections(tx: Transaction, gateway_seq: int, seen: model.Observation) -> list[WrittenStatus]:
    """Writes the observations of the connections that have a row."""
    kept = connections.facts(tx, gateway_seq) if seen.connections else {}
    known = [
        (observation, *kept[observation.connection_id])
        for observation in seen.connections
        if observation.connection_id in kept
    ]
    since = codec.milliseconds(seen.seen_at)
    tx.run_many(_PUT_CONNECTION, [_columns(observation, seq, since) for observation, seq, _ in known])
    for observation, seq, before in known:
        attempts.record(tx, seq, observation.attempts)
        if observation.waits_for_peer and observation.peer_address and before.state != "up" == observation.state:
            attempts.take_from_others(tx, gateway_seq, seq, observation.peer_address)
    return [
        WrittenStatus(observation.connection_id, seq, before, _after(before, observation))
        for observation, seq, before in known
    ]


def _columns(observation: model.ConnectionObservation, seq: int, since: int) -> dict[str, Any]:
    return {
        "connection_seq": seq,
        "applied_generation": observation.applied_generation,
        "report": codec.dump_observation(observation),
        "state": observation.state,
        "since": since,
    }


def _after(before: model.StatusFacts, observation: model.ConnectionObservation) -> model.StatusFacts:
    applied = before.applied if observation.applied_generation is None else observation.applied_generation
    return before._replace(applied=applied, state=observation.state)


def _lasting(before: model.GatewayReport, now: model.GatewayReport) -> model.GatewayReport:
    """Keeps the highest count of restarts, since an engine that lost its state reports a lower one."""
    if now.restarts >= before.restarts:
        return now
    return dataclasses.replace(before, inner_addresses=now.inner_addresses)
