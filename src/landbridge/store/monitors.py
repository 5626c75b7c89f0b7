"""Rows of connection monitors. The id of a monitor is also in its connection's spec. Both change in one transaction."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from landbridge import model
from landbridge.store import codec, expressions, resources, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_connection_monitor, _connection = tables.connection_monitor, tables.connection
_vpn_gateway, _customer_gateway, _connection_observation = (
    tables.vpn_gateway,
    tables.customer_gateway,
    tables.connection_observation,
)
_INSERT = Statement(
    insert(_connection_monitor).values({name: bindparam(name) for name in ("id", "project_id", "connection_id")})
)
_ROW = select(
    _connection.c.spec,
    _vpn_gateway.c.spec,
    _customer_gateway.c.spec,
    expressions.JsonValue(_connection_observation.c.report, "monitor", "state"),
).select_from(
    _connection_monitor.join(_connection, _connection.c.id == _connection_monitor.c.connection_id)
    .join(_vpn_gateway, _vpn_gateway.c.seq == _connection.c.gateway_seq)
    .join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq)
    .outerjoin(_connection_observation, _connection_observation.c.connection_seq == _connection.c.seq)
)
_FIND = Statement(
    _ROW.where(_connection_monitor.c.id == bindparam("id"), _connection_monitor.c.project_id == bindparam("project_id"))
)
_LIST = Statement(
    _ROW.where(_connection_monitor.c.project_id == bindparam("project_id")).order_by(_connection_monitor.c.seq)
)
_OF_CONNECTION = Statement(
    _ROW.where(
        _connection_monitor.c.connection_id == bindparam("connection_id"),
        _connection_monitor.c.project_id == bindparam("project_id"),
    )
)
_REMOVE = Statement(delete(_connection_monitor).where(_connection_monitor.c.id == bindparam("id")))


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
    """A connection that has a monitor, and its two ends. `is_probed`: the last observation has results of the monitor's echoes."""

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
