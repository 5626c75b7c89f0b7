"""The operations on connection monitors."""

from landbridge.api import row
from landbridge.operations import monitors
from landbridge.wire import monitors as wire_monitors
from landbridge.wire import parameters

ROWS: tuple[row.Operation, ...] = (
    row.Operation(
        name="create_connection_monitor",
        method="POST",
        path="/v5/{project_id}/connection-monitors",
        summary="Create the monitor of a connection, from its endpoint to the customer gateway",
        success=201,
        run=monitors.create,
        parse=row.creation(wire_monitors.CreateMonitor, "connection_monitor"),
        render=wire_monitors.made,
        answer=wire_monitors.OneMonitor,
        accepts=("connection_monitor", wire_monitors.CreateMonitor),
    ),
    row.Operation(
        name="show_connection_monitor",
        method="GET",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Show a connection monitor",
        success=200,
        run=monitors.show,
        parse=row.by("connection_monitor_id"),
        render=wire_monitors.shown,
        answer=wire_monitors.OneMonitor,
    ),
    row.Operation(
        name="list_connection_monitors",
        method="GET",
        path="/v5/{project_id}/connection-monitors",
        summary="List connection monitors in the order of their creation; never cut into pages",
        success=200,
        run=monitors.list_all,
        parse=lambda incoming: row.Asked(
            request=(incoming.query["vpn_connection_id"], incoming.query["enterprise_project_id"])
        ),
        render=wire_monitors.listed,
        answer=wire_monitors.ManyMonitors,
        query=(
            parameters.uuid("vpn_connection_id", "only the one of this connection"),
            parameters.ENTERPRISE_PROJECT,
        ),
    ),
    row.Operation(
        name="delete_connection_monitor",
        method="DELETE",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Delete a connection monitor; it goes with its connection too",
        success=204,
        run=monitors.remove,
        parse=row.by("connection_monitor_id"),
    ),
)
