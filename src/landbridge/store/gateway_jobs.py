"""Rows of the jobs of VPN gateways."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_gateway_job = tables.gateway_job

_FIND = Statement(
    select(_gateway_job.c.spec).where(
        _gateway_job.c.id == bindparam("id"), _gateway_job.c.project_id == bindparam("project_id")
    )
)
_LAST = Statement(
    select(_gateway_job.c.spec)
    .where(_gateway_job.c.gateway_id == bindparam("id"))
    .order_by(_gateway_job.c.seq.desc())
    .limit(1)
)
_PAGE = Statement(
    select(_gateway_job.c.spec)
    .where(
        _gateway_job.c.project_id == bindparam("project_id"),
        or_(bindparam("gateway_id").is_(None), _gateway_job.c.gateway_id == bindparam("gateway_id")),
        _gateway_job.c.created_at > bindparam("after"),
    )
    .order_by(_gateway_job.c.seq)
    .limit(bindparam("limit"))
)
_NEWEST = Statement(
    select(_gateway_job.c.created_at)
    .where(_gateway_job.c.project_id == bindparam("project_id"))
    .order_by(_gateway_job.c.seq.desc())
    .limit(1)
)
_INSERT = Statement(
    insert(_gateway_job).values(
        {name: bindparam(name) for name in ("id", "project_id", "gateway_id", "created_at", "spec")}
    )
)
_UPDATE = Statement(
    update(_gateway_job).where(_gateway_job.c.id == bindparam("row_id")).values(spec=bindparam("content"))
)
_REMOVE = Statement(delete(_gateway_job).where(_gateway_job.c.id == bindparam("id")))


def _decode(row: Sequence[Any] | None) -> model.GatewayJob | None:
    return None if row is None else codec.job.validate_json(row[0])


def find(tx: Transaction, project_id: str, job_id: str) -> model.GatewayJob | None:
    return _decode(tx.one(_FIND, id=job_id, project_id=project_id))


def last(tx: Transaction, gateway_id: str) -> model.GatewayJob | None:
    """The gateway's newest job."""
    return _decode(tx.one(_LAST, id=gateway_id))


def page(
    tx: Transaction, project_id: str, gateway_id: str | None, after: datetime | None, limit: int
) -> list[model.GatewayJob]:
    """Jobs, oldest first. `gateway_id` None: of all gateways; `after`: only jobs that were made later."""
    since = codec.milliseconds(after) if after is not None else -1
    rows = tx.all(_PAGE, project_id=project_id, gateway_id=gateway_id, after=since, limit=limit)
    return [codec.job.validate_json(row[0]) for row in rows]


def newest(tx: Transaction, project_id: str) -> datetime | None:
    """When the project's newest job was made. A page starts after a time, so the next job must have a later time."""
    row = tx.one(_NEWEST, project_id=project_id)
    return None if row is None else codec.moment(row[0])


def add(tx: Transaction, job: model.GatewayJob) -> None:
    tx.run(
        _INSERT,
        id=job.id,
        project_id=job.project_id,
        gateway_id=job.gateway_id,
        created_at=codec.milliseconds(job.created_at),
        spec=codec.dump(codec.job, job),
    )


def change(tx: Transaction, job: model.GatewayJob) -> None:
    tx.run(_UPDATE, row_id=job.id, content=codec.dump(codec.job, job))


def remove(tx: Transaction, job_id: str) -> None:
    tx.run(_REMOVE, id=job_id)
