"""The upgrade of a VPN gateway: what was asked for, and its status."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRequest:
    """`action`: start, finish or rollback."""

    gateway_id: str
    action: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """Names a job of the project."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListRequest:
    """The list of jobs. `limit`: jobs, at most; `created_after`: only jobs of a later time; `gateway_id`: only jobs of this gateway.
    None does not filter.
    """

    limit: int
    created_after: datetime | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A part of a job: what carries the gateway starts anew. It is done when the engine reports `number` restarts."""

    id: str
    kind: Literal["upgrade", "rollback"]
    number: int
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayJob:
    """`addresses` are those of the endpoints that its restarts interrupt. `confirmed_at`: when the client finished it."""

    id: str
    project_id: str
    gateway_id: str
    addresses: tuple[str, ...]
    restarts: tuple[Restart, ...]
    created_at: datetime
    confirmed_at: datetime | None = None


JobStatusName = Literal["upgrading", "pending_upgrade_confirm", "success", "rolling_back", "rollback_success", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """`status`: upgrading, pending_upgrade_confirm, success, rolling_back, rollback_success or error. `statuses` are those of the
    restarts, upgrading, rolling_back, success or error.
    """

    status: JobStatusName
    statuses: tuple[str, ...]
    finished_at: datetime | None = None
    failure: str | None = None
