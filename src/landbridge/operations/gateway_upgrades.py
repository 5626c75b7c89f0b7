"""Upgrades of VPN gateways, and their jobs.

An upgrade is a counter in the gateway's row: the engine restarts the gateway's charon, with the program that is installed by then.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from landbridge import errors, model
from landbridge.operations import gateway_updates, ids
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import upgrade as rules
from landbridge.status import job as status
from landbridge.store import gateway_jobs, gateways
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """A job, its status, and warnings about it."""

    job: model.GatewayJob
    status: model.JobStatus
    warnings: tuple[model.Warning, ...] = ()


@operation("upgrade_vpn_gateway", "admin", "write")
def upgrade(tx: Transaction, call: Call, request: model.UpgradeRequest) -> ShownJob:
    """Starts, finishes or rolls back an upgrade. All three return its job."""
    row, action = gateway_updates.changeable(tx, call, request.gateway_id), request.action
    job = gateway_jobs.last(tx, row.gateway.id)
    current = _status(row, job) if job else None
    call.refuse(rules.check(action, job, current))
    if job is not None:
        job = status.settled(job, row.observed)
        gateway_jobs.change(tx, job)
    if action == "start" or job is None:
        job = _started(tx, call, row)
    elif action == "finish":
        job = dataclasses.replace(job, confirmed_at=call.now)
    else:
        job = dataclasses.replace(job, restarts=(*job.restarts, _restart(tx, call, row, "rollback")))
    gateway_jobs.change(tx, job)
    call.audit(tx, upgrade.name, row.gateway.id)
    return ShownJob(
        job=job, status=_status(row, job), warnings=(rules.warning(job),) if job.confirmed_at is None else ()
    )


def _started(tx: Transaction, call: Call, row: gateways.GatewayRow) -> model.GatewayJob:
    call = dataclasses.replace(call, now=call.time_after(gateway_jobs.newest(tx, call.project_id)))
    job = model.GatewayJob(
        id=ids.new_id(),
        project_id=call.project_id,
        gateway_id=row.gateway.id,
        addresses=tuple(endpoint.address for endpoint in row.gateway.endpoints),
        restarts=(_restart(tx, call, row, "upgrade"),),
        created_at=call.now,
    )
    gateway_jobs.add(tx, job)
    return job


def _restart(
    tx: Transaction, call: Call, row: gateways.GatewayRow, kind: Literal["upgrade", "rollback"]
) -> model.Restart:
    """One restart more than the store or the engine counts: a restored database may count fewer than the engine."""
    number = max(row.restarts, row.observed.restarts) + 1
    gateways.restart(tx, row.gateway.id, number)
    return model.Restart(id=ids.new_id(), kind=kind, number=number, created_at=call.now)


def _status(row: gateways.GatewayRow, job: model.GatewayJob) -> model.JobStatus:
    return status.derive(job, row.observed, row.failure)


@operation("list_vpn_gateway_jobs", "reader", "long read")
def list_jobs(tx: Transaction, call: Call, request: model.JobListRequest) -> list[ShownJob]:
    shown = []
    for job in gateway_jobs.page(tx, call.project_id, request.gateway_id, request.created_after, request.limit):
        row = gateways.find(tx, call.project_id, job.gateway_id)
        if row is not None:
            shown.append(ShownJob(job=job, status=_status(row, job)))
    return shown


@operation("delete_vpn_gateway_job", "admin", "write")
def remove_job(tx: Transaction, call: Call, request: model.JobRef) -> None:
    """Forgets a job that is over. What the job did to its gateway stays."""
    job = gateway_jobs.find(tx, call.project_id, request.job_id.lower())
    row = gateways.find(tx, call.project_id, job.gateway_id) if job is not None else None
    if job is None or row is None:
        raise errors.NotFound(f"job {request.job_id[:64]}")
    current = _status(row, job)
    if current.status not in status.OVER:
        raise errors.InUse(f"job {job.id} of VPN gateway {job.gateway_id} is {current.status}")
    gateway_jobs.remove(tx, job.id)
    call.audit(tx, remove_job.name, job.id)
