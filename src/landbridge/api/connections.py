"""The operations on connections."""

from landbridge.api import row
from landbridge.operations import connections
from landbridge.wire import connections as wire_connections
from landbridge.wire import queries
from landbridge.wire import shapes as wire_shapes


def _simulation(incoming: row.Incoming) -> row.Asked:
    parsed = queries.simulation(incoming.content)
    return row.Asked(ask=(incoming.path["vpn_connection_id"], parsed.value.state), ignored=parsed.ignored)


ROWS: tuple[row.Operation, ...] = (
    row.Operation(
        name="create_vpn_connection",
        method="POST",
        path="/v5/{project_id}/vpn-connection",
        summary="Create a connection: one POST, one tunnel",
        success=201,
        run=connections.create,
        parse=row.creation(wire_connections.CreateConnection, "vpn_connection"),
        render=lambda made: {"vpn_connection": wire_connections.connection(made.connection, None)},
        answer=wire_connections.OneConnection,
        accepts=("vpn_connection", wire_connections.CreateConnection),
        cautions=lambda made: made.cautions,
    ),
    row.Operation(
        name="show_vpn_connection",
        method="GET",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Show a connection with its status",
        success=200,
        run=connections.show,
        parse=row.by("vpn_connection_id"),
        render=lambda one: {"vpn_connection": wire_connections.connection(one.connection, one.status)},
        answer=wire_connections.OneConnection,
    ),
    row.Operation(
        name="list_vpn_connections",
        method="GET",
        path="/v5/{project_id}/vpn-connection",
        summary="List connections in the order of their creation",
        success=200,
        run=connections.list_page,
        parse=lambda incoming: row.Asked(ask=queries.connection_page(incoming.query)),
        render=lambda page: {
            "vpn_connections": [wire_connections.connection(one.connection, one.status) for one in page.connections],
            "page_info": wire_shapes.page_info(page.next_marker, len(page.connections)),
            "total_count": page.total,
        },
        answer=wire_connections.ManyConnections,
        query=(*row.PAGE_QUERY, ("vgw_id", "only connections of this VPN gateway")),
    ),
    row.Operation(
        name="delete_vpn_connection",
        method="DELETE",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Delete a connection: PENDING_DELETE at once, 404 when its tunnel is gone",
        success=204,
        run=connections.remove,
        parse=row.by("vpn_connection_id"),
    ),
    row.Operation(
        name="diagnose_vpn_connection",
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/diagnosis",
        summary="Why a connection is in its state: reason, remedy, evidence, SAs (an extension of ours)",
        success=200,
        run=connections.diagnose,
        parse=row.by("vpn_connection_id"),
        render=lambda one: {"diagnosis": wire_connections.diagnosis(one.connection, one.status, one.cautions)},
        answer=wire_connections.OneDiagnosis,
    ),
    row.Operation(
        name="simulate_vpn_connection",
        method="POST",
        path="/landbridge/v1/{project_id}/simulate/vpn-connections/{vpn_connection_id}",
        summary="How a connection is to fare on the simulated engine (an extension of ours)",
        success=204,
        run=connections.simulate,
        parse=_simulation,
        accepts=("simulate", queries.Simulate),
    ),
)
