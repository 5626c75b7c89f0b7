"""The operations on lists of statuses of connections and gateways (extensions of ours)."""

from typing import Any

from landbridge import model
from landbridge.api import routes
from landbridge.operations import status_lists
from landbridge.wire import body
from landbridge.wire import status_lists as wire


def _list(incoming: routes.Incoming) -> body.Parsed[model.StatusListRequest]:
    query = incoming.query
    request = model.StatusListRequest(
        limit=query["limit"],
        marker=query["marker"] or "",
        status=query["status"],
        name=query["name"],
        gateway_id=query.get("vgw_id"),
        cause=query.get("cause"),
    )
    return body.Parsed(request)


def _render(collection: str, page: status_lists.StatusPage) -> dict[str, Any]:
    rows = [
        wire.row(
            resource.id,
            resource.name,
            resource.status,
            resource.since,
            reason=resource.reason,
            cause=resource.cause,
            remedy=resource.remedy,
            vgw_id=resource.gateway_id,
            redundant=resource.redundant,
        )
        for resource in page.rows
    ]
    return wire.page(collection, rows, page.next_marker)


ROUTES = (
    routes.Route(
        operation=status_lists.list_connections,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections",
        summary="The statuses of all connections, each with its time, cause, reason and remedy (an extension of ours)",
        success=200,
        parse=_list,
        render=lambda page: _render("vpn_connections", page),
        answer=wire.ManyConnectionStatuses,
        query=wire.connections_query(status_lists.CAUSES),
    ),
    routes.Route(
        operation=status_lists.list_gateways,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-gateways",
        summary="The status of each VPN gateway, since when, and why in one line (an extension of ours)",
        success=200,
        parse=_list,
        render=lambda page: _render("vpn_gateways", page),
        answer=wire.ManyGatewayStatuses,
        query=wire.query(wire.GATEWAY_STATUSES),
    ),
)
