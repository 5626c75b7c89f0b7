"""Routing tables of VPN gateways on the wire."""

from typing import Any

from landbridge.wire import schema, shapes


class ResourceAnswer(schema.Answer):
    """NexthopResourceVo."""

    id: str
    type: str


class RouteAnswer(schema.Answer):
    """VpnGatewayRoutingTableEntryVo; `origin`, `as_path` and `med` come with BGP."""

    destination: str
    nexthop: str
    outbound_interface_ip: str
    nexthop_resource: ResourceAnswer | None = None


class RoutingTable(schema.Answer):
    routing_table: list[RouteAnswer]
    total_count: int
    page_info: shapes.PageInfo
    request_id: str


def route(
    destination: str, nexthop: str, outbound_interface_ip: str, resource: tuple[str, str] | None
) -> dict[str, Any]:
    return shapes.without_none(
        destination=destination,
        nexthop=nexthop,
        outbound_interface_ip=outbound_interface_ip,
        nexthop_resource={"id": resource[0], "type": resource[1]} if resource else None,
    )
