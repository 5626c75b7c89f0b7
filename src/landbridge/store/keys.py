"""Rows of projects and access keys."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from landbridge.store import codec, counters, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_project, _access_key = tables.project, tables.access_key

_ADD_PROJECT = Statement(
    insert(_project).values(id=bindparam("id"), name=bindparam("name"), created_at=bindparam("created_at"))
)
_PROJECTS = Statement(select(_project.c.id, _project.c.name).order_by(_project.c.created_at, _project.c.id))
_PROJECT = Statement(select(_project.c.id).where(_project.c.id == bindparam("id")))
_PROJECT_NAMED = Statement(select(_project.c.id).where(_project.c.name == bindparam("name")))
_KEY = select(
    _access_key.c.access_key,
    _access_key.c.secret,
    _access_key.c.project_id,
    _access_key.c.role,
    _access_key.c.created_at,
    _access_key.c.revoked_at,
)
_BY_KEY = Statement(_KEY.where(_access_key.c.access_key == bindparam("access_key")))
_BY_TOKEN = Statement(_KEY.where(_access_key.c.token_hash == bindparam("token_hash")))
_KEYS = Statement(_KEY.order_by(_access_key.c.created_at, _access_key.c.access_key))
_ADD_KEY = Statement(
    insert(_access_key).values(
        {name: bindparam(name) for name in ("access_key", "secret", "token_hash", "project_id", "role", "created_at")}
    )
)
_REVOKE = Statement(
    update(_access_key)
    .where(_access_key.c.access_key == bindparam("key"), _access_key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
_IS_VALID = Statement(
    select(_access_key.c.access_key).where(
        _access_key.c.access_key == bindparam("access_key"),
        _access_key.c.revoked_at.is_(None),
        _access_key.c.project_id.is_not_distinct_from(bindparam("project_id")),
        _access_key.c.role == bindparam("role"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`secret` is sealed. `project_id` is None for an operator's key."""

    access_key: str
    secret: bytes
    project_id: str | None
    role: str
    created_at: datetime
    revoked: bool


def add_project(tx: Transaction, project_id: str, name: str, now: datetime) -> None:
    tx.run(_ADD_PROJECT, id=project_id, name=name, created_at=codec.milliseconds(now))
    counters.start(tx, project_id)


def projects(tx: Transaction) -> list[tuple[str, str]]:
    """(id, name), oldest first."""
    return list(tx.all(_PROJECTS))


def has_project(tx: Transaction, project_id: str) -> bool:
    return tx.one(_PROJECT, id=project_id) is not None


def has_project_named(tx: Transaction, name: str) -> bool:
    return tx.one(_PROJECT_NAMED, name=name) is not None


def add(
    tx: Transaction,
    *,
    access_key: str,
    secret: bytes,
    token_hash: str,
    project_id: str | None,
    role: str,
    now: datetime,
) -> None:
    tx.run(
        _ADD_KEY,
        access_key=access_key,
        secret=secret,
        token_hash=token_hash,
        project_id=project_id,
        role=role,
        created_at=codec.milliseconds(now),
    )


def find(tx: Transaction, access_key: str) -> Key | None:
    return _key(tx.one(_BY_KEY, access_key=access_key))


def find_by_token(tx: Transaction, token_hash: str) -> Key | None:
    return _key(tx.one(_BY_TOKEN, token_hash=token_hash))


def is_valid(tx: Transaction, access_key: str, project_id: str | None, role: str) -> bool:
    """Whether the key is not revoked, and still of this project (None: of none) and role."""
    return tx.one(_IS_VALID, access_key=access_key, project_id=project_id, role=role) is not None


def list_all(tx: Transaction) -> list[Key]:
    return [key for row in tx.all(_KEYS) if (key := _key(row)) is not None]


def revoke(tx: Transaction, access_key: str, now: datetime) -> bool:
    """False when there is no such key, or it is revoked already."""
    return tx.run(_REVOKE, key=access_key, at=codec.milliseconds(now)) == 1


def _key(row: tuple[str, bytes, str | None, str, int, int | None] | None) -> Key | None:
    if row is None:
        return None
    return Key(
        access_key=row[0],
        secret=row[1],
        project_id=row[2],
        role=row[3],
        created_at=codec.moment(row[4]),
        revoked=row[5] is not None,
    )
