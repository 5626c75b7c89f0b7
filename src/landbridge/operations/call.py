"""What every operation is told beside its own request: who calls, for which project, when, and what this service has."""

import dataclasses
import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from landbridge import config, errors, model
from landbridge.rules import fields, tunnel
from landbridge.store import audit_trail, keys, vault
from landbridge.store.database import Database, Transaction

Role = Literal["reader", "admin", "operator"]
Operation = TypeVar("Operation", bound=Callable[..., Any])
Transacts = Literal["write", "read", "long read"]


@dataclass(frozen=True, slots=True)
class Permission:
    """`role`: the least role that may call. `transacts`: what the operation does to the store, and for how long. `on_loop`: True when
    a request for a long read is short enough for the event loop's thread.
    """

    role: Role
    transacts: Transacts
    on_loop: Callable[[Any], bool]


#: What every operation needs; `operation` fills it.
NEEDS: dict[Callable[..., Any], Permission] = {}


def operation(
    role: Role, transacts: Transacts, on_loop: Callable[[Any], bool] = lambda _: False
) -> Callable[[Operation], Operation]:
    """Marks a function as an operation of the API."""

    def mark(function: Operation) -> Operation:
        NEEDS[function] = Permission(role, transacts, on_loop)
        return function

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `project_id` is None for an operator, who may act in every project."""

    access_key: str
    project_id: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all calls share, the store and the name of the engine and its data plane among it. `connection_limit`: connections of a gateway; None is what its flavor says."""

    database: Database
    engine: str
    site: model.Site
    vault: vault.Vault
    unseen_after: timedelta
    connection_limit: int | None = None
    plane: Literal["kernel", "userland"] = "kernel"
    quotas: config.Quotas = dataclasses.field(default_factory=config.Quotas)

    @property
    def abilities(self) -> model.Abilities:
        """What the engine carries."""
        return model.abilities_of(self.engine, self.plane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `shape`: what was already found wrong with the body; `token` makes a retry safe; `if_match`: the versions of
    the resource that the client is willing to change.
    """

    service: Service
    caller: Caller
    project_id: str
    request_id: str
    now: datetime
    shape: tuple[model.Violation, ...] = ()
    token: str | None = None
    if_match: str | None = None
    body: bytes = dataclasses.field(default=b"", repr=False)


def generate(now: datetime, number: int = 0) -> fields.Generated:
    """Random ids and candidates for the rules, which generate nothing themselves. `number`: the position of a new connection among
    those of its gateway."""
    chance = os.urandom(54)
    one, other = struct.unpack_from("2H", chance, 50)
    return fields.Generated(
        id=new_id(chance[:16]),
        now=now,
        suffix=chance[48:50].hex(),
        other_ids=(new_id(chance[16:32]), new_id(chance[32:48])),
        tunnel_blocks=(tunnel.nth(number), tunnel.nth(one), tunnel.nth(other)),
    )


def new_id(chance: bytes = b"") -> str:
    """A version 4 UUID (RFC 9562, section 5.4) of 16 random bytes."""
    chance = chance or os.urandom(16)
    digits = chance.hex()
    variant = "89ab"[chance[8] & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def now() -> datetime:
    """The present, in the API's grain of a millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def etag(generation: int, *shown: str | int) -> str:
    """The version of a resource, as `ETag` and `If-Match` carry it: another one whenever anything changes of what a GET
    shows, except the status (decision 26). `shown`: the resource as JSON, and what is shown beside it.
    """
    content = "\n".join(map(str, shown)).encode()
    return f'"{generation}-{hashlib.sha256(content).hexdigest()[:16]}"'


def check_match(call: Call, present: Callable[[], str]) -> None:
    """Raises Changed when the client wants to change another version than the present one (RFC 9110, section 13.1.1).
    `present` is asked only where a version is named.
    """
    wanted = call.if_match
    if wanted is None or wanted.strip() == "*":
        return
    now = present()
    if now not in map(str.strip, wanted.split(",")):
        raise errors.Changed(f"If-Match is {wanted[:80]}, and the resource is {now} by now; read it again")


def in_use(what: str, dependant: str, number: int) -> str:
    """Why `what` cannot go: one of the connections that depend on it, and how many there are."""
    return f"{what} has connection {dependant}" + (f" and {number - 1} more" if number > 1 else "")


def later(call: Call, than: datetime | None) -> datetime:
    """The time of an update, or of what is listed by its time; `than` is the one before, if any. No two of one resource or list
    share it, so that it tells versions apart.
    """
    return call.now if than is None else max(call.now, than + timedelta(milliseconds=1))


def audit(tx: Transaction, call: Call, action: str, resource_id: str) -> None:
    """The event of a change, in the same transaction as the change."""
    audit_trail.append(
        tx,
        at=call.now,
        project_id=call.project_id,
        actor=call.caller.access_key,
        action=action,
        resource_id=resource_id,
        request_id=call.request_id,
    )


def check_key(tx: Transaction, caller: Caller) -> None:
    """The caller was authenticated before the body of the request came, which may take long. Raises Unauthenticated when
    the key was revoked since, or is no longer of the same project and role.
    """
    if not keys.stands(tx, caller.access_key, caller.project_id, caller.role):
        raise errors.Unauthenticated(f"access key {caller.access_key} was revoked while the request came")


async def perform(
    function: Callable[..., Any], call: Call, request: Any, finish: Callable[[Any], Any] = lambda result: result
) -> Any:
    """Runs an operation in the transaction that it asks for. `finish` makes the answer of its result, of a long one in the thread that read
    it: else all other requests would wait.
    """
    database = call.service.database

    def work(tx: Transaction) -> Any:
        check_key(tx, call.caller)
        return function(tx, call, request)

    needs = NEEDS[function]
    match needs.transacts:
        case "write":
            return finish(await database.write_soon(work))
        case "long read" if not needs.on_loop(request):
            return await database.read_soon(lambda tx: finish(work(tx)))
        case _:
            return finish(database.read(work))
