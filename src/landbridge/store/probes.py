"""Rows of probes: orders, and results. The last probes and the last checks of the path of each connection are kept."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update

from landbridge import model
from landbridge.store import audit_trail, codec, expressions, newest_rows, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Probes of a connection that are done; and as many checks of its path.
KEPT = 5
#: The actor of a probe without an order.
SERVICE = "landbridge"

_connection_probe, _connection = tables.connection_probe, tables.connection
_COLUMNS = ("id", "connection_seq", "asked_at", "actor", "wanted", "probed_at", "configuration", "report", "finding")
_INSERT = Statement(insert(_connection_probe).values({name: bindparam(name) for name in _COLUMNS}))
_DONE = Statement(
    update(_connection_probe)
    .where(_connection_probe.c.id == bindparam("probe_id"))
    .values({name: bindparam(name) for name in ("probed_at", "configuration", "report", "finding")})
)
_PRUNES = (
    newest_rows.prune(
        _connection_probe, lambda table: table.c.report.is_not(None), lambda table: table.c.finding.is_(None)
    ),
    newest_rows.prune(_connection_probe, lambda table: table.c.finding.is_not(None)),
)
_FIND = Statement(select(_connection_probe.c.report).where(_connection_probe.c.id == bindparam("probe_id")))
_CONNECTION = Statement(
    select(_connection.c.seq, _connection.c.project_id, _connection.c.deleting).where(
        _connection.c.id == bindparam("connection_id"), _connection.c.gateway_seq == bindparam("gateway_seq")
    )
)
_OF_CONNECTION = Statement(
    select(
        _connection_probe.c.id,
        _connection_probe.c.asked_at,
        _connection_probe.c.actor,
        _connection_probe.c.wanted,
        _connection_probe.c.report,
    )
    .where(_connection_probe.c.connection_seq == bindparam("connection_seq"))
    .order_by(_connection_probe.c.seq)
)
_PATH_CHECKS = Statement(
    select(_connection_probe.c.connection_seq, _connection_probe.c.finding, _connection_probe.c.report)
    .where(expressions.IsAmong(_connection_probe.c.connection_seq, "seqs"), _connection_probe.c.finding.is_not(None))
    .order_by(_connection_probe.c.seq)
)
_OF_GATEWAY = Statement(
    select(
        _connection.c.id,
        _connection_probe.c.id,
        _connection_probe.c.wanted,
        _connection_probe.c.probed_at,
        _connection_probe.c.configuration,
        _connection_probe.c.finding,
    )
    .select_from(_connection_probe.join(_connection, _connection.c.seq == _connection_probe.c.connection_seq))
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"))
    .order_by(_connection_probe.c.seq)
)


def add(tx: Transaction, row: model.KnownConnection, order: model.ProbeOrder, now: datetime, actor: str) -> None:
    """Writes an order, and nudges the agent."""
    _insert(tx, row.seq, order.id, now, actor, wanted=codec.dump(codec.probe_order, order))
    tx.nudge(row.connection.gateway_id)


def record(tx: Transaction, gateway_seq: int, result: model.ProbeResult) -> None:
    """Writes a result, once. Without an order, it also writes the audit event."""
    connection = tx.one(_CONNECTION, connection_id=result.connection_id, gateway_seq=gateway_seq)
    columns = tx.one(_FIND, probe_id=result.id)
    if connection is None or connection[2] or (columns is not None and columns[0] is not None):
        return
    seq, project_id, _ = connection
    done = {
        "probed_at": codec.milliseconds(result.at),
        "configuration": result.configuration,
        "report": codec.dump(codec.probe_result, result),
        "finding": result.path.finding if result.path else None,
    }
    if columns is not None:
        tx.run(_DONE, probe_id=result.id, **done)
        _prune(tx, seq)
        return
    _insert(tx, seq, result.id, result.at, SERVICE, **done)
    _prune(tx, seq)
    audit_trail.append(
        tx,
        at=result.at,
        project_id=project_id,
        actor=SERVICE,
        action="probe",
        resource_id=result.connection_id,
        request_id=result.id,
    )


def _insert(tx: Transaction, connection_seq: int, probe_id: str, asked_at: datetime, actor: str, **given: Any) -> None:
    values = dict.fromkeys(_COLUMNS) | {
        "id": probe_id,
        "connection_seq": connection_seq,
        "asked_at": codec.milliseconds(asked_at),
        "actor": actor,
    }
    tx.run(_INSERT, **(values | given))


def _prune(tx: Transaction, connection_seq: int) -> None:
    for statement in _PRUNES:
        tx.run(statement, connection_seq=connection_seq, kept=KEPT)


def of_connection(tx: Transaction, connection_seq: int) -> tuple[model.RecordedProbe, ...]:
    """The last probes and checks of the path of a connection, oldest first."""
    return tuple(
        model.RecordedProbe(
            id=probe_id,
            asked_at=codec.moment(asked_at),
            actor=actor,
            order=None if order is None else codec.probe_order.validate_json(order),
            result=None if report is None else codec.probe_result.validate_json(report),
        )
        for probe_id, asked_at, actor, order, report in tx.all(_OF_CONNECTION, connection_seq=connection_seq)
    )


def black_holes(tx: Transaction, connection_seqs: Iterable[int]) -> dict[int, model.ProbeResult]:
    """The last checks of paths of several connections that found a black hole, unless a later check found something else."""
    last: dict[int, tuple[str, str]] = {}
    for seq, finding, report in tx.all(_PATH_CHECKS, seqs=expressions.values(connection_seqs)):
        outcome = finding.split()[0]
        if outcome != "unanswered":
            last[seq] = outcome, report
    return {
        seq: codec.probe_result.validate_json(report)
        for seq, (outcome, report) in last.items()
        if outcome == "black_hole"
    }


class ConnectionProbes(NamedTuple):
    """The order that waits, the last probe that is done, and the last check of the path."""

    order: model.ProbeOrder | None = None
    probed: model.LastProbe | None = None
    path_checked: model.LastProbe | None = None


def of_gateway(tx: Transaction, gateway_seq: int) -> dict[str, ConnectionProbes]:
    """Connection id -> its probes, for the connections of the gateway that have a probe."""
    probes: dict[str, ConnectionProbes] = {}
    for connection_id, probe_id, order, probed_at, configuration, finding in tx.all(
        _OF_GATEWAY, gateway_seq=gateway_seq
    ):
        known = probes.get(connection_id, ConnectionProbes())
        if probed_at is None:
            probes[connection_id] = known._replace(order=codec.probe_order.validate_json(order))
            continue
        done = model.LastProbe(id=probe_id, at=codec.moment(probed_at), configuration=configuration, finding=finding)
        probes[connection_id] = known._replace(probed=done) if finding is None else known._replace(path_checked=done)
    return probes
