"""Derives the status of a connection, and the explanation of a status that is not simply up."""

import dataclasses
from datetime import datetime, timedelta

from landbridge import model
from landbridge.status import cause_texts, causes, rule_context, staleness, warnings
from landbridge.status.rule_context import Context

#: How many missing pairs a reason names.
SHOWN_PAIRS = 5


def api_status(known: model.KnownConnection) -> model.ConnectionStatusName:
    """The status alone. Lists need no explanation."""
    return name_from_facts(known.facts)


def name_from_facts(facts: model.StatusFacts) -> model.ConnectionStatusName:
    if facts.deleting:
        return "PENDING_DELETE"
    if facts.applied is None or (facts.state is None and facts.applied == facts.generation):
        return "PENDING_CREATE"
    if facts.applied != facts.generation:
        return "PENDING_UPDATE"
    if facts.state == "refused":
        return "ERROR"
    return "ACTIVE" if facts.state == "up" else "DOWN"


def since(known: model.KnownConnection, times: model.Times) -> datetime | None:
    """When the status became what `api_status` says, as far as the store knows."""
    if known.deleting:
        return times.changed_at
    if known.applied is None or known.observation is None:
        return known.connection.created_at
    return times.changed_at if known.applied != known.generation else times.state_since


def derive(
    known: model.KnownConnection,
    now: datetime,
    unseen_after: timedelta,
    paused_since: datetime | None = None,
    gateway_failure: str | None = None,
    related: rule_context.Related = rule_context.NOTHING,
) -> model.ConnectionStatus:
    """The status now. When the last observation is older than `unseen_after`, the status is the last known one and says since
    when. `paused_since`: since when the agent changes nothing. `gateway_failure`: why its VPN gateway is FAULT. `related`: what
    the store has on related resources.
    """
    fault = _fault(gateway_failure)
    observation, status = known.observation, api_status(known)
    context = (
        Context(connection=known.connection, seen=observation, related=related, seen_at=known.seen_at)
        if observation is not None
        else None
    )
    explanation = _explanation(known, context, staleness.explain_pause(paused_since), fault)
    return model.ConnectionStatus(
        status=status,
        explanation=explanation,
        warnings=_warnings(context, explanation) if context and status == "ACTIVE" else (),
        seen_at=known.seen_at,
        not_seen_since=staleness.not_seen_since(known.seen_at, now, unseen_after),
        paused_since=paused_since,
        observation=known.observation,
    )


def first_cause(status: model.ConnectionStatus) -> str | None:
    """The code of the likeliest cause."""
    return next((cause.code for cause in status.causes), None)


def _warnings(context: Context, explanation: model.Explanation | None) -> tuple[model.Cause, ...]:
    """All that is wrong with a tunnel that is up, each code once. First the reason why it is up in part."""
    partly = explanation.causes if explanation is not None else ()
    return causes.each_once((*partly, *causes.warnings(context), *warnings.find(context)))


def _explanation(
    known: model.KnownConnection,
    context: Context | None,
    paused: model.Explanation | None,
    fault: model.Explanation | None,
) -> model.Explanation | None:
    observation = known.observation
    if known.deleting:
        return paused or fault or _failure(observation)
    if observation is None or context is None or known.applied != known.generation:
        return paused or fault or _failure(observation) or _waiting()
    if observation.refused is not None:
        return model.Explanation(reason=observation.refused)
    if observation.state == "up":
        return fault or _partly(context)
    return fault or _why_down(context, paused)


def _fault(failure: str | None) -> model.Explanation | None:
    """The fault is the gateway's. The tunnel itself may be up or down."""
    if failure is None:
        return None
    return model.Explanation(
        reason=f"the VPN gateway is FAULT: {failure}",
        remedy="look at the diagnosis of the VPN gateway; it is the operator who can mend it",
    )


def _why_down(context: Context, paused: model.Explanation | None) -> model.Explanation:
    """During a pause the agent negotiates nothing. A cause from before the pause still counts; without a cause the
    pause is the reason.
    """
    failure = _failure(context.seen)
    if failure is not None:
        return failure
    ranked = causes.rank(context)
    return (
        paused if paused is not None and ranked[0].code in {"negotiating", "daemon_restarted"} else _explained(ranked)
    )


def _explained(ranked: tuple[model.Cause, ...]) -> model.Explanation:
    first = ranked[0]
    return model.Explanation(reason=first.reason, remedy=first.remedy, evidence=first.evidence, causes=ranked)


def _waiting() -> model.Explanation:
    return model.Explanation(reason="waiting for the engine to apply it")


def _failure(observation: model.ConnectionObservation | None) -> model.Explanation | None:
    if observation is None or observation.failure is None:
        return None
    return model.Explanation(reason=f"the engine could not apply it and tries again: {observation.failure}")


def _partly(context: Context) -> model.Explanation | None:
    """Explains a connection that has only some of its CHILD_SAs: how many are up, which pairs are missing, and the reason when an attempt
    shows it.
    """
    observation = context.seen
    up = {(child.local_ts, child.remote_ts) for child in observation.children}
    if len(up) >= observation.expected_children and not observation.missing_pairs:
        return None
    is_narrowed = len(up) >= observation.expected_children
    ranked = causes.why_pairs_are_missing(context, since_phase=2 if is_narrowed else 1)
    cause = cause_texts.cause(
        "selectors_narrowed" if is_narrowed else "selectors_partly",
        placeholders=context.placeholders,
        ours=rule_context.pairs(context),
        theirs="; ".join(sorted(f"{', '.join(ours)} - {', '.join(theirs)}" for ours, theirs in up)[:SHOWN_PAIRS]),
        evidence=ranked[0].evidence if ranked else (),
    )
    reason = "; ".join([_how_much(len(up), observation), *(cause.reason for cause in ranked[:1])])
    remedy = ranked[0].remedy if ranked else cause.remedy
    return _explained((dataclasses.replace(cause, reason=reason, remedy=remedy), *ranked))


def _how_much(up: int, observation: model.ConnectionObservation) -> str:
    """When all requested pairs are up and subnets are missing, the device has narrowed the pairs."""
    shown = ", ".join(observation.missing_pairs[:SHOWN_PAIRS])
    more = (
        f" and {len(observation.missing_pairs) - SHOWN_PAIRS} more"
        if len(observation.missing_pairs) > SHOWN_PAIRS
        else ""
    )
    if up >= observation.expected_children:
        return f"the device carries only a part of the subnets; not carried: {shown}{more}"
    missing = f"; missing: {shown}{more}" if shown else ""
    return f"{up} of {observation.expected_children} traffic selector pairs are up{missing}"
