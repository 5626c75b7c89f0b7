"""What causes say: every code has a whole text."""

import pytest

from landbridge.status import cause_texts

PLACEHOLDERS = cause_texts.Placeholders(
    address="198.51.100.2", endpoint="203.0.113.10", local_id="ip 203.0.113.10", peer_id="ip 198.51.100.2"
)


@pytest.mark.parametrize("is_certain", [True, False])
@pytest.mark.parametrize("code", cause_texts.TEXTS)
def test_every_text_is_whole(code: str, *, is_certain: bool):
    found = cause_texts.cause(code, placeholders=PLACEHOLDERS, is_certain=is_certain)
    for text in (found.reason, found.remedy, found.decides or "certain"):
        assert text
        assert not text.endswith(".")
        assert "{" not in text


def test_both_values_and_the_detail_stand_in_the_reason():
    found = cause_texts.cause("psk_mismatch", detail="seen twice", ours="a", theirs="b")
    assert found.reason == "the pre-shared keys of the two sides differ: seen twice; this connection: a; the device: b"


def test_the_settings_that_differ_stand_in_the_remedy():
    found = cause_texts.cause("ike_proposal_mismatch", differs=("encryption_algorithm", "dh_group"))
    assert found.remedy.startswith("set the same encryption_algorithm and dh_group in ikepolicy")


def test_only_an_uncertain_cause_says_what_would_decide_it():
    certain, uncertain = (cause_texts.cause("psk_mismatch", is_certain=sure) for sure in (True, False))
    assert certain.decides is None
    assert uncertain.decides
    assert uncertain.reason.startswith("perhaps ")


@pytest.mark.parametrize(
    ("code", "part"),
    [
        pytest.param(
            "identity_or_psk_refused", "with identity true: POST /landbridge/v1/p1/vpn-connections/c1/probe", id="id"
        ),
        pytest.param(
            "peer_id_mismatch", "with identity true: POST /landbridge/v1/p1/vpn-connections/c1/probe", id="peer-id"
        ),
        pytest.param("no_answer", "probe the device: POST /landbridge/v1/p1/vpn-connections/c1/probe", id="silence"),
    ],
)
def test_what_decides_names_the_request(code: str, part: str):
    placeholders = cause_texts.Placeholders(probe="/landbridge/v1/p1/vpn-connections/c1/probe")
    assert part in (cause_texts.cause(code, placeholders=placeholders, is_certain=False).decides or "")


@pytest.mark.parametrize(
    ("code", "part"),
    [
        pytest.param("selectors_narrowed", "then reset the connection", id="narrowed-until-a-reset"),
        pytest.param("unknown_peer", "create a customer gateway with that address and set cgw_id", id="unknown-peer"),
        pytest.param("dial_in_id_mismatch", "set ikepolicy.peer_id to that id", id="dial-in-id"),
    ],
)
def test_a_remedy_names_what_the_api_accepts(code: str, part: str):
    assert part in cause_texts.cause(code, placeholders=PLACEHOLDERS).remedy
