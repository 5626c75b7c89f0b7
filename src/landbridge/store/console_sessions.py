"""Rows of console sessions and of links that sign in once. A row holds a hash of the secret that the browser has, and never the secret."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, or_, select, update

from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_console_session, _sign_in_link, _access_key = tables.console_session, tables.sign_in_link, tables.access_key

_ADD = Statement(
    insert(_console_session).values(
        {name: bindparam(name) for name in ("secret_hash", "access_key", "began_at", "used_at")}
    )
)
_FIND = Statement(
    select(
        _console_session.c.access_key,
        _access_key.c.project_id,
        _access_key.c.role,
        _console_session.c.began_at,
        _console_session.c.used_at,
    )
    .select_from(_console_session.join(_access_key, _access_key.c.access_key == _console_session.c.access_key))
    .where(_console_session.c.secret_hash == bindparam("secret_hash"), _access_key.c.revoked_at.is_(None))
)
_USE = Statement(
    update(_console_session)
    .where(_console_session.c.secret_hash == bindparam("of"), _console_session.c.used_at < bindparam("at"))
    .values(used_at=bindparam("at"))
)
_REMOVE = Statement(delete(_console_session).where(_console_session.c.secret_hash == bindparam("secret_hash")))
_REMOVE_ENDED = Statement(
    delete(_console_session).where(
        or_(
            _console_session.c.used_at < bindparam("used_since"), _console_session.c.began_at < bindparam("began_since")
        )
    )
)
_ADD_LINK = Statement(
    insert(_sign_in_link).values({name: bindparam(name) for name in ("secret_hash", "access_key", "made_at")})
)
_FIND_LINK = Statement(
    select(_sign_in_link.c.access_key, _sign_in_link.c.made_at).where(
        _sign_in_link.c.secret_hash == bindparam("secret_hash")
    )
)
_REMOVE_LINK = Statement(delete(_sign_in_link).where(_sign_in_link.c.secret_hash == bindparam("secret_hash")))
_REMOVE_OLD_LINKS = Statement(delete(_sign_in_link).where(_sign_in_link.c.made_at < bindparam("since")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`project_id`, `role`: those of its access key, which is not revoked."""

    access_key: str
    project_id: str | None
    role: str
    began_at: datetime
    used_at: datetime


def add(tx: Transaction, secret_hash: str, access_key: str, now: datetime) -> None:
    at = codec.milliseconds(now)
    tx.run(_ADD, secret_hash=secret_hash, access_key=access_key, began_at=at, used_at=at)


def find(tx: Transaction, secret_hash: str) -> Session | None:
    """None for an unknown session, and for one whose key was revoked."""
    row = tx.one(_FIND, secret_hash=secret_hash)
    if row is None:
        return None
    return Session(
        access_key=row[0],
        project_id=row[1],
        role=row[2],
        began_at=codec.moment(row[3]),
        used_at=codec.moment(row[4]),
    )


def use(tx: Transaction, secret_hash: str, now: datetime) -> None:
    tx.run(_USE, of=secret_hash, at=codec.milliseconds(now))


def remove(tx: Transaction, secret_hash: str) -> None:
    tx.run(_REMOVE, secret_hash=secret_hash)


def remove_ended(tx: Transaction, *, used_since: datetime, began_since: datetime) -> None:
    """Removes the sessions that were used or began before these times."""
    tx.run(_REMOVE_ENDED, used_since=codec.milliseconds(used_since), began_since=codec.milliseconds(began_since))


def add_link(tx: Transaction, secret_hash: str, access_key: str, now: datetime) -> None:
    tx.run(_ADD_LINK, secret_hash=secret_hash, access_key=access_key, made_at=codec.milliseconds(now))


def take_link(tx: Transaction, secret_hash: str) -> tuple[str, datetime] | None:
    """The access key of a link and when the link was made. Removes the link. None for an unknown link."""
    row = tx.one(_FIND_LINK, secret_hash=secret_hash)
    if row is None:
        return None
    tx.run(_REMOVE_LINK, secret_hash=secret_hash)
    return row[0], codec.moment(row[1])


def remove_links_before(tx: Transaction, since: datetime) -> None:
    tx.run(_REMOVE_OLD_LINKS, since=codec.milliseconds(since))
