"""What one attempt shows: rules from its facts to causes, the likeliest first.

The first rule that finds something decides, so that a cause stands before its consequences. Each inference was made on strongSwan and
Libreswan as devices; docs/reference/causes.md says how.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from landbridge import model
from landbridge.model import allowed_values, negotiation
from landbridge.model.negotiation import Identity
from landbridge.status import cause_texts, proposals
from landbridge.status.case import EVER, Case, Said, show

#: A tunnel that the device ends sooner than that after it came up was not taken by the device.
AT_ONCE = timedelta(seconds=10)
#: A device that does not go on in that time, or asks again, is not heard.
SILENT_AFTER = timedelta(seconds=4)
#: A device that begins a second time within that time has given up the first time by itself.
BEGINS_ANEW = timedelta(seconds=60)
#: What a rekey that is refused leaves.
OLD_KEYS = "the keys that are up go on until their lifetime ends"
#: What an end and its consequence are apart.
SAME_MOMENT = timedelta(seconds=1)
#: Notifies that ask for another try and refuse nothing.
PASSING = frozenset({"COOKIE", "TEMPORARY_FAILURE", "CHILD_SA_NOT_FOUND", "REDIRECT"})
#: Sequence number of our message with id and hash in IKEv1 main mode; the first one of phase 2 has a higher one.
MAIN_AUTH = 3
#: Types of ids that the API has.
SETTABLE = frozenset(allowed_values.ID_TYPES.values)
_OTHER_VERSION = {"v1": "v2", "v2": "v1"}
_OTHER_MODE = {"main": "aggressive", "aggressive": "main"}

Rule = Callable[[Case, Said], Iterator[model.Cause]]


def read(case: Case, said: Said) -> tuple[model.Cause, ...]:
    """The causes that this attempt shows; empty when it shows none."""
    for rule in RULES:
        found = tuple(rule(case, said))
        if found:
            return found
    return ()


def _cause(code: str, case: Case, said: Said, *facts: negotiation.Fact, **given: object) -> model.Cause:
    return cause_texts.cause(code, words=case.words, evidence=said.lines(*facts), **given)  # type: ignore[arg-type]


# -- what we saw ourselves --------------------------------------------------------------------------------------------


def _data_plane(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.DataPlaneFailure)[-1:]:
        yield _cause("data_plane_failure", case, said, fact)


def _method(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.MethodMismatch)[-1:]:
        yield _cause("authentication_method_mismatch", case, said, fact, ours="pre-shared key", theirs=fact.method)


def _key(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.KeyMismatch)[-1:]:
        if fact.problem == "differs":
            yield _cause("psk_mismatch", case, said, fact)


def _mode(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.NoConnection):
        if fact.reason == "mode":
            ours = case.connection.ike_policy.negotiation_mode or "main"
            theirs = said.attempt.mode or _OTHER_MODE[ours]
            yield _cause("ike_mode_mismatch", case, said, fact, ours=ours, theirs=theirs)
            return


def _ids(case: Case, said: Said) -> Iterator[model.Cause]:
    """Neither id of the device's message belongs to a connection, or one of them. Where both texts are ours, a type differs: charon writes
    the text alone.
    """
    for fact in said.of(negotiation.NoConnection)[-1:]:
        if fact.reason != "ids":
            continue
        local_fits = fact.local is None or fact.local.value == case.local_id.value
        if fact.local is not None and not local_fits:
            yield _wrong_local_id(case, said, fact, fact.local)
        if fact.peer is not None and (local_fits or fact.peer.value != case.peer_id.value):
            yield _wrong_peer_id(case, said, fact, fact.peer)


def _identity(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.PeerIdentity)[-1:]:
        if fact.wanted is not None:
            yield _wrong_peer_id(case, said, fact, fact.got)


def _differs(name: str, got: Identity, wanted: Identity) -> tuple[str, ...]:
    """An id of another type with the same text differs in its type alone."""
    return (f"{name}_type",) if got.value == wanted.value else (name,)


def _id_remedy(name: str, theirs: Identity, end: str, ours: Identity) -> str:
    there = f"on the device, set the {end} id to {show(ours)}"
    if theirs.kind not in SETTABLE:
        return there
    return f"on this connection, set {name}_type to {theirs.kind} and {name} to {theirs.value} (ikepolicy); or {there}"


def _wrong_local_id(case: Case, said: Said, fact: negotiation.Fact, wanted: Identity) -> model.Cause:
    differs = _differs("local_id", wanted, case.local_id)
    return _cause(
        "local_id_mismatch",
        case,
        said,
        fact,
        ours=show(case.local_id),
        theirs=f"expects {show(wanted)}",
        differs=differs,
        side="either" if wanted.kind in SETTABLE else "device",
        remedy=_id_remedy("local_id", wanted, "remote", case.local_id),
    )


def _wrong_peer_id(case: Case, said: Said, fact: negotiation.Fact, got: Identity) -> model.Cause:
    is_dial_in = case.seen.waits_for_peer and not said.attempt.is_named
    of_another_type = (got.kind, got.value) == (case.peer_id.kind, case.peer_id.value)
    return _cause(
        "dial_in_id_mismatch" if is_dial_in else "peer_id_mismatch",
        case,
        said,
        fact,
        is_certain=not is_dial_in,
        ours=show(case.peer_id),
        theirs=f"another type than {got.kind}, with the text {got.value}" if of_another_type else show(got),
        differs=_differs("peer_id", got, case.peer_id),
        side="either" if got.kind in SETTABLE else "device",
        remedy=None if of_another_type else _id_remedy("peer_id", got, "local", case.peer_id),
        detail=f"from {said.attempt.peer_address}" if is_dial_in else None,
    )


def _address(case: Case, said: Said) -> Iterator[model.Cause]:
    """No connection of ours has these addresses and this version."""
    attempt, policy = said.attempt, case.connection.ike_policy
    for fact in said.of(negotiation.NoConnection)[-1:]:
        if fact.reason != "address":
            continue
        if attempt.local_address and case.local_address and attempt.local_address != case.local_address:
            yield wrong_endpoint(case, said)
        elif attempt.peer_address and case.peer_address and attempt.peer_address != case.peer_address:
            yield unknown_peer(case, said)
        else:
            theirs = attempt.ike_version or _OTHER_VERSION[policy.version]
            if theirs != policy.version:
                yield _cause("ike_version_mismatch", case, said, fact, ours=policy.version, theirs=theirs)


def wrong_endpoint(case: Case, said: Said, *, is_certain: bool = True) -> model.Cause:
    ours, theirs = case.local_address, said.attempt.local_address
    return _cause("wrong_endpoint", case, said, is_certain=is_certain, ours=ours, theirs=theirs)


def unknown_peer(case: Case, said: Said) -> model.Cause:
    ours, theirs = case.peer_address or show(case.peer_id), said.attempt.peer_address
    return _cause("unknown_peer", case, said, is_certain=False, ours=ours, theirs=theirs)


def _proposal(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.ProposalMismatch)[-1:]:
        ours = proposals.of_phase(case.connection, fact.phase)
        found = proposals.compare(ours, fact.offered, fact.phase)
        if _names_no_groups(said, fact) and not (said.attempt.within_sa and found.differs == ("pfs",)):
            found = proposals.compare(ours, fact.offered, fact.phase, without_groups=True)
        yield _cause(
            "ike_proposal_mismatch" if fact.phase == 1 else "esp_proposal_mismatch",
            case,
            said,
            fact,
            ours=found.ours,
            theirs=found.theirs or None,
            differs=found.differs,
            side="device" if found.only_device else "either",
            remedy=found.remedy,
            detail=OLD_KEYS if fact.phase == 2 and said.attempt.within_sa and case.seen.children else None,
        )


def _names_no_groups(said: Said, fact: negotiation.ProposalMismatch) -> bool:
    """The first exchange of IKEv2 names no group of phase 2, whatever PFS is wanted."""
    return fact.phase == 2 and not said.is_v1 and not any(one.groups for one in fact.offered)


def _selectors(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.SelectorsRefused)[-1:]:
        asked = "; ".join(f"{', '.join(one.local)} - {', '.join(one.remote)}" for one in fact.asked)
        yield _cause("selectors_mismatch", case, said, fact, ours=pairs(case), theirs=asked or None)


def pairs(case: Case) -> str | None:
    """The subnets of this connection: ours and the device's."""
    shown = "; ".join(f"{ours} - {theirs}" for ours, theirs in case.heard.pairs[:5])
    return f"{shown} and {len(case.heard.pairs) - 5} more" if len(case.heard.pairs) > 5 else shown or None


