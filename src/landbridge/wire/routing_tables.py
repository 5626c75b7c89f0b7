"""Routing tables of VPN gateways on the wire."""

from collections.abc import Mapping
from typing import Any

import pydantic

from landbridge import errors, model
from landbridge.wire import shapes


class ResourceAnswer(pydantic.BaseModel):
    """NexthopResourceVo."""

    id: str
    type: str


class RouteAnswer(pydantic.BaseModel):
    """VpnGatewayRoutingTableEntryVo; `origin`, `as_path` and `med` come with BGP."""

    destination: str
    nexthop: str
    outbound_interface_ip: str
    nexthop_resource: ResourceAnswer | None = None


class RoutingTable(pydantic.BaseModel):
    routing_table: list[RouteAnswer]
    total_count: int
    page_info: shapes.PageInfo
    request_id: str


def route(
    destination: str, nexthop: str, outbound_interface_ip: str, resource: tuple[str, str] | None
) -> dict[str, Any]:
    return shapes.present(
        destination=destination,
        nexthop=nexthop,
        outbound_interface_ip=outbound_interface_ip,
        nexthop_resource={"id": resource[0], "type": resource[1]} if resource else None,
    )


def page(query: Mapping[str, str]) -> tuple[int, str, int, bool]:
    """(limit, marker, offset, with the next hops' resources). Raises Invalid."""
    offset, wanted = query.get("offset", "") or "0", query.get("is_include_nexthop_resource", "").lower()
    wrong = []
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 9):
        wrong.append(model.Violation("offset", f"{offset!r} is not allowed", "0 and more"))
    if wanted not in {"", "true", "false"}:
        wrong.append(model.Violation("is_include_nexthop_resource", f"{wanted!r} is not allowed", "true or false"))
    if wrong:
        raise errors.Invalid(wrong)
    return *shapes.page(query), int(offset), wanted == "true"
