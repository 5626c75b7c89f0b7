"""What is wrong with a tunnel that is up, by the last look at it: its key, and what passes through it."""

from collections.abc import Iterator
from datetime import timedelta

from landbridge import model
from landbridge.status import attempt_causes, cause_texts
from landbridge.status import case as known
from landbridge.status.case import Case

#: What the device says of a key that it has not.
_REFUSALS = frozenset(
    {"psk_mismatch", "psk_missing_on_device", "identity_or_psk_refused", "authentication_method_mismatch"}
)


#: What passes one way alone is worth a warning from so many packets and such a time on.
FEWEST, SHORTEST = 10, timedelta(seconds=20)


def of(case: Case) -> tuple[model.Cause, ...]:
    return (*_key(case), *_one_way(case))


def _one_way(case: Case) -> Iterator[model.Cause]:
    passed = case.seen.one_way
    if passed is None or passed.packets < FEWEST or passed.until - passed.since < SHORTEST:
        return
    seconds = round((passed.until - passed.since).total_seconds())
    if passed.direction == "out":
        last = max((child.last_in_at for child in case.seen.children if child.last_in_at), default=None)
        ever = (
            "the last one came at " + last.strftime("%Y-%m-%dT%H:%M:%SZ")
            if last
            else "none ever came through these SAs"
        )
        detail = f"we sent {passed.packets} packets in {seconds} s, none came back; {ever}"
        yield cause_texts.cause("nothing_comes_back", words=case.words, detail=detail)
    else:
        detail = f"{passed.packets} packets came in {seconds} s, we sent none"
        yield cause_texts.cause("nothing_goes_out", words=case.words, detail=detail)


def _key(case: Case) -> Iterator[model.Cause]:
    """A tunnel that was made with another PSK than the one that is loaded. Only attempts with this one are of the present configuration."""
    if not case.seen.is_key_unproved:
        return
    until = _OLD_KEY_UNTIL[case.connection.ike_policy.version].format(
        seconds=case.connection.ike_policy.lifetime_seconds
    )
    for said in reversed(known.said(case)):
        for cause in attempt_causes.read(case, said)[:1]:
            if cause.code in _REFUSALS:
                yield cause_texts.cause("new_psk_refused", words=case.words, detail=until, evidence=cause.evidence)
                return
    yield cause_texts.cause("key_not_proved", words=case.words, detail=until)


#: IKEv1 asks for the key when phase 1 ends its lifetime, IKEv2 only when a tunnel is made anew.
_OLD_KEY_UNTIL = {
    "v1": "the tunnel runs on until phase 1 is negotiated anew, {seconds} s after its begin at the latest",
    "v2": "the tunnel runs on until either side ends it or does not answer",
}