def _no_key(case: Case, said: Said) -> Iterator[model.Cause]:
    """We have keys for the ids that we know, so that one of the device's two ids is unknown here."""
    for fact in said.of(negotiation.KeyMismatch)[-1:]:
        if fact.problem == "absent":
            yield _cause("peer_id_mismatch", case, said, fact, is_certain=False, ours=show(case.peer_id))
            yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=show(case.local_id))


def _undecryptable(case: Case, said: Said) -> Iterator[model.Cause]:
    """IKEv1 main mode. What the device encrypted first shows its key. To our message a Libreswan whose remote id is another answers the
    same way; it repeats its message 4 too, which a strongSwan does not.
    """
    for fact in said.of(negotiation.KeyMismatch)[-1:]:
        if fact.problem != "undecryptable":
            continue
        repeats = [one for one in said.of(negotiation.Retransmits) if one.sender == "device"]
        is_key = said.by_device or not repeats
        yield _cause("psk_mismatch", case, said, fact, is_certain=is_key)
        if not is_key:
            yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=show(case.local_id))


# -- what the device refused ------------------------------------------------------------------------------------------


def _refused(case: Case, said: Said) -> Iterator[model.Cause]:
    refusals = [one for one in said.of(negotiation.Refusal) if not _is_passing(one)]
    for fact in refusals[-1:]:
        if fact.sender == "us":
            yield _unknown(case, said, fact)
        elif fact.phase == 2 or _was_up(said, fact):
            yield from _refused_phase_2(case, said, fact)
        else:
            yield from _refused_phase_1(case, said, fact)


