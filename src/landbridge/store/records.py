"""What is written beside the resources: counters, tags, the audit trail, idempotency tokens."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, update

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Connections are counted by their gateways.
COUNTED = ("vpn_gateway", "customer_gateway")
TOKEN_LIFETIME = timedelta(hours=24)

_n, _a, _t, _tag = tables.counter, tables.audit, tables.token, tables.tag

_COUNT = Statement(
    update(_n)
    .where(_n.c.project_id == bindparam("project"), _n.c.kind == bindparam("of"))
    .values(value=_n.c.value + bindparam("by"))
)
_COUNTED = Statement(
    select(_n.c.value).where(_n.c.project_id == bindparam("project_id"), _n.c.kind == bindparam("kind"))
)
_START = Statement(
    insert(_n).values(project_id=bindparam("project_id"), kind=bindparam("kind"), value=bindparam("value"))
)
_AUDIT = Statement(
    insert(_a).values(
        {name: bindparam(name) for name in ("at", "project_id", "actor", "action", "resource_id", "request_id")}
    )
)
_TAG = Statement(
    insert(_tag).values(
        {name: bindparam(name) for name in ("resource_id", "key", "value", "resource_type", "project_id")}
    )
)
_FIND_TOKEN = Statement(
    select(_t.c.operation, _t.c.body_hash, _t.c.spec).where(
        _t.c.project_id == bindparam("project_id"),
        _t.c.token == bindparam("token"),
        _t.c.created_at > bindparam("since"),
    )
)
_FORGET_TOKENS = Statement(delete(_t).where(_t.c.created_at <= bindparam("since")))
_ADD_TOKEN = Statement(
    insert(_t).values(
        {name: bindparam(name) for name in ("project_id", "token", "operation", "body_hash", "spec", "created_at")}
    )
)


def start_counting(tx: Transaction, project_id: str) -> None:
    for kind in COUNTED:
        tx.run(_START, project_id=project_id, kind=kind, value=0)


def count(tx: Transaction, project_id: str, kind: str, by: int) -> None:
    tx.run(_COUNT, project=project_id, of=kind, by=by)


def counted(tx: Transaction, project_id: str, kind: str) -> int:
    row = tx.one(_COUNTED, project_id=project_id, kind=kind)
    return row[0] if row is not None else 0


def audit(
    tx: Transaction, *, at: datetime, project_id: str | None, actor: str, action: str, resource_id: str, request_id: str
) -> None:
    tx.run(
        _AUDIT,
        at=codec.milliseconds(at),
        project_id=project_id,
        actor=actor,
        action=action,
        resource_id=resource_id,
        request_id=request_id,
    )


def tag(tx: Transaction, project_id: str, kind: str, resource_id: str, tags: tuple[model.Tag, ...]) -> None:
    tx.run_many(
        _TAG,
        [
            {
                "resource_id": resource_id,
                "key": t.key,
                "value": t.value,
                "resource_type": kind,
                "project_id": project_id,
            }
            for t in tags
        ],
    )


def find_token(tx: Transaction, project_id: str, token: str, now: datetime) -> tuple[str, str, str] | None:
    """(operation, hash of the body, what was answered) of a token that is not older than 24 hours."""
    since = codec.milliseconds(now - TOKEN_LIFETIME)
    row = tx.one(_FIND_TOKEN, project_id=project_id, token=token, since=since)
    return None if row is None else tuple(row)


def add_token(
    tx: Transaction, *, project_id: str, token: str, operation: str, body_hash: str, spec: str, now: datetime
) -> None:
    tx.run(_FORGET_TOKENS, since=codec.milliseconds(now - TOKEN_LIFETIME))
    tx.run(
        _ADD_TOKEN,
        project_id=project_id,
        token=token,
        operation=operation,
        body_hash=body_hash,
        spec=spec,
        created_at=codec.milliseconds(now),
    )
