"""The operations on VPN gateways."""

from typing import Any

from landbridge.api import routes
from landbridge.operations import gateway_updates, gateway_upgrades, gateways, routing_tables
from landbridge.wire import body, gateway_jobs, parameters, shapes
from landbridge.wire import gateways as wire_gateways
from landbridge.wire import routing_tables as wire_routing_tables


def _update(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse(wire_gateways.UpdateGateway, "vpn_gateway", incoming.content)
    return routes.Asked(
        request=(incoming.path["vgw_id"], parsed.value.update_request()),
        violations=parsed.violations,
        ignored=parsed.ignored,
    )


def _change_flavor(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse(wire_gateways.ChangeFlavor, "vpn_gateway", incoming.content)
    return routes.Asked(
        request=(incoming.path["vgw_id"], parsed.value.flavor), violations=parsed.violations, ignored=parsed.ignored
    )


def _gateway(shown: gateways.ShownGateway) -> dict[str, Any]:
    return wire_gateways.gateway(shown.gateway, shown.status, (shown.connections, shown.groups), shown=not shown.short)


def _upgrade(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse_bare(gateway_jobs.UpgradeShape, incoming.content)
    return routes.Asked(
        request=(incoming.path["vgw_id"], parsed.value.action), violations=parsed.violations, ignored=parsed.ignored
    )


def _routes(incoming: routes.Incoming) -> routes.Asked:
    query = incoming.query
    part = (query["limit"], query["marker"] or "", query["offset"], query["is_include_nexthop_resource"])
    return routes.Asked(request=(incoming.path["vgw_id"], *part))


def _routing_table(table: routing_tables.RoutingTablePage) -> dict[str, Any]:
    routes = [
        wire_routing_tables.route(
            one.destination, one.nexthop, one.outbound_interface_ip, one.resource if table.with_resources else None
        )
        for one in table.routes
    ]
    return {
        "routing_table": routes,
        "total_count": table.total,
        "page_info": shapes.page_info(table.next_marker, len(routes)),
    }


ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="create_vgw",
        method="POST",
        path="/v5/{project_id}/vpn-gateways",
        summary="Create a VPN gateway",
        success=201,
        run=gateways.create,
        parse=routes.creation(wire_gateways.CreateGateway, "vpn_gateway"),
        render=lambda made: {"vpn_gateway": _gateway(made)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.CreateGateway),
        warnings=lambda made: made.warnings,
    ),
    routes.Route(
        name="list_availability_zones",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/availability-zones",
        summary="List the zones that gateways can be in, by flavor and attachment type",
        success=200,
        run=gateways.list_zones,
        parse=lambda _: routes.Asked(request=None),
        render=lambda where: {"availability_zones": wire_gateways.zones(where)},
        answer=wire_gateways.AvailabilityZones,
    ),
    routes.Route(
        name="list_extended_availability_zones",
        method="GET",
        path="/v5.1/{project_id}/vpn-gateways/availability-zones",
        summary="List the zones, each with what gateways can be in it",
        success=200,
        run=gateways.list_extended_zones,
        parse=lambda _: routes.Asked(request=None),
        render=lambda where: {"availability_zones": wire_gateways.extended_zones(where)},
        answer=wire_gateways.ExtendedZones,
    ),
    routes.Route(
        name="list_vpn_gateway_jobs",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/jobs",
        summary="List upgrades of VPN gateways and how they stand, in the order of their creation",
        success=200,
        run=gateway_upgrades.list_jobs,
        parse=lambda incoming: routes.Asked(
            request=(incoming.query["limit"], incoming.query["marker"], incoming.query["resource_id"])
        ),
        render=lambda jobs: {"jobs": [gateway_jobs.job(one.job, one.status) for one in jobs]},
        answer=gateway_jobs.ManyJobs,
        query=(
            parameters.uuid("resource_id", "only those of this gateway"),
            parameters.LIMIT,
            parameters.time_marker(),
        ),
    ),
    routes.Route(
        name="delete_vpn_gateway_job",
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/jobs/{job_id}",
        summary="Forget an upgrade that is over",
        success=204,
        run=gateway_upgrades.remove_job,
        parse=routes.by("job_id"),
    ),
    routes.Route(
        name="upgrade_vpn_gateway",
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/upgrade",
        summary="Restart what carries a VPN gateway, with the program that is installed now; then finish or roll back",
        success=200,
        run=gateway_upgrades.upgrade,
        parse=_upgrade,
        render=lambda one: {"job_id": one.job.id},
        answer=gateway_jobs.UpgradeAnswer,
        accepts=("", gateway_jobs.UpgradeShape),
        warnings=lambda one: one.warnings,
        versions=True,
        deleting=True,
    ),
    routes.Route(
        name="show_vpn_gateway_routing_table",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/routing-table",
        summary="Show the routes that are installed, as the engine saw them last",
        success=200,
        run=routing_tables.show,
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
        name="show_vgw",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Show a VPN gateway with its status",
        success=200,
        run=gateways.show,
        parse=routes.by("vgw_id"),
        render=lambda one: {"vpn_gateway": _gateway(one)},
        answer=wire_gateways.OneGateway,
        etag=lambda one: one.etag,
    ),
    routes.Route(
        name="list_vgws",
        method="GET",
        path="/v5/{project_id}/vpn-gateways",
        summary="List all VPN gateways; never cut into pages",
        success=200,
        run=gateways.list_all,
        parse=lambda incoming: routes.Asked(
            request=(incoming.query["vgw_id"], incoming.query["enterprise_project_id"])
        ),
        query=(
            parameters.uuid("vgw_id", "only this one"),
            parameters.ENTERPRISE_PROJECT,
        ),
        render=lambda many: {"vpn_gateways": [_gateway(one) for one in many]},
        answer=wire_gateways.ManyGateways,
    ),
    routes.Route(
        name="update_vgw",
        method="PUT",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Change a VPN gateway: what is left out stays. Another EIP moves the connections that are on it",
        success=200,
        run=gateway_updates.update,
        parse=_update,
        render=lambda one: {"vpn_gateway": _gateway(one)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.UpdateGateway),
        warnings=lambda one: one.warnings,
        etag=lambda one: one.etag,
        versions=True,
        deleting=True,
    ),
    routes.Route(
        name="update_postpaid_vgw_specification",
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/update-specification",
        summary="Change the flavor of a VPN gateway, and with it how many connections it may have",
        success=200,
        run=gateway_updates.change_flavor,
        parse=_change_flavor,
        render=lambda one: {"vpn_gateway": _gateway(one)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.ChangeFlavor),
        etag=lambda one: one.etag,
        versions=True,
        deleting=True,
    ),
    routes.Route(
        name="delete_vgw",
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Delete a VPN gateway that has no connections: PENDING_DELETE at once, then 404",
        success=204,
        run=gateways.remove,
        parse=routes.by("vgw_id"),
        versions=True,
    ),
    routes.Route(
        name="diagnose_vpn_gateway",
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-gateways/{vgw_id}/diagnosis",
        summary="Why a VPN gateway is in its state (an extension of ours)",
        success=200,
        run=gateways.diagnose,
        parse=routes.by("vgw_id"),
        render=lambda one: {"diagnosis": wire_gateways.diagnosis(one.gateway, one.status)},
        answer=wire_gateways.OneGatewayDiagnosis,
    ),
)
