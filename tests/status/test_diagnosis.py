"""Why a tunnel is down: real lines of strongSwan 5.9.8 to reasons, as initiator and as responder, IKEv1 and IKEv2."""

import re
from datetime import timedelta
from typing import Any

import pytest

from landbridge import model
from landbridge.status import diagnosis

PSK = "the pre-shared keys of the two sides differ"
NO_KEY = "no pre-shared key fits the identities"
UNKNOWN_ID = "calls itself by an id that this connection does not expect"
WRONG_ID = "answers with an id that this connection does not expect"
MODE = "uses the other IKEv1 mode"
PHASE_1 = "no phase 1 proposal fits both sides"
PHASE_2 = "no phase 2 proposal fits both sides"
NO_CONFIG = "comes from another address or with another IKE version"
SUBNETS = "asks for subnets that this connection does not have"
PLANE = "the data plane of the gateway could not install the tunnel"
THEY_SUBNETS = "the device refused the subnets"
THEY_PHASE_2 = "the device refused the phase 2 proposal"
THEY_PHASE_1 = "the device refused the phase 1 proposal"
THEY_AUTH = "the device refused our identity or the pre-shared key"
THEY_KE = "has no pre-shared key for us, or wants another DH group"
SILENT = "the device does not answer"

LINES = [
    ("tried 1 shared key for '10.9.0.2' - '10.9.0.1', but MAC mismatched", PSK),
    ("tried 2 shared keys for '10.9.0.2' - '10.9.0.1', but MAC mismatched", PSK),
    ("no shared key found for '10.9.0.2' - '10.9.0.1'", NO_KEY),
    ("invalid HASH_V1 payload length, decryption failed?", PSK),
    ("invalid ID_V1 payload length, decryption failed?", PSK),
    ("could not decrypt payloads", PSK),
    ("calculated HASH does not match HASH payload", PSK),
    ("no matching peer config found", UNKNOWN_ID),
    ("no peer config found", UNKNOWN_ID),
    ("IDir 'resp.example' does not match to '10.9.0.2'", WRONG_ID),
    ("found 1 matching config, but none allows pre-shared key authentication using Main Mode", MODE),
    ("found 1 matching config, but none allows pre-shared key authentication using Aggressive Mode", MODE),
    ("received proposals unacceptable", PHASE_1),
    ("no proposal found", PHASE_1),
    ("no acceptable proposal found", PHASE_2),
    ("no matching proposal found, sending NO_PROPOSAL_CHOSEN", PHASE_2),
    ("no IKE config found for 10.9.0.2...10.9.0.1, sending NO_PROPOSAL_CHOSEN", NO_CONFIG),
    ("no matching CHILD_SA config found for 10.1.0.0/24 === 10.2.0.0/24", SUBNETS),
    ("traffic selectors 10.2.0.0/24 === 10.1.0.0/24 unacceptable", SUBNETS),
    ("unable to install IPsec policies (SPD) in kernel", PLANE),
    ("error installing route with policy 10.1.0.0/24 === 10.2.0.0/24 out", PLANE),
    ("received TS_UNACCEPTABLE notify, no CHILD_SA built", THEY_SUBNETS),
    ("received INVALID_ID_INFORMATION error notify", THEY_SUBNETS),
    ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", THEY_PHASE_2),
    ("failed to establish CHILD_SA, keeping IKE_SA", "phase 2 failed"),
    ("received NO_PROPOSAL_CHOSEN notify error", THEY_PHASE_1),
    ("received NO_PROPOSAL_CHOSEN error notify", THEY_PHASE_1),
    ("received AUTHENTICATION_FAILED notify error", THEY_AUTH),
    ("received AUTHENTICATION_FAILED error notify", THEY_AUTH),
    ("received INVALID_KE_PAYLOAD error notify", THEY_KE),
    ("retransmit 1 of request with message ID 0", SILENT),
    ("sending retransmit 1 of request message ID 0, seq 1", SILENT),
    ("giving up after 5 retransmits", SILENT),
    ("establishing IKE_SA failed, peer not responding", SILENT),
]


def _explanation(given: Any, *said: str, **words: Any) -> model.Explanation:
    return diagnosis.of(given.connection, given.seen(evidence=given.lines(*said), **words))


@pytest.mark.parametrize(("line", "reason"), LINES)
def test_a_line_tells_its_reason_and_is_quoted(given: Any, line: str, reason: str):
    explanation = _explanation(given, "initiating IKE_SA", line, "generating INFORMATIONAL request 2 [ D ]")
    assert reason in explanation.reason
    assert explanation.remedy
    assert [line] == [one.line for one in explanation.evidence]


def test_no_row_is_without_a_line():
    first = {
        next((n for n, row in enumerate(diagnosis.KNOWN_LINES) if row.pattern.search(line)), None) for line, _ in LINES
    }
    assert set(range(len(diagnosis.KNOWN_LINES))) == first


