"""The audit trail of a project, in pages (an extension of ours)."""

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.operations import access, console_sessions, paging, pausing
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import audit_trail, resources
from landbridge.store.database import Transaction

#: Events that one request reads. A page with a filter by action or actor may be shorter than its limit although it is not the last page.
LOOKED_THROUGH = 2000
_LIST = "audit events"
#: The actions in the audit trail of a project that are not the name of an operation of the API.
OTHER_ACTIONS = (
    *access.EVENTS.values(),
    access.REVOKED,
    pausing.PAUSED,
    pausing.RESUMED,
    *console_sessions.ACTIONS,
    "probe",
    "show_psk",
    "simulate",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Events, newest first. `names`: id of a resource that exists -> its name."""

    events: list[model.AuditEvent]
    next_marker: str | None
    names: Mapping[str, str]


@operation("list_audit_events", "admin", "long read")
def list_page(tx: Transaction, call: Call, request: model.AuditListRequest) -> AuditPage:
    before = paging.after(call, _LIST, request.marker) or None
    rows = audit_trail.newest(
        tx,
        call.project_id,
        LOOKED_THROUGH + 1,
        before=before,
        resource_id=request.resource_id,
        since=request.since,
        until=request.until,
    )
    looked_at = rows[:LOOKED_THROUGH]
    events = [event for event in looked_at if request.fits(event)][: request.limit]
    last = events[-1] if len(events) == request.limit else looked_at[-1] if looked_at else None
    more = last is not None and last.seq != rows[-1].seq
    names = resources.names(tx, call.project_id, (event.resource_id for event in events))
    marker = paging.marker(call, _LIST, last.seq) if more and last else None
    return AuditPage(events=events, next_marker=marker, names=names)
