"""The audit trail on the wire (an extension of ours)."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from landbridge import model
from landbridge.wire import parameters, schema, shapes

LIMIT, DEFAULT = 500, 100
QUERY = (
    parameters.string("resource_id", "only what was done to this resource"),
    parameters.string("action", "only this operation, such as update_vpn_connection"),
    parameters.string("actor", "only what this access key did"),
    parameters.time("from", "only what was done then or later"),
    parameters.time("to", "only what was done then or earlier"),
    parameters.integer("limit", "how many", 1, LIMIT, DEFAULT),
    parameters.marker(),
)


class AuditEventAnswer(schema.Answer):
    """Who did what, when."""

    at: str
    actor: str = Field(description="the access key; `this machine` for a command on the service's host")
    action: str = Field(description="the operation")
    resource_id: str = Field(description="what it was done to")
    request_id: str = Field(description="of the request that did it: as in its answer and in the service's log")


class ManyAuditEvents(schema.Answer):
    """Newest first. With a filter by action or actor a page may be short, or empty, and still have a next_marker."""

    audit_events: list[AuditEventAnswer]
    page_info: shapes.PageInfo
    request_id: str


def event(value: model.AuditEvent) -> dict[str, Any]:
    return {
        "at": shapes.time(value.at),
        "actor": value.actor,
        "action": value.action,
        "resource_id": value.resource_id,
        "request_id": value.request_id,
    }


def page(values: Sequence[model.AuditEvent], next_marker: str | None) -> dict[str, Any]:
    return {"audit_events": list(map(event, values)), "page_info": shapes.page_info(next_marker, len(values))}
