"""Why a connection is down: its attempts, judged, the likeliest cause first.

The newest attempt that shows something decides. An earlier one is heard where it says more about the same thing: an attempt of the
device, where this side responds, usually has the exact cause, and one of ours only that the device refused. Decision record 39.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from landbridge import model
from landbridge.model import negotiation
from landbridge.status import attempt_causes, cause_texts, probe_causes
from landbridge.status import case as known
from landbridge.status.case import Case, Said, show

#: A device that was heard that long before our unanswered attempt began may have been refused by us, and silent for it.
HEARD_BEFORE = timedelta(minutes=3)
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
_SILENCE = frozenset({"no_answer", "answer_lost", "udp_4500_blocked"})
#: What the causes of an earlier attempt may be to say more than the first cause of the newest attempt.
_SHARPER = {
    **dict.fromkeys(_AUTHENTICATION, _AUTHENTICATION),
    **dict.fromkeys(_FIRST_MESSAGE, _FIRST_MESSAGE),
    **dict.fromkeys(_PHASE_2, _PHASE_2),
    "device_disconnects": _AUTHENTICATION,
}
#: How a device ends a tunnel.
_ENDS = frozenset({"device_deleted", "device_disconnects"})
#: What of an attempt is wrong with a tunnel that is up all the same.
_WARNINGS = _PHASE_2 | {"answer_lost", "udp_4500_blocked", "our_firewall", "peer_dead"}
#: What happens several times in that time is no renewal and no restart.
AGAIN_WITHIN = timedelta(minutes=10)
#: A stranger that came longer before what was said last is no longer trying.
STRANGE_BEFORE = timedelta(minutes=10)


class Reading(NamedTuple):
    """An attempt, and the causes that it shows."""

    said: Said
    causes: tuple[model.Cause, ...]


def rank(case: Case) -> tuple[model.Cause, ...]:
    """All that may be the cause, the likeliest first; never empty."""
    read = [Reading(one, found) for one in known.said(case) if (found := attempt_causes.read(case, one))]
    causes = _judge(case, read) if read else (_nothing_said(case),)
    first, strangers = causes[0], tuple(_strangers(case))
    if first.code in {"waiting_for_device", "negotiating"}:
        return _each_once(strangers or causes)
    known_by_address = tuple(one for one in strangers if one.is_certain)
    if known_by_address and (first.code == "no_answer" or not first.is_certain):
        return _each_once((*known_by_address, *causes))
    refined = probe_causes.refine(case, causes)
    if first.code == "no_answer":
        return _each_once((*strangers, *refined))
    return _each_once((*refined, *(strangers if refined[0].code == "no_connection_on_device" else ())))


def of_pairs(case: Case) -> tuple[model.Cause, ...]:
    """Why some pairs of a connection are down while others are up; empty where nothing was said about it. Only phase 2 counts, and nothing
    from before the present IKE_SA.
    """
    since = max(
        (
            fact.at
            for one in case.attempts
            for fact in one.facts
            if isinstance(fact, negotiation.Established) and fact.phase == 1
        ),
        default=known.EVER,
    )
    for one in reversed(case.attempts):
        facts = tuple(fact for fact in one.facts if known.phase_of(fact) == 2 and fact.at >= since)
        found = attempt_causes.read(case, Said(attempt=one, facts=facts, all_facts=one.facts, up_at=since))
        if facts and found and found[0].code in _PHASE_2:
            return found
    return ()


def warnings(case: Case) -> tuple[model.Cause, ...]:
    """What is wrong with a tunnel that is up, the newest first: what was said since it came up, and what ends it again and again."""
    found = [cause for one in reversed(known.said(case)) for cause in attempt_causes.read(case, one)[:1]]
    return _each_once((*(one for one in found if one.code in _WARNINGS), *_again_and_again(case)))


def _again_and_again(case: Case) -> Iterator[model.Cause]:
    """SAs that replace each other, and tunnels that the device ends. One that is replaced or ended once may be renewed."""
    facts = [fact for one in case.attempts for fact in one.facts]
    ended = [one for one in facts if isinstance(one, negotiation.Deleted) and one.sender == "device"]
    ups = [one.at for one in facts if isinstance(one, negotiation.Established)]
    at_once = [one for one in ended if any(timedelta(0) <= one.at - up <= attempt_causes.AT_ONCE for up in ups)]
    replaced = [one for one in facts if isinstance(one, negotiation.Replaced)]
    for code, times, found in (
        ("duplicate_sa", 3, replaced),
        ("device_disconnects", 2, at_once),
        ("device_deleted", 2, ended),
    ):
        if len(found) >= times and found[-1].at - found[-times].at <= AGAIN_WITHIN:
            evidence = known.in_order(negotiation.lines(found[-times:]))
            yield cause_texts.cause(code, words=case.words, evidence=evidence, detail="again and again")
            return


def _judge(case: Case, read: Sequence[Reading]) -> tuple[model.Cause, ...]:
    *earlier, newest = read
    if earlier and newest.said.attempt.outcome is None and _is_faint(newest):
        *earlier, newest = earlier
    return _sharper(newest, earlier) or tuple(_after_a_delete(case, newest, earlier)) or newest.causes


def _is_faint(newest: Reading) -> bool:
    """A request of a running attempt that was sent a second time only: the answer may yet come. Or a line that nobody knows: the end of the
    attempt will tell.
    """
    said = newest.said
    repeats = [one for one in said.of(negotiation.Retransmits) if one.sender == "us"]
    others = [
        fact for fact in said.facts if fact.kind not in {"message", "packet", "nat", "proposal_chosen", "unknown"}
    ]
    if newest.causes[0].code == "unknown_refusal":
        return True
    return bool(repeats) and len(others) == len(repeats) and repeats[-1].count < 2 and not repeats[-1].gave_up


def _sharper(newest: Reading, earlier: Sequence[Reading]) -> tuple[model.Cause, ...]:
    """The causes of the newest earlier attempt that say more about the same thing."""
    return next((one.causes for one in reversed(earlier) if _says_more(newest, one)), ())


def _says_more(newest: Reading, earlier: Reading) -> bool:
    first, cause = newest.causes[0], earlier.causes[0]
    if cause.code == first.code:
        return (cause.is_certain, cause.theirs is not None) > (first.is_certain, first.theirs is not None)
    if first.code == "peer_dead":
        return cause.code in _SILENCE and earlier.said.by_device
    if first.code in _SILENCE:
        return _explains_silence(newest.said, earlier.said, cause)
    return cause.is_certain and not first.is_certain and cause.code in _SHARPER.get(first.code, frozenset())


def _explains_silence(newest: Said, said: Said, cause: model.Cause) -> bool:
    """A device that was heard shortly before is there: what was wrong then is why nothing comes now. A dead peer is silent until it is up
    again.
    """
    if cause.code == "peer_dead":
        return True
    was_heard = said.by_device and said.last_at >= newest.attempt.began_at - HEARD_BEFORE
    return was_heard and cause.is_certain and cause.code not in _ENDS


def _after_a_delete(case: Case, newest: Reading, earlier: Sequence[Reading]) -> Iterator[model.Cause]:
    """The same configuration was up, the device ended it, and now it refuses or is silent: it was switched off or changed there."""
    first = newest.causes[0]
    is_doubtful = first.code in _SILENCE or (first.code in _FIRST_MESSAGE and not first.is_certain)
    ends = [one.causes[0] for one in earlier if one.causes[0].code in _ENDS]
    if ends and is_doubtful and not newest.said.by_device:
        evidence = known.in_order((*ends[-1].evidence, *first.evidence))
        yield cause_texts.cause("device_disabled", words=case.words, evidence=evidence)


def _nothing_said(case: Case) -> model.Cause:
    if case.seen.waits_for_peer and not case.seen.ike_established:
        return cause_texts.cause("waiting_for_device", words=case.words, ours=show(case.peer_id))
    evidence = tuple(line for one in known.said(case)[-1:] for line in one.lines())
    detail = "phase 1 is up, phase 2 is not yet" if case.seen.ike_established else None
    return cause_texts.cause("negotiating", words=case.words, detail=detail, evidence=evidence)


def _strangers(case: Case) -> Iterator[model.Cause]:
    """Attempts at the gateway that no connection fits, the newest first: since the connection was made and was last up, and not long
    before what was said of it last.
    """
    since = max(case.connection.created_at, known.last_up(case, 1))
    newest = max((fact.at for one in case.attempts for fact in one.facts), default=known.EVER + STRANGE_BEFORE)
    for attempt in reversed(case.heard.strangers):
        if attempt.began_at > max(since, newest - STRANGE_BEFORE) and attempt.peer_address:
            yield from _stranger(case, Said(attempt=attempt, facts=attempt.facts, all_facts=attempt.facts))


def _stranger(case: Case, said: Said) -> Iterator[model.Cause]:
    """A device with a fixed address is known by it. Another one may be any that dials."""
    attempt = said.attempt
    elsewhere = attempt.local_address is not None and attempt.local_address != case.local_address
    if case.peer_address is None:
        if elsewhere:
            yield attempt_causes.wrong_endpoint(case, said, is_certain=False)
    elif attempt.peer_address != case.peer_address:
        yield attempt_causes.unknown_peer(case, said)
    elif elsewhere:
        yield attempt_causes.wrong_endpoint(case, said)


def _each_once(causes: Sequence[model.Cause]) -> tuple[model.Cause, ...]:
    first: dict[str, model.Cause] = {}
    for one in causes:
        first.setdefault(one.code, one)
    return tuple(first.values())
