"""The operations on VPN gateways."""

from typing import Any

from landbridge import model
from landbridge.api import routes
from landbridge.operations import gateway_updates, gateway_upgrades, gateways, routing_tables
from landbridge.wire import body, gateway_diagnoses, gateway_jobs, parameters, shapes, update_checks
from landbridge.wire import gateways as wire_gateways
from landbridge.wire import routing_tables as wire_routing_tables


def _ref(incoming: routes.Incoming) -> body.Parsed[model.GatewayRef]:
    return body.Parsed(model.GatewayRef(gateway_id=incoming.path["vgw_id"]))


def _list(incoming: routes.Incoming) -> body.Parsed[model.GatewayListRequest]:
    request = model.GatewayListRequest(
        gateway_id=incoming.query["vgw_id"], enterprise_project_ids=incoming.query["enterprise_project_id"]
    )
    return body.Parsed(request)


def _list_jobs(incoming: routes.Incoming) -> body.Parsed[model.JobListRequest]:
    query = incoming.query
    request = model.JobListRequest(limit=query["limit"], created_after=query["marker"], gateway_id=query["resource_id"])
    return body.Parsed(request)


def _gateway(shown: gateways.ShownGateway) -> dict[str, Any]:
    return wire_gateways.gateway(shown.gateway, shown.status, (shown.connections, shown.groups), shown=not shown.short)


def _routes(incoming: routes.Incoming) -> body.Parsed[model.RoutingTableRequest]:
    query = incoming.query
    request = model.RoutingTableRequest(
        gateway_id=incoming.path["vgw_id"],
        limit=query["limit"],
        marker=query["marker"] or "",
        offset=query["offset"],
        with_resources=query["is_include_nexthop_resource"],
    )
    return body.Parsed(request)


def _routing_table(table: routing_tables.RoutingTablePage) -> dict[str, Any]:
    routes = [
        wire_routing_tables.route(
            route.destination,
            route.nexthop,
            route.outbound_interface_ip,
            route.learned,
            route.resource if table.with_resources else None,
        )
        for route in table.routes
    ]
    return {
        "routing_table": routes,
        "total_count": table.total,
        "page_info": shapes.page_info(table.next_marker, len(routes)),
    }


