"""The audit trail."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """A change that was made. `actor`: the access key, or `this machine` for a command on the service's host. `action`: the name of the
    operation.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    resource_id: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditListRequest:
    """A page of a project's audit trail. The times are inclusive; None does not filter."""

    limit: int
    marker: str = ""
    resource_id: str | None = None
    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, event: AuditEvent) -> bool:
        """Whether the event has the action and the actor."""
        return self.action in (None, event.action) and self.actor in (None, event.actor)
