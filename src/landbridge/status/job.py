"""Derives the status of an upgrade from the job and from the report of the engine."""

from dataclasses import replace

from landbridge import model

#: The statuses of a job that is over. Such a job can be deleted.
OVER = frozenset({"success", "rollback_success", "error"})


def derive(job: model.GatewayJob, report: model.GatewayReport, failure: str | None) -> model.JobStatus:
    """`failure`: of the agent's last attempt at the gateway. The agent tries again, so an error may become a success."""
    last = job.restarts[-1]
    done = last.finished_at is not None or report.restarts >= last.number
    states: tuple[model.JobStatusName, model.JobStatusName] = (
        ("upgrading", "pending_upgrade_confirm") if last.kind == "upgrade" else ("rolling_back", "rollback_success")
    )
    going, then = states
    status: model.JobStatusName = then if done else "error" if failure else going
    if job.confirmed_at is not None:
        status = "success"
    ended = settled(job, report).restarts[-1].finished_at if status == "rollback_success" else job.confirmed_at
    return model.JobStatus(
        status=status,
        statuses=(*("success" for _ in job.restarts[:-1]), "success" if done else status),
        finished_at=ended,
        failure=failure if status == "error" else None,
    )


def settled(job: model.GatewayJob, report: model.GatewayReport) -> model.GatewayJob:
    """The job with the time of its last restart, when that restart is done. The report has the time of the newest
    restart only.
    """
    *before, last = job.restarts
    if last.finished_at is None and report.restarts >= last.number:
        last = replace(last, finished_at=report.restarted_at)
    return replace(job, restarts=(*before, last))
