"""The second argument of every operation, beside its request: caller, project, time and the service."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from landbridge import config, errors, model
from landbridge.operations import clock
from landbridge.rules import fields
from landbridge.store import audit_trail, vault
from landbridge.store.database import Database, Transaction

Role = Literal["reader", "admin", "operator", "monitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `project_id` is None for an operator, who may act in every project."""

    access_key: str
    project_id: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all calls share."""

    database: Database
    #: The name of the engine.
    engine: str
    site: model.Site
    vault: vault.Vault
    unseen_after: timedelta
    #: The highest number of connections of a gateway; None: the limit of its flavor.
    connection_limit: int | None = None
    #: The data plane of the engine.
    plane: model.Plane = "kernel"
    #: Whether the machine has a routing daemon.
    bgp: bool = True
    quotas: config.Quotas = dataclasses.field(default_factory=config.Quotas)

    @property
    def abilities(self) -> model.Abilities:
        """The abilities of the engine."""
        return model.abilities_of(self.engine, self.plane, bgp=self.bgp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an operation. The last four fields are the submission's."""

    service: Service
    caller: Caller
    project_id: str
    request_id: str
    now: datetime
    violations: tuple[model.Violation, ...] = ()
    token: str | None = None
    if_match: str | None = None
    body: bytes = dataclasses.field(default=b"", repr=False)

    def refuse(self, from_rules: Iterable[model.Violation]) -> None:
        """Raises Invalid when the request has wrong shapes, or when `from_rules` has a violation."""
        violations = fields.merge(self.violations, from_rules)
        if violations:
            raise errors.Invalid(violations)

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
