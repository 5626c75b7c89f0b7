"""The timeline of a connection on the wire (an extension of ours): entries of several kinds."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from landbridge import model
from landbridge.wire import connections, facts, parameters, probes, schema, shapes

LIMIT, DEFAULT = 200, 50
QUERY = (parameters.integer("limit", "how many", 1, LIMIT, DEFAULT), parameters.marker())


class AttemptEntry(facts.AttemptAnswer):
    """One try to bring the tunnel up, or (within_sa) what happened to an IKE_SA that was up."""

    kind: Literal["attempt"]
    is_present: bool = Field(
        description="of the configuration that is loaded now; another one says nothing about the present"
    )
    is_named: bool = Field(description="false: the IKE daemon did not know which connection was meant")
    within_sa: bool


class StateEntry(schema.Answer):
    """The connection got this status, or its cause became known."""

    kind: Literal["state"]
    at: str
    status: str = Field(json_schema_extra={"enum": list(connections.STATUSES)})
    cause: str | None = Field(None, description="a section of docs/reference/causes.md")


class ChangeEntry(schema.Answer):
    """Somebody changed the connection, its VPN gateway or its customer gateway: an event of the audit trail."""

    kind: Literal["change"]
    at: str
    actor: str = Field(description="the access key; `this machine` for a command on the service's host")
    action: str = Field(description="the operation")
    resource_id: str = Field(description="what was changed")
    request_id: str = Field(description="of the request that made it")


class ProbeEntry(probes.ProbeAnswer):
    """The device was asked what it takes. What it answers is what something at its address said, without a proof."""

    kind: Literal["probe"]
    at: str = Field(description="when it was done; when it was asked for while it waits")


TimelineEntry = Annotated[AttemptEntry | StateEntry | ChangeEntry | ProbeEntry, Field(discriminator="kind")]


class Timeline(schema.Answer):
    """Entries of all kinds, newest first."""

    timeline: list[TimelineEntry]
    page_info: shapes.PageInfo
    request_id: str


def entry(
    at: datetime,
    told: model.Attempt | model.StateChange | model.RecordedProbe | model.AuditEvent,
    configuration: str,
) -> dict[str, Any]:
    """`configuration`: what is loaded now."""
    if isinstance(told, model.Attempt):
        fields = _attempt(told, configuration)
    elif isinstance(told, model.StateChange):
        fields = {"kind": "state", "status": told.status, "cause": told.cause}
    elif isinstance(told, model.RecordedProbe):
        fields = {"kind": "probe", **probes.probe(told)}
    else:
        fields = {
            "kind": "change",
            "actor": told.actor,
            "action": told.action,
            "resource_id": told.resource_id,
            "request_id": told.request_id,
        }
    return shapes.without_none(**{"at": shapes.time(at)} | fields)


def _attempt(told: model.Attempt, configuration: str) -> dict[str, Any]:
    return {
        "kind": "attempt",
        "is_present": told.configuration == configuration,
        "is_named": told.is_named,
        "within_sa": told.within_sa,
        **facts.attempt(told),
    }
