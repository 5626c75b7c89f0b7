"""The operations on connection monitors."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import monitors
from landbridge.wire import body, parameters
from landbridge.wire import monitors as wire_monitors


def _ref(incoming: routes.Incoming) -> body.Parsed[model.MonitorRef]:
    return body.Parsed(model.MonitorRef(monitor_id=incoming.path["connection_monitor_id"]))


def _list(incoming: routes.Incoming) -> body.Parsed[model.MonitorListRequest]:
    query = incoming.query
    request = model.MonitorListRequest(
        connection_id=query["vpn_connection_id"], enterprise_project_ids=query["enterprise_project_id"]
    )
    return body.Parsed(request)


ROUTES = (
    routes.Route(
        operation=monitors.create,
        method="POST",
        path="/v5/{project_id}/connection-monitors",
        summary="Create the monitor of a connection, from its endpoint to the customer gateway",
        success=201,
        parse=routes.parse_body(wire_monitors.CreateMonitor, "connection_monitor", lambda _, given: given.request()),
        render=wire_monitors.made,
        answer=wire_monitors.OneMonitor,
        accepts=("connection_monitor", wire_monitors.CreateMonitor),
    ),
    routes.Route(
        operation=monitors.show,
        method="GET",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Show a connection monitor",
        success=200,
        parse=_ref,
        render=wire_monitors.shown,
        answer=wire_monitors.OneMonitor,
    ),
    routes.Route(
        operation=monitors.list_all,
        method="GET",
        path="/v5/{project_id}/connection-monitors",
        summary="List connection monitors in the order of their creation; never cut into pages",
        success=200,
        parse=_list,
        render=wire_monitors.listed,
        answer=wire_monitors.ManyMonitors,
        query=(
            parameters.uuid("vpn_connection_id", "only the one of this connection"),
            parameters.ENTERPRISE_PROJECT,
        ),
    ),
    routes.Route(
        operation=monitors.remove,
        method="DELETE",
        path="/v5/{project_id}/connection-monitors/{connection_monitor_id}",
        summary="Delete a connection monitor; it goes with its connection too",
        success=204,
        parse=_ref,
    ),
)