def _is_passing(fact: negotiation.Refusal) -> bool:
    """Whether it asks for another try, as ours does that names the group of the key exchange."""
    return fact.notify in PASSING or (fact.sender == "us" and fact.notify == "INVALID_KE_PAYLOAD")


def _was_up(said: Said, fact: negotiation.Refusal) -> bool:
    """Whether phase 1 was up before. In IKEv1 a refusal says the same of both phases."""
    ups = said.ever(negotiation.Established)
    return any(one.at <= fact.at for one in ups) and fact.notify != "AUTHENTICATION_FAILED"


def _refused_phase_2(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    if fact.notify in {"NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD"}:
        ours = proposals.of_phase(case.connection, 2)
        knows_groups = said.is_v1 or said.attempt.within_sa
        is_rekey = not said.is_v1 and _near(case, fact, negotiation.RekeyFailed)  # the rest fitted when the SA was made
        yield _cause(
            "esp_proposal_mismatch",
            case,
            said,
            fact,
            ours=proposals.text(ours, 2, with_groups=knows_groups),
            theirs=fact.data,
            differs=("pfs",) if fact.data or is_rekey else (),
            detail=OLD_KEYS if is_rekey and case.seen.children else None,
        )
    elif fact.notify in {"TS_UNACCEPTABLE", "INVALID_ID_INFORMATION", "SINGLE_PAIR_REQUIRED"}:
        yield _cause("selectors_mismatch", case, said, fact, ours=pairs(case))
    else:
        yield _unknown(case, said, fact)


def _refused_phase_1(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    if fact.notify == "NO_PROPOSAL_CHOSEN":
        yield from _refused_first_message(case, said, fact)
    elif fact.notify == "INVALID_KE_PAYLOAD":
        yield from _refused_key_exchange(case, said, fact)
    elif fact.notify == "AUTHENTICATION_FAILED":
        yield from _refused_identity(case, said, fact)
    elif fact.notify == "INVALID_ID_INFORMATION":
        yield _cause("local_id_mismatch", case, said, fact, ours=show(case.local_id))
    elif fact.notify == "UNREAD" and said.by_device:
        yield from _refused_unread(case, said, fact)
    elif fact.notify == "PAYLOAD_MALFORMED" and said.is_v1:
        yield _cause("psk_mismatch", case, said, fact)
    elif fact.notify == "INVALID_MAJOR_VERSION":
        ours = case.connection.ike_policy.version
        yield _cause("ike_version_mismatch", case, said, fact, ours=ours, theirs=_OTHER_VERSION[ours])
    else:
        yield _unknown(case, said, fact)


def _refused_first_message(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """A device says the same when it has no connection for us, or one of another version."""
    ours = proposals.text(proposals.of_phase(case.connection, 1), 1)
    version = case.connection.ike_policy.version
    yield _cause("ike_proposal_mismatch", case, said, fact, is_certain=False, ours=ours)
    yield _cause("ike_version_mismatch", case, said, fact, is_certain=False, ours=version)
    yield _cause("no_connection_on_device", case, said, fact, is_certain=False)


def _refused_key_exchange(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """In IKEv1 strongSwan says so when it has no key for the identities."""
    if said.is_v1:
        yield _cause("psk_missing_on_device", case, said, fact)
        return
    ours = case.connection.ike_policy.dh_group
    yield _cause("ike_proposal_mismatch", case, said, fact, ours=ours, theirs=fact.data, differs=("dh_group",))


def _refused_unread(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """IKEv1 aggressive mode: our message has id and hash. Before the device has keys to encrypt its refusal it looks at our id, and for a
    key for it.
    """
    if fact.data == "plain":
        yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=show(case.local_id))
        yield _cause("psk_missing_on_device", case, said, fact, is_certain=False)
    else:
        yield _cause("psk_mismatch", case, said, fact)


def _refused_identity(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """In IKEv1 the key is not checked by the device before our id, and what it dislikes of the key shows otherwise."""
    mine, theirs = show(case.local_id), show(case.peer_id)
    if said.up_at != EVER and fact.at - said.up_at <= AT_ONCE:
        yield from _refused_when_up(case, said, fact)
    elif said.is_v1:
        mode = case.connection.ike_policy.negotiation_mode
        yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=mine)
        yield _cause("ike_mode_mismatch", case, said, fact, is_certain=False, ours=mode)
        yield _cause("authentication_method_mismatch", case, said, fact, is_certain=False, ours="pre-shared key")
    else:
        yield _cause("identity_or_psk_refused", case, said, fact, is_certain=False)
        yield _cause("psk_mismatch", case, said, fact, is_certain=False)
        yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=mine)
        yield _cause("peer_id_mismatch", case, said, fact, is_certain=False, ours=theirs)


def _refused_when_up(case: Case, said: Said, fact: negotiation.Refusal) -> Iterator[model.Cause]:
    """The device began, and its key was right: what it dislikes of our answer is our id, or how we authenticate. Where it has named our id
    before, only that is left.
    """
    has_named_us = any(
        isinstance(one, negotiation.Message) and one.sender == "device" and "IDr" in one.payloads
        for attempt in case.attempts
        if attempt.began_by == "device"
        for one in attempt.facts
    )
    if not has_named_us:
        yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=show(case.local_id))
    method = "pre-shared key"
    yield _cause("authentication_method_mismatch", case, said, fact, is_certain=has_named_us, ours=method)


def _unknown(case: Case, said: Said, fact: negotiation.Refusal | negotiation.Unknown | None) -> model.Cause:
    line = fact.line if fact else ""
    notify = fact.notify if isinstance(fact, negotiation.Refusal) else ""
    evidence = said.lines(*([fact] if fact else []))
    quoted = line or notify or (evidence[-1].line if evidence else None)
    return _cause("unknown_refusal", case, said, *([fact] if fact else []), is_certain=False, detail=quoted)


def _rekey(case: Case, said: Said) -> Iterator[model.Cause]:
    """The refusal itself says more, where there is one."""
    for fact in said.of(negotiation.RekeyFailed)[-1:]:
        if not _near(case, fact, negotiation.Refusal):
            ours = proposals.text(proposals.of_phase(case.connection, fact.phase), fact.phase)
            yield _cause("rekey_refused", case, said, fact, ours=ours)


def _near(case: Case, fact: negotiation.Fact, kind: type[negotiation.Fact]) -> bool:
    """Whether a fact of the kind was told at the same moment, in whichever attempt."""
    return any(
        isinstance(one, kind) and abs(one.at - fact.at) <= SAME_MOMENT
        for attempt in case.attempts
        for one in attempt.facts
    )


# -- what happened to an SA that was up -------------------------------------------------------------------------------


def _ended_at_once(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.Deleted)[-1:]:
        if fact.sender != "device" or said.up_at == EVER or fact.at - said.up_at > AT_ONCE:
            continue
        phases = {one.phase for one in said.ever(negotiation.Established)}
        if said.is_v1 and phases == {1} and said.by_device:
            yield _cause("local_id_mismatch", case, said, fact, ours=show(case.local_id))
        else:
            yield _cause("device_disconnects", case, said, fact)


def _deleted(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.Deleted)[-1:]:
        if fact.sender == "device":
            yield _cause("device_deleted", case, said, fact, detail=f"at {fact.at:%Y-%m-%d %H:%M:%S} UTC")


# -- silence ----------------------------------------------------------------------------------------------------------


def _not_sent(case: Case, said: Said) -> Iterator[model.Cause]:
    for fact in said.of(negotiation.NotSent)[-1:]:
        yield _cause("our_firewall", case, said, fact, detail=fact.line.rpartition(": ")[2] or None)


def _device_repeats(case: Case, said: Said) -> Iterator[model.Cause]:
    """The device asks again although we answered, and does not go on. Where it asks again on UDP port 4500, our answers were heard on
    port 500. One packet of an SA that is up may be lost.
    """
    if not said.by_device and not said.attempt.within_sa:
        return
    for fact in [one for one in said.of(negotiation.Retransmits) if one.sender == "device"][-1:]:
        if _goes_on(said, fact) or fact.count < _lasting(said, fact):
            continue
        is_first = fact.message == 0 if not said.is_v1 else fact.message <= 1
        if is_first or not _floated(said):
            yield _cause("answer_lost", case, said, fact)
        else:
            yield _cause("udp_4500_blocked", case, said, fact)


def _lasting(said: Said, fact: negotiation.Retransmits) -> int:
    """How often a request must come again before it is more than a packet that was lost: once where nothing was ever up, or where our own
    requests are not answered either. Messages 0 and 1 are those that make an SA.
    """
    unanswered = any(one.sender == "us" and one.count >= 2 for one in said.of(negotiation.Retransmits))
    if said.up_at == EVER or unanswered:
        return 1
    return 2 if fact.message <= 1 else 3


def _goes_on(said: Said, fact: negotiation.Retransmits) -> bool:
    """Whether the device said something new afterwards."""
    return any(one.sender == "device" and one.at > fact.at for one in said.ever(negotiation.Message))


def _floated(said: Said) -> bool:
    """Whether the negotiation went on to UDP port 4500."""
    return any(4500 in {one.local_port, one.peer_port} for one in said.ever(negotiation.Packet))


def _heard_on_4500(said: Said) -> bool:
    return any(
        one.sender == "device" and 4500 in {one.local_port, one.peer_port} for one in said.ever(negotiation.Packet)
    )


def _we_repeat(case: Case, said: Said) -> Iterator[model.Cause]:
    ours = [one for one in said.of(negotiation.Retransmits) if one.sender == "us"]
    for fact in ours[-1:]:
        if said.attempt.within_sa and said.is_v1 and not said.has_child:
            yield from _silent_v1(case, said, fact)
        elif said.attempt.within_sa:
            if fact.gave_up or (fact.count >= 2 and not _goes_on(said, fact)):
                yield _cause("peer_dead", case, said, fact, is_certain=fact.gave_up)
        elif said.by_device:
            yield _cause("answer_lost", case, said, fact, is_certain=False)
        elif said.is_v1:
            yield from _silent_v1(case, said, fact)
        else:
            yield from _silent_v2(case, said, fact)


def _silent_v2(case: Case, said: Said, fact: negotiation.Retransmits) -> Iterator[model.Cause]:
    if fact.message == 0:
        yield _cause("no_answer", case, said, fact)
    elif any(one.phase == 1 for one in said.ever(negotiation.Established)):
        yield _cause("peer_dead", case, said, fact)
    elif _floated(said) and not _heard_on_4500(said):
        yield _cause("udp_4500_blocked", case, said, fact)
    else:
        yield _cause("answer_lost", case, said, fact, is_certain=False)


def _silent_v1(case: Case, said: Said, fact: negotiation.Retransmits) -> Iterator[model.Cause]:
    """Silence after the first message may be another version or mode, after the third one the key."""
    mode = said.attempt.mode or case.connection.ike_policy.negotiation_mode
    is_phase_2 = fact.message > MAIN_AUTH or any(one.phase == 1 for one in said.ever(negotiation.Established))
    if said.attempt.within_sa or is_phase_2:
        ours = proposals.text(proposals.of_phase(case.connection, 2), 2)
        yield _cause("esp_proposal_mismatch", case, said, fact, is_certain=False, ours=ours)
        yield _cause("selectors_mismatch", case, said, fact, is_certain=False, ours=pairs(case))
    elif fact.message >= MAIN_AUTH:
        yield from _silent_after_key_exchange(case, said, fact)
    elif fact.message == 2 and mode == "main":
        yield _cause("psk_missing_on_device", case, said, fact, is_certain=False)
        yield _cause("answer_lost", case, said, fact, is_certain=False)
    else:
        yield _cause("no_answer", case, said, fact)
        yield _cause("ike_mode_mismatch", case, said, fact, is_certain=False, ours=mode)
        yield _cause("ike_version_mismatch", case, said, fact, is_certain=False, ours="v1")
        if mode == "aggressive":
            yield _cause("local_id_mismatch", case, said, fact, is_certain=False, ours=show(case.local_id))


def _silent_after_key_exchange(case: Case, said: Said, fact: negotiation.Retransmits) -> Iterator[model.Cause]:
    """A Libreswan with another key repeats its message 4, also when it hears nothing on port 4500. A strongSwan with another key answers
    what cannot be decrypted, and does not repeat.
    """
    repeats = [one for one in said.of(negotiation.Retransmits) if one.sender == "device"]
    may_be_blocked = _floated(said) and not _heard_on_4500(said)
    if may_be_blocked and not repeats:
        yield _cause("udp_4500_blocked", case, said, fact)
        return
    yield _cause("psk_mismatch", case, said, *repeats[-1:], fact, is_certain=not may_be_blocked)
    if may_be_blocked:
        yield _cause("udp_4500_blocked", case, said, fact, is_certain=False)


def _device_went_silent(case: Case, said: Said) -> Iterator[model.Cause]:
    """The device began and took our last answer on port 500, since it does not ask again, and nothing came after it. Its next message goes
    to port 4500. A device that cannot go on, because it has no key, begins anew soon; one whose message is lost asks for minutes.
    """
    is_over = said.attempt.outcome in {"no_answer", "stopped"} or said.silent_for >= SILENT_AFTER
    if not _left_after_our_answer(said.attempt) or not is_over:
        return
    again = [
        one
        for one in case.attempts
        if one.id != said.attempt.id
        and abs(one.began_at - said.attempt.began_at) < BEGINS_ANEW
        and _left_after_our_answer(one)
    ]
    if again:
        yield _cause("psk_missing_on_device", case, said, is_certain=False)
    yield _cause("udp_4500_blocked", case, said, is_certain=not again)


def _left_after_our_answer(attempt: model.Attempt) -> bool:
    messages = [fact for fact in attempt.facts if isinstance(fact, negotiation.Message)]
    on_4500 = any(
        isinstance(fact, negotiation.Packet) and fact.sender == "device" and 4500 in {fact.local_port, fact.peer_port}
        for fact in attempt.facts
    )
    is_left = attempt.began_by == "device" and not attempt.within_sa and not on_4500 and bool(messages)
    return is_left and messages[-1].sender == "us" and not messages[-1].is_request


def _unread(case: Case, said: Said) -> Iterator[model.Cause]:
    """Something was refused, and no rule says what."""
    lines = [one for one in said.of(negotiation.Unknown) if one.is_refusal]
    if lines:
        yield _unknown(case, said, lines[-1])
    elif said.attempt.outcome in {"refused_by_us", "refused_by_device"}:
        yield _unknown(case, said, None)
    elif said.attempt.outcome == "no_answer" and not said.by_device:
        yield _cause("peer_dead" if said.attempt.within_sa else "no_answer", case, said)


RULES: tuple[Rule, ...] = (
    _data_plane,
    _method,
    _key,
    _mode,
    _ids,
    _identity,
    _address,
    _proposal,
    _selectors,
    _no_key,
    _undecryptable,
    _refused,
    _rekey,
    _ended_at_once,
    _not_sent,
    _device_repeats,
    _we_repeat,
    _device_went_silent,
    _unread,
    _deleted,
)
