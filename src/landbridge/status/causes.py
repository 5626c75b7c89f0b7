"""The causes of a connection that is down, the likeliest first, and the warnings of one that is up. Pure.

The newest attempt that has a cause decides. An earlier attempt counts only when its cause is more specific. An attempt that the device
began usually shows the exact cause, since this side is the responder. An attempt that we began often shows only that the device refused.
docs/decisions/0039 has the reasons.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from landbridge import model
from landbridge.model import negotiation
from landbridge.status import (
    attempt_causes,
    bgp_causes,
    cause_texts,
    echo_causes,
    probe_causes,
    refusal_causes,
    rule_context,
)
from landbridge.status.rule_context import AttemptView, Context

#: A device that we refused may answer nothing. Its attempt explains our unanswered attempt when it is at most this much older.
REFUSED_BEFORE = timedelta(minutes=3)
_AUTHENTICATION = frozenset(
    {
        "psk_mismatch",
        "psk_missing_on_device",
        "local_id_mismatch",
        "peer_id_mismatch",
        "dial_in_id_mismatch",
        "authentication_method_mismatch",
        "ike_mode_mismatch",
        "identity_or_psk_refused",
    }
)
_FIRST_MESSAGE = frozenset(
    {"ike_proposal_mismatch", "ike_version_mismatch", "no_connection_on_device", "ike_mode_mismatch", "wrong_endpoint"}
)
_PHASE_2 = frozenset({"esp_proposal_mismatch", "selectors_mismatch", "data_plane_failure", "rekey_refused"})
#: Causes while nothing was refused since the last start.
_NOTHING_YET = frozenset({"waiting_for_device", "negotiating", "daemon_restarted"})
_SILENCE = frozenset({"no_answer", "answer_lost", "udp_4500_blocked"})
#: Code of the newest attempt -> codes of an earlier attempt that are more specific when they are certain.
_MORE_SPECIFIC = {
    **dict.fromkeys(_AUTHENTICATION, _AUTHENTICATION),
    **dict.fromkeys(_FIRST_MESSAGE, _FIRST_MESSAGE),
    **dict.fromkeys(_PHASE_2, _PHASE_2),
    "device_disconnects": _AUTHENTICATION,
}
#: Causes that a DELETE of the device shows.
_ENDS = frozenset({"device_deleted", "device_disconnects"})
#: Causes of a device that ended its tunnel or went silent. It may be at another address now.
_GONE = _ENDS | {"device_disabled", "peer_dead"}
#: Causes of an attempt that are warnings while the tunnel is up.
_WARNINGS = _PHASE_2 | {"answer_lost", "udp_4500_blocked", "our_firewall", "peer_dead"}
#: An event that happened several times within this time before the last observation is a warning. A single one may be a renewal or a restart.
AGAIN_WITHIN = timedelta(minutes=10)
#: An attempt of a stranger is too old when it began this long before the last fact of the connection.
STRANGE_BEFORE = timedelta(minutes=10)


class ExplainedAttempt(NamedTuple):
    """An attempt and its causes, the likeliest first."""

    view: AttemptView
    causes: tuple[model.Cause, ...]


def rank(context: Context) -> tuple[model.Cause, ...]:
    """All possible causes, the likeliest first; never empty. A tunnel that is up carries nothing without a BGP session that it needs."""
    if dead := tuple(echo_causes.nqa_causes(context)):
        return each_once((*dead, *warnings(context)))
    if context.seen.children and context.seen.bgp is not None and not context.seen.bgp.carries:
        return each_once((*bgp_causes.find(context), *warnings(context)))
    attempts = _explained_attempts(context)
    causes = _decide(context, attempts) if attempts else (_without_cause(context),)
    first, strangers = causes[0], tuple(_strangers(context))
    if first.code in _NOTHING_YET:
        return each_once(strangers or causes)
    known_by_address = tuple(cause for cause in strangers if cause.is_certain)
    if known_by_address and (first.code in _GONE | {"no_answer"} or not first.is_certain):
        return each_once((*known_by_address, *causes))
    refined = probe_causes.refine(context, causes)
    if first.code == "no_answer":
        return each_once((*strangers, *refined))
    if refined[0].code in _GONE:
        return each_once(_with_the_moved_device(context, attempts, refined, strangers))
    return each_once((*refined, *(strangers if refined[0].code == "no_connection_on_device" else ())))


def _explained_attempts(context: Context) -> list[ExplainedAttempt]:
    """The attempts that have causes, oldest first. Attempts before one that decides in any case are left out: a page of a list ranks the
    causes of many connections.
    """
    explained: list[ExplainedAttempt] = []
    for view in reversed(rule_context.views(context)):
        if causes := attempt_causes.find(context, view):
            explained.insert(0, ExplainedAttempt(view, causes))
            if _is_final(causes[0]) and len(explained) == 1 + _is_preliminary(explained[-1]):
                break
    return explained


def _is_final(cause: model.Cause) -> bool:
    """Whether no earlier attempt can be more specific (`_is_more_specific`, `_after_a_delete`)."""
    return cause.is_certain and cause.theirs is not None and cause.code not in _SILENCE | {"peer_dead"}


def _is_preliminary(attempt: ExplainedAttempt) -> bool:
    return attempt.view.attempt.outcome is None and _is_tentative(attempt)


def _with_the_moved_device(
    context: Context,
    attempts: Sequence[ExplainedAttempt],
    causes: tuple[model.Cause, ...],
    strangers: tuple[model.Cause, ...],
) -> tuple[model.Cause, ...]:
    """The device ended its tunnel or went silent. A stranger that dials since then may be the device at another address: the likeliest cause
    when it identifies itself with peer_id, or when the device does not answer at its old address.
    """
    gone_at = min((line.at for line in causes[0].evidence), default=rule_context.NEVER)
    before = {
        attempt.peer_address for attempt in context.related.strangers if attempt.began_at + REFUSED_BEFORE < gone_at
    }
    named = {attempt.peer_address for attempt in context.related.strangers if _has_peer_id(context, attempt)}
    moved = sorted(
        (cause for cause in strangers if cause.theirs not in before), key=lambda cause: cause.theirs not in named
    )
    is_silent = any(cause.code in _SILENCE | {"peer_dead"} for cause in (*attempts[-1].causes, *causes))
    if moved and (is_silent or moved[0].theirs in named):
        return (*moved, *causes)
    return (*causes, *moved)


def _has_peer_id(context: Context, stranger: model.Attempt) -> bool:
    """Whether a stranger identifies itself with the peer_id of the connection. charon logs the text of an id without its type."""
    ids = [
        fact.got if isinstance(fact, negotiation.PeerIdentity) else fact.peer
        for fact in stranger.facts
        if isinstance(fact, negotiation.PeerIdentity | negotiation.NoConnection)
    ]
    return any(identity is not None and identity.value == context.peer_id.value for identity in ids)


def why_pairs_are_missing(context: Context, since_phase: negotiation.Phase = 1) -> tuple[model.Cause, ...]:
    """Explains why some pairs of a connection are down while others are up; empty when no attempt shows it. Only facts of phase 2 count, since the
    present IKE_SA (`since_phase` 1) or the newest CHILD_SA (2) came up.
    """
    since = max(
        (
            fact.at
            for attempt in context.attempts
            for fact in attempt.facts
            if isinstance(fact, negotiation.Established) and fact.phase <= since_phase
        ),
        default=rule_context.NEVER,
    )
    for attempt in reversed(context.attempts):
        facts = tuple(fact for fact in attempt.facts if rule_context.phase_of(fact) == 2 and fact.at >= since)
        causes = attempt_causes.find(
            context, AttemptView(attempt=attempt, facts=facts, all_facts=attempt.facts, up_at=since)
        )
        if facts and causes and causes[0].code in _PHASE_2:
            return causes
    return ()


def warnings(context: Context) -> tuple[model.Cause, ...]:
    """The warnings of a tunnel that is up, the newest first: causes since it came up, and events that repeat."""
    causes = [
        cause for view in reversed(rule_context.views(context)) for cause in attempt_causes.find(context, view)[:1]
    ]
    return each_once((*(cause for cause in causes if cause.code in _WARNINGS), *_again_and_again(context)))


def _again_and_again(context: Context) -> Iterator[model.Cause]:
    """Repeated replacements of SAs, and repeated ends of the tunnel by the device, within the last AGAIN_WITHIN."""
    facts = [fact for attempt in context.attempts for fact in attempt.facts]
    ended = [deleted for deleted in facts if isinstance(deleted, negotiation.Deleted) and deleted.sender == "device"]
    replaced = [replaced for replaced in facts if isinstance(replaced, negotiation.Replaced)]
    if not ended and not replaced:
        return
    now = max((context.seen_at or rule_context.NEVER, *(fact.at for fact in facts)))
    ups = [established.at for established in facts if isinstance(established, negotiation.Established)]
    at_once = [
        deleted for deleted in ended if any(timedelta(0) <= deleted.at - up <= refusal_causes.AT_ONCE for up in ups)
    ]
    for code, times, matching in (
        ("duplicate_sa", 3, replaced),
        ("device_disconnects", 2, at_once),
        ("device_deleted", 2, ended),
    ):
        if len(matching) >= times and now - matching[-times].at <= AGAIN_WITHIN:
            evidence = rule_context.in_order(negotiation.lines(matching[-times:]))
            yield cause_texts.cause(
                code, placeholders=context.placeholders, evidence=evidence, detail="again and again"
            )
            return


def _decide(context: Context, attempts: Sequence[ExplainedAttempt]) -> tuple[model.Cause, ...]:
    *earlier, newest = attempts
    if earlier and _is_preliminary(newest):
        *earlier, newest = earlier
    return _more_specific(newest, earlier) or tuple(_after_a_delete(context, newest, earlier)) or newest.causes


def _is_tentative(newest: ExplainedAttempt) -> bool:
    """Whether an unfinished attempt shows only the first retransmit of a request, which may still be answered, or only an unknown line,
    which the end of the attempt may explain.
    """
    view = newest.view
    repeats = [retransmits for retransmits in view.facts_of(negotiation.Retransmits) if retransmits.sender == "us"]
    others = [
        fact for fact in view.facts if fact.kind not in {"message", "packet", "nat", "proposal_chosen", "unknown"}
    ]
    if newest.causes[0].code == "unknown_refusal":
        return True
    return bool(repeats) and len(others) == len(repeats) and repeats[-1].count < 2 and not repeats[-1].gave_up


def _more_specific(newest: ExplainedAttempt, earlier: Sequence[ExplainedAttempt]) -> tuple[model.Cause, ...]:
    """The causes of the last earlier attempt that is more specific than the newest one."""
    return next((attempt.causes for attempt in reversed(earlier) if _is_more_specific(attempt, newest)), ())


def _is_more_specific(earlier: ExplainedAttempt, newest: ExplainedAttempt) -> bool:
    first, cause = newest.causes[0], earlier.causes[0]
    if cause.code == first.code:
        return (cause.is_certain, cause.theirs is not None) > (first.is_certain, first.theirs is not None)
    if first.code == "peer_dead":
        return cause.code in _SILENCE and earlier.view.by_device
    if first.code in _SILENCE:
        return _explains_silence(newest.view, earlier.view, cause)
    return cause.is_certain and not first.is_certain and cause.code in _MORE_SPECIFIC.get(first.code, frozenset())


def _explains_silence(newest: AttemptView, earlier: AttemptView, cause: model.Cause) -> bool:
    """Whether the cause of an earlier attempt is the reason why the device does not answer now. A device that sent something shortly before
    is reachable. A dead peer stays silent until it is up again.
    """
    if cause.code == "peer_dead":
        return True
    is_reachable = earlier.by_device and earlier.last_at >= newest.attempt.began_at - REFUSED_BEFORE
    return is_reachable and cause.is_certain and cause.code not in _ENDS


def _after_a_delete(
    context: Context, newest: ExplainedAttempt, earlier: Sequence[ExplainedAttempt]
) -> Iterator[model.Cause]:
    """The device ended a tunnel of the same configuration, and now refuses or does not answer: its connection was disabled or changed."""
    first = newest.causes[0]
    is_doubtful = first.code in _SILENCE or (first.code in _FIRST_MESSAGE and not first.is_certain)
    ends = [attempt.causes[0] for attempt in earlier if attempt.causes[0].code in _ENDS]
    if ends and is_doubtful and not newest.view.by_device:
        evidence = rule_context.in_order((*ends[-1].evidence, *first.evidence))
        yield cause_texts.cause("device_disabled", placeholders=context.placeholders, evidence=evidence)


def _without_cause(context: Context) -> model.Cause:
    died = context.seen.daemon_died_at
    if died is not None and rule_context.last_up(context, 1) < died:
        when = f"at {died:%Y-%m-%d %H:%M:%S} UTC"
        return cause_texts.cause("daemon_restarted", placeholders=context.placeholders, detail=when)
    if context.seen.waits_for_peer and not context.seen.ike_established:
        return cause_texts.cause("waiting_for_device", placeholders=context.placeholders)
    evidence = tuple(line for view in rule_context.views(context)[-1:] for line in view.lines())
    detail = "phase 1 is up, phase 2 is not yet" if context.seen.ike_established else None
    return cause_texts.cause("negotiating", placeholders=context.placeholders, detail=detail, evidence=evidence)


def _strangers(context: Context) -> Iterator[model.Cause]:
    """The causes that attempts of strangers may be, the newest first. An attempt counts when it began after the connection was created and
    was last up, and not long before the last fact of the connection.
    """
    since = max(context.connection.created_at, rule_context.last_up(context, 1))
    newest = max(
        (fact.at for attempt in context.attempts for fact in attempt.facts), default=rule_context.NEVER + STRANGE_BEFORE
    )
    for attempt in reversed(context.related.strangers):
        if attempt.began_at > max(since, newest - STRANGE_BEFORE) and attempt.peer_address:
            yield from _stranger(context, AttemptView(attempt=attempt, facts=attempt.facts, all_facts=attempt.facts))


def _stranger(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """A device with a fixed address is recognized by the address. Any stranger may be a device without one."""
    attempt = view.attempt
    elsewhere = attempt.local_address is not None and attempt.local_address != context.local_address
    if context.peer_address is None:
        if elsewhere:
            yield attempt_causes.wrong_endpoint(context, view, is_certain=False)
    elif attempt.peer_address != context.peer_address:
        yield attempt_causes.unknown_peer(context, view)
    elif elsewhere:
        yield attempt_causes.wrong_endpoint(context, view)


def each_once(causes: Sequence[model.Cause]) -> tuple[model.Cause, ...]:
    """The first cause of each code, in order."""
    first: dict[str, model.Cause] = {}
    for cause in causes:
        first.setdefault(cause.code, cause)
    return tuple(first.values())
