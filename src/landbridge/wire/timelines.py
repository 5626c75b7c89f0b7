"""The timeline of a connection on the wire (an extension of ours): entries of several kinds."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from landbridge import model
from landbridge.wire import attempts, bgp, connections, parameters, probes, schema, shapes

LIMIT, DEFAULT = 200, 50
QUERY = (parameters.integer("limit", "how many", 1, LIMIT, DEFAULT), parameters.marker())


class AttemptEntry(attempts.AttemptAnswer):
    """One negotiation of the tunnel, or (within_sa) an event of an IKE_SA that was up."""

    kind: Literal["attempt"]
    is_current: bool = Field(
        description="true: made with the configuration that is loaded now; only such an attempt can be a cause"
    )
    is_named: bool = Field(description="false: the IKE daemon could not assign the attempt to a connection")
    within_sa: bool = Field(description="true: the IKE_SA was up when the attempt began")


class StatusEntry(schema.Answer):
    """The status of the connection changed, or the cause of the status became known."""

    kind: Literal["status"]
    at: str
    status: str = Field(json_schema_extra={"enum": list(connections.STATUSES)})
    cause: str | None = Field(None, description="a section of docs/reference/causes.md")


class BgpEntry(schema.Answer):
    """The BGP session of the connection was established or ended, got its first route, or another cause."""

    kind: Literal["bgp"]
    at: str
    state: str = Field(json_schema_extra={"enum": list(bgp.STATES)})
    cause: str | None = Field(None, description="a section of docs/reference/causes.md")
    reason: str | None = Field(None, description="the cause in words")
    routes_received: int


class ChangeEntry(schema.Answer):
    """An event of the audit trail: a request changed the connection, its VPN gateway or its customer gateway."""

    kind: Literal["change"]
    at: str
    actor: str = Field(description="the access key; `this machine` for a command on the service's host")
    action: str = Field(description="the operation")
    resource_id: str = Field(description="the id of what was changed")
    request_id: str = Field(description="the id of the request")


class ProbeEntry(probes.ProbeAnswer):
    """A probe of the device. The answers are not authenticated."""

    kind: Literal["probe"]
    at: str = Field(description="when the probe was done; when it was ordered, while it waits")


TimelineEntry = Annotated[AttemptEntry | StatusEntry | BgpEntry | ChangeEntry | ProbeEntry, Field(discriminator="kind")]


class Timeline(schema.Answer):
    """Entries of all kinds, newest first."""

    timeline: list[TimelineEntry]
    page_info: shapes.PageInfo
    request_id: str


def entry(
    at: datetime,
    item: model.Attempt | model.StateChange | model.BgpChange | model.RecordedProbe | model.AuditEvent,
    configuration: str,
) -> dict[str, Any]:
    """`configuration`: the configuration that is loaded now."""
    if isinstance(item, model.Attempt):
        fields = _attempt(item, configuration)
    elif isinstance(item, model.StateChange):
        fields = {"kind": "status", "status": item.status, "cause": item.cause}
    elif isinstance(item, model.BgpChange):
        fields = {
            "kind": "bgp",
            "state": item.state,
            "cause": item.cause,
            "reason": item.reason,
            "routes_received": item.received,
        }
    elif isinstance(item, model.RecordedProbe):
        fields = {"kind": "probe", **probes.probe(item)}
    else:
        fields = {
            "kind": "change",
            "actor": item.actor,
            "action": item.action,
            "resource_id": item.resource_id,
            "request_id": item.request_id,
        }
    return shapes.without_none(**{"at": shapes.time(at)} | fields)


def _attempt(attempt: model.Attempt, configuration: str) -> dict[str, Any]:
    return {
        "kind": "attempt",
        "is_current": attempt.configuration == configuration,
        "is_named": attempt.is_named,
        "within_sa": attempt.within_sa,
        **attempts.attempt(attempt),
    }
