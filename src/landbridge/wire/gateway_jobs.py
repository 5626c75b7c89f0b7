"""Upgrades of VPN gateways and their jobs on the wire."""

from datetime import datetime
from typing import Any

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.wire import body, shapes

#: Seconds that a restart takes here, on a slow day.
RESTART_SECONDS = 10


class UpgradeShape(body.Shape):
    """UpgradeRequestBody."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [{"action": "start"}]})

    action: str | None = shapes.choice(("start", "finish", "rollback"), description="mandatory")


class UpgradeAnswer(pydantic.BaseModel):
    job_id: str
    request_id: str


class SubJobAnswer(pydantic.BaseModel):
    """SubJob: a restart of what carries the gateway."""

    id: str
    job_type: str
    status: str
    created_at: str
    finished_at: str | None = None
    expected_time_seconds: int
    error_message: str | None = None


class JobAnswer(pydantic.BaseModel):
    """Job."""

    id: str
    resource_id: str
    job_type: str
    status: str = Field(
        description="upgrading, pending_upgrade_confirm, success, rolling_back, rollback_success or error"
    )
    created_at: str
    finished_at: str | None = None
    expected_time_seconds: int
    error_message: str | None = None
    sub_jobs: list[SubJobAnswer]


class ManyJobs(pydantic.BaseModel):
    jobs: list[JobAnswer]
    request_id: str


def job(value: model.GatewayJob, status: model.JobStatus) -> dict[str, Any]:
    return shapes.present(
        id=value.id,
        resource_id=value.gateway_id,
        job_type="upgrade",
        status=status.word,
        created_at=shapes.time(value.created_at),
        finished_at=_time(status.finished_at),
        expected_time_seconds=_left(status.word),
        error_message=status.failure,
        sub_jobs=[
            _restart(one, word, value.addresses, status.failure)
            for one, word in zip(value.restarts, status.words, strict=True)
        ],
    )


def _restart(one: model.Restart, word: str, addresses: tuple[str, ...], failure: str | None) -> dict[str, Any]:
    where = " and ".join(addresses)
    return shapes.present(
        id=one.id,
        job_type=f"{one.kind}: restart on the only node, which interrupts both endpoints, {where}",
        status=word,
        created_at=shapes.time(one.created_at),
        finished_at=_time(one.finished_at),
        expected_time_seconds=_left(word),
        error_message=failure if word == "error" else None,
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else shapes.time(moment)


def _left(word: str) -> int:
    return RESTART_SECONDS if word in {"upgrading", "rolling_back"} else 0