def _alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between bars that stand in no bracket."""
    parts, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def test_no_alternative_of_a_row_is_without_a_line():
    parts = [part for row in diagnosis.KNOWN_LINES for part in _alternatives(row.pattern.pattern)]
    assert [part for part in parts if not any(re.search(part, line) for line, _ in LINES)] == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(
            ["could not decrypt payloads", "giving up after 5 retransmits", "peer not responding"],
            PSK,
            id="ikev1-psk-looks-like-silence",
        ),
        pytest.param(
            ["no shared key found for 'a' - 'b'", "received AUTHENTICATION_FAILED notify error"],
            NO_KEY,
            id="a-cause-beats-a-newer-consequence",
        ),
        pytest.param(
            ["unable to install IPsec policies (SPD) in kernel", "failed to establish CHILD_SA, keeping IKE_SA"],
            PLANE,
            id="our-own-data-plane",
        ),
        pytest.param(
            ["received AUTHENTICATION_FAILED notify error", "received NO_PROPOSAL_CHOSEN notify error"],
            THEY_PHASE_1,
            id="the-newest-of-equal-weight",
        ),
        pytest.param(
            ["no matching peer config found", "tried 1 shared key for 'a' - 'b', but MAC mismatched"],
            PSK,
            id="the-newest-cause",
        ),
        pytest.param(
            ["received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "failed to establish CHILD_SA, keeping IKE_SA"],
            THEY_PHASE_2,
            id="phase-2-refused-by-the-device",
        ),
    ],
)
def test_a_heavier_row_beats_a_newer_lighter_one(given: Any, said: list[str], reason: str):
    assert reason in _explanation(given, *said).reason


def test_subnets_that_the_device_refused_are_not_blamed_on_the_proposal(given: Any):
    said = ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "failed to establish CHILD_SA, keeping IKE_SA")
    assert THEY_SUBNETS in _explanation(given, *said).reason


def test_in_ikev1_a_refusal_after_phase_1_is_about_phase_2(given: Any):
    explanation = _explanation(given, "received NO_PROPOSAL_CHOSEN error notify", ike_established=True)
    assert THEY_PHASE_2 in explanation.reason


UP_1 = "IKE_SA c1[1] established between 10.9.0.1[10.9.0.1]...10.9.0.2[branch.example]"
UP_2 = "CHILD_SA c1.0.a.b{1} established with SPIs c1_i c2_o and TS 10.1.0.0/24 === 10.2.0.0/24"
MISMATCH = "tried 1 shared key for 'a' - 'b', but MAC mismatched"
REFUSED = "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"
GAVE_UP = "giving up after 5 retransmits"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param([MISMATCH, UP_1, UP_2, GAVE_UP], SILENT, id="up-since-then"),
        pytest.param([MISMATCH, UP_1, REFUSED], THEY_PHASE_2, id="phase-1-up-since-then"),
        pytest.param([REFUSED, UP_2, GAVE_UP], SILENT, id="phase-2-up-since-then"),
        pytest.param([REFUSED, UP_1, GAVE_UP], THEY_PHASE_2, id="phase-1-up-says-nothing-of-phase-2"),
        pytest.param([UP_1, UP_2, MISMATCH, GAVE_UP], PSK, id="after-it-was-up"),
        pytest.param([MISMATCH, UP_1, UP_2], "negotiating, nothing has been refused yet", id="nothing-since-then"),
    ],
)
def test_what_was_said_before_an_sa_came_up_is_no_cause(given: Any, said: list[str], reason: str):
    assert reason in _explanation(given, *said).reason


@pytest.mark.parametrize(
    ("minutes", "reason"), [pytest.param(2, PSK, id="one-attempt"), pytest.param(6, SILENT, id="an-earlier-attempt")]
)
def test_a_cause_is_of_the_last_attempt(given: Any, minutes: int, reason: str):
    (early,) = given.lines(MISMATCH, at=given.now - timedelta(minutes=minutes))
    evidence = (early, *given.lines(GAVE_UP))
    assert reason in diagnosis.of(given.connection, given.seen(evidence=evidence)).reason


def test_a_device_that_said_nothing_since_is_still_judged_by_what_it_said(given: Any):
    evidence = (*given.lines(MISMATCH, at=given.now - timedelta(days=1)), *given.lines("initiating IKE_SA"))
    assert PSK in diagnosis.of(given.connection, given.seen(evidence=evidence)).reason


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        pytest.param(
            [
                "received proposals: IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048",
                "configured proposals: IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072",
                "received proposals unacceptable",
            ],
            [0, 1, 2],
            id="phase-1",
        ),
        pytest.param(
            [
                "received proposals: ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ",
                "configured proposals: ESP:AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ",
                "no acceptable proposal found",
                "failed to establish CHILD_SA, keeping IKE_SA",
            ],
            [0, 1, 2],
            id="phase-2",
        ),
        pytest.param(
            [
                "looking for peer configs matching 10.9.0.2[10.9.0.2]...10.9.0.1[other.example]",
                "no matching peer config found",
            ],
            [0, 1],
            id="the-id-that-was-looked-for",
        ),
        pytest.param(
            [
                "received proposals: IKE:AES_CBC_128",
                "a",
                "b",
                "c",
                "received proposals unacceptable",
            ],
            [4],
            id="not-from-far-before",
        ),
    ],
)
def test_both_proposals_are_quoted_as_evidence(given: Any, said: list[str], quoted: list[int]):
    assert [said[n] for n in quoted] == [one.line for one in _explanation(given, *said).evidence]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param({}, "negotiating, nothing has been refused yet", id="nothing-known"),
        pytest.param({"ike_established": True}, "phase 1 is up, phase 2 is not yet", id="phase-1-up"),
        pytest.param({"waits_for_peer": True}, "waiting for the device", id="waiting"),
        pytest.param(
            {"waits_for_peer": True, "ike_established": True},
            "phase 1 is up, phase 2 is not yet",
            id="dialled-in",
        ),
    ],
)
def test_without_a_known_line_the_phase_is_told(given: Any, words: dict[str, Any], reason: str):
    assert reason in _explanation(given, "generating IKE_SA_INIT request 0", **words).reason


def test_a_known_line_beats_waiting(given: Any):
    assert UNKNOWN_ID in _explanation(given, "no matching peer config found", waits_for_peer=True).reason
