"""The audit trail on the wire (an extension of ours)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from landbridge import model
from landbridge.wire import parameters, schema, shapes

LIMIT, DEFAULT = 500, 100


def query(actions: tuple[str, ...]) -> tuple[parameters.Parameter, ...]:
    return (
        parameters.string("resource_id", "only events of this resource"),
        parameters.choice("action", "only events of this operation", actions),
        parameters.string("actor", "only events of this access key"),
        parameters.time("from", "only events of this time or later"),
        parameters.time("to", "only events of this time or earlier"),
        parameters.integer("limit", "how many", 1, LIMIT, DEFAULT),
        parameters.marker(),
    )


class AuditEventAnswer(schema.Answer):
    """An event of the audit trail: one change."""

    at: str
    actor: str = Field(description="the access key; `this machine` for a command on the service's host")
    action: str = Field(description="the operation")
    resource_id: str = Field(description="the id of the resource that was changed")
    resource_name: str | None = Field(
        None, description="its name now; absent when it is deleted, and for what has no name, such as a key"
    )
    request_id: str = Field(description="the id of the request, as in its answer and in the service's log")


class ManyAuditEvents(schema.Answer):
    """Events, newest first. A page with a filter by action or actor may be short or empty although it has a next_marker."""

    audit_events: list[AuditEventAnswer]
    page_info: shapes.PageInfo
    request_id: str


def event(value: model.AuditEvent, name: str | None = None) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(value.at),
        actor=value.actor,
        action=value.action,
        resource_id=value.resource_id,
        resource_name=name,
        request_id=value.request_id,
    )


def page(values: Sequence[model.AuditEvent], next_marker: str | None, names: Mapping[str, str]) -> dict[str, Any]:
    """`names`: id of a resource -> its name."""
    events = [event(value, names.get(value.resource_id)) for value in values]
    return {"audit_events": events, "page_info": shapes.page_info(next_marker, len(values))}
