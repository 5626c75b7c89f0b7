"""The operations on VPN gateways."""

from typing import Any

from landbridge.api import row
from landbridge.operations import gateways
from landbridge.wire import gateways as wire_gateways
from landbridge.wire import queries

ROWS: tuple[row.Operation, ...] = (
    row.Operation(
        name="create_vgw",
        method="POST",
        path="/v5/{project_id}/vpn-gateways",
        summary="Create a VPN gateway",
        success=201,
        run=gateways.create,
        parse=row.creation(wire_gateways.CreateGateway, "vpn_gateway"),
        render=lambda made: {"vpn_gateway": _gateway(made)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.CreateGateway),
    ),
    row.Operation(
        name="show_vgw",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Show a VPN gateway with its status",
        success=200,
        run=gateways.show,
        parse=row.by("vgw_id"),
        render=lambda one: {"vpn_gateway": _gateway(one)},
        answer=wire_gateways.OneGateway,
    ),
    row.Operation(
        name="list_vgws",
        method="GET",
        path="/v5/{project_id}/vpn-gateways",
        summary="List all VPN gateways; never cut into pages",
        success=200,
        run=gateways.list_all,
        parse=lambda incoming: row.Asked(ask=queries.gateway_filters(incoming.query)),
        query=(("vgw_id", "only this one"), ("enterprise_project_id", "only those of this enterprise project")),
        render=lambda many: {"vpn_gateways": [_gateway(one) for one in many]},
        answer=wire_gateways.ManyGateways,
    ),
    row.Operation(
        name="delete_vgw",
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Delete a VPN gateway that has no connections: PENDING_DELETE at once, then 404",
        success=204,
        run=gateways.remove,
        parse=row.by("vgw_id"),
    ),
    row.Operation(
        name="diagnose_vpn_gateway",
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-gateways/{vgw_id}/diagnosis",
        summary="Why a VPN gateway is in its state (an extension of ours)",
        success=200,
        run=gateways.diagnose,
        parse=row.by("vgw_id"),
        render=lambda one: {"diagnosis": wire_gateways.diagnosis(one.gateway, one.status)},
        answer=wire_gateways.OneGatewayDiagnosis,
    ),
)


def _gateway(shown: gateways.Shown) -> dict[str, Any]:
    return wire_gateways.gateway(shown.gateway, shown.status, (shown.connections, shown.groups))
