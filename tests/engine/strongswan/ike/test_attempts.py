"""Attempts from charon's lines and events.

`charon_logs/` has the lines and events of whole negotiations of strongSwan 5.9.8 against itself: a line is the number of the IKE_SA, its name
(`-` for none) and the line; `!up` and `!gone` are VICI's ike-updown events, with who began. They stand in the order in which they came.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.engine.strongswan.ike import attempts, kept_attempts, open_attempt, state, steps
from landbridge.model import negotiation
from landbridge.model.negotiation import Attempt

LOGS = Path(__file__).parent / "charon_logs"
AT = datetime(2026, 1, 1, tzinfo=UTC)
US, DEVICE = "203.0.113.10", "198.51.100.2"


def ends(local: str = US, peer: str = DEVICE) -> state.Ends:
    return state.Ends(frozenset({local}), frozenset({peer}))


def loaded(log: attempts.AttemptLog, **conns: state.Ends) -> attempts.AttemptLog:
    """As a look has it: each connection with one child and one secret."""
    found = state.IkeState(
        conns={name: frozenset({f"{name}.0.a.b"}) for name in conns}, secrets=frozenset(f"{name}.s" for name in conns)
    )
    log.observe(found, conns)
    return log


def log_of(**conns: state.Ends) -> attempts.AttemptLog:
    return loaded(attempts.AttemptLog(), **conns)


class Line(tuple[str, str, str]):
    """(number of the SA, its name, the line)"""

    __slots__ = ()

    def of(self, number: str, name: str) -> "Line":
        """The same of another SA and connection."""
        return Line(
            (
                f"{number}{self[0]}",
                name if self[1] == "alpha" else self[1],
                self[2].replace("alpha[", f"{name}[{number}").replace("alpha", name),
            )
        )


def lines(name: str) -> list[Line]:
    rows = (LOGS / f"{name}.txt").read_text().splitlines()
    return [Line(row.split(" ", 2)) for row in rows]  # type: ignore[arg-type]


def tell(log: attempts.AttemptLog, said: Iterable[Sequence[str]], start: datetime = AT) -> bool:
    """A millisecond a line. Returns whether any of them decides something."""
    decides = False
    for number, (unique_id, told_name, line) in enumerate(said):
        at = start + timedelta(milliseconds=number)
        name = state.UNNAMED if told_name == "-" else told_name
        if line.startswith("!"):
            kind, by = line.split()
            sa = {"uniqueid": unique_id} | ({"initiator": "yes"} if by == "us" else {})
            told = {name: sa} | ({"up": "yes"} if kind == "!up" else {})
            log.event(at, "ike-updown", told)
        else:
            decides |= log.add(at, name, unique_id, line)
    return decides


def short(attempt: Attempt) -> tuple[Any, ...]:
    """(who began it, within an SA or not, its outcome, its facts but for messages and what both agreed on)"""
    quiet = (negotiation.Message, negotiation.Packet, negotiation.Nat, negotiation.ProposalChosen)
    told = [_word(fact) for fact in attempt.facts if not isinstance(fact, quiet)]
    return attempt.began_by, attempt.within_sa, attempt.outcome, list(dict.fromkeys(told))


def _word(fact: Any) -> str:
    names = ("sender", "phase", "notify", "reason", "problem", "again", "gave_up")
    values = [str(getattr(fact, name)) for name in names if getattr(fact, name, None) not in (None, False)]
    other = " other" if getattr(fact, "wanted", None) else ""
    return " ".join([fact.kind, *values]).replace(" True", " again") + other


def seen(name: str) -> list[tuple[Any, ...]]:
    log = log_of(alpha=ends())
    tell(log, lines(name))
    return [short(each) for each in log.attempts()["alpha"]]


PEER, UP_1, UP_2 = "peer_identity", "established 1", "established 2"
NEGOTIATIONS = {
    "v2_ok_we_call": [
        ("us", False, "up", [PEER, UP_1, UP_2]),
        ("device", True, "up", ["established 1 again"]),
        ("device", True, "deleted", ["deleted device 1"]),
    ],
    "v2_ok_device_calls": [
        ("device", False, "up", [PEER, UP_1, UP_2]),
        ("device", True, "up", ["established 1 again"]),
        ("device", True, "deleted", ["deleted device 1"]),
    ],
    "v2_psk_we_call": [("us", False, "refused_by_device", ["refusal device 1 AUTHENTICATION_FAILED"])],
    "v2_psk_device_calls": [("device", False, "refused_by_us", [PEER, "key_mismatch differs"])],
    "v2_ikeprop_we_call": [("us", False, "refused_by_device", ["refusal device 1 NO_PROPOSAL_CHOSEN"])],
    "v2_ikeprop_device_calls": [("device", False, "refused_by_us", ["proposal_mismatch 1"])],
    "v2_peerid_device_calls": [("device", False, "refused_by_us", ["no_connection ids"])],
    "v2_ourid_device_calls": [("device", False, "refused_by_us", ["no_connection ids"])],
    "v2_is_v1_device_calls": [("device", False, "refused_by_us", ["no_connection address"])],
    "v2_ts_we_call": [("us", False, "refused_by_device", [PEER, UP_1, "refusal device 2 TS_UNACCEPTABLE"])],
    "v2_ts_device_calls": [("device", False, "refused_by_us", [PEER, UP_1, "selectors_refused"])],
    "v2_espprop_we_call": [("us", False, "refused_by_device", [PEER, UP_1, "refusal device 2 NO_PROPOSAL_CHOSEN"])],
    "v2_espprop_device_calls": [("device", False, "refused_by_us", [PEER, UP_1, "proposal_mismatch 2"])],
    "v2_narrow_we_call": [("us", False, "up", [PEER, UP_1, UP_2])],
    "v2_pfs_device_calls": [
        ("device", False, "up", [PEER, UP_1, UP_2]),
        ("device", True, "refused_by_us", ["proposal_mismatch 2"]),
        ("device", True, "up", ["established 1 again"]),
        ("device", True, "deleted", ["deleted device 1"]),
    ],
    "main_ok_we_call": [
        ("us", False, "up", [UP_1, UP_2]),
        ("device", True, "up", ["established 2 again"]),
        ("device", False, "up", [PEER, UP_1]),
        ("device", True, "replaced", ["replaced"]),
        ("device", True, "deleted", ["deleted device 2", "deleted device 1"]),
    ],
    "main_psk_we_call": [("us", False, None, ["key_mismatch undecryptable"])],
    "main_psk_device_calls": [("device", False, "refused_by_us", ["key_mismatch undecryptable"])],
    "main_peerid_we_call": [("us", False, "refused_by_us", ["peer_identity other", "deleted us 1"])],
    "main_ts_we_call": [("us", False, "refused_by_device", [UP_1, "refusal device 2 INVALID_ID_INFORMATION"])],
    "main_ts_device_calls": [("device", False, "refused_by_us", [PEER, UP_1, "selectors_refused"])],
    "main_is_aggr_device_calls": [("device", False, "refused_by_us", ["no_connection mode"])],
    "aggr_ok_device_calls": [
        ("device", False, "up", [PEER, UP_1, UP_2]),
        ("device", True, "up", ["established 2 again"]),
        ("device", False, "up", [PEER, UP_1]),
        ("device", True, "replaced", ["replaced"]),
        ("device", True, "deleted", ["deleted device 2", "deleted device 1"]),
    ],
    "aggr_psk_we_call": [("us", False, "refused_by_us", ["key_mismatch differs"])],
    "aggr_psk_device_calls": [
        ("device", False, "refused_by_device", [PEER, "refusal device 1 UNREAD", "retransmits us"])
    ],
    "aggr_ikegroup_device_calls": [("device", False, "refused_by_us", ["proposal_mismatch 1"])],
}


@pytest.mark.parametrize(("name", "told"), NEGOTIATIONS.items(), ids=NEGOTIATIONS)
def test_a_negotiation_is_cut_into_attempts(name: str, told: list[tuple[Any, ...]]):
    assert seen(name) == told


def test_a_tunnel_that_is_made_anew_is_not_told_as_renewed():
    log = log_of(alpha=ends())
    tell(log, [line.of(number, "alpha") for number in ("7", "8") for line in lines("v2_ok_we_call")])
    made = [short(each) for each in log.attempts()["alpha"] if not each.within_sa]
    assert made == [("us", False, "up", [PEER, UP_1, UP_2])] * 2


def test_every_negotiation_of_the_folder_has_a_test():
    assert {path.stem for path in LOGS.glob("*.txt")} == set(NEGOTIATIONS)


@pytest.mark.parametrize(
    ("name", "version", "mode"),
    [("v2_psk_we_call", "v2", None), ("main_psk_we_call", "v1", "main"), ("aggr_psk_device_calls", "v1", "aggressive")],
)
def test_an_attempt_knows_its_ends_and_its_version(name: str, version: str, mode: str | None):
    log = log_of(alpha=ends())
    tell(log, lines(name))
    [attempt] = log.attempts()["alpha"]
    assert (attempt.ike_version, attempt.mode) == (version, mode)
    assert (attempt.local_address, attempt.peer_address) == (US, DEVICE)
    assert attempt.configuration == state.configuration({"alpha.0.a.b"}, {"alpha.s"})


# -- several at once --------------------------------------------------------------------------------------------------

#: Each of its own connection, which has its own device.
MANY = sorted(NEGOTIATIONS)


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[str], list[Line]]:
    """The interleaved lines of some negotiations of several connections. The lines of each are in order."""
    names = draw(st.lists(st.sampled_from(MANY), min_size=2, max_size=5))
    rest = [[line.of(f"{place}", f"c{place}") for line in _at(lines(name), place)] for place, name in enumerate(names)]
    said: list[Line] = []
    while any(rest):
        turn = draw(st.sampled_from([one for one in rest if one]))
        length = draw(st.integers(1, 8))
        said += turn[:length]
        del turn[:length]
    return names, said


def _at(said: list[Line], place: int) -> Iterator[Line]:
    for unique_id, name, line in said:
        yield Line((unique_id, name, line.replace(DEVICE, f"198.51.100.{10 + place}")))


@settings(max_examples=60, deadline=None)
@given(interleaved())
def test_negotiations_that_go_on_at_once_are_told_apart(given_: tuple[list[str], list[Line]]):
    names, said = given_
    log = log_of(**{f"c{place}": ends(peer=f"198.51.100.{10 + place}") for place in range(len(names))})
    tell(log, said)
    found = log.attempts()
    for place, name in enumerate(names):
        assert [short(each) for each in found[f"c{place}"]] == NEGOTIATIONS[name]
    assert log.strangers() == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(MANY), st.integers(1, 60)), min_size=1, max_size=60))
def test_what_is_kept_is_bounded_whatever_is_said(said: list[tuple[int, str, int]]):
    """Peers from anywhere begin and stop where they like."""
    log = log_of(alpha=ends(), open=ends(peer=state.ANY))
    for number, name, length in said:
        peer = f"192.0.{number // 256}.{number % 256}"
        told = [Line((f"{number}", "-", line.replace(DEVICE, peer))) for _, _, line in lines(name)[:length]]
        tell(log, told * 3)
    assert len(log.strangers()) <= kept_attempts.KEPT_OF_STRANGERS
    for kept in log.attempts().values():
        assert len(kept) <= kept_attempts.KEPT
        assert all(len(each.facts) <= open_attempt.FIRST + open_attempt.LAST for each in kept)
    ids = [int(each.id) for kept in (*log.attempts().values(), log.strangers()) for each in kept]
    assert all(number > 0 for number in ids)


def test_a_flood_of_strangers_leaves_the_device_of_a_connection_its_attempts():
    log = log_of(alpha=ends())
    whole = lines("v2_ikeprop_device_calls")
    tell(log, whole[:4])
    for number in range(attempts.UNNAMED_KEPT + 100):
        peer = f"10.{number // 256}.{number % 256}.1"
        tell(log, [Line((f"9{number}", "-", line.replace(DEVICE, peer))) for _, _, line in whole[:4]])
    tell(log, whole[4:])
    assert [_outcomes(each) for each in log.attempts().values()] == [["refused_by_us"]]


def _outcomes(kept: Iterable[Attempt]) -> list[str | None]:
    return [each.outcome for each in kept]


def test_ids_grow_with_time_and_over_a_restart():
    before, after = log_of(alpha=ends()), log_of(alpha=ends())
    tell(before, [*lines("v2_psk_we_call"), *(line.of("2", "alpha") for line in lines("v2_psk_we_call"))])
    tell(after, lines("v2_psk_we_call"), AT + timedelta(minutes=1))
    ids = [int(each.id) for log in (before, after) for each in log.attempts()["alpha"]]
    assert ids == sorted(set(ids))


# -- to whom an attempt belongs ---------------------------------------------------------------------------------------


def test_an_attempt_without_a_name_belongs_to_each_connection_with_that_device():
    log = log_of(alpha=ends(), two=ends(), other=ends(peer="198.51.100.6"))
    tell(log, lines("v2_ikeprop_device_calls"))
    found = log.attempts()
    assert set(found) == {"alpha", "two"}
    assert not found["alpha"][0].is_named
    assert log.strangers() == ()


def test_it_moves_to_the_connection_whose_name_becomes_known():
    log = log_of(alpha=ends(), two=ends())
    said = lines("v2_psk_device_calls")
    tell(log, said[:8])
    assert set(log.attempts()) == {"alpha", "two"}
    tell(log, said[8:])
    assert set(log.attempts()) == {"alpha"}
    assert [each.is_named for each in log.attempts()["alpha"]] == [True]


def test_a_device_that_dials_in_may_come_from_anywhere():
    log = log_of(roams=ends(peer=state.ANY), alpha=ends(peer="198.51.100.9"))
    tell(log, lines("v2_peerid_device_calls"))
    assert set(log.attempts()) == {"roams"}
    assert [each.peer_address for each in log.strangers()] == [DEVICE]


def test_what_a_device_said_before_it_came_up_is_not_for_others_that_wait():
    """It was refused for its id, and then had the right one."""
    log = log_of(alpha=ends(peer=state.ANY), other=ends(peer=state.ANY))
    tell(log, [line.of("1", "alpha") for line in lines("v2_peerid_device_calls")])
    assert set(log.attempts()) == {"alpha", "other"}
    tell(log, [line.of("2", "alpha") for line in lines("v2_ok_device_calls")], AT + timedelta(seconds=1))
    assert set(log.attempts()) == {"alpha"}
    tell(log, [line.of("3", "alpha") for line in lines("v2_peerid_device_calls")], AT + timedelta(seconds=2))
    assert _outcomes(log.attempts()["other"]) == ["refused_by_us"]


def test_what_another_connection_has_is_not_for_one_that_waits():
    log = log_of(roams=ends(peer=state.ANY), alpha=ends())
    tell(log, lines("v2_peerid_device_calls"))
    assert set(log.attempts()) == {"alpha"}


def test_a_stranger_at_an_endpoint_is_one_although_another_endpoint_knows_it():
    log = log_of(alpha=ends(local="203.0.113.11"))
    tell(log, lines("v2_is_v1_device_calls"))
    assert log.attempts() == {}
    [stranger] = log.strangers()
    assert (stranger.local_address, stranger.peer_address, stranger.outcome) == (US, DEVICE, "refused_by_us")


def test_a_stranger_is_none_when_a_connection_is_made_for_it():
    log = log_of(other=ends(peer="198.51.100.6"))
    tell(log, lines("v2_is_v1_device_calls"))
    loaded(log, alpha=ends(), other=ends(peer="198.51.100.6"))
    assert log.strangers() == ()
    assert _outcomes(log.attempts()["alpha"]) == ["refused_by_us"]


def test_the_attempts_of_a_connection_that_is_gone_are_forgotten():
    log = log_of(alpha=ends())
    tell(log, lines("v2_psk_we_call"))
    loaded(log, other=ends(peer="198.51.100.6"))
    assert log.attempts() == {}


# -- which configuration it was made with -----------------------------------------------------------------------------


def test_an_attempt_names_the_configuration_that_was_loaded_when_it_began():
    log = log_of(alpha=ends())
    said = lines("v2_psk_device_calls")
    tell(log, said[:5], datetime.now(UTC))
    before = log.attempts()["alpha"][0].configuration
    log.loaded(steps.LoadSecret("alpha", "alpha.t", (), None))  # type: ignore[arg-type]
    log.loaded(steps.UnloadSecret("alpha", "alpha.s"))
    tell(log, said[5:], datetime.now(UTC))
    tell(log, (line.of("2", "alpha") for line in said), datetime.now(UTC))
    after = state.configuration({"alpha.0.a.b"}, {"alpha.t"})
    assert [each.configuration for each in log.attempts()["alpha"]] == [before, after]
    assert before != after


def test_a_look_after_a_restart_finds_what_was_loaded_before():
    log = attempts.AttemptLog()
    tell(log, lines("v2_psk_we_call"))
    loaded(log, alpha=ends())
    [attempt] = log.attempts()["alpha"]
    assert attempt.configuration == state.configuration({"alpha.0.a.b"}, {"alpha.s"})


# -- beginnings and ends ----------------------------------------------------------------------------------------------


def _unreachable(number: int) -> list[Line]:
    return [
        Line(("1", "alpha", said))
        for said in (
            "initiating IKE_SA alpha[1] to 198.51.100.2",
            "generating IKE_SA_INIT request 0 [ SA KE No ]",
            "sending packet: from 203.0.113.10[500] to 198.51.100.2[500] (592 bytes)",
            *(f"retransmit {count} of request with message ID 0" for count in range(1, 6)),
            "giving up after 5 retransmits",
            f"peer not responding, trying again ({number + 1}/0)",
        )
    ]


def test_a_peer_that_is_not_there_is_tried_again_in_the_same_ike_sa():
    log = log_of(alpha=ends())
    for number in (1, 2):
        tell(log, _unreachable(number), AT + timedelta(minutes=number))
    told = [short(each) for each in log.attempts()["alpha"]]
    assert told == [("us", False, "no_answer", ["retransmits us", "retransmits us again"])] * 2
    for attempt in log.attempts()["alpha"]:
        [retransmits] = [
            fact for fact in attempt.facts if isinstance(fact, negotiation.Retransmits) and not fact.gave_up
        ]
        assert retransmits.count == 5


def test_the_words_after_the_event_that_an_sa_is_gone_are_not_lost():
    log = log_of(alpha=ends())
    said = lines("v2_psk_we_call")
    event = next(line for line in said if line[2].startswith("!gone"))
    tell(log, [*[line for line in said[:6] if line != event], event])
    assert _outcomes(log.attempts()["alpha"]) == ["stopped"]
    tell(log, said[6:])
    assert _outcomes(log.attempts()["alpha"]) == ["refused_by_device"]


def test_why_an_ike_sa_that_was_up_is_gone_is_no_part_of_what_brought_it_up():
    """The event may come before the line."""
    log = log_of(alpha=ends())
    dead = Line(("1", "alpha", "DPD check timed out, enforcing DPD action"))
    tell(log, [*lines("main_ok_we_call")[:30], Line(("1", "alpha", "!gone us")), dead])
    assert _outcomes(log.attempts()["alpha"]) == ["up", "no_answer"]
    assert log.attempts()["alpha"][1].within_sa


def test_an_ike_sa_that_the_engine_abandons_has_had_no_answer():
    log = log_of(alpha=ends())
    again = Line(("1", "alpha", "retransmit 2 of request with message ID 2"))
    tell(log, [*lines("v2_ok_we_call")[:21], again, Line(("1", "alpha", "!gone us"))])
    assert _outcomes(log.attempts()["alpha"]) == ["up", "stopped"]
    log.loaded(steps.AbandonIke("alpha", "1"))
    last = log.attempts()["alpha"][1]
    assert (last.within_sa, last.outcome) == (True, "no_answer")
    assert [fact.gave_up for fact in last.facts if isinstance(fact, negotiation.Retransmits)] == [False, True]


@pytest.mark.parametrize("name", ["v2_espprop_we_call", "v2_ts_we_call", "v2_psk_we_call", "v2_espprop_device_calls"])
def test_who_began_is_known_although_the_beginning_was_not_heard(name: str):
    log = log_of(alpha=ends())
    tell(log, lines(name)[11:])
    [attempt] = log.attempts()["alpha"]
    assert attempt.began_by == ("us" if name.endswith("we_call") else "device")


def test_an_sa_that_a_look_has_found_up_may_be_gone_at_the_next_look_before_its_last_words():
    log = attempts.AttemptLog()
    up = state.IkeSa(name="alpha", unique_id="7", state="ESTABLISHED")
    for sas in ((up,), (), ()):
        log.observe(state.IkeState(conns={"alpha": frozenset({"a"})}, sas=sas), {"alpha": ends()})
    tell(log, [Line(("7", "alpha", "received DELETE for IKE_SA alpha[7]"))])
    assert [short(each) for each in log.attempts()["alpha"]] == [("device", True, "deleted", ["deleted device 1"])]


def test_an_sa_that_we_end_before_it_is_up_has_stopped():
    """No event tells it of a peer that is not there."""
    log = log_of(alpha=ends())
    tell(log, _unreachable(1)[:4])
    assert _outcomes(log.attempts()["alpha"]) == [None]
    tell(log, [Line(("1", "alpha", "destroying IKE_SA in state CONNECTING without notification"))])
    assert _outcomes(log.attempts()["alpha"]) == ["stopped"]


def test_an_sa_that_is_gone_without_a_word_has_stopped():
    log = log_of(alpha=ends())
    tell(log, lines("v2_psk_we_call")[:5])
    log.begin()
    assert _outcomes(log.attempts()["alpha"]) == ["stopped"]


def test_what_is_said_of_an_ike_sa_that_a_look_has_found_up_is_within_it():
    log = attempts.AttemptLog()
    up = state.IkeSa(name="alpha", unique_id="7", state="ESTABLISHED")
    log.observe(state.IkeState(conns={"alpha": frozenset({"a"})}, sas=(up,)), {"alpha": ends()})
    tell(log, [Line(("7", "alpha", "received DELETE for IKE_SA alpha[7]"))])
    assert [short(each) for each in log.attempts()["alpha"]] == [("device", True, "deleted", ["deleted device 1"])]


def test_of_rekeys_that_went_well_the_last_is_kept():
    log = log_of(alpha=ends())
    tell(log, lines("v2_ok_we_call")[:20])
    for number in range(30):
        child = f"CHILD_SA alpha.0.a.b{{{number}}} established with SPIs {number}i_i {number}o_o and TS a === b"
        tell(
            log,
            [Line(("1", "alpha", "parsed CREATE_CHILD_SA request 1 [ N(REKEY_SA) SA ]")), Line(("1", "alpha", child))],
        )
    assert [each.within_sa for each in log.attempts()["alpha"]] == [False, True]


def test_the_userland_data_plane_sees_a_nat_everywhere():
    logs = [loaded(attempts.AttemptLog(is_userland=userland), alpha=ends()) for userland in (False, True)]
    for log in logs:
        tell(log, lines("v2_psk_we_call"))
    found = [[fact.kind for fact in log.attempts()["alpha"][0].facts if fact.kind == "nat"] for log in logs]
    assert found == [["nat"], []]


# -- what is worth a look ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("v2_psk_we_call", True),
        ("v2_ikeprop_device_calls", True),
        ("main_psk_we_call", True),
        ("aggr_psk_device_calls", True),
        ("v2_narrow_we_call", False),
    ],
)
def test_a_line_that_decides_is_worth_a_look(name: str, *, decides: bool):
    assert tell(log_of(alpha=ends()), lines(name)) is decides


@pytest.mark.parametrize("name", ["v2_is_v1_device_calls", "v2_ikeprop_device_calls", "aggr_psk_device_calls"])
def test_a_refused_stranger_is_worth_a_look(name: str):
    assert tell(log_of(alpha=ends(peer="198.51.100.9")), lines(name))


def test_a_packet_that_is_lost_while_a_tunnel_is_up_decides_nothing():
    log = log_of(alpha=ends())
    tell(log, lines("v2_narrow_we_call"))
    assert not tell(log, [Line(("1", "alpha", "retransmit 1 of request with message ID 2"))])
    assert tell(log, [Line(("1", "alpha", "giving up after 5 retransmits"))])


def test_unknown_lines_are_counted_and_kept():
    log = log_of(alpha=ends())
    tell(log, [*lines("v2_psk_we_call"), Line(("1", "alpha", "the moon is full"))])
    assert log.unknown_lines == 1
    assert log.attempts()["alpha"][0].facts[-1].line == "the moon is full"


def test_an_attempt_of_which_nothing_new_was_said_is_the_same_object():
    log = log_of(alpha=ends(), two=ends(peer="198.51.100.6"))
    tell(log, lines("v2_psk_we_call"))
    before = log.attempts()["alpha"]
    tell(log, [Line(("2", "two", "received NO_PROPOSAL_CHOSEN notify error"))])
    assert log.attempts()["alpha"] is before


# -- an IKE_SA that comes up anew -------------------------------------------------------------------------------------


def _renewals(log: attempts.AttemptLog, since: datetime = AT) -> list[bool]:
    found = [fact for each in log.attempts()["alpha"] for fact in each.facts if fact.at >= since]
    return [fact.again for fact in found if isinstance(fact, negotiation.Established) and fact.phase == 2]


@pytest.mark.parametrize("name", ["v2_narrow_we_call", "v2_ok_we_call", "v2_ok_device_calls", "aggr_ok_device_calls"])
def test_the_first_child_of_a_new_ike_sa_is_no_renewal(name: str):
    log, later = log_of(alpha=ends()), AT + timedelta(minutes=1)
    tell(log, lines(name))
    before = _renewals(log)
    tell(log, [line.of("5", "alpha") for line in lines(name)], later)
    assert _renewals(log, later) == before
    assert before[0] is False


def test_an_attempt_is_a_new_one_although_a_look_has_found_its_ike_sa_up_before_its_lines_were_read():
    log = log_of(alpha=ends())
    up = state.IkeSa(name="alpha", unique_id="1", state="ESTABLISHED")
    log.observe(state.IkeState(conns={"alpha": frozenset({"a"})}, sas=(up,)), {"alpha": ends()})
    tell(log, lines("v2_narrow_we_call"))
    [attempt] = log.attempts()["alpha"]
    assert short(attempt) == ("us", False, "up", [PEER, UP_1, UP_2])
    assert attempt.facts[0].line.startswith("generating IKE_SA_INIT request 0")


@pytest.mark.parametrize(
    ("name", "until", "mode", "exchange"),
    [("v2_ok_we_call", 20, "", "IKE_SA_INIT"), ("main_ok_we_call", 30, "Main Mode ", "ID_PROT")],
)
def test_the_first_message_of_a_reauthentication_belongs_to_the_ike_sa_that_it_begins(
    name: str, until: int, mode: str, exchange: str
):
    """charon logs it under the number of the old one."""
    log = log_of(alpha=ends())
    tell(log, lines(name)[:until])
    said = (
        ("1", f"initiating {mode}IKE_SA alpha[9] to 198.51.100.2"),
        ("1", f"generating {exchange} request 0 [ SA KE No ]"),
        ("1", "sending packet: from 203.0.113.10[4500] to 198.51.100.2[4500] (592 bytes)"),
        ("9", f"parsed {exchange} response 0 [ SA KE No ]"),
        ("9", "peer certificate successfully verified"),
    )
    tell(log, [Line((number, "alpha", line)) for number, line in said], AT + timedelta(minutes=1))
    first, second = log.attempts()["alpha"]
    assert (first.outcome, second.began_by, second.within_sa) == ("up", "us", False)
    assert [fact.line for fact in second.facts] == [line for _, line in said[1:4]]
    assert log.unknown_lines == 0


def test_a_reauthentication_of_ikev1_that_we_begin_ends_up_and_is_no_duplicate():
    log = log_of(alpha=ends())
    tell(log, lines("main_ok_we_call")[:32])
    later = AT + timedelta(minutes=1)
    tell(log, [*REAUTHENTICATION, Line(("9", "alpha", AGAIN))], later)
    assert [short(each) for each in log.attempts()["alpha"]] == [
        ("us", False, "up", [UP_1, UP_2]),
        ("us", False, "up", [UP_1]),
    ]


def test_a_reauthentication_of_a_charon_that_died_ends_no_attempt_of_the_next_one():
    log = log_of(alpha=ends())
    said = lines("main_ok_we_call")
    tell(log, said[:32])
    tell(log, REAUTHENTICATION, AT + timedelta(minutes=1))
    log.begin()
    phase_1 = next(number for number, line in enumerate(said) if " established between " in line[2])
    tell(log, said[: phase_1 + 1], AT + timedelta(minutes=2))
    assert short(log.attempts()["alpha"][-1]) == ("us", False, None, [UP_1])


def _said_to_establish() -> list[str]:
    return [
        "parsed ID_PROT response 0 [ SA V V V V ]",
        "generating ID_PROT request 0 [ KE No NAT-D NAT-D ]",
        "parsed ID_PROT response 0 [ KE No NAT-D NAT-D ]",
        "generating ID_PROT request 0 [ ID HASH ]",
        "parsed ID_PROT response 0 [ ID HASH ]",
    ]


REPLACED = "schedule delete of duplicate IKE_SA for peer '198.51.100.2' due to uniqueness policy and suspected reauthentication"
AGAIN = "IKE_SA alpha[9] established between 203.0.113.10[203.0.113.10]...198.51.100.2[198.51.100.2]"
#: A reauthentication of IKEv1 that this side begins, until the old IKE_SA is replaced.
REAUTHENTICATION = [
    Line(("1", "alpha", "initiating Main Mode IKE_SA alpha[9] to 198.51.100.2")),
    Line(("1", "alpha", "generating ID_PROT request 0 [ SA V V V V V ]")),
    *(Line(("9", "alpha", line)) for line in _said_to_establish()),
    Line(("1", "alpha", REPLACED)),
]


REKEY_REFUSED = (
    "generating CREATE_CHILD_SA request {number} [ N(REKEY_SA) SA No KE TSi TSr ]",
    "parsed CREATE_CHILD_SA response {number} [ N(NO_PROP) ]",
    "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
    "failed to establish CHILD_SA, keeping IKE_SA",
    "CHILD_SA rekeying failed, trying again in 15 seconds",
)


def test_a_rekey_of_ours_that_failed_is_one_attempt_with_its_refusal():
    log = log_of(alpha=ends())
    tell(log, lines("v2_narrow_we_call"))
    for number in (2, 3):
        said = [Line(("1", "alpha", line.format(number=number))) for line in REKEY_REFUSED]
        tell(log, said, AT + timedelta(minutes=number))
    refused = ("us", True, "refused_by_device", ["refusal device 2 NO_PROPOSAL_CHOSEN", "rekey_failed 2"])
    assert [short(each) for each in log.attempts()["alpha"]][1:] == [refused, refused]


def test_a_rekey_that_failed_without_a_reason_is_ours():
    log = log_of(alpha=ends())
    tell(log, lines("v2_narrow_we_call"))
    tell(log, [Line(("1", "alpha", REKEY_REFUSED[-1]))], AT + timedelta(minutes=1))
    assert short(log.attempts()["alpha"][-1]) == ("us", True, None, ["rekey_failed 2"])
