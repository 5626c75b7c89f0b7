"""Upgrading a VPN gateway: start, then finish or roll back."""

from collections.abc import Iterator

from landbridge import model
from landbridge.model import allowed_values

ACTIONS = allowed_values.UPGRADE_ACTIONS
#: action -> statuses of the gateway's last job that it goes with.
ALLOWED = {
    "finish": frozenset({"pending_upgrade_confirm"}),
    "rollback": frozenset({"pending_upgrade_confirm", "error"}),
}
#: The statuses of the last job with which another upgrade may start.
CLOSED = frozenset({"success", "rollback_success"})


def check(
    action: str | None, job: model.GatewayJob | None, status: model.JobStatus | None
) -> Iterator[model.Violation]:
    """`job`: the last job of the gateway."""
    if action not in ACTIONS:
        wrong = "is mandatory" if action is None else f"{action!r} is not a known value"
        yield model.Violation("action", wrong, allowed_values.one_of(ACTIONS))
    elif action == "start":
        if job is not None and status is not None and status.status not in CLOSED:
            allowed = "roll it back" if status.status == "error" else "finish it or roll it back first"
            yield model.Violation("action", f"job {job.id} is {status.status}", allowed)
    elif job is None or status is None:
        yield model.Violation("action", f"there is no upgrade to {action}", "start")
    elif status.status not in ALLOWED[action]:
        wrong = f"job {job.id} is {status.status}, and cannot be taken to {action}"
        yield model.Violation("action", wrong, f"a job that is {' or '.join(sorted(ALLOWED[action]))}")


def warning(job: model.GatewayJob) -> model.Warning:
    where = " and ".join(job.addresses)
    return model.Warning(
        "action", f"the gateway is on one node: both endpoints, {where}, are interrupted by the restart"
    )
