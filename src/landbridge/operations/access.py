"""Who calls: access keys with signatures, tokens, and what each role may do.

A key belongs to a project and has a role, or to none with the role operator. The signature is SDK-HMAC-SHA256, rebuilt
from the headers that the client names: clients differ in which ones they sign (`host` among them or not).
"""

import functools
import hashlib
import hmac
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import parse_qsl, quote, unquote

from landbridge import errors, model
from landbridge.operations import clock
from landbridge.operations.call import Caller, Role
from landbridge.store import audit_trail, keys, vault
from landbridge.store.database import Transaction

CLOCK_LEEWAY = timedelta(minutes=15)
#: How long a looked-up key is believed: with a revoked one a request can begin at most so much later.
REMEMBER_SECONDS = 1.0
_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=([A-Za-z0-9]{1,128}), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
#: One message for an unknown key and for a wrong signature: it must not tell which access keys exist.
BAD_CREDENTIALS = "the access key is not known, or the signature does not fit: check access key, secret key and clock"
#: Signs the requests of unknown keys: the time of an answer must not tell which access keys exist.
DUMMY_SECRET = model.Secret("x" * 40)
ROLES: tuple[Role, ...] = ("reader", "admin", "operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request without its body, as a signature covers it. Header names in lower case, values as they came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key that may be used, its secret opened."""

    caller: Caller
    secret: model.Secret


class Gate:
    """Tells who a request comes from. Keys are looked up in the store and remembered for a second."""

    def __init__(
        self, read: Callable[[Callable[[Transaction], keys.Key | None]], keys.Key | None], safe: vault.Vault
    ) -> None:
        self._read = read
        self._safe = safe
        self._known: dict[str, tuple[float, Credential]] = {}

    def claim(self, head: Head) -> Callable[[bytes], Caller]:
        """All that can be told without the body; what it gives takes the body, and tells who calls. Both raise
        Unauthenticated: nobody's body is waited for. What is wrong with the request itself is told before the key is
        looked up, in one order for keys that exist and keys that do not.
        """
        token = head.headers.get("x-auth-token")
        if token:
            credential = self._credential("token:" + _hash(token.decode("latin-1")))
            if credential is None:
                raise errors.Unauthenticated("the token is not known or was revoked")
            caller = credential.caller
            return lambda _: caller
        access_key, signed_headers, signature = _read_authorization(head)
        _check_date(head, clock.now())
        _check_signed_headers(head, signed_headers)
        credential = self._credential("key:" + access_key)
        if credential is None:
            sign(head, b"", signed_headers, DUMMY_SECRET)
            raise errors.Unauthenticated(BAD_CREDENTIALS)
        return functools.partial(_prove, head, credential, signed_headers, signature)

    def _credential(self, name: str) -> Credential | None:
        known = self._known.get(name)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        kind, _, value = name.partition(":")
        find = keys.find if kind == "key" else keys.find_by_token
        key = self._read(lambda tx: find(tx, value))
        credential = None if key is None or key.revoked else _open(key, self._safe)
        if credential is not None:
            self._known[name] = (time.monotonic() + REMEMBER_SECONDS, credential)
        else:
            self._known.pop(name, None)
        return credential


def _prove(head: Head, credential: Credential, signed_headers: list[str], signature: str, content: bytes) -> Caller:
    if not hmac.compare_digest(sign(head, content, signed_headers, credential.secret), signature):
        raise errors.Unauthenticated(BAD_CREDENTIALS)
    return credential.caller


def _open(key: keys.Key, safe: vault.Vault) -> Credential:
    caller = Caller(access_key=key.access_key, project_id=key.project_id, role=cast("Role", key.role))
    return Credential(caller=caller, secret=model.Secret(safe.open(key.secret, key.access_key).decode()))


def _read_authorization(head: Head) -> tuple[str, list[str], str]:
    given = head.headers.get("authorization", b"").decode("latin-1")
    if not given:
        raise errors.Unauthenticated("send X-Auth-Token, or sign the request with SDK-HMAC-SHA256")
    match = _AUTHORIZATION.fullmatch(given)
    if match is None:
        raise errors.Unauthenticated(
            "Authorization must read: SDK-HMAC-SHA256 Access=…, SignedHeaders=a;b, Signature=64 hex digits"
        )
    access_key, names, signature = match.groups()
    return access_key, names.lower().split(";"), signature


def _check_date(head: Head, now: datetime) -> None:
    given = head.headers.get("x-sdk-date", b"").decode("latin-1")
    date = _date(given)
    if date is None:
        raise errors.Unauthenticated("X-Sdk-Date must read YYYYMMDDThhmmssZ")
    if abs(now - date) > CLOCK_LEEWAY:
        raise errors.Unauthenticated(
            f"X-Sdk-Date {given[:32]} is more than 15 minutes from this server's {now:%Y%m%dT%H%M%SZ}"
        )


def _check_signed_headers(head: Head, names: list[str]) -> None:
    absent = next((name for name in names if name not in head.headers), None)
    if absent is not None:
        raise errors.Unauthenticated(f"the signed header {absent[:64]} is not in the request")


def _date(text: str) -> datetime | None:
    """The moment that X-Sdk-Date names. (strptime would cost ten times as much, on every request.)"""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def sign(head: Head, content: bytes, signed_headers: list[str], secret: model.Secret) -> str:
    """The signature that a client with this secret would send. All signed headers are in the request."""
    lines = [name.encode() + b":" + head.headers[name].strip() + b"\n" for name in signed_headers]
    canonical = b"\n".join(
        (
            head.method.encode(),
            _canonical_path(head.path).encode(),
            _canonical_query(head.query).encode(),
            b"".join(lines),
            ";".join(signed_headers).encode(),
            hashlib.sha256(content).hexdigest().encode(),
        )
    )
    date = head.headers.get("x-sdk-date", b"").decode("latin-1")
    text = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.digest(secret.reveal().encode(), text.encode(), "sha256").hex()


def _canonical_path(path: str) -> str:
    escaped = quote(unquote(path), safe="/~")
    return escaped if escaped.endswith("/") else escaped + "/"


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)


