"""The operations that are served, a row each. What is not in this table does not exist."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic

from landbridge import model
from landbridge.operations import connections, customer_gateways, gateways
from landbridge.wire import body, queries
from landbridge.wire import connections as wire_connections
from landbridge.wire import customer_gateways as wire_customer_gateways
from landbridge.wire import gateways as wire_gateways
from landbridge.wire import shapes as wire_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request, taken apart but not yet understood."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks: the operation's argument, what was wrong with its shape, and what was not known."""

    ask: Any
    violations: tuple[model.Violation, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`name` as the SDK spells it. `accepts`: envelope and shape of the body."""

    name: str
    method: str
    path: str
    summary: str
    success: int
    run: Callable[..., Any]
    parse: Callable[[Incoming], Asked]
    render: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})
    answer: type[pydantic.BaseModel] | None = None
    accepts: tuple[str, type[body.Shape]] | None = None
    query: tuple[tuple[str, str], ...] = ()
    cautions: Callable[[Any], tuple[model.Caution, ...]] = field(default=lambda _: ())


#: Paths that anybody may read. The guard test knows no other list.
PUBLIC = ("/healthz", "/readyz", "/openapi.json", "/docs")

PAGE_QUERY = (("limit", "how many, 1 to 2000 (default 2000)"), ("marker", "the next_marker of the page before"))


def _creation(shape: type[body.Shape], envelope: str) -> Callable[[Incoming], Asked]:
    def parse(incoming: Incoming) -> Asked:
        parsed: body.Parsed[Any] = body.parse(shape, envelope, incoming.content)
        return Asked(ask=parsed.value.ask(), violations=parsed.violations, ignored=parsed.ignored)

    return parse


def _by(name: str) -> Callable[[Incoming], Asked]:
    return lambda incoming: Asked(ask=incoming.path[name])


def _simulation(incoming: Incoming) -> Asked:
    parsed = queries.simulation(incoming.content)
    return Asked(ask=(incoming.path["vpn_connection_id"], parsed.value.state), ignored=parsed.ignored)


TABLE: tuple[Operation, ...] = (
    Operation(
        name="create_vpn_connection",
        method="POST",
        path="/v5/{project_id}/vpn-connection",
        summary="Create a connection: one POST, one tunnel",
        success=201,
        run=connections.create,
        parse=_creation(wire_connections.CreateConnection, "vpn_connection"),
        render=lambda made: {"vpn_connection": wire_connections.connection(made.connection, None)},
        answer=wire_connections.OneConnection,
        accepts=("vpn_connection", wire_connections.CreateConnection),
        cautions=lambda made: made.cautions,
    ),
    Operation(
        name="show_vpn_connection",
        method="GET",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Show a connection with its status",
        success=200,
        run=connections.show,
        parse=_by("vpn_connection_id"),
        render=lambda one: {"vpn_connection": wire_connections.connection(one.connection, one.status)},
        answer=wire_connections.OneConnection,
    ),
    Operation(
        name="list_vpn_connections",
        method="GET",
        path="/v5/{project_id}/vpn-connection",
        summary="List connections in the order of their creation",
        success=200,
        run=connections.list_page,
        parse=lambda incoming: Asked(ask=queries.connection_page(incoming.query)),
        render=lambda page: {
            "vpn_connections": [wire_connections.connection(one.connection, one.status) for one in page.connections],
            "page_info": wire_shapes.page_info(page.next_marker, len(page.connections)),
            "total_count": page.total,
        },
        answer=wire_connections.ManyConnections,
        query=(*PAGE_QUERY, ("vgw_id", "only connections of this VPN gateway")),
    ),
    Operation(
        name="delete_vpn_connection",
        method="DELETE",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}",
        summary="Delete a connection: PENDING_DELETE at once, 404 when its tunnel is gone",
        success=204,
        run=connections.remove,
        parse=_by("vpn_connection_id"),
    ),
    Operation(
        name="create_vgw",
        method="POST",
        path="/v5/{project_id}/vpn-gateways",
        summary="Create a VPN gateway",
        success=201,
        run=gateways.create,
        parse=_creation(wire_gateways.CreateGateway, "vpn_gateway"),
        render=lambda made: {"vpn_gateway": _gateway(made)},
        answer=wire_gateways.OneGateway,
        accepts=("vpn_gateway", wire_gateways.CreateGateway),
    ),
    Operation(
        name="show_vgw",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Show a VPN gateway with its status",
        success=200,
        run=gateways.show,
        parse=_by("vgw_id"),
        render=lambda one: {"vpn_gateway": _gateway(one)},
        answer=wire_gateways.OneGateway,
    ),
    Operation(
        name="list_vgws",
        method="GET",
        path="/v5/{project_id}/vpn-gateways",
        summary="List all VPN gateways; never cut into pages",
        success=200,
        run=gateways.list_all,
        parse=lambda incoming: Asked(ask=queries.gateway_filters(incoming.query)),
        query=(("vgw_id", "only this one"), ("enterprise_project_id", "only those of this enterprise project")),
        render=lambda many: {"vpn_gateways": [_gateway(one) for one in many]},
        answer=wire_gateways.ManyGateways,
    ),
    Operation(
        name="delete_vgw",
        method="DELETE",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}",
        summary="Delete a VPN gateway that has no connections: PENDING_DELETE at once, then 404",
        success=204,
        run=gateways.remove,
        parse=_by("vgw_id"),
    ),
    Operation(
        name="create_cgw",
        method="POST",
        path="/v5/{project_id}/customer-gateways",
        summary="Create a customer gateway",
        success=201,
        run=customer_gateways.create,
        parse=_creation(wire_customer_gateways.CreateCustomerGateway, "customer_gateway"),
        render=lambda made: {"customer_gateway": wire_customer_gateways.customer_gateway(made)},
        answer=wire_customer_gateways.OneCustomerGateway,
        accepts=("customer_gateway", wire_customer_gateways.CreateCustomerGateway),
    ),
    Operation(
        name="show_cgw",
        method="GET",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Show a customer gateway",
        success=200,
        run=customer_gateways.show,
        parse=_by("customer_gateway_id"),
        render=lambda one: {"customer_gateway": wire_customer_gateways.customer_gateway(one)},
        answer=wire_customer_gateways.OneCustomerGateway,
    ),
    Operation(
        name="list_cgws",
        method="GET",
        path="/v5/{project_id}/customer-gateways",
        summary="List customer gateways in the order of their creation",
        success=200,
        run=customer_gateways.list_page,
        parse=lambda incoming: Asked(ask=wire_shapes.page(incoming.query)),
        render=lambda page: {
            "customer_gateways": [wire_customer_gateways.customer_gateway(one) for one in page.customer_gateways],
            "page_info": wire_shapes.page_info(page.next_marker, len(page.customer_gateways)),
            "total_count": page.total,
        },
        answer=wire_customer_gateways.ManyCustomerGateways,
        query=PAGE_QUERY,
    ),
    Operation(
        name="delete_cgw",
        method="DELETE",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Delete a customer gateway that has no connections",
        success=204,
        run=customer_gateways.remove,
        parse=_by("customer_gateway_id"),
    ),
    Operation(
        name="diagnose_vpn_connection",
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/diagnosis",
        summary="Why a connection is in its state: reason, remedy, evidence, SAs (an extension of ours)",
        success=200,
        run=connections.show,
        parse=_by("vpn_connection_id"),
        render=lambda one: {"diagnosis": wire_connections.diagnosis(one.connection, one.status, one.cautions)},
        answer=wire_connections.OneDiagnosis,
    ),
    Operation(
        name="diagnose_vpn_gateway",
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-gateways/{vgw_id}/diagnosis",
        summary="Why a VPN gateway is in its state (an extension of ours)",
        success=200,
        run=gateways.show,
        parse=_by("vgw_id"),
        render=lambda one: {"diagnosis": wire_gateways.diagnosis(one.gateway, one.status)},
        answer=wire_gateways.OneGatewayDiagnosis,
    ),
    Operation(
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


def _gateway(shown: gateways.Shown) -> dict[str, Any]:
    return wire_gateways.gateway(shown.gateway, shown.status, (shown.connections, shown.groups))
