"""Connection monitors: create, show, list, delete. The agent is nudged, and the engine then begins or ends the echoes of the monitor."""

from landbridge import errors, model
from landbridge.operations import idempotency, ids
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import fields
from landbridge.rules import monitor as rules
from landbridge.store import codec, connections, monitors
from landbridge.store.database import Transaction


@operation("create_connection_monitor", "admin", "write")
def create(tx: Transaction, call: Call, request: model.MonitorRequest) -> model.ConnectionMonitor:
    return idempotency.once(tx, call, create.name, codec.monitor, lambda: _create(tx, call, request))


def _create(tx: Transaction, call: Call, request: model.MonitorRequest) -> model.ConnectionMonitor:
    row = connections.find(tx, call.project_id, fields.lower_id(request.connection_id) or "")
    facts = (
        rules.MonitorFacts(connection=row.connection, deleting=row.deleting)
        if row
        else rules.MonitorFacts(connection=None)
    )
    call.refuse(rules.check(request, facts))
    if row is None:
        raise RuntimeError("the rules allow a monitor without a connection")
    monitored = monitors.add(tx, row.connection, ids.new_id())
    made = _of(_find(tx, call, monitored.monitor_id or ""))
    call.audit(tx, create.name, made.id)
    return made


def _of(monitored: monitors.MonitoredConnection) -> model.ConnectionMonitor:
    made = rules.monitor(
        monitored.connection, monitored.gateway, monitored.customer_gateway, is_probed=monitored.is_probed
    )
    if made is None:
        raise RuntimeError(f"connection {monitored.connection.id} has a monitor's row, and no monitor")
    return made


def _find(tx: Transaction, call: Call, monitor_id: str) -> monitors.MonitoredConnection:
    """The connection that has this monitor."""
    monitor = monitors.find(tx, call.project_id, monitor_id.lower())
    if monitor is None:
        raise errors.NotFound(f"connection monitor {monitor_id[:64]}")
    return monitor


@operation("show_connection_monitor", "reader", "read")
def show(tx: Transaction, call: Call, request: model.MonitorRef) -> model.ConnectionMonitor:
    return _of(_find(tx, call, request.monitor_id))


@operation("list_connection_monitors", "reader", "long read")
def list_all(tx: Transaction, call: Call, request: model.MonitorListRequest) -> list[model.ConnectionMonitor]:
    enterprises = request.enterprise_project_ids
    return [
        _of(monitor)
        for monitor in monitors.list_all(tx, call.project_id, request.connection_id)
        if not enterprises or monitor.connection.enterprise_project_id in enterprises
    ]


@operation("delete_connection_monitor", "admin", "write")
def remove(tx: Transaction, call: Call, request: model.MonitorRef) -> None:
    forget(tx, call, _find(tx, call, request.monitor_id).connection)


def forget(tx: Transaction, call: Call, connection: model.Connection) -> None:
    """Deletes the connection's monitor, if there is one. The delete of a connection calls this too."""
    if connection.monitor_id is not None:
        monitors.remove(tx, connection)
        call.audit(tx, remove.name, connection.monitor_id)