_parse_create = routes.parse_body(wire_gateways.CreateGateway, "vpn_gateway", lambda _, given: given.request())
_parse_update = routes.parse_body(
    wire_gateways.UpdateGateway,
    "vpn_gateway",
    lambda incoming, given: model.GatewayUpdateRequest(gateway_id=incoming.path["vgw_id"], change=given.change()),
)
ROUTES = (
    routes.Route(
        operation=gateways.create,
        method="POST",
        path="/v5/{project_id}/vpn-gateways",
        summary="Create a VPN gateway",
        success=201,
        parse=_parse_create,
        render=lambda made: {"vpn_gateway": _gateway(made)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.CreateGateway),
        warnings=lambda made: made.warnings,
    ),
    routes.Route(
        operation=gateways.check,
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-gateways/check",
        summary="Check a create without creating: all violations and warnings (an extension of ours)",
        success=200,
        parse=_parse_create,
        render=lambda result: {"check": update_checks.check_create(result)},
        answer=update_checks.OneCreateCheck,
        accepts=("vpn_gateway", wire_gateways.CreateGateway),
    ),
    routes.Route(
        operation=gateways.list_zones,
        method="GET",
        path="/v5/{project_id}/vpn-gateways/availability-zones",
        summary="List the zones that gateways can be in, by flavor and attachment type",
        success=200,
        parse=routes.empty,
        render=lambda where: {"availability_zones": wire_gateways.zones(where)},
        answer=wire_gateways.AvailabilityZones,
    ),
    routes.Route(
        operation=gateways.list_extended_zones,
        method="GET",
        path="/v5.1/{project_id}/vpn-gateways/availability-zones",
        summary="List the zones, each with what gateways can be in it",
        success=200,
        parse=routes.empty,
        render=lambda where: {"availability_zones": wire_gateways.extended_zones(where)},
        answer=wire_gateways.ExtendedZones,
    ),
    routes.Route(
        operation=gateway_upgrades.list_jobs,
        method="GET",
        path="/v5/{project_id}/vpn-gateways/jobs",
        summary="List upgrades of VPN gateways with their statuses, in the order of their creation",
        success=200,
        parse=_list_jobs,
        render=lambda jobs: {"jobs": [gateway_jobs.job(shown.job, shown.status) for shown in jobs]},
        answer=gateway_jobs.ManyJobs,
        query=(
            parameters.uuid("resource_id", "only those of this gateway"),
            parameters.LIMIT,
            parameters.time_marker(),
        ),
    ),
    routes.Route(
        operation=gateway_upgrades.remove_job,
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/jobs/{job_id}",
        summary="Forget an upgrade that is over",
        success=204,
        parse=lambda incoming: body.Parsed(model.JobRef(job_id=incoming.path["job_id"])),
    ),
    routes.Route(
        operation=gateway_upgrades.upgrade,
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/upgrade",
        summary="Restart a VPN gateway's IKE daemon, with the program that is installed now; then finish or roll back",
        success=200,
        parse=routes.parse_body(
            gateway_jobs.UpgradeShape,
            "",
            lambda incoming, given: model.UpgradeRequest(gateway_id=incoming.path["vgw_id"], action=given.action),
        ),
        render=lambda shown: {"job_id": shown.job.id},
        answer=gateway_jobs.UpgradeAnswer,
        accepts=("", gateway_jobs.UpgradeShape),
        warnings=lambda shown: shown.warnings,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=routing_tables.show,
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/routing-table",
        summary="Show the routes that are installed, as the engine saw them last",
        success=200,
        parse=_routes,
        render=_routing_table,
        answer=wire_routing_tables.RoutingTable,
        query=(
            *parameters.PAGE,
            parameters.integer("offset", "how many to leave out", 0, 10**9 - 1, 0),
            parameters.boolean("is_include_nexthop_resource", "with what each next hop belongs to"),
        ),
    ),
    routes.Route(
        operation=gateways.show,
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Show a VPN gateway with its status",
        success=200,
        parse=_ref,
        render=lambda shown: {"vpn_gateway": _gateway(shown)},
        answer=wire_gateways.OneGateway,
        etag=lambda shown: shown.etag,
    ),
    routes.Route(
        operation=gateways.list_all,
        method="GET",
        path="/v5/{project_id}/vpn-gateways",
        summary="List all VPN gateways in one page",
        success=200,
        parse=_list,
        query=(
            parameters.uuid("vgw_id", "only this one"),
            parameters.ENTERPRISE_PROJECT,
        ),
        render=lambda many: {"vpn_gateways": [_gateway(shown) for shown in many]},
        answer=wire_gateways.ManyGateways,
    ),
    routes.Route(
        operation=gateway_updates.update,
        method="PUT",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Change a VPN gateway: what is left out stays. Another EIP moves the connections that are on it",
        success=200,
        parse=_parse_update,
        render=lambda shown: {"vpn_gateway": _gateway(shown)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.UpdateGateway),
        warnings=lambda shown: shown.warnings,
        etag=lambda shown: shown.etag,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=gateway_updates.check,
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-gateways/{vgw_id}/check",
        summary="Check an update without making it: what would change, the connections whose tunnels would be negotiated anew, all violations and warnings"
        " (an extension of ours)",
        success=200,
        parse=_parse_update,
        render=lambda result: {
            "check": update_checks.check(result, lambda gateway: wire_gateways.gateway(gateway, None, (0, 0)))
        },
        answer=update_checks.OneUpdateCheck,
        accepts=("vpn_gateway", wire_gateways.UpdateGateway),
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=gateway_updates.change_flavor,
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/update-specification",
        summary="Change the flavor of a VPN gateway, and with it how many connections it may have",
        success=200,
        parse=routes.parse_body(
            wire_gateways.ChangeFlavor,
            "vpn_gateway",
            lambda incoming, given: model.FlavorRequest(gateway_id=incoming.path["vgw_id"], flavor=given.flavor),
        ),
        render=lambda shown: {"vpn_gateway": _gateway(shown)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.ChangeFlavor),
        etag=lambda shown: shown.etag,
        compares_versions=True,
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=gateways.remove,
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Delete a VPN gateway that has no connections: PENDING_DELETE at once, then 404",
        success=204,
        parse=_ref,
        compares_versions=True,
    ),
    routes.Route(
        operation=gateways.diagnose,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-gateways/{vgw_id}/diagnosis",
        summary="The reason of a VPN gateway's status, its connections by status and cause, its redundancy, and attempts of strangers (an extension of ours)",
        success=200,
        parse=_ref,
        render=lambda diagnosis: {
            "diagnosis": gateway_diagnoses.diagnosis(
                diagnosis.gateway, diagnosis.status, diagnosis.connections, diagnosis.strangers, diagnosis.redundancy
            )
        },
        answer=gateway_diagnoses.OneGatewayDiagnosis,
    ),
)
