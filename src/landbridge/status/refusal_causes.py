"""The causes that one attempt shows when the device refused: rules of `attempt_causes`. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from landbridge import model
from landbridge.model import negotiation
from landbridge.model.connection import IkeVersion
from landbridge.status import proposals, rule_context
from landbridge.status.rule_context import NEVER, AttemptView, Context

#: A device that ends a tunnel within this time after it came up did not accept it.
AT_ONCE = timedelta(seconds=10)
#: What the reason adds after a refused rekey.
OLD_KEYS = "the tunnel keeps its present keys until their lifetime ends"
#: The longest time between a fact and its consequence.
SAME_MOMENT = timedelta(seconds=1)
#: Notifies that ask for another try and do not refuse.
PASSING = frozenset({"COOKIE", "TEMPORARY_FAILURE", "CHILD_SA_NOT_FOUND", "REDIRECT"})
OTHER_VERSION: Mapping[IkeVersion, IkeVersion] = {"v1": "v2", "v2": "v1"}


def refused(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    refusals = [refusal for refusal in view.facts_of(negotiation.Refusal) if not _is_passing(refusal)]
    for fact in refusals[-1:]:
        if fact.sender == "us":
            yield _unknown(context, view, fact)
        elif fact.phase == 2 or _was_up(view, fact):
            yield from _refused_phase_2(context, view, fact)
        else:
            yield from _refused_phase_1(context, view, fact)


def _is_passing(fact: negotiation.Refusal) -> bool:
    """Whether the notify asks for another try. A refusal of ours with INVALID_KE_PAYLOAD names the group that the device must use."""
    return fact.notify in PASSING or (fact.sender == "us" and fact.notify == "INVALID_KE_PAYLOAD")


def _was_up(view: AttemptView, fact: negotiation.Refusal) -> bool:
    """Whether phase 1 was up before the refusal. In IKEv1 a notify is the same for both phases."""
    ups = view.all_facts_of(negotiation.Established)
    return any(established.at <= fact.at for established in ups) and fact.notify != "AUTHENTICATION_FAILED"


def _refused_phase_2(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    if fact.notify in {"NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD"}:
        ours = proposals.of_phase(context.connection, 2)
        knows_groups = view.is_v1 or view.attempt.within_sa
        is_rekey = not view.is_v1 and _near(
            context, fact, negotiation.RekeyFailed
        )  # the rest fitted when the SA was made
        yield rule_context.cause(
            "esp_proposal_mismatch",
            context,
            view,
            fact,
            ours=proposals.text(ours, 2, with_groups=knows_groups),
            theirs=fact.data,
            differs=("pfs",) if fact.data or is_rekey else (),
            detail=OLD_KEYS if is_rekey and context.seen.children else None,
        )
    elif fact.notify in {"TS_UNACCEPTABLE", "INVALID_ID_INFORMATION", "SINGLE_PAIR_REQUIRED"}:
        yield rule_context.cause("selectors_mismatch", context, view, fact, ours=rule_context.pairs(context))
    else:
        yield _unknown(context, view, fact)


def _refused_phase_1(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    if fact.notify == "NO_PROPOSAL_CHOSEN":
        yield from _refused_first_message(context, view, fact)
    elif fact.notify == "INVALID_KE_PAYLOAD":
        yield from _refused_key_exchange(context, view, fact)
    elif fact.notify == "AUTHENTICATION_FAILED":
        yield from _refused_identity(context, view, fact)
    elif fact.notify == "INVALID_ID_INFORMATION":
        yield rule_context.cause("local_id_mismatch", context, view, fact, ours=str(context.local_id))
    elif fact.notify == "UNREAD" and view.by_device:
        yield from _refused_unread(context, view, fact)
    elif fact.notify == "PAYLOAD_MALFORMED" and view.is_v1:
        yield rule_context.cause("psk_mismatch", context, view, fact)
    elif fact.notify == "INVALID_MAJOR_VERSION":
        yield version_mismatch(context, view, fact, OTHER_VERSION[context.connection.ike_policy.version])
    else:
        yield _unknown(context, view, fact)


def _refused_first_message(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """A device sends the same notify when it has no connection for us, or one of the other IKE version."""
    ours = proposals.text(proposals.of_phase(context.connection, 1), 1)
    version = context.connection.ike_policy.version
    yield rule_context.cause("ike_proposal_mismatch", context, view, fact, is_certain=False, ours=ours)
    yield rule_context.cause("ike_version_mismatch", context, view, fact, is_certain=False, ours=version)
    yield rule_context.cause("no_connection_on_device", context, view, fact, is_certain=False)


def _refused_key_exchange(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """In IKEv1 strongSwan sends this notify when it has no key for the ids."""
    if view.is_v1:
        yield rule_context.cause("psk_missing_on_device", context, view, fact)
        return
    ours = context.connection.ike_policy.dh_group
    yield rule_context.cause(
        "ike_proposal_mismatch", context, view, fact, ours=ours, theirs=fact.data, differs=("dh_group",)
    )


def _refused_unread(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """IKEv1 aggressive mode. Our message has our id and the hash. The device checks our id, and whether it has a key for it, before it can
    encrypt a refusal.
    """
    if fact.data == "plain":
        yield rule_context.cause("local_id_mismatch", context, view, fact, is_certain=False, ours=str(context.local_id))
        yield rule_context.cause("psk_missing_on_device", context, view, fact, is_certain=False)
    else:
        yield rule_context.cause("psk_mismatch", context, view, fact)


def _refused_identity(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """In IKEv1 a device checks our id before the key, and sends other notifies about the key."""
    mine, theirs = str(context.local_id), str(context.peer_id)
    if view.by_device and view.up_at != NEVER and fact.at - view.up_at <= AT_ONCE:
        yield from _refused_when_up(context, view, fact)
    elif view.is_v1:
        mode = context.connection.ike_policy.negotiation_mode
        yield rule_context.cause("local_id_mismatch", context, view, fact, is_certain=False, ours=mine)
        yield rule_context.cause("ike_mode_mismatch", context, view, fact, is_certain=False, ours=mode)
        yield rule_context.cause(
            "authentication_method_mismatch", context, view, fact, is_certain=False, ours="pre-shared key"
        )
    else:
        yield rule_context.cause("identity_or_psk_refused", context, view, fact, is_certain=False)
        yield rule_context.cause("psk_mismatch", context, view, fact, is_certain=False)
        yield rule_context.cause("local_id_mismatch", context, view, fact, is_certain=False, ours=mine)
        yield rule_context.cause("peer_id_mismatch", context, view, fact, is_certain=False, ours=theirs)


def _refused_when_up(context: Context, view: AttemptView, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """The device began, and its key was right. So it refused our id or our authentication method. If its own messages named our id, it
    refused the method. A tunnel that stayed up before shows that the device accepted both: it was changed since then, and its key may be
    a new one.
    """
    has_named_us = any(
        isinstance(earlier, negotiation.Message) and earlier.sender == "device" and "IDr" in earlier.payloads
        for attempt in context.attempts
        if attempt.began_by == "device"
        for earlier in attempt.facts
    )
    was_accepted = _stayed_up(context, before=view.up_at)
    if was_accepted:
        yield rule_context.cause("psk_mismatch", context, view, fact, is_certain=False)
    if not has_named_us:
        yield rule_context.cause("local_id_mismatch", context, view, fact, is_certain=False, ours=str(context.local_id))
    method, is_certain = "pre-shared key", has_named_us and not was_accepted
    yield rule_context.cause("authentication_method_mismatch", context, view, fact, is_certain=is_certain, ours=method)


def _stayed_up(context: Context, *, before: datetime) -> bool:
    """Whether a tunnel of this configuration came up earlier, and the device did not refuse it at once."""
    facts = [fact for attempt in context.attempts for fact in attempt.facts]
    refused = [
        refusal.at for refusal in facts if isinstance(refusal, negotiation.Refusal) and refusal.sender == "device"
    ]
    return any(
        not any(timedelta(0) <= at - established.at <= AT_ONCE for at in refused)
        for established in facts
        if isinstance(established, negotiation.Established) and established.phase == 2 and established.at < before
    )


def _unknown(
    context: Context, view: AttemptView, fact: negotiation.Refusal | negotiation.Unknown | None
) -> model.Cause:
    line = fact.line if fact else ""
    notify = fact.notify if isinstance(fact, negotiation.Refusal) else ""
    evidence = view.lines(*([fact] if fact else []))
    quoted = line or notify or (evidence[-1].line if evidence else None)
    return rule_context.cause(
        "unknown_refusal", context, view, *([fact] if fact else []), is_certain=False, detail=quoted
    )


def rekey(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """A rekey that failed without a refusal. A refusal at the same time is more specific."""
    for fact in view.facts_of(negotiation.RekeyFailed)[-1:]:
        if not _near(context, fact, negotiation.Refusal):
            ours = proposals.text(proposals.of_phase(context.connection, fact.phase), fact.phase)
            yield rule_context.cause("rekey_refused", context, view, fact, ours=ours)


def _near(context: Context, fact: negotiation.Fact, kind: type[negotiation.Fact]) -> bool:
    """Whether any attempt has a fact of this type at the same time."""
    return any(
        isinstance(other, kind) and abs(other.at - fact.at) <= SAME_MOMENT
        for attempt in context.attempts
        for other in attempt.facts
    )


def version_mismatch(context: Context, view: AttemptView, fact: negotiation.Fact, theirs: IkeVersion) -> model.Cause:
    ours = context.connection.ike_policy.version
    return rule_context.cause("ike_version_mismatch", context, view, fact, ours=ours, theirs=theirs)


def unread(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """A refusal that no other rule explains."""
    lines = [unknown for unknown in view.facts_of(negotiation.Unknown) if unknown.is_refusal]
    if lines:
        yield _unknown(context, view, lines[-1])
    elif view.attempt.outcome in {"refused_by_us", "refused_by_device"}:
        yield _unknown(context, view, None)
    elif view.attempt.outcome == "no_answer" and not view.by_device:
        yield rule_context.cause("peer_dead" if view.attempt.within_sa else "no_answer", context, view)
