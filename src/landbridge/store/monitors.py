"""Rows of connection monitors. The id of a monitor is also in its connection's spec. Both change in one transaction."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from landbridge import model
from landbridge.store import codec, expressions, resources, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_m, _c = tables.connection_monitor, tables.connection
_g, _cgw, _o = tables.vpn_gateway, tables.customer_gateway, tables.connection_observation
_INSERT = Statement(insert(_m).values({name: bindparam(name) for name in ("id", "project_id", "connection_id")}))
_ROW = select(_c.c.spec, _g.c.spec, _cgw.c.spec, expressions.JsonValue(_o.c.report, "monitor", "state")).select_from(
    _m.join(_c, _c.c.id == _m.c.connection_id)
    .join(_g, _g.c.seq == _c.c.gateway_seq)
    .join(_cgw, _cgw.c.seq == _c.c.customer_gateway_seq)
    .outerjoin(_o, _o.c.connection_seq == _c.c.seq)
)
_FIND = Statement(_ROW.where(_m.c.id == bindparam("id"), _m.c.project_id == bindparam("project_id")))
_LIST = Statement(_ROW.where(_m.c.project_id == bindparam("project_id")).order_by(_m.c.seq))
_OF_CONNECTION = Statement(
    _ROW.where(_m.c.connection_id == bindparam("connection_id"), _m.c.project_id == bindparam("project_id"))
)
_REMOVE = Statement(delete(_m).where(_m.c.id == bindparam("id")))


def add_row(tx: Transaction, connection: model.Connection) -> None:
    """Inserts the row of a monitor that the connection's spec names already."""
    tx.run(_INSERT, id=connection.monitor_id, project_id=connection.project_id, connection_id=connection.id)


def add(tx: Transaction, connection: model.Connection, monitor_id: str) -> model.Connection:
    monitored = dataclasses.replace(connection, monitor_id=monitor_id)
    resources.rewrite(tx, resources.CONNECTION, monitored)
    add_row(tx, monitored)
    tx.nudge(connection.gateway_id)
    return monitored


def remove(tx: Transaction, connection: model.Connection) -> None:
    tx.run(_REMOVE, id=connection.monitor_id)
    resources.rewrite(tx, resources.CONNECTION, dataclasses.replace(connection, monitor_id=None))
    tx.nudge(connection.gateway_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoredConnection:
    """A connection that has a monitor, and its two ends. `is_probed`: the last look has results of the monitor's echoes."""

    connection: model.Connection
    gateway: model.VpnGateway
    customer_gateway: model.CustomerGateway
    is_probed: bool


def _monitored(row: tuple[str, str, str, str | None]) -> MonitoredConnection:
    return MonitoredConnection(
        connection=codec.connection.validate_json(row[0]),
        gateway=codec.gateway.validate_json(row[1]),
        customer_gateway=codec.customer_gateway.validate_json(row[2]),
        is_probed=row[3] is not None,
    )


def find(tx: Transaction, project_id: str, monitor_id: str) -> MonitoredConnection | None:
    """The connection whose monitor it is."""
    row = tx.one(_FIND, id=monitor_id, project_id=project_id)
    return None if row is None else _monitored(row)


def list_all(tx: Transaction, project_id: str, connection_id: str | None) -> list[MonitoredConnection]:
    """The connections that have a monitor, oldest monitor first; with `connection_id` only that connection."""
    if connection_id is None:
        rows: list[Any] = tx.all(_LIST, project_id=project_id)
    else:
        rows = tx.all(_OF_CONNECTION, project_id=project_id, connection_id=connection_id)
    return [_monitored(row) for row in rows]
