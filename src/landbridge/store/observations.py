"""What the agent saw, written beside what was asked for; and the end of what was asked to go.

A deleted resource stays, as deleting, until a look finds nothing of it any more: `record` is where its row goes.
"""

import dataclasses
from typing import Any

from sqlalchemy import Table, and_, case, func

from landbridge import model
from landbridge.store import codec, connections, counters, expressions, gateways, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement


def _put(table: Table, key: str, *columns: str) -> Statement:
    """A new look replaces the row of the look before.

    `applied_generation` is kept where the new look has none. `since` is kept while the state and what is applied stay.
    """

    def update(new: Any) -> dict[str, Any]:
        applied = func.coalesce(new.applied_generation, table.c.applied_generation)
        same = and_(table.c.state == new.state, table.c.applied_generation.is_not_distinct_from(applied))
        since = case((same, table.c.since), else_=new.since)
        return {"applied_generation": applied, "since": since, **{name: new[name] for name in (*columns, "state")}}

    names = (key, "applied_generation", "state", "since", *columns)
    return Statement(expressions.Upsert(table, names, key=key, update=update))


_PUT_GATEWAY = _put(tables.gateway_observation, "gateway_seq", "failure", "report", "seen_at")
_PUT_CONNECTION = _put(tables.connection_observation, "connection_seq", "report")


def record(tx: Transaction, seen: model.Observation) -> None:
    """Writes one look at one gateway, and removes the rows of what is gone.

    `seen.connections` may leave out those of which nothing changed since the look before: when a connection was last
    seen is read off its gateway's row.
    """
    row = gateways.find_any(tx, seen.gateway_id)
    if row is None:
        return
    leaving = connections.deleting(tx, row.seq)
    for connection_id in leaving:
        if connection_id not in seen.present:
            connections.remove(tx, connection_id)
            gateways.count_down(tx, row.seq)
    if row.deleting and not seen.exists:
        gateways.remove(tx, row)
        counters.add(tx, row.gateway.project_id, "vpn_gateway", -1)
        return
    report = _lasting(row.observed, seen.gateway) if row.restarts else seen.gateway
    tx.run(
        _PUT_GATEWAY,
        gateway_seq=row.seq,
        applied_generation=seen.applied_generation,
        failure=seen.failure,
        report=codec.dump(codec.gateway_report, report),
        seen_at=codec.milliseconds(seen.seen_at),
        state="failed" if seen.failure is not None else "well",
        since=codec.milliseconds(seen.seen_at),
    )
    kept = connections.seqs(tx, row.seq) if seen.connections else {}
    tx.run_many(
        _PUT_CONNECTION,
        [
            {
                "connection_seq": kept[one.connection_id],
                "applied_generation": one.applied_generation,
                "report": codec.dump(codec.observation, one),
                "state": one.state,
                "since": codec.milliseconds(seen.seen_at),
            }
            for one in seen.connections
            if one.connection_id in kept
        ],
    )


def _lasting(before: model.GatewayReport, now: model.GatewayReport) -> model.GatewayReport:
    """A restart that was done stays done, whatever becomes of what was started."""
    if now.restarts >= before.restarts:
        return now
    return dataclasses.replace(before, inner_addresses=now.inner_addresses)
