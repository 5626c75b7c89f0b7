"""The operations on connections."""

import dataclasses

from landbridge import model
from landbridge.api import routes
from landbridge.model import allowed_values
from landbridge.operations import connection_lists, connection_updates, connections
from landbridge.wire import body, connection_requests, parameters, simulations, update_checks
from landbridge.wire import connections as wire_connections
from landbridge.wire import shapes as wire_shapes


def _ref(incoming: routes.Incoming) -> body.Parsed[model.ConnectionRef]:
    return body.Parsed(model.ConnectionRef(connection_id=incoming.path["vpn_connection_id"]))


def _list(incoming: routes.Incoming) -> body.Parsed[model.ConnectionListRequest]:
    """`vpn_id` and `eip_id` are the older names of `vgw_id` and `vgw_ip`."""
    query = incoming.query
    request = model.ConnectionListRequest(
        limit=query["limit"],
        marker=query["marker"] or "",
        gateway_ids=frozenset(filter(None, (query["vgw_id"], query["vpn_id"]))),
        endpoints=frozenset(filter(None, (query["vgw_ip"], query["eip_id"]))),
        enterprise_project_ids=query["enterprise_project_id"],
    )
    return body.Parsed(request)


def _simulation(incoming: routes.Incoming) -> body.Parsed[model.SimulationRequest]:
    parsed = simulations.parse(incoming.content)
    request = model.SimulationRequest(connection_id=incoming.path["vpn_connection_id"], state=parsed.value.state)
    return body.Parsed(request, ignored=parsed.ignored)


def _batch(incoming: routes.Incoming) -> body.Parsed[model.ConnectionBatchRequest]:
    items, beside = body.parse_many(
        connection_requests.CreateConnection, "vpn_connections", incoming.content, allowed_values.BATCH.high
    )
    inside = (f"vpn_connections[{number}].{name}" for number, item in enumerate(items) for name in item.ignored)
    requests = (model.ConnectionBatchItem(request=item.value.request(), violations=item.violations) for item in items)
    return body.Parsed(model.ConnectionBatchRequest(items=tuple(requests)), ignored=(*beside, *inside))


def _batch_warnings(made: list[connections.ChangedConnection]) -> tuple[model.Warning, ...]:
    return tuple(
        dataclasses.replace(warning, field=f"vpn_connections[{number}].{warning.field}")
        for number, changed in enumerate(made)
        for warning in changed.warnings
    )


