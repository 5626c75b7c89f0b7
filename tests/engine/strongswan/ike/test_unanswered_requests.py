"""Which requests wait for an answer, by the lines of charon 5.9.8."""

import pytest

from landbridge.engine.strongswan.ike import charon, unanswered_requests

AGAIN = "retransmit {} of request with message ID {}"


@pytest.fixture
def waiting() -> unanswered_requests.UnansweredRequests:
    made = unanswered_requests.UnansweredRequests()
    assert made.add("12", AGAIN.format(1, 5))
    return made


def test_the_first_retransmit_tells_when_the_request_was_sent(waiting: unanswered_requests.UnansweredRequests):
    assert waiting.seconds(()) == {"12": pytest.approx(charon.FIRST_RETRANSMIT, abs=0.5)}


def test_later_retransmits_of_the_same_request_change_nothing(waiting: unanswered_requests.UnansweredRequests):
    assert not waiting.add("12", AGAIN.format(2, 5))
    assert waiting.seconds(()) == {"12": pytest.approx(charon.FIRST_RETRANSMIT, abs=0.5)}


def test_a_request_of_which_the_first_retransmits_were_missed_was_sent_earlier():
    waiting = unanswered_requests.UnansweredRequests()
    assert waiting.add("12", AGAIN.format(4, 5))
    assert waiting.seconds(()) == {"12": pytest.approx(4 * charon.FIRST_RETRANSMIT, abs=0.5)}


@pytest.mark.parametrize(
    "line",
    [
        "parsed INFORMATIONAL response 5 [ ]",
        "parsed CREATE_CHILD_SA response 5 [ SA No TSi TSr ]",
        "parsed INFORMATIONAL request 0 [ ]",
    ],
)
def test_whatever_the_device_says_ends_the_waiting(waiting: unanswered_requests.UnansweredRequests, line: str):
    assert waiting.is_waiting("12")
    assert not waiting.add("12", line)
    assert waiting.seconds(()) == {}
    assert not waiting.is_waiting("12")


@pytest.mark.parametrize("unique_id", ["1", "2", "121", "112"])
def test_other_ike_sas_are_not_meant(waiting: unanswered_requests.UnansweredRequests, unique_id: str):
    line = "parsed INFORMATIONAL response 5 [ ]"
    assert not waiting.is_waiting(unique_id)
    waiting.add(unique_id, line)
    assert list(waiting.seconds(())) == ["12"]


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        pytest.param("retransmit 1 of request with message ID 1", True, id="IKE_AUTH"),
        pytest.param("sending retransmit 1 of request message ID 0, seq 1", False, id="IKEv1, first message"),
        pytest.param(
            "sending retransmit 1 of request message ID 0, seq 3", True, id="IKEv1, third message of main mode"
        ),
        pytest.param("sending retransmit 1 of request message ID 2841, seq 4", True, id="IKEv1, quick mode"),
        pytest.param("sending retransmit 1 of response message ID 0, seq 1", False, id="IKEv1, a response of ours"),
    ],
)
def test_a_first_message_does_not_count(line: str, counts: bool):
    waiting = unanswered_requests.UnansweredRequests()
    assert waiting.add("12", line) == counts
    assert list(waiting.seconds(())) == ["12"][: int(counts)]


@pytest.mark.parametrize(("negotiating", "counts"), [({"12"}, False), ({"13"}, True)], ids=["IKE_SA_INIT", "DPD"])
def test_the_first_request_of_an_established_ike_sa_counts(negotiating: set[str], counts: bool):
    """The IKE_SA that a device began, or that a rekey made, begins with our message 0 as a negotiation of ours does."""
    waiting = unanswered_requests.UnansweredRequests()
    assert waiting.add("12", AGAIN.format(1, 0))
    assert list(waiting.seconds(negotiating)) == ["12"][: int(counts)]


@pytest.mark.parametrize(
    "line", ["parsed ID_PROT response 0 [ ID HASH ]", "parsed INFORMATIONAL_V1 request 77 [ HASH D ]"]
)
def test_an_answer_of_ikev1_ends_the_waiting(line: str):
    waiting = unanswered_requests.UnansweredRequests()
    waiting.add("12", "sending retransmit 1 of request message ID 0, seq 3")
    waiting.add("12", line)
    assert waiting.seconds(()) == {}


def test_what_is_gone_is_forgotten(waiting: unanswered_requests.UnansweredRequests):
    waiting.add("13", AGAIN.format(1, 5))
    waiting.keep(frozenset({"13"}))
    assert list(waiting.seconds(())) == ["13"]
