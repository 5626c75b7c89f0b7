"""What the agent saw, written beside what was asked for; and the end of what was asked to go.

A deleted resource stays, as deleting, until a look finds nothing of it any more: `record` is where its row goes.
"""

import dataclasses

from sqlalchemy import Table, and_, bindparam, case, func
from sqlalchemy.dialects.sqlite import insert

from landbridge import model
from landbridge.store import codec, connections, counters, gateways, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement


def _put(table: Table, key: str, *columns: str) -> Statement:
    """A new look in place of the one before; what was applied outlives one that does not say, and the time of the first look
    at a state is kept while it and what is applied stay.
    """
    given = (key, "applied_generation", "state", "since", *columns)
    new = insert(table).values({name: bindparam(name) for name in given})
    applied = func.coalesce(new.excluded.applied_generation, table.c.applied_generation)
    same = and_(table.c.state == new.excluded.state, table.c.applied_generation.is_not_distinct_from(applied))
    since = case((same, table.c.since), else_=new.excluded.since)
    looks = {name: new.excluded[name] for name in (*columns, "state")}
    set_ = {"applied_generation": applied, "since": since, **looks}
    return Statement(new.on_conflict_do_update(index_elements=[key], set_=set_))


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
