"""Upgrades of VPN gateways and their jobs on the wire."""

from datetime import datetime
from typing import Any, ClassVar, get_args

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes

#: Seconds that a restart takes here, on a slow day.
RESTART_SECONDS = 10
STATUSES = get_args(model.JobStatusName)


class UpgradeShape(body.Shape):
    """UpgradeRequestBody."""

    examples: ClassVar = {action: {"action": action} for action in allowed_values.UPGRADE_ACTIONS}

    action: str | None = schema.field(schema.string(enum=list(allowed_values.UPGRADE_ACTIONS)), mandatory=True)


class UpgradeAnswer(schema.Answer):
    job_id: str
    request_id: str


class SubJobAnswer(schema.Answer):
    """SubJob: a restart of what carries the gateway."""

    id: str
    job_type: str
    status: str
    created_at: str
    finished_at: str | None = None
    expected_time_seconds: int
    error_message: str | None = None


class JobAnswer(schema.Answer):
    """Job."""

    id: str
    resource_id: str
    job_type: str
    status: str = Field(json_schema_extra={"enum": list(STATUSES)})
    created_at: str
    finished_at: str | None = None
    expected_time_seconds: int
    error_message: str | None = None
    sub_jobs: list[SubJobAnswer]


class ManyJobs(schema.Answer):
    jobs: list[JobAnswer]
    request_id: str


def job(value: model.GatewayJob, status: model.JobStatus) -> dict[str, Any]:
    return shapes.without_none(
        id=value.id,
        resource_id=value.gateway_id,
        job_type="upgrade",
        status=status.status,
        created_at=shapes.time(value.created_at),
        finished_at=_time(status.finished_at),
        expected_time_seconds=_left(status.status),
        error_message=status.failure,
        sub_jobs=[
            _restart(restart, state, value.addresses, status.failure)
            for restart, state in zip(value.restarts, status.statuses, strict=True)
        ],
    )


def _restart(restart: model.Restart, status: str, addresses: tuple[str, ...], failure: str | None) -> dict[str, Any]:
    where = " and ".join(addresses)
    return shapes.without_none(
        id=restart.id,
        job_type=f"{restart.kind}: restart on the only node, which interrupts both endpoints, {where}",
        status=status,
        created_at=shapes.time(restart.created_at),
        finished_at=_time(restart.finished_at),
        expected_time_seconds=_left(status),
        error_message=failure if status == "error" else None,
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else shapes.time(moment)


def _left(status: str) -> int:
    return RESTART_SECONDS if status in {"upgrading", "rolling_back"} else 0
