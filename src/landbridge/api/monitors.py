"""The operations on connection monitors."""

from landbridge.api import routes
from landbridge.operations import monitors
from landbridge.wire import monitors as wire_monitors
from landbridge.wire import parameters

ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="create_connection_monitor",
        method="POST",
        path="/v5/{project_id}/connection-monitors",
        summary="Create the monitor of a connection, from its endpoint to the customer gateway",
        success=201,
        run=monitors.create,
        parse=routes.creation(wire_monitors.CreateMonitor, "connection_monitor"),
        render=wire_monitors.made,
        answer=wire_monitors.OneMonitor,
        accepts=("connection_monitor", wire_monitors.CreateMonitor),
    ),
    routes.Route(
        name="show_connection_monitor",
        method="GET",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Show a connection monitor",
        success=200,
        run=monitors.show,
        parse=routes.by("connection_monitor_id"),
        render=wire_monitors.shown,
        answer=wire_monitors.OneMonitor,
    ),
    routes.Route(
        name="list_connection_monitors",
        method="GET",
        path="/v5/{project_id}/connection-monitors",
        summary="List connection monitors in the order of their creation; never cut into pages",
        success=200,
        run=monitors.list_all,
        parse=lambda incoming: routes.Asked(
            request=(incoming.query["vpn_connection_id"], incoming.query["enterprise_project_id"])
        ),
        render=wire_monitors.listed,
        answer=wire_monitors.ManyMonitors,
        query=(
            parameters.uuid("vpn_connection_id", "only the one of this connection"),
            parameters.ENTERPRISE_PROJECT,
        ),
    ),
    routes.Route(
        name="delete_connection_monitor",
        method="DELETE",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Delete a connection monitor; it goes with its connection too",
        success=204,
        run=monitors.remove,
        parse=routes.by("connection_monitor_id"),
    ),
)
