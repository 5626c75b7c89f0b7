"""The routing table of a VPN gateway: what the engine saw installed at its last observation."""

from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.operations import gateways as gateway_operations
from landbridge.operations import paging
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import ipv4
from landbridge.store import connections
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRoute:
    """A route that the engine installed. `resource`: (id, type) of what the next hop belongs to. `learned`: the route as BGP learned it."""

    destination: str
    nexthop: str
    outbound_interface_ip: str
    resource: tuple[str, str]
    learned: model.BgpRoute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTablePage:
    """A page of a routing table. `with_resources`: whether the client asked for the resource of each route."""

    routes: list[InstalledRoute]
    total: int
    next_marker: str | None
    with_resources: bool


@operation("show_vpn_gateway_routing_table", "reader", "long read")
def show(tx: Transaction, call: Call, request: model.RoutingTableRequest) -> RoutingTablePage:
    routes, name = _routes(tx, call, request.gateway_id), f"routes {request.gateway_id.lower()}"
    first = paging.after(call, name, request.marker) + request.offset
    end = first + request.limit
    return RoutingTablePage(
        routes=routes[first:end],
        total=len(routes),
        next_marker=paging.marker(call, name, end) if end < len(routes) else None,
        with_resources=request.with_resources,
    )


def _routes(tx: Transaction, call: Call, gateway_id: str) -> list[InstalledRoute]:
    """The routes to the networks behind the gateway, then those into its tunnels, each in the order of addresses."""
    row = gateway_operations.find(tx, call, gateway_id)
    routes = [
        InstalledRoute(
            destination=str(ipv4.block(address).network),
            nexthop=address.split("/")[0],
            outbound_interface_ip=address.split("/")[0],
            resource=(row.gateway.network_id or "", row.gateway.attachment_type),
        )
        for address in row.observed.inner_addresses
    ]
    through = [
        route
        for connection, observation in connections.observed_of_gateway(tx, row.seq)
        for route in _through(connection, observation, row.gateway.endpoints[connection.endpoint - 1].address)
    ]
    return routes + sorted(through, key=lambda route: (ipv4.block(route.destination), route.resource))


def _through(
    connection: model.Connection, observation: model.ConnectionObservation, outbound: str
) -> Iterator[InstalledRoute]:
    """The routes into one tunnel, the learned ones among them. `outbound`: the address of the endpoint."""
    inner = (connection.tunnel_peer_address or "").split("/")[0]
    learned = {route.prefix: route for route in (observation.bgp.routes if observation.bgp else ())}
    for destination in dict.fromkeys((*observation.routes, *learned)):
        route = learned.get(destination)
        yield InstalledRoute(
            destination=destination,
            nexthop=route.next_hop if route else inner or observation.peer_address or "",
            outbound_interface_ip=outbound,
            resource=(connection.id, "vpn-connection"),
            learned=route,
        )
