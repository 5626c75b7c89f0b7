"""Rows of what the agent observed.

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


class Written(NamedTuple):
    """What decides the status of a connection, before and after an observation was written."""

    connection_id: str
    seq: int
    before: model.StatusFacts
    after: model.StatusFacts


class Recorded(NamedTuple):
    """The effect of writing an observation. `gone`: the connections whose rows were deleted. `written`: the others."""

    gone: list[tuple[model.Connection, model.StatusFacts]]
    written: list[Written]


def record(tx: Transaction, seen: model.Observation) -> Recorded:
    """Writes one observation of one gateway, and deletes the rows of what is gone.

    `seen.connections` may leave out connections that did not change since the observation before: the time of observation stands
    in the gateway's row. Their `attempts`, and the strangers, may leave out those that did not change.
    """
    row = gateways.find_any(tx, seen.gateway_id)
    if row is None:
        return Recorded([], [])
    gone, written = [], []
    for connection, facts in connections.deleting(tx, row.seq):
        if connection.id not in seen.present:
            connections.remove(tx, connection.id)
            gateways.count_down(tx, row.seq)
            gone.append((connection, facts))
    if row.deleting and not seen.exists:
        gateways.remove(tx, row)
        counters.add(tx, row.gateway.project_id, "vpn_gateway", -1)
        return Recorded(gone, [])
    report = _lasting(row.observed, seen.gateway) if row.restarts else seen.gateway
    tx.run(
        _PUT_GATEWAY,
        gateway_seq=row.seq,
        applied_generation=seen.applied_generation,
        failure=seen.failure,
        report=codec.dump_gateway_report(report),
        seen_at=codec.milliseconds(seen.seen_at),
        state="failed" if seen.failure is not None else "well",
        since=codec.milliseconds(seen.seen_at),
    )
    attempts.record_strangers(tx, row.seq, seen.gateway.strangers)
    kept = connections.facts(tx, row.seq) if seen.connections else {}
    tx.run_many(
        _PUT_CONNECTION,
        [
            {
                "connection_seq": kept[one.connection_id][0],
                "applied_generation": one.applied_generation,
                "report": codec.dump_observation(one),
                "state": one.state,
                "since": codec.milliseconds(seen.seen_at),
            }
            for one in seen.connections
            if one.connection_id in kept
        ],
    )
    for one in seen.connections:
        if one.connection_id in kept:
            seq, before = kept[one.connection_id]
            attempts.record(tx, seq, one.attempts)
            applied = before.applied if one.applied_generation is None else one.applied_generation
            after = before._replace(applied=applied, state=one.state)
            written.append(Written(one.connection_id, seq, before, after))
    for result in seen.probes:
        probes.record(tx, row.seq, result)
    return Recorded(gone, written)


def _lasting(before: model.GatewayReport, now: model.GatewayReport) -> model.GatewayReport:
    """Keeps a restart that was done: an engine that lost what it started reports an older count."""
    if now.restarts >= before.restarts:
        return now
    return dataclasses.replace(before, inner_addresses=now.inner_addresses)
