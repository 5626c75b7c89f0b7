"""Audit events of what was done to the data folder as a whole."""

import uuid
from datetime import UTC, datetime

from landbridge.store import audit_trail
from landbridge.store.database import Transaction


def append(tx: Transaction, action: str, what: str) -> None:
    audit_trail.append(
        tx,
        at=datetime.now(UTC),
        project_id=None,
        actor="this machine",
        action=action,
        resource_id=what,
        request_id=str(uuid.uuid4()),
    )
