"""Lists of ours under /landbridge: the statuses of connections and gateways."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from landbridge.wire import connections, gateways, parameters, schema, shapes

LIMIT, DEFAULT = 500, 100
CONNECTION_STATUSES, GATEWAY_STATUSES = connections.STATUSES, gateways.STATUSES
_NAME = parameters.string("name", "only those of exactly this name")


def query(statuses: tuple[str, ...]) -> tuple[parameters.Parameter, ...]:
    return (
        parameters.choice("status", "only those of this status", statuses),
        _NAME,
        parameters.integer("limit", "how many", 1, LIMIT, DEFAULT),
        parameters.marker(),
    )


def connections_query(causes: tuple[str, ...]) -> tuple[parameters.Parameter, ...]:
    return (
        *query(CONNECTION_STATUSES),
        parameters.uuid("vgw_id", "only those of this VPN gateway"),
        parameters.choice(
            "cause", "only those whose first cause has this code: a section of docs/reference/causes.md", causes
        ),
    )


class StatusAnswer(schema.Answer):
    """The status of one resource, and why."""

    id: str
    name: str
    status: str
    since: str | None = Field(
        None,
        description="when the status changed last; for a status from before an upgrade to this version, the first observation after the upgrade",
    )
    reason: str | None = Field(None, description="why, in one line; the diagnosis says more")


class ConnectionStatusAnswer(StatusAnswer):
    """The status of a connection with its cause. The cause of an ACTIVE connection is its first warning."""

    cause: str | None = Field(
        None, description="the code of the likeliest cause: a section of docs/reference/causes.md"
    )
    remedy: str | None = Field(None, description="what to change, in one line")
    vgw_id: str = Field(description="the id of its VPN gateway")


class GatewayStatusAnswer(StatusAnswer):
    """The status of a VPN gateway."""

    redundant: bool | None = Field(
        None,
        description="whether no connection and no endpoint carries a subnet alone now; absent while no connection has a subnet",
    )


class ManyConnectionStatuses(schema.Answer):
    """With a filter a page may be short, or empty, and still have a next_marker."""

    vpn_connections: list[ConnectionStatusAnswer]
    page_info: shapes.PageInfo
    request_id: str


class ManyGatewayStatuses(schema.Answer):
    """The gateways of a project, in the order of their creation."""

    vpn_gateways: list[GatewayStatusAnswer]
    page_info: shapes.PageInfo
    request_id: str


def row(resource_id: str, name: str, status: str, since: datetime | None, **more: str | bool | None) -> dict[str, Any]:
    """`more`: fields that some rows have."""
    return shapes.without_none(
        id=resource_id, name=name, status=status, since=shapes.time(since) if since else None, **more
    )


def page(collection: str, rows: Sequence[dict[str, Any]], next_marker: str | None) -> dict[str, Any]:
    return {collection: list(rows), "page_info": shapes.page_info(next_marker, len(rows))}
