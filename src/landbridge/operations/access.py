"""Access keys, their tokens, and what each role may do.

A key belongs to a project and has the role reader or admin, or it belongs to no project and has the role operator or monitor. A monitor
may read `/metrics` and nothing else.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from landbridge import errors, model
from landbridge.operations.call import Caller, Role
from landbridge.store import audit_trail, keys, vault
from landbridge.store.database import Transaction

#: How long a key is cached. A request with a revoked key can begin for at most this long.
REMEMBER_SECONDS = 1.0
ROLES: tuple[Role, ...] = ("reader", "admin", "operator", "monitor")
#: Roles of keys that belong to no project.
WITHOUT_PROJECT: tuple[Role, ...] = ("operator", "monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A valid key with its decrypted secret."""

    caller: Caller
    secret: model.Secret


class Credentials:
    """Finds valid keys by access key or token. It caches a key for REMEMBER_SECONDS."""

    def __init__(
        self, read: Callable[[Callable[[Transaction], keys.Key | None]], keys.Key | None], safe: vault.Vault
    ) -> None:
        self._read = read
        self._safe = safe
        self._known: dict[str, tuple[float, Credential]] = {}

    def of_access_key(self, access_key: str) -> Credential | None:
        """None for an unknown or revoked key."""
        return self._find("key:" + access_key, keys.find, access_key)

    def of_token(self, token: str) -> Credential | None:
        """None for an unknown token, or the token of a revoked key."""
        token_hash = _hash(token)
        return self._find("token:" + token_hash, keys.find_by_token, token_hash)

    def _find(self, name: str, find: Callable[[Transaction, str], keys.Key | None], value: str) -> Credential | None:
        known = self._known.get(name)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        key = self._read(lambda tx: find(tx, value))
        credential = None if key is None or key.revoked else _open(key, self._safe)
        if credential is not None:
            self._known[name] = (time.monotonic() + REMEMBER_SECONDS, credential)
        else:
            self._known.pop(name, None)
        return credential


def _open(key: keys.Key, safe: vault.Vault) -> Credential:
    caller = Caller(access_key=key.access_key, project_id=key.project_id, role=cast("Role", key.role))
    return Credential(caller=caller, secret=model.Secret(safe.open(key.secret, key.access_key).decode()))


def allow(caller: Caller, project_id: str, needs: Role) -> None:
    """Raises Forbidden unless the caller has the role `needs`, or a higher one, in the project."""
    if caller.role == "operator":
        return
    if caller.project_id != project_id:
        raise errors.Forbidden(f"access key {caller.access_key} does not belong to project {project_id}")
    if ROLES.index(caller.role) < ROLES.index(needs):
        raise errors.Forbidden(f"access key {caller.access_key} has the role {caller.role}, this needs {needs}")


#: Projects that an error on this machine lists, at most.
MAX_LISTED_PROJECTS = 20
REVOKED = "revoke_key"
#: The audit event of each row that this machine makes, by the name of its table.
EVENTS = {"project": "create_project", "access_key": "create_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key as its owner sees it, once."""

    access_key: str
    secret_key: model.Secret
    token: model.Secret
    project_id: str | None
    role: Role


def create_key(tx: Transaction, safe: vault.Vault, project: str | None, role: Role, now: datetime) -> NewKey:
    """`project` is an id or a name. Raises Invalid when role and project do not go together, NotFound for an unknown project."""
    if role not in WITHOUT_PROJECT and project is None:
        raise errors.Invalid(
            [model.Violation("project", "is missing", "an id or a name of `landbridge projects list`")]
        )
    if role in WITHOUT_PROJECT and project is not None:
        raise errors.Invalid([model.Violation("project", f"does not go with the role {role}", "leave it out")])
    made = new_key(safe, None if project is None else _project_id(tx, project), role)
    add_key(tx, safe, made, now)
    audit_trail.append_local(tx, EVENTS["access_key"], made.access_key, now, made.project_id)
    return made


def new_key(safe: vault.Vault, project_id: str | None, role: Role, seed: str | None = None) -> NewKey:
    """A key that is not stored yet: random, or derived from `seed` (docs/decisions/0066)."""
    random = secrets.token_bytes(76) if seed is None else safe.derive(f"access key {seed}", 76)
    return NewKey(
        access_key=random[:10].hex().upper(),
        secret_key=model.Secret(base64.urlsafe_b64encode(random[10:40]).decode()),
        token=model.Secret(base64.urlsafe_b64encode(random[40:]).decode()),
        project_id=project_id,
        role=role,
    )


def add_key(tx: Transaction, safe: vault.Vault, made: NewKey, now: datetime) -> None:
    """Stores a key. The caller writes the event of the audit trail."""
    keys.add(
        tx,
        access_key=made.access_key,
        secret=safe.seal(made.secret_key.reveal().encode(), made.access_key),
        token_hash=_hash(made.token.reveal()),
        project_id=made.project_id,
        role=made.role,
        now=now,
    )


def _project_id(tx: Transaction, project: str) -> str:
    """Finds a project by its id or its name."""
    known = keys.projects(tx)
    for project_id, name in sorted(known, key=lambda entry: entry[0] != project):
        if project in (project_id, name):
            return project_id
    listed = ", ".join(f"{project_id} ({name})" for project_id, name in known[:MAX_LISTED_PROJECTS]) or "none yet"
    raise errors.NotFound(f"project {project[:64]} (an id or a name of `landbridge projects list`: {listed})")


def revoke_key(tx: Transaction, access_key: str, now: datetime) -> None:
    key = keys.find(tx, access_key)
    if key is None or not keys.revoke(tx, access_key, now):
        raise errors.NotFound(f"access key {access_key} (or it is revoked already)")
    audit_trail.append_local(tx, REVOKED, access_key, now, key.project_id)


def list_keys(tx: Transaction) -> list[keys.Key]:
    """All keys, revoked keys too. Their secrets are sealed."""
    return keys.list_all(tx)


def list_projects(tx: Transaction) -> list[tuple[str, str]]:
    """(id, name), oldest first."""
    return keys.projects(tx)


def create_project(tx: Transaction, name: str, now: datetime) -> str:
    """The new project's id: 32 hex digits, as clouds write them."""
    if keys.has_project_named(tx, name):
        raise errors.Invalid([model.Violation("name", f"a project {name!r} exists", "another name")])
    project_id = uuid.uuid4().hex
    keys.add_project(tx, project_id, name, now)
    audit_trail.append_local(tx, EVENTS["project"], project_id, now, project_id)
    return project_id


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1", "replace")).hexdigest()


def check_project(tx: Transaction, project_id: str) -> None:
    """Raises NotFound for an unknown project. The key of an operator belongs to no project, so it does not show
    that the project exists.
    """
    if not keys.has_project(tx, project_id):
        raise errors.NotFound(f"project {project_id}")


def check_key(tx: Transaction, caller: Caller) -> None:
    """Raises Unauthenticated when the key was revoked, or moved to another project or role, while the body of the request was on its way."""
    if not keys.is_valid(tx, caller.access_key, caller.project_id, caller.role):
        raise errors.Unauthenticated(f"access key {caller.access_key} was revoked while the request was received")
