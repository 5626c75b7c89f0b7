"""What every operation is told beside its own request: who calls, for which project, when, and what this service has."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from landbridge import config, errors, model
from landbridge.operations import clock
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

    def time_after(self, last: datetime | None) -> datetime:
        """The time of this change to what was changed at `last`."""
        return clock.next_after(self.now, last)

    def audit(self, tx: Transaction, action: str, resource_id: str) -> None:
        """Writes the event of a change, in the transaction of the change."""
        audit_trail.append(
            tx,
            at=self.now,
            project_id=self.project_id,
            actor=self.caller.access_key,
            action=action,
            resource_id=resource_id,
            request_id=self.request_id,
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
