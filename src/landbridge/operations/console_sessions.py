"""Sessions of the console: they begin with a key or with a link that works once, and end by time, by sign-out, or with their key.

A browser holds a random secret, and the store holds its hash. Invariant: a session begins with a new secret, so a secret that somebody put into
a browser before the sign-in is worth nothing afterwards.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from landbridge import config, errors, model
from landbridge.operations.access import Credentials
from landbridge.operations.call import Caller, Role
from landbridge.store import audit_trail, keys
from landbridge.store import console_sessions as store
from landbridge.store.database import Transaction

#: A link expires after this time.
LINK_LIFETIME = timedelta(minutes=10)
#: A use of a session is stored when the last stored use is older than this.
USE_STEP = timedelta(minutes=1)
#: The actions of the audit trail.
SIGNED_IN, SIGNED_OUT, LINK_MADE = "sign_in", "sign_out", "make_sign_in_link"
ACTIONS = (SIGNED_IN, SIGNED_OUT, LINK_MADE)
#: One message for an unknown key and for a wrong secret: the message must not tell which access keys exist.
BAD_CREDENTIALS = "the access key is not known, or the secret key does not fit"
BAD_LINK = "the link was used already, or is too old: make a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`is_due`: its use must be written."""

    caller: Caller
    is_due: bool


def check_key(credentials: Credentials, access_key: str, secret_key: str) -> Caller:
    """The caller with this key. Raises Unauthenticated, and Forbidden for a key that may read metrics alone."""
    known = credentials.of_access_key(access_key)
    expected = known.secret.reveal() if known else secrets.token_urlsafe(30)
    fits = hmac.compare_digest(expected.encode(), secret_key.encode("utf-8", "replace"))
    if known is None or not fits:
        raise errors.Unauthenticated(BAD_CREDENTIALS)
    _check_role(known.caller.role)
    return known.caller


def begin(
    tx: Transaction,
    caller: Caller,
    limits: config.Console,
    now: datetime,
    request_id: str,
    *,
    replaced: str | None = None,
) -> model.Secret:
    """Begins a session and returns the secret for the browser. Removes the sessions that have ended. `replaced`: the secret that the browser has: its
    session ends.
    """
    before = find(tx, replaced, limits, now) if replaced is not None else None
    if before is not None and replaced is not None:
        end(tx, before.caller, replaced, now, request_id)
    secret = secrets.token_urlsafe(32)
    store.remove_ended(tx, used_since=now - _idle(limits), began_since=now - _longest(limits))
    store.add(tx, _hash(secret), caller.access_key, now)
    _audit(tx, SIGNED_IN, caller, now, request_id)
    return model.Secret(secret)


def find(tx: Transaction, secret: str, limits: config.Console, now: datetime) -> Session | None:
    """The session with this secret; None when there is none, or it has ended."""
    session = store.find(tx, _hash(secret))
    if session is None or now - session.used_at > _idle(limits) or now - session.began_at > _longest(limits):
        return None
    caller = Caller(access_key=session.access_key, project_id=session.project_id, role=cast("Role", session.role))
    return Session(caller=caller, is_due=now - session.used_at > USE_STEP)


def use(tx: Transaction, secret: str, now: datetime) -> None:
    """Stores the time of this use of the session."""
    store.use(tx, _hash(secret), now)


def end(tx: Transaction, caller: Caller, secret: str, now: datetime, request_id: str) -> None:
    store.remove(tx, _hash(secret))
    _audit(tx, SIGNED_OUT, caller, now, request_id)


def make_link(tx: Transaction, access_key: str, now: datetime) -> model.Secret:
    """The secret of a link that signs in once with this key. Raises NotFound, and Forbidden as `check_key`."""
    key = keys.find(tx, access_key)
    if key is None or key.revoked:
        raise errors.NotFound(f"access key {access_key[:64]} (`landbridge keys list` has all keys)")
    _check_role(key.role)
    secret = secrets.token_urlsafe(32)
    store.remove_links_before(tx, now - LINK_LIFETIME)
    store.add_link(tx, _hash(secret), access_key, now)
    audit_trail.append_local(tx, LINK_MADE, access_key, now, key.project_id)
    return model.Secret(secret)


def begin_by_link(
    tx: Transaction, link: str, limits: config.Console, now: datetime, request_id: str, *, replaced: str | None = None
) -> model.Secret:
    """Begins a session with the key of the link, and makes the link worthless. `replaced`: as for `begin`. Raises Unauthenticated."""
    stored_link = store.take_link(tx, _hash(link))
    key = keys.find(tx, stored_link[0]) if stored_link else None
    if stored_link is None or key is None or key.revoked or now - stored_link[1] > LINK_LIFETIME:
        raise errors.Unauthenticated(BAD_LINK)
    caller = Caller(access_key=key.access_key, project_id=key.project_id, role=cast("Role", key.role))
    return begin(tx, caller, limits, now, request_id, replaced=replaced)


def _check_role(role: str) -> None:
    if role == "monitor":
        raise errors.Forbidden("a key with the role monitor may read /metrics and nothing else")


def _audit(tx: Transaction, action: str, caller: Caller, now: datetime, request_id: str) -> None:
    audit_trail.append(
        tx,
        at=now,
        project_id=caller.project_id,
        actor=caller.access_key,
        action=action,
        resource_id=caller.access_key,
        request_id=request_id,
    )


def _idle(limits: config.Console) -> timedelta:
    return timedelta(minutes=limits.idle_minutes)


def _longest(limits: config.Console) -> timedelta:
    return timedelta(hours=limits.session_hours)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