_parse_update = routes.parse_body(
    connection_requests.UpdateConnection,
    "vpn_connection",
    lambda incoming, given: model.ConnectionUpdateRequest(
        connection_id=incoming.path["vpn_connection_id"],
        change=given.request(),
        replaces_tunnel=incoming.query["landbridge_psk"] == "replace",
    ),
)
_PSK_EFFECT = (
    parameters.choice(
        "landbridge_psk",
        "the effect of a new psk on a tunnel that is up. prove (default): the service tries the key beside the tunnel, and the"
        " tunnel stays up if the device refuses the key. replace: the service ends the tunnel and negotiates a new one (an"
        " extension of ours)",
        ("prove", "replace"),
    ),
)
ROUTES = (
    routes.Route(
        operation=connections.create,
        method="POST",
        path="/v5/{project_id}/vpn-connection",
        summary="Create a connection: one POST, one tunnel",
        success=201,
        parse=routes.parse_body(
            connection_requests.CreateConnection, "vpn_connection", lambda _, given: given.request()
        ),
        render=lambda made: {"vpn_connection": wire_connections.connection(made.connection)},
        answer=wire_connections.OneConnection,
        accepts=("vpn_connection", connection_requests.CreateConnection),
        warnings=lambda made: made.warnings,
    ),
    routes.Route(
        operation=connections.create_batch,
        method="POST",
        path="/v5/{project_id}/vpn-connections/batch-create",
        summary="Create several connections, all or none",
        success=201,
        parse=_batch,
        render=lambda made: {
            "vpn_connections": [wire_connections.connection(changed.connection) for changed in made],
        },
        answer=wire_connections.BatchOfConnections,
        accepts=("vpn_connections", connection_requests.CreateConnection),
        many=True,
        warnings=_batch_warnings,
    ),
    routes.Route(
        operation=connections.show,
        method="GET",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Show a connection with its status",
        success=200,
        parse=_ref,
        render=lambda shown: {"vpn_connection": wire_connections.shown(shown.connection, shown.status, shown.bgp_peer)},
        answer=wire_connections.OneConnection,
        etag=lambda shown: shown.etag,
    ),
    routes.Route(
        operation=connection_lists.list_page,
        method="GET",
        path="/v5/{project_id}/vpn-connection",
        summary="List connections in the order of their creation",
        success=200,
        parse=_list,
        render=lambda page: {
            "vpn_connections": wire_connections.shown_all(
                (shown.connection, shown.status, shown.bgp_peer) for shown in page.connections
            ),
            "page_info": wire_shapes.page_info(page.next_marker, len(page.connections)),
            "total_count": page.total,
        },
        answer=wire_connections.ManyConnections,
        query=(
            *parameters.PAGE,
            parameters.uuid("vgw_id", "only connections of this VPN gateway"),
            parameters.endpoint(
                "vgw_ip", "only those of this endpoint: an EIP id, or the address of a private endpoint"
            ),
            parameters.ENTERPRISE_PROJECT,
            parameters.uuid("vpn_id", "the older name of vgw_id"),
            parameters.endpoint("eip_id", "the older name of vgw_ip"),
        ),
    ),
    routes.Route(
        operation=connection_updates.update,
        method="PUT",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Change a connection: what is absent stays, also inside the policies",
        success=200,
        parse=_parse_update,
        render=lambda changed: {"vpn_connection": wire_connections.connection(changed.connection)},
        answer=wire_connections.OneConnection,
        accepts=("vpn_connection", connection_requests.UpdateConnection),
        query=_PSK_EFFECT,
        warnings=lambda changed: changed.warnings,
        etag=lambda changed: changed.etag,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=connection_updates.check,
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/check",
        summary="Check an update without making it: what would change, what that does to the tunnel, all violations and new warnings (an extension of"
        " ours)",
        success=200,
        parse=_parse_update,
        render=lambda result: {"check": update_checks.check(result, wire_connections.connection)},
        answer=update_checks.OneUpdateCheck,
        accepts=("vpn_connection", connection_requests.UpdateConnection),
        query=_PSK_EFFECT,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=connections.reset,
        method="POST",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}/reset",
        summary="End a connection's SAs and negotiate them anew",
        success=200,
        parse=_ref,
        answer=wire_connections.Reset,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=connections.list_sas,
        method="GET",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}/ipsec-sa",
        summary="The CHILD_SAs of a connection with their counters",
        success=200,
        parse=_ref,
        render=lambda diagnosis: {"sa_infos": wire_connections.sa_infos(diagnosis.status)},
        answer=wire_connections.ManySas,
    ),
    routes.Route(
        operation=connections.show_log,
        method="GET",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}/log",
        summary="What was said about a connection: the last lines of its negotiations, newest last",
        success=200,
        parse=_ref,
        render=lambda diagnosis: {"logs": wire_connections.logs(diagnosis.status)},
        answer=wire_connections.ManyLogs,
    ),
    routes.Route(
        operation=connections.remove,
        method="DELETE",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Delete a connection: PENDING_DELETE at once, 404 when its tunnel is gone",
        success=204,
        parse=_ref,
        compares_versions=True,
    ),
    routes.Route(
        operation=connections.diagnose,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/diagnosis",
        summary="Why a connection is in its state: reason, remedy, evidence, SAs (an extension of ours)",
        success=200,
        parse=_ref,
        render=lambda diagnosis: {
            "diagnosis": wire_connections.diagnosis(
                diagnosis.connection, diagnosis.status, diagnosis.warnings, diagnosis.asn, diagnosis.peer_asn
            )
        },
        answer=wire_connections.OneDiagnosis,
    ),
    routes.Route(
        operation=connections.simulate,
        method="POST",
        path="/landbridge/v1/{project_id}/simulate/vpn-connections/{vpn_connection_id}",
        summary="Set the state that the simulated engine shows for a connection (an extension of ours)",
        success=204,
        parse=_simulation,
        accepts=("simulate", simulations.Simulate),
        compares_versions=True,
    ),
)
