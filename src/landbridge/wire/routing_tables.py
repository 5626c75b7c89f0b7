"""Routing tables of VPN gateways on the wire."""

from typing import Any

from pydantic import Field

from landbridge.wire import schema, shapes


class ResourceAnswer(schema.Answer):
    """NexthopResourceVo."""

    id: str
    type: str


class RouteAnswer(schema.Answer):
    """VpnGatewayRoutingTableEntryVo."""

    destination: str
    nexthop: str
    outbound_interface_ip: str
    as_path: str | None = Field(None, description="only of a learned route: AS numbers, that of the device first")
    nexthop_resource: ResourceAnswer | None = None


class RoutingTable(schema.Answer):
    routing_table: list[RouteAnswer]
    total_count: int
    page_info: shapes.PageInfo
    request_id: str


def route(
    destination: str,
    nexthop: str,
    outbound_interface_ip: str,
    as_path: tuple[int, ...] | None,
    resource: tuple[str, str] | None,
) -> dict[str, Any]:
    """`as_path`: None for a route that was not learned."""
    return shapes.without_none(
        destination=destination,
        nexthop=nexthop,
        outbound_interface_ip=outbound_interface_ip,
        as_path=None if as_path is None else " ".join(map(str, as_path)),
        nexthop_resource={"id": resource[0], "type": resource[1]} if resource else None,
    )
