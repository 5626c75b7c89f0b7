"""Rows of the audit trail: who did what, when. Events are only appended; `retention` removes the oldest."""

import uuid
from datetime import datetime

from sqlalchemy import bindparam, insert

from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_APPEND = Statement(
    insert(tables.audit).values(
        {name: bindparam(name) for name in ("at", "project_id", "actor", "action", "resource_id", "request_id")}
    )
)


def append(
    tx: Transaction, *, at: datetime, project_id: str | None, actor: str, action: str, resource_id: str, request_id: str
) -> None:
    tx.run(
        _APPEND,
        at=codec.milliseconds(at),
        project_id=project_id,
        actor=actor,
        action=action,
        resource_id=resource_id,
        request_id=request_id,
    )


def append_local(tx: Transaction, action: str, resource_id: str, now: datetime, project_id: str | None = None) -> None:
    """Appends an event of a command on this machine, which no access key made."""
    append(
        tx,
        at=now,
        project_id=project_id,
        actor="this machine",
        action=action,
        resource_id=resource_id,
        request_id=str(uuid.uuid4()),
    )
