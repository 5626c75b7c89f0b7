"""The causes that ICMP echoes show: through the tunnel (NQA), and outside of it (a connection monitor). Pure."""

from collections.abc import Iterator
from datetime import timedelta

from landbridge import model
from landbridge.status import cause_texts
from landbridge.status.rule_context import Context

#: A packet that came out of the tunnel so long after the path went down was sent after that.
AFTER = timedelta(seconds=5)


def nqa_causes(context: Context) -> Iterator[model.Cause]:
    """The cause of a connection that is DOWN although its tunnel is established. A path with an earlier answer is broken; otherwise the device
    never answered.
    """
    nqa = context.seen.nqa
    if nqa is None or not context.seen.is_path_dead:
        return
    broke = nqa.answered_at is not None
    yield cause_texts.cause(
        "nqa_no_answer",
        placeholders=context.placeholders,
        side="network" if broke else None,
        detail="; ".join((_last_answer(nqa), *_more(context, nqa))),
        remedy=BROKEN.format(address=context.placeholders.address, inner=nqa.destination) if broke else None,
        evidence=_evidence(nqa),
    )


BROKEN = (
    "check that the device is running, that {address} is reachable, and that {inner} still answers ICMP echo requests"
)


def monitor_warnings(context: Context) -> Iterator[model.Cause]:
    monitor = context.seen.monitor
    if monitor is not None and monitor.state == "down":
        yield cause_texts.cause(
            "monitor_no_answer",
            placeholders=context.placeholders,
            detail=_last_answer(monitor),
            evidence=_evidence(monitor),
        )


def _last_answer(reachability: model.Reachability) -> str:
    if reachability.answered_at is None:
        return f"no answer of {reachability.destination} ever came"
    return f"the last answer of {reachability.destination} came at {reachability.answered_at:%Y-%m-%dT%H:%M:%SZ}"


def _more(context: Context, nqa: model.Reachability) -> Iterator[str]:
    """Returns what else is known of the path."""
    monitor, received_at = context.seen.monitor, context.seen.traffic.received_at
    if monitor is not None and monitor.state != "unknown":
        answers = "answers" if monitor.state == "up" else "does not answer either"
        yield f"its outer address {monitor.destination} {answers}"
    if nqa.since is not None and received_at is not None and received_at > nqa.since + AFTER:
        yield "other packets come out of the tunnel"


def _evidence(reachability: model.Reachability) -> tuple[model.Evidence, ...]:
    if reachability.since is None:
        return ()
    line = f"{reachability.lost} of {reachability.sent} echoes from {reachability.source} to {reachability.destination} within a minute had no answer"
    return (model.Evidence(at=reachability.since, line=line),)
