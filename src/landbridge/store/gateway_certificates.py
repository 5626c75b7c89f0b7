"""Rows of the certificates of VPN gateways. The private keys stand beside them, sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_gateway_certificate = tables.gateway_certificate

_FIND = Statement(
    select(_gateway_certificate.c.spec, _gateway_certificate.c.private_keys).where(
        _gateway_certificate.c.gateway_id == bindparam("gateway_id"),
        _gateway_certificate.c.project_id == bindparam("project_id"),
    )
)
_LIST_AFTER = Statement(
    select(_gateway_certificate.c.spec)
    .where(
        _gateway_certificate.c.project_id == bindparam("project_id"),
        _gateway_certificate.c.created_at > bindparam("after"),
    )
    .order_by(_gateway_certificate.c.seq)
)
_NEWEST = Statement(
    select(_gateway_certificate.c.created_at)
    .where(_gateway_certificate.c.project_id == bindparam("project_id"))
    .order_by(_gateway_certificate.c.seq.desc())
    .limit(1)
)
_INSERT = Statement(
    insert(_gateway_certificate).values(
        {name: bindparam(name) for name in ("id", "project_id", "gateway_id", "created_at", "private_keys", "spec")}
    )
)
_UPDATE = Statement(
    update(_gateway_certificate)
    .where(_gateway_certificate.c.id == bindparam("row_id"))
    .values(spec=bindparam("content"), private_keys=bindparam("sealed"))
)


def find(tx: Transaction, project_id: str, gateway_id: str) -> tuple[model.GatewayCertificate, bytes] | None:
    """The gateway's certificate and its sealed keys."""
    row: Sequence[Any] | None = tx.one(_FIND, gateway_id=gateway_id, project_id=project_id)
    return None if row is None else (codec.gateway_certificate.validate_json(row[0]), row[1])


def list_after(tx: Transaction, project_id: str, after: datetime | None) -> list[model.GatewayCertificate]:
    """The certificates that were made after that time (None: all), oldest first."""
    since = codec.milliseconds(after) if after is not None else -1
    return [
        codec.gateway_certificate.validate_json(row[0])
        for row in tx.all(_LIST_AFTER, project_id=project_id, after=since)
    ]


def newest(tx: Transaction, project_id: str) -> datetime | None:
    """When the project's newest certificate was made. A page starts after a time, so the next certificate must have a later time."""
    row = tx.one(_NEWEST, project_id=project_id)
    return None if row is None else codec.moment(row[0])


def add(tx: Transaction, made: model.GatewayCertificate, keys: bytes) -> None:
    tx.run(
        _INSERT,
        id=made.id,
        project_id=made.project_id,
        gateway_id=made.gateway_id,
        created_at=codec.milliseconds(made.created_at),
        private_keys=keys,
        spec=codec.dump(codec.gateway_certificate, made),
    )


def change(tx: Transaction, made: model.GatewayCertificate, keys: bytes) -> None:
    tx.run(_UPDATE, row_id=made.id, content=codec.dump(codec.gateway_certificate, made), sealed=keys)
