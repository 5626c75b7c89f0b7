"""Which cause, of which side, with which values: tables of attempts, the first cause expected, and what never changes it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge import model
from landbridge.model import negotiation as n
from landbridge.status import attempt_causes, cause_texts, causes
from tests.status import examples
from tests.status.examples import (
    AGGRESSIVE,
    DEVICE,
    ENDPOINT,
    MAIN,
    NAMED,
    OTHER_ENDPOINT,
    STRANGER,
    attempt,
    deleted,
    esp,
    fqdn,
    identity,
    ip,
    key,
    message,
    mismatch,
    named_us,
    no_connection,
    packet,
    proposal,
    rank,
    refused,
    repeated,
    up,
    whole,
)

V1: dict[str, Any] = {"ike_version": "v1", "mode": "main"}
EXPECTED = "code differs side certain ours theirs"
OURS = "aes-128 / sha2-256 / group15"


def _row(
    row_id: str, *attempts: model.Attempt, code: str, side: str = "either", certain: bool = True, **expected: Any
) -> Any:
    return pytest.param(attempts, {"code": code, "side": side, "is_certain": certain} | expected, id=row_id)


def _check(found: tuple[model.Cause, ...], expected: dict[str, Any]) -> None:
    shown = {name: getattr(found[0], name) for name in expected}
    assert shown == expected


# -- we refuse: the device began, and this side sees the exact cause --------------------------------------------------

SEEN_HERE = [
    _row(
        "encryption",
        attempt(0, mismatch(1, 1, proposal("aes-256")), by="device"),
        code="ike_proposal_mismatch",
        differs=("encryption_algorithm",),
        ours=OURS,
        theirs="aes-256 / sha2-256 / group15",
    ),
    _row(
        "integrity-and-the-prf-that-follows-it",
        attempt(0, mismatch(1, 1, proposal(integrity="sha1")), by="device"),
        code="ike_proposal_mismatch",
        differs=("authentication_algorithm",),
        theirs="aes-128 / sha1 / group15",
    ),
    _row(
        "prf-alone",
        attempt(0, mismatch(1, 1, proposal(prf="sha2-512")), by="device"),
        code="ike_proposal_mismatch",
        side="device",
        differs=("prf",),
        theirs="aes-128 / sha2-256 / prf sha2-512 / group15",
    ),
    _row(
        "dh-group",
        attempt(0, mismatch(1, 1, proposal(group="group14")), by="device"),
        code="ike_proposal_mismatch",
        differs=("dh_group",),
        theirs="aes-128 / sha2-256 / group14",
    ),
    _row(
        "all-of-phase-1",
        attempt(0, mismatch(1, 1, proposal("aes-256", "sha2-512", "group14")), by="device"),
        code="ike_proposal_mismatch",
        differs=("encryption_algorithm", "authentication_algorithm", "dh_group"),
    ),
    _row(
        "the-offer-that-fits-best",
        attempt(0, mismatch(1, 1, proposal("3des", "md5", "group2"), proposal("aes-256")), by="device"),
        code="ike_proposal_mismatch",
        differs=("encryption_algorithm",),
        theirs="aes-256 / sha2-256 / group15",
    ),
    _row(
        "several-values-of-which-none-fits",
        attempt(
            0,
            mismatch(
                1,
                1,
                n.Proposal(
                    encryption=("aes-256", "aes-192"),
                    integrity=("sha2-256", "sha1"),
                    prf=("sha2-256", "sha1"),
                    groups=("group15",),
                ),
            ),
            by="device",
        ),
        code="ike_proposal_mismatch",
        differs=("encryption_algorithm",),
        theirs="aes-256 or aes-192 / sha2-256 or sha1 / group15",
    ),
    _row(
        "gcm-is-a-cipher-without-an-integrity-algorithm",
        attempt(0, mismatch(1, 1, proposal("aes-128-gcm-16", "", prf="sha2-256")), by="device"),
        code="ike_proposal_mismatch",
        differs=("encryption_algorithm",),
        theirs="aes-128-gcm-16 / prf sha2-256 / group15",
    ),
    _row(
        "an-algorithm-that-this-service-does-not-have",
        attempt(0, mismatch(1, 1, proposal(group="group31")), by="device"),
        code="ike_proposal_mismatch",
        side="device",
        differs=("dh_group",),
        theirs="aes-128 / sha2-256 / group31",
    ),
    _row(
        "version",
        attempt(0, no_connection(1, "address"), by="device", ike_version="v1"),
        code="ike_version_mismatch",
        differs=("ike_version",),
        ours="v2",
        theirs="v1",
    ),
    _row(
        "key",
        attempt(0, key(1, "differs"), by="device"),
        code="psk_mismatch",
    ),
    _row(
        "method",
        attempt(0, n.MethodMismatch(at=examples.at(1), line="eap", method="eap"), by="device"),
        code="authentication_method_mismatch",
        side="device",
        theirs="eap",
    ),
    _row(
        "the-device-expects-another-id-of-us",
        attempt(0, no_connection(1, "ids", local=fqdn("hq.example"), peer=ip(DEVICE)), by="device"),
        code="local_id_mismatch",
        differs=("local_id",),
        ours=f"ip {ENDPOINT}",
        theirs="fqdn hq.example",
    ),
    _row(
        "the-device-calls-itself-otherwise",
        attempt(0, no_connection(1, "ids", local=ip(ENDPOINT), peer=fqdn("x.example")), by="device"),
        code="peer_id_mismatch",
        differs=("peer_id",),
        ours=f"ip {DEVICE}",
        theirs="fqdn x.example",
    ),
    _row(
        "the-same-text-of-another-type",
        attempt(0, no_connection(1, "ids", peer=n.Identity(kind="key_id", value=DEVICE)), by="device"),
        code="peer_id_mismatch",
        side="device",
        differs=("peer_id_type",),
        theirs=f"key_id {DEVICE}",
    ),
    _row(
        "the-same-text-of-a-type-that-can-be-set",
        attempt(0, no_connection(1, "ids", peer=fqdn(DEVICE)), by="device"),
        code="peer_id_mismatch",
        differs=("peer_id_type",),
    ),
    _row(
        "phase-2-encryption",
        attempt(0, up(1), mismatch(2, 2, esp("aes-256")), by="device"),
        code="esp_proposal_mismatch",
        differs=("encryption_algorithm",),
        ours="aes-128 / sha2-256",
        theirs="aes-256 / sha2-256",
    ),
    _row(
        "pfs-at-a-rekey",
        whole(0, by="device"),
        attempt(
            60,
            mismatch(61, 2, esp(group="group14")),
            n.RekeyFailed(at=examples.at(61), phase=2),
            by="device",
            within_sa=True,
        ),
        code="esp_proposal_mismatch",
        differs=("pfs",),
        ours=OURS,
        theirs="aes-128 / sha2-256 / group14",
    ),
    _row(
        "no-group-is-named-and-something-else-differs",
        whole(0, by="device"),
        attempt(60, mismatch(61, 2, esp("aes-256")), by="device", within_sa=True),
        code="esp_proposal_mismatch",
        differs=("encryption_algorithm",),
        theirs="aes-256 / sha2-256",
    ),
    _row(
        "no-pfs-at-a-rekey",
        whole(0, by="device"),
        attempt(60, mismatch(61, 2, esp()), by="device", within_sa=True),
        code="esp_proposal_mismatch",
        differs=("pfs",),
        theirs="aes-128 / sha2-256 / pfs disable",
    ),
    _row(
        "subnets",
        attempt(
            0,
            up(1),
            n.SelectorsRefused(
                at=examples.at(2), line="TS", asked=(n.Selectors(local=("10.1.0.0/24",), remote=("10.9.0.0/24",)),)
            ),
            by="device",
        ),
        code="selectors_mismatch",
        ours="10.1.0.0/24 - 10.2.0.0/24",
        theirs="10.1.0.0/24 - 10.9.0.0/24",
    ),
    _row(
        "our-own-data-plane",
        attempt(
            0, up(1), n.DataPlaneFailure(at=examples.at(2), line="error installing"), refused(3, "TS_UNACCEPTABLE", 2)
        ),
        code="data_plane_failure",
        side="operator",
    ),
    _row(
        "the-other-endpoint",
        attempt(0, no_connection(1, "address"), by="device", local_address=OTHER_ENDPOINT),
        code="wrong_endpoint",
        side="device",
        ours=ENDPOINT,
        theirs=OTHER_ENDPOINT,
    ),
]


@pytest.mark.parametrize(("attempts", "expected"), SEEN_HERE)
def test_as_responder_the_exact_cause_is_known(attempts: tuple[model.Attempt, ...], expected: dict[str, Any]):
    _check(rank(*attempts), expected)


def test_both_ids_may_be_wrong():
    fact = no_connection(1, "ids", local=fqdn("a"), peer=fqdn("b"))
    found = rank(attempt(0, fact, by="device"))
    assert [(one.code, one.is_certain) for one in found] == [("local_id_mismatch", True), ("peer_id_mismatch", True)]


REMEDIES = [
    pytest.param(
        mismatch(1, 1, proposal("aes-256", group="group14")),
        "on this connection, set encryption_algorithm to aes-256 and dh_group to group14 (ikepolicy); "
        "or on the device, set encryption_algorithm to aes-128 and dh_group to group15",
        id="either",
    ),
    pytest.param(
        mismatch(1, 1, proposal(group="group31")), "on the device, set dh_group to group15", id="device-alone"
    ),
    pytest.param(
        no_connection(1, "ids", peer=fqdn("x.example")),
        "on this connection, set peer_id_type to fqdn and peer_id to x.example (ikepolicy); "
        f"or on the device, set the local id to ip {DEVICE}",
        id="peer-id",
    ),
    pytest.param(
        no_connection(1, "ids", local=n.Identity(kind="email", value="a@b"), peer=ip(DEVICE)),
        f"on the device, set the remote id to ip {ENDPOINT}",
        id="an-id-that-cannot-be-set-here",
    ),
]


@pytest.mark.parametrize(("fact", "remedy"), REMEDIES)
def test_a_remedy_names_the_values_of_both_sides(fact: n.Fact, remedy: str):
    assert rank(attempt(0, fact, by="device"))[0].remedy == remedy


# -- the device refuses: only that is heard ---------------------------------------------------------------------------

REFUSED = [
    _row(
        "first-message",
        attempt(0, refused(1, "NO_PROPOSAL_CHOSEN")),
        code="ike_proposal_mismatch",
        certain=False,
        ours=OURS,
        theirs=None,
    ),
    _row(
        "identity-or-key",
        attempt(0, refused(1, "AUTHENTICATION_FAILED")),
        code="identity_or_psk_refused",
        certain=False,
    ),
    _row(
        "group",
        attempt(0, refused(1, "INVALID_KE_PAYLOAD", data="group14")),
        code="ike_proposal_mismatch",
        differs=("dh_group",),
        ours="group15",
        theirs="group14",
    ),
    _row("phase-2", attempt(0, up(1), refused(2, "NO_PROPOSAL_CHOSEN", 2)), code="esp_proposal_mismatch"),
    _row("subnets", attempt(0, up(1), refused(2, "TS_UNACCEPTABLE", 2)), code="selectors_mismatch"),
    _row(
        "after-it-was-up-our-id-is-left-or-the-method",
        attempt(0, up(1), up(1, 2), refused(1.1, "AUTHENTICATION_FAILED"), by="device"),
        code="local_id_mismatch",
        certain=False,
        ours=f"ip {ENDPOINT}",
    ),
    _row(
        "after-it-was-up-and-the-device-had-named-our-id",
        attempt(
            0,
            named_us(0.5),
            up(1),
            up(1, 2),
            by="device",
            outcome="up",
            ended_at=examples.at(1),
        ),
        attempt(1.1, refused(1.1, "AUTHENTICATION_FAILED"), by="device", within_sa=True),
        code="authentication_method_mismatch",
        side="device",
    ),
    _row(
        "after-it-had-stayed-up-before-the-key-may-be-a-new-one",
        whole(0, named_us(0.05), by="device"),
        whole(60, by="device"),
        attempt(60.2, refused(60.2, "AUTHENTICATION_FAILED"), by="device", within_sa=True),
        code="psk_mismatch",
        certain=False,
    ),
    _row(
        "we-call-at-once-after-it-was-up-and-the-device-has-another-key",
        whole(0, named_us(0.05), by="device"),
        attempt(3, refused(3.2, "AUTHENTICATION_FAILED")),
        code="identity_or_psk_refused",
        certain=False,
    ),
    _row(
        "refused-each-time-after-it-was-up",
        whole(0, named_us(0.05), by="device"),
        attempt(0.2, refused(0.2, "AUTHENTICATION_FAILED"), by="device", within_sa=True),
        whole(60, by="device"),
        attempt(60.2, refused(60.2, "AUTHENTICATION_FAILED"), by="device", within_sa=True),
        code="authentication_method_mismatch",
        side="device",
    ),
    _row(
        "unknown-notify", attempt(0, refused(1, "INTERNAL_ADDRESS_FAILURE", 2)), code="unknown_refusal", certain=False
    ),
    _row(
        "unknown-line",
        attempt(0, n.Unknown(at=examples.at(1), line="the moon is wrong", is_refusal=True)),
        code="unknown_refusal",
        certain=False,
    ),
    _row("refused-without-a-word", attempt(0), code="unknown_refusal", certain=False),
    _row(
        "pfs-refused-at-a-rekey",
        whole(0),
        attempt(60, refused(61, "NO_PROPOSAL_CHOSEN", 2), n.RekeyFailed(at=examples.at(61), phase=2), within_sa=True),
        code="esp_proposal_mismatch",
        differs=("pfs",),
    ),
]


@pytest.mark.parametrize(("attempts", "expected"), REFUSED)
def test_as_initiator_a_refusal_is_what_it_can_be(attempts: tuple[model.Attempt, ...], expected: dict[str, Any]):
    _check(rank(*attempts), expected)


def test_an_unknown_refusal_quotes_its_line():
    found = rank(attempt(0, n.Unknown(at=examples.at(1), line="the moon is wrong", is_refusal=True)))
    assert found[0].reason == "refused for a reason that this service does not know: the moon is wrong"
    assert [one.line for one in found[0].evidence] == ["the moon is wrong"]


@pytest.mark.parametrize(
    ("notify", "codes"),
    [
        ("NO_PROPOSAL_CHOSEN", ["ike_proposal_mismatch", "ike_version_mismatch", "no_connection_on_device"]),
        (
            "AUTHENTICATION_FAILED",
            ["identity_or_psk_refused", "psk_mismatch", "local_id_mismatch", "peer_id_mismatch"],
        ),
    ],
)
def test_one_of_several_names_all_and_what_decides(notify: str, codes: list[str]):
    found = rank(attempt(0, refused(1, notify)))
    assert [one.code for one in found] == codes
    assert all(one.decides and not one.is_certain for one in found)


# -- IKEv1 ------------------------------------------------------------------------------------------------------------

IKEV1 = [
    _row(
        "the-device-says-the-same-of-phase-2",
        attempt(0, up(1), refused(2, "NO_PROPOSAL_CHOSEN"), **V1),
        code="esp_proposal_mismatch",
    ),
    _row("subnets", attempt(0, up(1), refused(2, "INVALID_ID_INFORMATION"), **V1), code="selectors_mismatch"),
    _row(
        "no-key-on-the-device",
        attempt(0, refused(1, "INVALID_KE_PAYLOAD"), **V1),
        code="psk_missing_on_device",
        side="device",
    ),
    _row("our-id", attempt(0, refused(1, "AUTHENTICATION_FAILED"), **V1), code="local_id_mismatch", certain=False),
    _row(
        "key-by-a-strongswan",
        attempt(0, key(1, "undecryptable"), repeated(4, 3), **V1),
        code="psk_mismatch",
    ),
    _row("key-of-a-device-that-began", attempt(0, key(1, "undecryptable"), by="device", **V1), code="psk_mismatch"),
    _row(
        "key-by-a-libreswan-repeats-its-message-4",
        attempt(0, repeated(1, 2, sender="device"), repeated(4, 3, count=1), outcome=None, **V1),
        code="psk_mismatch",
    ),
    _row(
        "no-message-after-the-change-of-ports",
        attempt(0, packet(1, 4500), repeated(4, 3), outcome="no_answer", **V1),
        code="udp_4500_blocked",
        side="network",
    ),
    _row("nobody", attempt(0, repeated(4, 1), outcome="no_answer", **V1), code="no_answer", side="network"),
    _row(
        "nobody-and-the-version-was-not-told",
        attempt(0, repeated(4, 1), outcome="no_answer", ike_version=None),
        code="no_answer",
        side="network",
    ),
    _row(
        "a-quick-mode-without-an-answer",
        attempt(0, up(1), repeated(5, 4), outcome="no_answer", **V1),
        code="esp_proposal_mismatch",
        certain=False,
    ),
    _row(
        "a-quick-mode-without-an-answer-on-an-ike-sa-that-is-up",
        attempt(0, up(1), outcome="stopped", **V1),
        attempt(2, repeated(5, 4), within_sa=True, outcome=None, **V1),
        code="esp_proposal_mismatch",
        certain=False,
    ),
    _row(
        "a-device-that-began-and-has-no-key",
        attempt(0, refused(1, "INVALID_KE_PAYLOAD"), by="device", **V1),
        code="psk_missing_on_device",
        side="device",
    ),
    _row(
        "the-device-answers-with-another-id",
        attempt(0, identity(1, fqdn("resp.example"), ip(DEVICE)), **V1),
        code="peer_id_mismatch",
        theirs="fqdn resp.example",
    ),
    _row(
        "mode",
        attempt(0, no_connection(1, "mode"), by="device", ike_version="v1", mode="aggressive"),
        code="ike_mode_mismatch",
        differs=("phase1_negotiation_mode",),
        ours="main",
        theirs="aggressive",
    ),
    _row(
        "up-for-us-and-not-for-the-device",
        attempt(0, up(1), by="device", outcome=None, **V1),
        attempt(1, deleted(1.1), by="device", within_sa=True, outcome="deleted", **V1),
        code="device_disconnects",
        side="device",
    ),
    _row(
        "our-id-is-refused-by-a-delete",
        attempt(0, up(1), deleted(1.1), by="device", outcome="deleted", **V1),
        code="local_id_mismatch",
    ),
    _row("not-readable-for-the-device", attempt(0, refused(1, "PAYLOAD_MALFORMED"), **V1), code="psk_mismatch"),
]


@pytest.mark.parametrize(("attempts", "expected"), IKEV1)
def test_main_mode(attempts: tuple[model.Attempt, ...], expected: dict[str, Any]):
    _check(rank(*attempts, of=MAIN), expected)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("plain", [("local_id_mismatch", False), ("psk_missing_on_device", False)]),
        ("encrypted", [("psk_mismatch", True)]),
    ],
)
def test_in_aggressive_mode_the_form_of_a_refusal_tells_what_is_refused(data: str, found: list[tuple[str, bool]]):
    unread = attempt(
        0, refused(1, "UNREAD", data=data), repeated(4, 1), by="device", ike_version="v1", mode="aggressive"
    )
    assert [(one.code, one.is_certain) for one in rank(unread, of=AGGRESSIVE)] == found


def test_silence_in_aggressive_mode_may_be_our_id_or_the_mode():
    found = rank(attempt(0, repeated(4, 1), ike_version="v1", mode="aggressive", outcome="no_answer"), of=AGGRESSIVE)
    assert [one.code for one in found] == [
        "no_answer",
        "ike_mode_mismatch",
        "ike_version_mismatch",
        "local_id_mismatch",
    ]


# -- silence ----------------------------------------------------------------------------------------------------------

SILENCE = [
    _row("nobody", attempt(0, repeated(4), outcome="no_answer"), code="no_answer", side="network"),
    _row("a-running-attempt", attempt(0, repeated(4, count=1), outcome=None), code="no_answer", side="network"),
    _row(
        "udp-4500",
        attempt(0, packet(1, 4500), repeated(4, 1), outcome="no_answer"),
        code="udp_4500_blocked",
        side="network",
    ),
    _row("answers-are-lost", attempt(0, repeated(4, 0, sender="device"), by="device", outcome=None), code="answer_lost", side="network"),
    _row(
        "answers-are-lost-on-4500",
        whole(0, packet(1, 4500, sender="device"), repeated(4, 1, sender="device"), by="device"),
        code="udp_4500_blocked",
        side="network",
    ),
    _row(
        "the-device-does-not-come-to-4500",
        attempt(0, message(1, "IKE_SA_INIT", sender="us", request=False), by="device", outcome="no_answer"),
        code="udp_4500_blocked",
        side="network",
    ),
    _row(
        "the-device-cannot-go-on-and-begins-anew",
        attempt(0, message(1, "IKE_SA_INIT", sender="us", request=False), by="device", outcome=None),
        attempt(5, message(6, "IKE_SA_INIT", sender="us", request=False), by="device", outcome="no_answer"),
        code="psk_missing_on_device",
        side="device",
        certain=False,
    ),
    _row(
        "neither-hears-the-other",
        attempt(0, repeated(4, 0, sender="device"), by="device", outcome="no_answer"),
        attempt(1, repeated(9, gave_up=True), outcome="no_answer"),
        code="answer_lost",
        side="network",
    ),
    _row(
        "our-own-machine",
        attempt(
            0,
            n.NotSent(at=examples.at(1), line="error writing to socket: Operation not permitted"),
            repeated(4),
            outcome="no_answer",
        ),
        code="our_firewall",
        side="operator",
        reason="the machine of the VPN gateway blocks outgoing packets: Operation not permitted",
    ),
    _row("given-up-without-a-fact", attempt(0, outcome="no_answer"), code="no_answer", side="network"),
    _row("dead", whole(0), attempt(60, repeated(99, 2, gave_up=True), within_sa=True, outcome="no_answer"), code="peer_dead", side="device"),
    _row(
        "dead-and-not-back",
        whole(0),
        attempt(60, repeated(99, 2, gave_up=True), within_sa=True, outcome="no_answer"),
        attempt(100, repeated(260, gave_up=True), outcome="no_answer"),
        code="peer_dead",
        side="device",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("attempts", "expected"), SILENCE)
def test_silence_is_told_by_the_message_that_was_not_answered(
    attempts: tuple[model.Attempt, ...], expected: dict[str, Any]
):
    _check(rank(*attempts), expected)


# -- two attempts -----------------------------------------------------------------------------------------------------

BOTH = [
    _row(
        "ours-is-refused-and-the-device-s-says-why",
        attempt(0, key(1, "differs"), by="device"),
        attempt(10, refused(11, "AUTHENTICATION_FAILED")),
        code="psk_mismatch",
    ),
    _row(
        "the-same-of-phase-1",
        attempt(0, mismatch(1, 1, proposal("aes-256")), by="device"),
        attempt(10, refused(11, "NO_PROPOSAL_CHOSEN")),
        code="ike_proposal_mismatch",
        theirs="aes-256 / sha2-256 / group15",
    ),
    _row(
        "the-same-of-phase-2",
        attempt(0, up(1), mismatch(2, 2, esp("aes-256")), by="device"),
        attempt(10, up(11), refused(12, "NO_PROPOSAL_CHOSEN", 2)),
        code="esp_proposal_mismatch",
        theirs="aes-256 / sha2-256",
    ),
    _row(
        "the-device-was-heard-before-our-silence",
        attempt(0, no_connection(1, "address"), by="device", ike_version="v1"),
        attempt(10, repeated(30), outcome="no_answer"),
        code="ike_version_mismatch",
    ),
    _row(
        "long-before-our-silence-is-no-cause",
        attempt(0, key(1, "differs"), by="device"),
        attempt(1000, repeated(1030), outcome="no_answer"),
        code="no_answer",
        side="network",
    ),
    _row(
        "one-repeated-request-does-not-hide-the-attempt-before",
        attempt(0, key(1, "differs"), by="device"),
        attempt(1000, repeated(1004, count=1), outcome=None),
        code="psk_mismatch",
    ),
    _row(
        "a-later-stage-shows-that-an-earlier-one-is-mended",
        attempt(0, mismatch(1, 1, proposal("aes-256")), by="device"),
        attempt(10, refused(11, "AUTHENTICATION_FAILED")),
        code="identity_or_psk_refused",
        certain=False,
    ),
    _row(
        "the-newest-of-two-exact-ones",
        attempt(0, key(1, "differs"), by="device"),
        attempt(10, no_connection(11, "ids", peer=fqdn("x")), by="device"),
        code="peer_id_mismatch",
    ),
    _row(
        "a-running-attempt-that-says-nothing-changes-nothing",
        attempt(0, refused(1, "AUTHENTICATION_FAILED")),
        attempt(10, message(10, "IKE_SA_INIT", sender="us", request=True), outcome=None),
        code="identity_or_psk_refused",
        certain=False,
    ),
    _row("deleted", whole(0), attempt(60, deleted(60), within_sa=True, outcome="deleted"), code="device_deleted", side="device"),
    _row(
        "an-unknown-line-of-a-running-attempt-does-not-hide-the-attempt-before",
        attempt(0, key(1, "differs"), by="device"),
        attempt(1000, n.Unknown(at=examples.at(1001), line="some error", is_refusal=True), outcome=None),
        code="psk_mismatch",
    ),
    _row(
        "the-group-that-we-ask-for-refuses-nothing",
        attempt(0, refused(1, "INVALID_KE_PAYLOAD", sender="us", data="group15"), by="device", outcome=None),
        code="negotiating",
    ),
    _row(
        "deleted-and-refused-since",
        whole(0),
        attempt(60, deleted(60), within_sa=True, outcome="deleted"),
        attempt(61, refused(62, "NO_PROPOSAL_CHOSEN")),
        code="device_disabled",
        side="device",
    ),
    _row(
        "deleted-and-silent-since",
        whole(0),
        attempt(60, deleted(60), within_sa=True, outcome="deleted"),
        attempt(61, repeated(72), outcome=None),
        code="device_disabled",
        side="device",
    ),
    _row("deleted-at-once", whole(0), attempt(0.2, deleted(1), within_sa=True, outcome="deleted"), code="device_disconnects", side="device"),
    _row("deleted-by-us", whole(0), attempt(60, deleted(60, "us"), within_sa=True, outcome="deleted"), code="negotiating"),
]  # fmt: skip


@pytest.mark.parametrize(("attempts", "expected"), BOTH)
def test_the_newest_attempt_decides_and_an_earlier_one_says_more(
    attempts: tuple[model.Attempt, ...], expected: dict[str, Any]
):
    _check(rank(*attempts), expected)


# -- who dials --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stranger", "code", "theirs"),
    [
        pytest.param({"peer_address": STRANGER}, "unknown_peer", STRANGER, id="another-address"),
        pytest.param({"local_address": OTHER_ENDPOINT}, "wrong_endpoint", OTHER_ENDPOINT, id="the-other-endpoint"),
        pytest.param({}, "no_answer", None, id="the-device-itself"),
    ],
)
def test_a_stranger_may_be_the_device_that_does_not_answer(stranger: dict[str, Any], code: str, theirs: str | None):
    strange = attempt(1, no_connection(2, "address"), by="device", **stranger)
    found = rank(attempt(0, repeated(4), outcome="no_answer"), strangers=[strange])
    assert (found[0].code, found[0].theirs) == (code, theirs)
    assert "no_answer" in {one.code for one in found}


@pytest.mark.parametrize(
    ("began", "attempts"),
    [
        pytest.param(-(10**9), (), id="before-the-connection-was-made"),
        pytest.param(0, (whole(1), attempt(60, repeated(64), outcome="no_answer")), id="before-it-was-up"),
        pytest.param(0, (attempt(900, repeated(904), outcome="no_answer"),), id="long-ago"),
    ],
)
def test_a_stranger_of_another_time_is_no_cause(began: int, attempts: tuple[model.Attempt, ...]):
    strange = attempt(began, no_connection(began, "address"), by="device", peer_address=STRANGER)
    assert "unknown_peer" not in {one.code for one in rank(*attempts, strangers=[strange])}


ENDED = (whole(0), attempt(60, deleted(60), within_sa=True, outcome="deleted"))
SILENT_SINCE = (*ENDED, attempt(61, repeated(72), outcome=None))
REFUSED_SINCE = (*ENDED, attempt(61, refused(62, "NO_PROPOSAL_CHOSEN")))
DEAD = (whole(0), attempt(1000, repeated(1099, 2, gave_up=True), within_sa=True, outcome="no_answer"))


@pytest.mark.parametrize(
    ("attempts", "began", "peer", "codes"),
    [
        pytest.param(SILENT_SINCE, 63, None, ["unknown_peer", "device_disabled"], id="ended-and-silent"),
        pytest.param(REFUSED_SINCE, 63, None, ["device_disabled", "unknown_peer"], id="ended-and-refused"),
        pytest.param(REFUSED_SINCE, 63, DEVICE, ["unknown_peer", "device_disabled"], id="with-the-peer-id"),
        pytest.param(ENDED, 63, None, ["device_deleted", "unknown_peer"], id="ended"),
        pytest.param(DEAD, 1030, None, ["unknown_peer", "peer_dead"], id="dead"),
        pytest.param(DEAD, 700, None, ["peer_dead"], id="a-stranger-that-dialled-while-the-tunnel-was-up"),
    ],
)
def test_a_stranger_that_dials_after_the_device_is_gone_may_be_the_device(
    attempts: tuple[model.Attempt, ...], began: int, peer: str | None, codes: list[str]
):
    fact = no_connection(began + 1, "address" if peer is None else "ids", peer=ip(peer) if peer else None)
    strange = attempt(began, fact, by="device", peer_address=STRANGER)
    found = rank(*attempts, strangers=[strange])
    assert [one.code for one in found] == codes
    assert [one.is_certain for one in found if one.code == "unknown_peer"] == [False] * (len(codes) - 1)


@pytest.mark.parametrize(
    "since",
    [
        pytest.param((), id="nothing-more"),
        pytest.param((attempt(61, refused(62, "NO_PROPOSAL_CHOSEN")),), id="it-refuses"),
        pytest.param((attempt(61, repeated(72), outcome=None),), id="it-is-silent"),
    ],
)
def test_a_device_that_ended_its_tunnel_and_dials_the_other_endpoint_is_there(since: tuple[model.Attempt, ...]):
    strange = attempt(63, no_connection(64, "address"), by="device", local_address=OTHER_ENDPOINT)
    ended = attempt(60, deleted(60), within_sa=True, outcome="deleted")
    first = rank(whole(0), ended, *since, strangers=[strange])[0]
    assert (first.code, first.is_certain, first.theirs) == ("wrong_endpoint", True, OTHER_ENDPOINT)


def test_a_device_that_dials_in_at_the_other_endpoint_may_be_ours():
    strange = attempt(1, no_connection(2, "address"), by="device", local_address=OTHER_ENDPOINT, peer_address=STRANGER)
    found = rank(of=NAMED, peer=None, waits_for_peer=True, strangers=[strange])
    assert [(one.code, one.is_certain) for one in found] == [("wrong_endpoint", False)]


def test_a_stranger_is_no_cause_where_the_device_has_answered():
    strange = attempt(1, no_connection(2, "address"), by="device", peer_address=STRANGER)
    assert rank(attempt(0, key(1, "differs"), by="device"), strangers=[strange])[0].code == "psk_mismatch"


def test_a_device_without_an_address_is_waited_for():
    found = rank(of=NAMED, peer=None, waits_for_peer=True)
    assert (found[0].code, found[0].side) == ("waiting_for_device", "device")
    assert "set IKEv2, " in found[0].remedy
    assert "fqdn branch.example" in found[0].remedy
    assert (
        found[0].reason == "waiting for the device, which has no fixed address and must dial in as fqdn branch.example"
    )


def test_a_device_that_dials_in_by_another_id_is_named():
    fact = no_connection(1, "ids", local=fqdn("hq.example"), peer=fqdn("other.example"))
    unnamed = attempt(0, fact, by="device", is_named=False, peer_address=STRANGER)
    found = rank(unnamed, of=NAMED, peer=None, waits_for_peer=True)
    assert (found[0].code, found[0].is_certain, found[0].theirs) == ("dial_in_id_mismatch", False, "fqdn other.example")
    assert STRANGER in found[0].reason


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param({}, "negotiating, nothing has been refused yet", id="nothing"),
        pytest.param(
            {"ike_established": True},
            "negotiating, nothing has been refused yet: phase 1 is up, phase 2 is not yet",
            id="phase-1-up",
        ),
    ],
)
def test_without_a_word_it_is_negotiating(seen: dict[str, Any], reason: str):
    (found,) = rank(**seen)
    assert (found.code, found.reason) == ("negotiating", reason)


def test_a_daemon_that_was_started_again_is_the_cause_until_the_tunnel_is_up():
    died_at = examples.START + timedelta(seconds=60)
    (found,) = rank(whole(0), daemon_died_at=died_at)
    assert (found.code, found.side) == ("daemon_restarted", "operator")
    assert found.reason.endswith("was started again: at 2026-01-02 03:01:00 UTC")
    assert rank(whole(70), daemon_died_at=died_at)[0].code != "daemon_restarted"
    assert rank(attempt(70, key(71, "differs"), by="device"), daemon_died_at=died_at)[0].code == "psk_mismatch"


# -- what is wrong with a tunnel that is up ---------------------------------------------------------------------------


def test_a_refused_rekey_is_a_warning_while_the_old_sa_lives():
    rekey = attempt(60, n.RekeyFailed(at=examples.at(61), line="rekeying failed", phase=2), within_sa=True)
    assert [one.code for one in causes.warnings(examples.context(whole(0), rekey))] == ["rekey_refused"]


def test_a_refusal_and_the_rekey_that_failed_for_it_are_one_warning():
    refusal = attempt(60, refused(61, "NO_PROPOSAL_CHOSEN", 2), within_sa=True)
    failed = attempt(
        61, n.RekeyFailed(at=examples.at(61), line="rekeying failed", phase=2), within_sa=True, outcome=None
    )
    (found,) = causes.warnings(examples.context(whole(0), refusal, failed, children=(examples.child(),)))
    assert (found.code, found.differs) == ("esp_proposal_mismatch", ("pfs",))
    assert "the tunnel keeps its present keys until their lifetime ends" in found.reason


def test_what_was_before_the_tunnel_came_up_is_no_warning():
    assert causes.warnings(examples.context(attempt(0, key(1, "differs"), by="device"), whole(10))) == ()


def test_a_tunnel_that_is_up_again_after_one_delete_has_no_warning():
    """Two sides that call at once make two, and one of them is deleted."""
    assert (
        causes.warnings(examples.context(whole(0), attempt(0.2, deleted(1), within_sa=True, outcome="deleted"))) == ()
    )


def test_a_tunnel_that_the_device_ends_again_and_again_has_a_warning():
    ended = [attempt(t, deleted(t + 12), within_sa=True, outcome="deleted") for t in (0.5, 20.5)]
    found = causes.warnings(examples.context(whole(0), ended[0], whole(20), ended[1], whole(40)))
    assert [one.code for one in found] == ["device_deleted"]


@pytest.mark.parametrize(
    ("seen_at", "codes"),
    [
        pytest.param(600, ["device_deleted"], id="within-ten-minutes"),
        pytest.param(613, [], id="the-tunnel-is-up-for-longer"),
    ],
)
def test_again_and_again_ends(seen_at: int, codes: list[str]):
    ended = [attempt(t, deleted(t + 12), within_sa=True, outcome="deleted") for t in (0.5, 20.5)]
    context = examples.context(whole(0), ended[0], whole(20), ended[1], whole(40))
    found = causes.warnings(replace(context, seen_at=examples.at(seen_at)))
    assert [one.code for one in found] == codes


@pytest.mark.parametrize(
    ("count", "gave_up", "codes"), [(1, False, []), (2, False, ["peer_dead"]), (5, True, ["peer_dead"])]
)
def test_a_device_that_does_not_answer_twice_is_a_warning(count: int, gave_up: bool, codes: list[str]):
    check = attempt(60, repeated(70, 2, count=count, gave_up=gave_up), within_sa=True, outcome=None)
    assert [one.code for one in causes.warnings(examples.context(whole(0), check))] == codes


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        pytest.param((repeated(61, 3, count=1, sender="device"),), [], id="once"),
        pytest.param((repeated(61, 3, count=3, sender="device"),), ["answer_lost"], id="again-and-again"),
        pytest.param((repeated(61, 1, count=2, sender="device"),), ["answer_lost"], id="the-request-that-made-it"),
        pytest.param(
            (repeated(61, 1, count=1, sender="device"), repeated(70, 2, count=2)),
            ["answer_lost"],
            id="and-our-own-are-not-answered",
        ),
        pytest.param(
            (
                repeated(61, 3, count=3, sender="device"),
                message(70, "INFORMATIONAL", sender="device", request=True, number=4),
            ),
            [],
            id="and-then-it-goes-on",
        ),
    ],
)
def test_one_packet_that_is_lost_is_no_warning(facts: tuple[n.Fact, ...], codes: list[str]):
    sa = whole(0), attempt(60, *facts, by="device", within_sa=True, outcome=None)
    assert [one.code for one in causes.warnings(examples.context(*sa))] == codes


@pytest.mark.parametrize(("times", "codes"), [([0, 60], []), ([0, 60, 120], ["duplicate_sa"]), ([-600, 60, 120], [])])
def test_sas_that_replace_each_other_are_a_warning(times: list[int], codes: list[str]):
    sas = [whole(t, n.Replaced(at=examples.at(t + 50), line="replaced")) for t in times]
    assert [one.code for one in causes.warnings(examples.context(*sas, whole(180)))] == codes


# -- what never counts ------------------------------------------------------------------------------------------------

_times = st.floats(min_value=-1000, max_value=-1, allow_nan=False)
_facts = st.one_of(
    st.builds(
        refused, _times, st.sampled_from(["NO_PROPOSAL_CHOSEN", "AUTHENTICATION_FAILED", "TS_UNACCEPTABLE", "X"])
    ),
    st.builds(mismatch, _times, st.sampled_from([1, 2]), st.builds(proposal, st.sampled_from(["3des", "aes-128"]))),
    st.builds(mismatch, _times, st.sampled_from([1, 2])),
    st.builds(key, _times, st.sampled_from(["differs", "absent", "undecryptable"])),
    st.builds(no_connection, _times, st.sampled_from(["address", "ids", "mode"])),
    st.builds(
        no_connection, _times, st.just("ids"), st.none() | st.just(fqdn("a")), st.sampled_from([ip(DEVICE), fqdn("b")])
    ),
    st.builds(identity, _times, st.just(fqdn("a")), st.none() | st.just(fqdn("b"))),
    st.builds(repeated, _times, st.integers(0, 6), count=st.integers(1, 6), sender=st.sampled_from(["us", "device"])),
    st.builds(packet, _times, st.sampled_from([500, 4500]), sender=st.sampled_from(["us", "device"])),
    st.builds(up, _times, st.sampled_from([1, 2])),
    st.builds(deleted, _times, st.sampled_from(["us", "device"]), st.sampled_from([1, 2])),
    st.builds(lambda t: n.Replaced(at=examples.at(t)), _times),
    st.builds(lambda t: n.RekeyFailed(at=examples.at(t), phase=2), _times),
    st.builds(lambda t: n.DataPlaneFailure(at=examples.at(t)), _times),
    st.builds(lambda t: n.NotSent(at=examples.at(t)), _times),
    st.builds(refused, _times, st.just("UNREAD"), data=st.sampled_from(["plain", "encrypted"])),
    st.builds(lambda t: n.MethodMismatch(at=examples.at(t), method="other"), _times),
    st.builds(lambda t: n.SelectorsRefused(at=examples.at(t), asked=()), _times),
    st.builds(lambda t, refusal: n.Unknown(at=examples.at(t), line="?", is_refusal=refusal), _times, st.booleans()),
)
_attempts = st.builds(
    lambda facts, outcome, by, version, within, named, address: attempt(
        -1000,
        *facts,
        by=by,
        outcome=outcome,
        ike_version=version,
        mode="main" if version == "v1" else None,
        within_sa=within,
        is_named=named,
        peer_address=address,
    ),
    st.lists(_facts, max_size=5),
    st.sampled_from([None, "up", "refused_by_us", "refused_by_device", "no_answer", "deleted", "replaced", "stopped"]),
    st.sampled_from(["us", "device"]),
    st.sampled_from([None, "v1", "v2"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, DEVICE, STRANGER]),
)
_LATER = [case for table in (SEEN_HERE, REFUSED, SILENCE, BOTH) for case in table]
_CONNECTIONS = [examples.V2, MAIN, AGGRESSIVE, NAMED]


@settings(deadline=None)
@given(st.lists(_attempts, max_size=4), st.sampled_from(_LATER))
def test_an_attempt_of_another_configuration_never_changes_the_result(before: list[model.Attempt], later: Any):
    attempts, _ = later.values
    others = [replace(one, configuration="before") for one in before]
    assert rank(*others, *attempts) == rank(*attempts)


@settings(deadline=None)
@given(st.lists(_attempts, max_size=4), st.sampled_from(_LATER))
def test_an_attempt_from_before_the_last_time_up_never_changes_the_result(before: list[model.Attempt], later: Any):
    """But for one: a tunnel that stayed up shows what the device accepted then (REFUSED has the rows)."""
    attempts, _ = later.values
    before = [replace(one, facts=tuple(fact for fact in one.facts if fact.kind != "established")) for one in before]
    up_once = whole(-0.5)
    assert rank(*before, up_once, *attempts) == rank(up_once, *attempts)


def test_a_fact_at_the_time_of_an_older_established_does_not_count():
    older = attempt(0, up(1), key(1, "differs"), by="device", outcome=None)
    assert [one.code for one in rank(older, whole(2))] == ["negotiating"]


@settings(deadline=None)
@given(st.lists(_attempts, max_size=5), st.lists(_attempts, max_size=2), st.sampled_from(_CONNECTIONS), st.booleans())
def test_any_facts_have_a_cause_with_a_text_and_evidence_in_order(
    attempts: list[model.Attempt], strangers: list[model.Attempt], of: model.Connection, waits: bool
):
    for peer in (DEVICE, None):
        context = examples.context(*attempts, of=of, strangers=strangers, peer=peer, waits_for_peer=waits)
        found = (*causes.rank(context), *causes.warnings(context), *causes.why_pairs_are_missing(context))
        assert found
        for one in found:
            assert one.code in cause_texts.TEXTS
            assert [line.at for line in one.evidence] == sorted(line.at for line in one.evidence)


@settings(deadline=None)
@given(st.lists(_attempts, max_size=6), st.sampled_from(_LATER), st.sampled_from(_CONNECTIONS))
def test_attempts_that_are_not_read_change_nothing(before: list[model.Attempt], later: Any, of: model.Connection):
    """The same when all attempts are read."""
    attempts, _ = later.values
    for given_attempts in ((*before, *attempts), (*attempts, *before), before):
        context = examples.context(*given_attempts, of=of)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(causes, "_is_final", lambda _: False)
            whole_answer = causes.rank(context)
        assert causes.rank(context) == whole_answer


def test_of_attempts_that_are_alike_the_newest_alone_is_read(monkeypatch: pytest.MonkeyPatch):
    read = []
    find = attempt_causes.find
    monkeypatch.setattr(attempt_causes, "find", lambda context, one: read.append(one) or find(context, one))
    found = rank(*(attempt(number, mismatch(number, 1, proposal("aes-256")), by="device") for number in range(20)))
    assert (found[0].code, len(read)) == ("ike_proposal_mismatch", 1)


@settings(deadline=None)
@given(st.lists(_attempts, max_size=5))
def test_it_is_never_negotiating_after_something_was_refused(attempts: list[model.Attempt]):
    found = rank(*attempts)
    ups = [one for one in attempts if one.outcome == "up" or any(isinstance(f, n.Established) for f in one.facts)]
    if not ups and any(one.outcome in {"refused_by_us", "refused_by_device"} for one in attempts):
        assert found[0].code != "negotiating"