def allow(caller: Caller, project_id: str, needs: Role) -> None:
    """Raises Forbidden unless the caller may do what `needs` a role in the project."""
    if caller.role == "operator":
        return
    if caller.project_id != project_id:
        raise errors.Forbidden(f"access key {caller.access_key} does not belong to project {project_id}")
    if ROLES.index(caller.role) < ROLES.index(needs):
        raise errors.Forbidden(f"access key {caller.access_key} has the role {caller.role}, this needs {needs}")


#: How many projects an answer on this machine lists.
MAX_LISTED_PROJECTS = 20


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
    if role != "operator" and project is None:
        raise errors.Invalid(
            [model.Violation("project", "is missing", "an id or a name of `landbridge projects list`")]
        )
    if role == "operator" and project is not None:
        raise errors.Invalid([model.Violation("project", "does not go with the role operator", "leave it out")])
    project_id = None if project is None else _project_id(tx, project)
    made = NewKey(
        access_key=secrets.token_hex(10).upper(),
        secret_key=model.Secret(secrets.token_urlsafe(30)),
        token=model.Secret(secrets.token_urlsafe(36)),
        project_id=project_id,
        role=role,
    )
    keys.add(
        tx,
        access_key=made.access_key,
        secret=safe.seal(made.secret_key.reveal().encode(), made.access_key),
        token_hash=_hash(made.token.reveal()),
        project_id=project_id,
        role=role,
        now=now,
    )
    _audit_locally(tx, "create_key", made.access_key, project_id, now)
    return made


def _project_id(tx: Transaction, project: str) -> str:
    """Of an id or a name. Names are used once, and an id wins."""
    known = keys.projects(tx)
    for project_id, name in sorted(known, key=lambda one: one[0] != project):
        if project in (project_id, name):
            return project_id
    told = ", ".join(f"{project_id} ({name})" for project_id, name in known[:MAX_LISTED_PROJECTS]) or "none yet"
    raise errors.NotFound(f"project {project[:64]} (an id or a name of `landbridge projects list`: {told})")


def revoke_key(tx: Transaction, access_key: str, now: datetime) -> None:
    if not keys.revoke(tx, access_key, now):
        raise errors.NotFound(f"access key {access_key} (or it is revoked already)")
    _audit_locally(tx, "revoke_key", access_key, None, now)


def list_keys(tx: Transaction) -> list[keys.Key]:
    """All keys, revoked ones too; their secrets sealed."""
    return keys.list_all(tx)


def list_projects(tx: Transaction) -> list[tuple[str, str]]:
    """(id, name), oldest first."""
    return keys.projects(tx)


def create_project(tx: Transaction, name: str, now: datetime) -> str:
    """The new project's id: 32 hex digits, as clouds write them."""
    if any(name == known for _, known in keys.projects(tx)):
        raise errors.Invalid([model.Violation("name", f"a project {name!r} exists", "another name")])
    project_id = uuid.uuid4().hex
    keys.add_project(tx, project_id, name, now)
    _audit_locally(tx, "create_project", project_id, project_id, now)
    return project_id


def _audit_locally(tx: Transaction, action: str, resource_id: str, project_id: str | None, now: datetime) -> None:
    audit_trail.append(
        tx,
        at=now,
        project_id=project_id,
        actor="this machine",
        action=action,
        resource_id=resource_id,
        request_id=str(uuid.uuid4()),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1", "replace")).hexdigest()


def check_project(tx: Transaction, project_id: str) -> None:
    """Raises NotFound for an unknown project. An operator's key belongs to no project, so only this check tells."""
    if all(project_id != known for known, _name in keys.projects(tx)):
        raise errors.NotFound(f"project {project_id}")


def check_key(tx: Transaction, caller: Caller) -> None:
    """Raises Unauthenticated when the key was revoked, or given to another project or role, after the caller was authenticated. The
    body of a request may take long to come.
    """
    if not keys.stands(tx, caller.access_key, caller.project_id, caller.role):
        raise errors.Unauthenticated(f"access key {caller.access_key} was revoked while the request came")
