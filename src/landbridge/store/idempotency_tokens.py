"""Rows of idempotency tokens: what a create with a token answered, for as long as the token is kept."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select

from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

LIFETIME = timedelta(hours=24)

_token = tables.token
_FIND = Statement(
    select(_token.c.operation, _token.c.body_hash, _token.c.spec).where(
        _token.c.project_id == bindparam("project_id"),
        _token.c.token == bindparam("token"),
        _token.c.created_at > bindparam("since"),
    )
)
_DELETE_EXPIRED = Statement(delete(_token).where(_token.c.created_at <= bindparam("since")))
_ADD = Statement(
    insert(_token).values(
        {name: bindparam(name) for name in ("project_id", "token", "operation", "body_hash", "spec", "created_at")}
    )
)


def find(tx: Transaction, project_id: str, token: str, now: datetime) -> tuple[str, str, str] | None:
    """(operation, hash of the body, what was answered) of a token that has not expired."""
    row = tx.one(_FIND, project_id=project_id, token=token, since=codec.milliseconds(now - LIFETIME))
    return None if row is None else tuple(row)


def add(
    tx: Transaction, *, project_id: str, token: str, operation: str, body_hash: str, spec: str, now: datetime
) -> None:
    """Deletes the expired tokens first, so that an expired token can be used again."""
    tx.run(_DELETE_EXPIRED, since=codec.milliseconds(now - LIFETIME))
    tx.run(
        _ADD,
        project_id=project_id,
        token=token,
        operation=operation,
        body_hash=body_hash,
        spec=spec,
        created_at=codec.milliseconds(now),
    )
