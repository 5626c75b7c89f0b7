"""What every operation is told beside its own request: who calls, for which project, when, and what this service has."""

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from landbridge import model
from landbridge.rules import fields, tunnel
from landbridge.store import connections, records, vault
from landbridge.store.database import Transaction

Role = Literal["reader", "admin", "operator"]
Operation = TypeVar("Operation", bound=Callable[..., Any])
#: The role that each operation needs; `needs` fills it.
NEEDS: dict[Callable[..., Any], Role] = {}


def needs(role: Role) -> Callable[[Operation], Operation]:
    """Marks an operation with the least role that may call it."""

    def mark(operation: Operation) -> Operation:
        NEEDS[operation] = role
        return operation

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `project_id` is None for an operator, who may act in every project."""

    access_key: str
    project_id: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all calls share. `connection_limit`: connections of a gateway; None is what its flavor says."""

    site: model.Site
    vault: vault.Vault
    unseen_after: timedelta
    connection_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `shape`: what was already found wrong with the body; `token` makes a retry safe."""

    service: Service
    caller: Caller
    project_id: str
    request_id: str
    now: datetime
    shape: tuple[model.Violation, ...] = ()
    token: str | None = None
    body_hash: str = ""


def draws(now: datetime) -> fields.Draws:
    """Chance, for rules that may not find it for themselves."""
    return fields.Draws(
        id=str(uuid.uuid4()),
        now=now,
        suffix=os.urandom(2).hex(),
        other_ids=(str(uuid.uuid4()), str(uuid.uuid4())),
        tunnel_blocks=tuple(random.sample(tunnel.PICKABLE, connections.BLOCKS_ASKED)),
    )


def now() -> datetime:
    """The present, in the API's grain of a millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def audit(tx: Transaction, call: Call, action: str, resource_id: str) -> None:
    """The event of a change, in the same transaction as the change."""
    records.audit(
        tx,
        at=call.now,
        project_id=call.project_id,
        actor=call.caller.access_key,
        action=action,
        resource_id=resource_id,
        request_id=call.request_id,
    )
