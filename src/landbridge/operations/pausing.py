"""Pauses of the agent, for the whole service or for one gateway. A paused agent watches and reports, and changes nothing.

The audit trail has each pause and each end of one; those of a gateway are in the trail of its project.
"""

from datetime import datetime

from landbridge import errors
from landbridge.store import audit_trail, gateways, pauses
from landbridge.store.database import Transaction

#: The actions of the audit trail.
PAUSED, RESUMED = "pause_agent", "resume_agent"
_SERVICE = "service"


def pause(tx: Transaction, gateway_id: str | None, now: datetime) -> datetime:
    """Pauses, and returns the start of the pause: `now`, or the time of a pause that has begun earlier. Raises NotFound."""
    project_id = _project(tx, gateway_id)
    if gateway_id is not None and project_id is None:
        raise errors.NotFound(f"VPN gateway {gateway_id[:64]}")
    if pauses.add(tx, gateway_id, now):
        audit_trail.append_local(tx, PAUSED, gateway_id or _SERVICE, now, project_id)
    return pauses.list_all(tx)[gateway_id]


def resume(tx: Transaction, gateway_id: str | None, now: datetime) -> None:
    """Ends one pause: that of the gateway, or that of the whole service. Raises NotFound."""
    if not pauses.remove(tx, gateway_id):
        target = "the service" if gateway_id is None else f"VPN gateway {gateway_id[:64]}"
        raise errors.NotFound(f"a pause of {target}")
    audit_trail.append_local(tx, RESUMED, gateway_id or _SERVICE, now, _project(tx, gateway_id))


def list_all(tx: Transaction) -> dict[str | None, datetime]:
    """Gateway id (None: the whole service) -> time of the pause."""
    return pauses.list_all(tx)


def _project(tx: Transaction, gateway_id: str | None) -> str | None:
    """None for the whole service, and for a gateway that does not exist."""
    row = None if gateway_id is None else gateways.find_any(tx, gateway_id)
    return None if row is None else row.gateway.project_id
