"""What the agent saw, written beside what was asked for; and the end of what was asked to go.

A deleted resource stays, as deleting, until a look finds nothing of it any more: `record` is where its row goes.
"""

import dataclasses

from sqlalchemy import bindparam, func
from sqlalchemy.dialects.sqlite import insert

from landbridge import model
from landbridge.store import codec, connections, gateways, records, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_o = tables.observation

_new = insert(_o).values(
    {
        name: bindparam(name)
        for name in ("resource_id", "gateway_id", "applied_generation", "failure", "report", "seen_at")
    }
)
_PUT = Statement(
    _new.on_conflict_do_update(
        index_elements=[_o.c.resource_id],
        set_={
            "applied_generation": func.coalesce(_new.excluded.applied_generation, _o.c.applied_generation),
            "failure": _new.excluded.failure,
            "report": _new.excluded.report,
            "seen_at": _new.excluded.seen_at,
        },
    )
)


def record(tx: Transaction, seen: model.Observation) -> None:
    """Writes one look at one gateway, and removes the rows of what is gone.

    `seen.connections` may leave out those of which nothing changed since the look before: when a connection was last
    seen is read off its gateway's row.
    """
    row = gateways.find_any(tx, seen.gateway_id)
    if row is None:
        return
    leaving = connections.deleting(tx, seen.gateway_id)
    for connection_id in leaving:
        if connection_id not in seen.present:
            connections.remove(tx, connection_id)
            gateways.count_down(tx, row.seq)
    if row.deleting and not seen.exists:
        gateways.remove(tx, row)
        records.count(tx, row.gateway.project_id, "vpn_gateway", -1)
        return
    seen_at = codec.milliseconds(seen.seen_at)
    report = _lasting(row.observed, seen.gateway) if row.restarts else seen.gateway
    tx.run(
        _PUT,
        resource_id=seen.gateway_id,
        gateway_id=seen.gateway_id,
        applied_generation=seen.applied_generation,
        failure=seen.failure,
        report=codec.dump(codec.gateway_report, report),
        seen_at=seen_at,
    )
    kept = set(connections.ids(tx, seen.gateway_id)) if seen.connections else set()
    tx.run_many(
        _PUT,
        [
            {
                "resource_id": one.connection_id,
                "gateway_id": seen.gateway_id,
                "applied_generation": one.applied_generation,
                "failure": one.failure,
                "report": codec.dump(codec.observation, one),
                "seen_at": seen_at,
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
