"""Routing tables of VPN gateways on the wire."""

from typing import Any

from pydantic import Field

from landbridge import model
from landbridge.wire import schema, shapes

_ORIGINS = {"igp": "IGP", "egp": "EGP", "incomplete": "Incomplete"}


class ResourceAnswer(schema.Answer):
    """NexthopResourceVo."""

    id: str
    type: str


class RouteAnswer(schema.Answer):
    """VpnGatewayRoutingTableEntryVo."""

    destination: str
    nexthop: str
    outbound_interface_ip: str
    origin: str | None = Field(
        None, json_schema_extra={"enum": [*_ORIGINS.values()]}, description="only of a learned route (RFC 4271)"
    )
    as_path: str | None = Field(None, description="only of a learned route: AS numbers, that of the device first")
    med: int | None = Field(None, description="only of a learned route that has one; lower is better")
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
    learned: model.BgpRoute | None,
    resource: tuple[str, str] | None,
) -> dict[str, Any]:
    """`learned`: the route as BGP learned it, None for another one."""
    return shapes.without_none(
        destination=destination,
        nexthop=nexthop,
        outbound_interface_ip=outbound_interface_ip,
        origin=_ORIGINS[learned.origin] if learned and learned.origin else None,
        as_path=" ".join(map(str, learned.as_path)) if learned else None,
        med=learned.med if learned else None,
        nexthop_resource={"id": resource[0], "type": resource[1]} if resource else None,
    )
