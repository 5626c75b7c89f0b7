"""The causes that one attempt shows when an answer or a packet is missing: rules of `attempt_causes`. Pure."""

from collections.abc import Iterator
from datetime import timedelta

from landbridge import model
from landbridge.model import negotiation
from landbridge.status import proposals, rule_context
from landbridge.status.rule_context import NEVER, AttemptView, Context

#: A device that neither continues nor repeats its request within this time is blocked or gone.
SILENT_AFTER = timedelta(seconds=4)
#: A device that begins again within this time has given up its first attempt.
BEGINS_ANEW = timedelta(seconds=60)
#: Sequence number of our message with id and hash in IKEv1 main mode; the first one of phase 2 has a higher one.
MAIN_AUTH = 3


def not_sent(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.NotSent)[-1:]:
        yield rule_context.cause("our_firewall", context, view, fact, detail=fact.line.rpartition(": ")[2] or None)


def device_repeats(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """The device repeats its request although we answered, and does not continue. When it repeats a request on UDP port 4500, our answers on
    port 500 arrived. A single lost packet of an SA that is up is no cause.
    """
    if not view.by_device and not view.attempt.within_sa:
        return
    for fact in [
        retransmits for retransmits in view.facts_of(negotiation.Retransmits) if retransmits.sender == "device"
    ][-1:]:
        if _goes_on(view, fact) or fact.count < _lasting(view, fact):
            continue
        is_first = fact.message == 0 if not view.is_v1 else fact.message <= 1
        if is_first or not _floated(view):
            yield rule_context.cause("answer_lost", context, view, fact)
        else:
            yield rule_context.cause("udp_4500_blocked", context, view, fact)


def _lasting(view: AttemptView, fact: negotiation.Retransmits) -> int:
    """Returns how many repetitions of a request show more than one lost packet: one when no SA was ever up, or when our requests get no answer
    either. Messages 0 and 1 establish an SA.
    """
    unanswered = any(
        retransmits.sender == "us" and retransmits.count >= 2 for retransmits in view.facts_of(negotiation.Retransmits)
    )
    if view.up_at == NEVER or unanswered:
        return 1
    return 2 if fact.message <= 1 else 3


def _goes_on(view: AttemptView, fact: negotiation.Retransmits) -> bool:
    """Whether the device sent a new message afterwards."""
    return any(
        message.sender == "device" and message.at > fact.at for message in view.all_facts_of(negotiation.Message)
    )


def _floated(view: AttemptView) -> bool:
    """Whether the negotiation moved to UDP port 4500."""
    return any(4500 in {packet.local_port, packet.peer_port} for packet in view.all_facts_of(negotiation.Packet))


def _has_received_on_4500(view: AttemptView) -> bool:
    return any(
        packet.sender == "device" and 4500 in {packet.local_port, packet.peer_port}
        for packet in view.all_facts_of(negotiation.Packet)
    )


def we_repeat(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    ours = [retransmits for retransmits in view.facts_of(negotiation.Retransmits) if retransmits.sender == "us"]
    for fact in ours[-1:]:
        if view.attempt.within_sa and view.is_v1 and not view.has_child:
            yield from _silent_v1(context, view, fact)
        elif view.attempt.within_sa:
            if fact.gave_up or (fact.count >= 2 and not _goes_on(view, fact)):
                yield rule_context.cause("peer_dead", context, view, fact, is_certain=fact.gave_up)
        elif view.by_device:
            yield rule_context.cause("answer_lost", context, view, fact, is_certain=False)
        elif view.is_v1:
            yield from _silent_v1(context, view, fact)
        else:
            yield from _silent_v2(context, view, fact)


def _silent_v2(context: Context, view: AttemptView, fact: negotiation.Retransmits) -> Iterator[model.Cause]:
    if fact.message == 0:
        yield rule_context.cause("no_answer", context, view, fact)
    elif any(established.phase == 1 for established in view.all_facts_of(negotiation.Established)):
        yield rule_context.cause("peer_dead", context, view, fact)
    elif _floated(view) and not _has_received_on_4500(view):
        yield rule_context.cause("udp_4500_blocked", context, view, fact)
    else:
        yield rule_context.cause("answer_lost", context, view, fact, is_certain=False)


def _silent_v1(context: Context, view: AttemptView, fact: negotiation.Retransmits) -> Iterator[model.Cause]:
    """No answer to the first message may mean another version or mode, no answer to the third one another key."""
    mode = view.attempt.mode or context.connection.ike_policy.negotiation_mode
    is_phase_2 = fact.message > MAIN_AUTH or any(
        established.phase == 1 for established in view.all_facts_of(negotiation.Established)
    )
    if view.attempt.within_sa or is_phase_2:
        ours = proposals.text(proposals.of_phase(context.connection, 2), 2)
        yield rule_context.cause("esp_proposal_mismatch", context, view, fact, is_certain=False, ours=ours)
        yield rule_context.cause(
            "selectors_mismatch", context, view, fact, is_certain=False, ours=rule_context.pairs(context)
        )
    elif fact.message >= MAIN_AUTH:
        yield from _silent_after_key_exchange(context, view, fact)
    elif fact.message == 2 and mode == "main":
        yield rule_context.cause("psk_missing_on_device", context, view, fact, is_certain=False)
        yield rule_context.cause("answer_lost", context, view, fact, is_certain=False)
    else:
        yield rule_context.cause("no_answer", context, view, fact)
        yield rule_context.cause("ike_mode_mismatch", context, view, fact, is_certain=False, ours=mode)
        yield rule_context.cause("ike_version_mismatch", context, view, fact, is_certain=False, ours="v1")
        if mode == "aggressive":
            yield rule_context.cause(
                "local_id_mismatch", context, view, fact, is_certain=False, ours=str(context.local_id)
            )


def _silent_after_key_exchange(
    context: Context, view: AttemptView, fact: negotiation.Retransmits
) -> Iterator[model.Cause]:
    """A Libreswan with another key repeats its message 4, also when it receives nothing on port 4500. A strongSwan with another key sends an
    answer that cannot be decrypted, and does not repeat its message.
    """
    repeats = [retransmits for retransmits in view.facts_of(negotiation.Retransmits) if retransmits.sender == "device"]
    may_be_blocked = _floated(view) and not _has_received_on_4500(view)
    if may_be_blocked and not repeats:
        yield rule_context.cause("udp_4500_blocked", context, view, fact)
        return
    yield rule_context.cause("psk_mismatch", context, view, *repeats[-1:], fact, is_certain=not may_be_blocked)
    if may_be_blocked:
        yield rule_context.cause("udp_4500_blocked", context, view, fact, is_certain=False)


def device_went_silent(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """The device began and received our last answer on port 500, since it does not repeat its request, and no message followed. Its next
    message goes to port 4500. A device that cannot continue without a key begins again soon. A device whose message is lost repeats it for
    minutes.
    """
    is_over = view.attempt.outcome in {"no_answer", "stopped"} or view.silent_for >= SILENT_AFTER
    if not _left_after_our_answer(view.attempt) or not is_over:
        return
    again = [
        attempt
        for attempt in context.attempts
        if attempt.id != view.attempt.id
        and abs(attempt.began_at - view.attempt.began_at) < BEGINS_ANEW
        and _left_after_our_answer(attempt)
    ]
    if again:
        yield rule_context.cause("psk_missing_on_device", context, view, is_certain=False)
    yield rule_context.cause("udp_4500_blocked", context, view, is_certain=not again)


def _left_after_our_answer(attempt: model.Attempt) -> bool:
    messages = [fact for fact in attempt.facts if isinstance(fact, negotiation.Message)]
    on_4500 = any(
        isinstance(fact, negotiation.Packet) and fact.sender == "device" and 4500 in {fact.local_port, fact.peer_port}
        for fact in attempt.facts
    )
    is_left = attempt.began_by == "device" and not attempt.within_sa and not on_4500 and bool(messages)
    return is_left and messages[-1].sender == "us" and not messages[-1].is_request
