"""What charon's lines mean. They were read off strongSwan 5.9.8; `6.0` marks how 6.0.6 writes a line (its source)."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.engine.strongswan.ike import facts, identities, proposals
from landbridge.model.negotiation import (
    DataPlaneFailure,
    Deleted,
    Established,
    Identity,
    KeyMismatch,
    Message,
    MethodMismatch,
    Nat,
    NoConnection,
    Packet,
    PeerIdentity,
    Proposal,
    ProposalChosen,
    ProposalMismatch,
    Refusal,
    RekeyFailed,
    Replaced,
    Retransmits,
    Selectors,
    SelectorsRefused,
    Unknown,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
DEVICE, OTHER = Identity(kind="ip", value="198.51.100.2"), Identity(kind="fqdn", value="dev.example")
UP = "IKE_SA one[1] established between 203.0.113.10[203.0.113.10]...198.51.100.2[198.51.100.2]"


def read(*lines: str) -> list[Any]:
    """The facts of the lines of one IKE_SA."""
    reader = facts.Reader()
    return [fact for fact in (reader.read(AT, line) for line in lines) if fact is not None]


def child(name: str, inside: str, outside: str) -> str:
    return f"CHILD_SA one.0.{name}{{1}} established with SPIs {inside}_i {outside}_o and TS 10.0.0.0/24 === 192.168.44.0/24"


ONE_LINE = [
    (
        "generating IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) ]",
        Message,
        {
            "sender": "us",
            "exchange": "IKE_SA_INIT",
            "is_request": True,
            "id": 0,
            "payloads": ("SA", "KE", "No", "N(NATD_S_IP)"),
        },
    ),
    ("parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]", Message, {"sender": "device", "is_request": False, "id": 1}),
    ("parsed IKE_AUTH request 1 [ IDi CPRQ(ADDR DNS) SA ]", Message, {"payloads": ("IDi", "CPRQ(ADDR DNS)", "SA")}),
    ("parsed INFORMATIONAL response 7 [ ]", Message, {"payloads": ()}),
    (
        "received packet: from 198.51.100.2[4500] to 203.0.113.10[500] (592 bytes)",
        Packet,
        {
            "sender": "device",
            "peer_address": "198.51.100.2",
            "peer_port": 4500,
            "local_address": "203.0.113.10",
            "local_port": 500,
        },
    ),
    (
        "sending packet: from 203.0.113.10[500] to 198.51.100.2[4500] (592 bytes)",
        Packet,
        {"sender": "us", "peer_port": 4500, "local_port": 500},
    ),
    ("retransmit 2 of request with message ID 1", Retransmits, {"sender": "us", "count": 2, "message": 1}),
    ("sending retransmit 1 of request message ID 0, seq 3", Retransmits, {"sender": "us", "count": 1, "message": 3}),
    ("giving up after 5 retransmits", Retransmits, {"sender": "us", "count": 5, "gave_up": True}),
    ("DPD check timed out, enforcing DPD action", Retransmits, {"sender": "us", "gave_up": True}),
    ("deleting half open IKE_SA with 198.51.100.2 after timeout", Retransmits, {"gave_up": True}),
    ("deleting half open IKE_SA one[4] with 198.51.100.2 after timeout", Retransmits, {"gave_up": True}),  # 6.0
    (
        "received retransmit of response with ID 0, but next request already sent",
        Retransmits,
        {"sender": "device", "count": 1, "message": 0},
    ),
    (
        "received retransmit of request with ID 1, retransmitting response",
        Retransmits,
        {"sender": "device", "count": 1, "message": 1},
    ),
    (
        "selected proposal: ESP:AES_GCM_16_256/MODP_3072/NO_EXT_SEQ",
        ProposalChosen,
        {"phase": 2, "proposal": Proposal(encryption=("aes-256-gcm-16",), groups=("group15",))},
    ),
    (
        "received NO_PROPOSAL_CHOSEN notify error",
        Refusal,
        {"sender": "device", "phase": 1, "notify": "NO_PROPOSAL_CHOSEN"},
    ),
    ("received AUTHENTICATION_FAILED error notify", Refusal, {"sender": "device", "notify": "AUTHENTICATION_FAILED"}),
    ("received (40501) notify error", Refusal, {"notify": "(40501)"}),
    ("received INVALID_SYNTAX notify error, destroying IKE_SA", Refusal, {"notify": "INVALID_SYNTAX"}),
    (
        "received TS_UNACCEPTABLE notify, no CHILD_SA built",
        Refusal,
        {"sender": "device", "phase": 2, "notify": "TS_UNACCEPTABLE"},
    ),
    ("received TEMPORARY_FAILURE notify, will retry later", Refusal, {"phase": 2, "notify": "TEMPORARY_FAILURE"}),
    ("received TEMPORARY_FAILURE notify", Refusal, {"phase": 2, "notify": "TEMPORARY_FAILURE"}),  # 6.0
    (
        "peer didn't accept DH group MODP_3072, it requested MODP_2048",
        Refusal,
        {"sender": "device", "notify": "INVALID_KE_PAYLOAD", "data": "group14"},
    ),
    (
        "peer didn't accept key exchange method MODP_3072, it requested ECP_384",  # 6.0
        Refusal,
        {"sender": "device", "notify": "INVALID_KE_PAYLOAD", "data": "group20"},
    ),
    (
        "DH group MODP_2048 unacceptable, requesting MODP_3072",
        Refusal,
        {"sender": "us", "notify": "INVALID_KE_PAYLOAD", "data": "group15"},
    ),
    ("key exchange method CURVE_25519 unacceptable, requesting MODP_3072", Refusal, {"sender": "us"}),  # 6.0
    ("requested DH group CURVE_25519 not contained in any of our proposals", Refusal, {"data": "CURVE_25519"}),
    (
        "no IKE config found for 203.0.113.10...198.51.100.2, sending NO_PROPOSAL_CHOSEN",
        NoConnection,
        {"reason": "address"},
    ),
    ("IDir 'dev.example' does not match to '198.51.100.2'", PeerIdentity, {"got": OTHER, "wanted": DEVICE}),
    (  # 6.0
        "constraint check failed: identity '198.51.100.2' (ID_FQDN) required, not matched by '198.51.100.2' (ID_KEY_ID)",
        PeerIdentity,
        {
            "got": Identity(kind="key_id", value="198.51.100.2"),
            "wanted": Identity(kind="fqdn", value="198.51.100.2"),
        },
    ),
    ("received IDr dev.example, but require 198.51.100.2", PeerIdentity, {"got": OTHER, "wanted": DEVICE}),
    ("authentication of '198.51.100.2' with pre-shared key successful", PeerIdentity, {"got": DEVICE, "wanted": None}),
    ("tried 1 shared key for '10.9.0.2' - '10.9.0.1', but MAC mismatched", KeyMismatch, {"problem": "differs"}),
    ("tried 2 shared keys for 'a' - 'b', but MAC mismatched", KeyMismatch, {"problem": "differs"}),
    ("calculated HASH does not match HASH payload", KeyMismatch, {"problem": "differs"}),
    ("no shared key found for '10.9.0.2' - '10.9.0.1'", KeyMismatch, {"problem": "absent"}),
    ("no shared key found for 10.9.0.2 - 10.9.0.1", KeyMismatch, {"problem": "absent"}),
    ("could not decrypt payloads", KeyMismatch, {"problem": "undecryptable"}),
    ("peer requested EAP, config unacceptable", MethodMismatch, {"method": "eap"}),
    ("server requested EAP_MSCHAPV2 authentication (id 0x01)", MethodMismatch, {"method": "eap"}),
    ("no trusted RSA public key found for 'dev.example'", MethodMismatch, {"method": "certificate"}),
    (
        "constraint requires pre-shared key authentication, but public key was used",
        MethodMismatch,
        {"method": "certificate"},
    ),
    (
        "received XAuthInitPSK authentication, but configured pre-shared key, continue with configured",
        MethodMismatch,
        {"method": "xauth"},
    ),
    (
        "found 1 matching config, but none allows RSA signature authentication using Main Mode",
        MethodMismatch,
        {"method": "certificate"},
    ),
    (
        "selected peer config 'one' unacceptable: insufficient authentication rounds",
        MethodMismatch,
        {"method": "other"},
    ),
    ("no XAuth method found", MethodMismatch, {"method": "xauth"}),
    ("parsed TRANSACTION request 2841 [ HASH CPRQ(X_USER X_PWD) ]", MethodMismatch, {"method": "xauth"}),
    (
        "traffic selectors 10.0.0.0/24 === 192.168.99.0/24 192.168.98.0/24 unacceptable",
        SelectorsRefused,
        {"asked": (Selectors(local=("10.0.0.0/24",), remote=("192.168.99.0/24", "192.168.98.0/24")),)},
    ),
    (
        "no matching CHILD_SA config found for 192.168.99.0/24 === 10.0.0.0/24",
        SelectorsRefused,
        {"asked": (Selectors(local=("10.0.0.0/24",), remote=("192.168.99.0/24",)),)},
    ),
    ("no acceptable traffic selectors found", SelectorsRefused, {"asked": ()}),
    (UP, Established, {"phase": 1, "again": False}),
    (
        "IKE_SA one[2] rekeyed between 203.0.113.10[203.0.113.10]...198.51.100.2[198.51.100.2]",
        Established,
        {"phase": 1, "again": True},
    ),
    (
        child("a", "c1a2b3c4", "c5d6e7f8"),
        Established,
        {"phase": 2, "selectors": Selectors(local=("10.0.0.0/24",), remote=("192.168.44.0/24",)), "again": False},
    ),
    ("received DELETE for IKE_SA one[1]", Deleted, {"sender": "device", "phase": 1}),
    ("sending DELETE for IKE_SA one[1]", Deleted, {"sender": "us", "phase": 1}),
    ("CHILD_SA rekeying failed, trying again in 7 seconds", RekeyFailed, {"phase": 2}),
    ("IKE_SA rekeying failed, trying again in 10 seconds", RekeyFailed, {"phase": 1}),
    ("rekeying IKE_SA failed, peer not responding", RekeyFailed, {"phase": 1}),
    ("peer seems to not support CHILD_SA rekeying, starting reauthentication", RekeyFailed, {"phase": 2}),
    ("unable to install IPsec policies (SPD) in kernel", DataPlaneFailure, {}),
    ("error installing route with policy 10.0.0.0/24 === 192.168.44.0/24 out", DataPlaneFailure, {}),
    ("remote host is behind NAT", Nat, {"side": "device"}),
    ("local host is behind NAT, sending keep alives", Nat, {"side": "us"}),
    ("destroying duplicate IKE_SA for peer '198.51.100.2', received INITIAL_CONTACT", Replaced, {}),
    ("detected reauth of existing IKE_SA, adopting 2 children and 0 virtual IPs", Replaced, {}),
    ("detected reauth of existing IKE_SA, adopting 2 children, 0 child tasks, and 0 virtual IPs", Replaced, {}),  # 6.0
    ("a line of a later version", Unknown, {"is_refusal": False}),
    ("frobnication failed", Unknown, {"is_refusal": True}),
]


@pytest.mark.parametrize(("line", "kind", "told"), ONE_LINE, ids=[line[:60] for line, _, _ in ONE_LINE])
def test_a_line_is_a_fact(line: str, kind: type, told: dict[str, Any]):
    [fact] = read(line)
    assert type(fact) is kind
    assert {name: getattr(fact, name) for name in told} == told
    assert (fact.at, fact.line) == (AT, line)


SEVERAL_LINES = [
    pytest.param(
        [
            "received proposals: IKE:AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/MODP_2048",
            "configured proposals: IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072",
            "received proposals unacceptable",
        ],
        [
            ProposalMismatch(
                at=AT,
                line="received proposals: IKE:AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/MODP_2048\n"
                "configured proposals: IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072",
                phase=1,
                offered=(
                    Proposal(encryption=("aes-256",), integrity=("sha2-512",), prf=("sha2-512",), groups=("group14",)),
                ),
                configured=(
                    Proposal(encryption=("aes-128",), integrity=("sha2-256",), prf=("sha2-256",), groups=("group15",)),
                ),
            )
        ],
        id="proposals of both sides",
    ),
    pytest.param(
        [
            "looking for peer configs matching 203.0.113.10[gw.example]...198.51.100.2[dev.example]",
            "no matching peer config found",
        ],
        [
            NoConnection(
                at=AT,
                line="no matching peer config found",
                reason="ids",
                local=Identity(kind="fqdn", value="gw.example"),
                peer=OTHER,
            )
        ],
        id="ids that no connection has",
    ),
    pytest.param(
        [
            "looking for pre-shared key peer configs matching 203.0.113.10...198.51.100.2[dev.example]",
            "found 1 matching config, but none allows pre-shared key authentication using Aggressive Mode",
        ],
        [
            NoConnection(
                at=AT,
                line="found 1 matching config, but none allows pre-shared key authentication using Aggressive Mode",
                reason="mode",
                peer=OTHER,
            )
        ],
        id="the other mode of IKEv1",
    ),
    pytest.param(
        [
            "authentication of 'dev.example' with pre-shared key successful",
            "constraint check failed: identity '198.51.100.2' required",
        ],
        [
            PeerIdentity(at=AT, line="authentication of 'dev.example' with pre-shared key successful", got=OTHER),
            PeerIdentity(
                at=AT, line="constraint check failed: identity '198.51.100.2' required", got=OTHER, wanted=DEVICE
            ),
        ],
        id="an id that is proved and not expected",
    ),
    pytest.param(
        [UP, "received NO_PROPOSAL_CHOSEN error notify"],
        [
            Established(at=AT, line=UP, phase=1),
            Refusal(
                at=AT,
                line="received NO_PROPOSAL_CHOSEN error notify",
                sender="device",
                phase=2,
                notify="NO_PROPOSAL_CHOSEN",
            ),
        ],
        id="IKEv1 says the same of both phases",
    ),
    pytest.param(
        ["received retransmit of request with ID 1, retransmitting response"] * 2,
        [
            Retransmits(
                at=AT,
                line="received retransmit of request with ID 1, retransmitting response",
                sender="device",
                count=count,
                message=1,
            )
            for count in (1, 2)
        ],
        id="retransmits of the device are counted",
    ),
]


@pytest.mark.parametrize(("lines", "told"), SEVERAL_LINES)
def test_lines_that_belong_together(lines: list[str], told: list[Any]):
    assert read(*lines) == told


#: What the DELETEs of CHILD_SAs mean: (lines, who deleted).
DELETES = [
    pytest.param([child("a", "1i", "1o"), "received DELETE for ESP CHILD_SA with SPI 1o"], ["device"], id="the child"),
    pytest.param([child("a", "1i", "1o"), "sending DELETE for ESP CHILD_SA with SPI 1i"], ["us"], id="by us"),
    pytest.param(
        [
            child("a", "1i", "1o"),
            "received DELETE for ESP CHILD_SA with SPI 1o",
            "sending DELETE for ESP CHILD_SA with SPI 1i",
        ],
        ["device"],
        id="our own answer is none",
    ),
    pytest.param(
        [
            child("a", "1i", "1o"),
            f"inbound {child('a', '2i', '2o')}",
            "received DELETE for ESP CHILD_SA with SPI 1o",
            "sending DELETE for ESP CHILD_SA with SPI 1i",
            f"outbound {child('a', '2i', '2o')}",
        ],
        [],
        id="the old one after a rekey",
    ),
    pytest.param(
        [child("a", "1i", "1o"), child("b", "2i", "2o"), "received DELETE for ESP CHILD_SA with SPI 1o"],
        ["device"],
        id="one of two children",
    ),
    pytest.param(["received DELETE for ESP CHILD_SA with SPI 9o"], ["device"], id="of which nothing was heard"),
    pytest.param(
        [child("a", "2i", "2o"), "received DELETE for ESP CHILD_SA with SPI 9o"], [], id="older than what was heard"
    ),
    pytest.param(
        [
            "IKE_SA one[2] rekeyed between 203.0.113.10[a]...198.51.100.2[b]",
            "received DELETE for IKE_SA one[1]",
        ],
        [],
        id="the old IKE_SA after a rekey",
    ),
]


@pytest.mark.parametrize(("lines", "senders"), DELETES)
def test_a_delete_after_a_rekey_ends_nothing(lines: list[str], senders: list[str]):
    assert [fact.sender for fact in read(*lines) if isinstance(fact, Deleted)] == senders


@pytest.mark.parametrize(
    "line",
    [
        "vici initiate CHILD_SA 'one.0.a.b'",
        "initiating IKE_SA one[1] to 198.51.100.2",
        "198.51.100.2 is initiating a Aggressive Mode IKE_SA",
        "198.51.100.2 is initiating IKE_SA one[7]",
        "establishing CHILD_SA one.0.a.b{1}",
        "scheduling rekeying in 77354s",
        "received XAuth vendor ID",
        "received 3960s lifetime, configured 3600s",
        "authentication of '203.0.113.10' (myself) with pre-shared key",
        "invalid ID_V1 payload length, decryption failed?",
        "ID_PROT request with message ID 0 processing failed",
        "queueing TRANSACTION request as tasks still active",
        "failed to establish CHILD_SA, keeping IKE_SA",
        "CHILD_SA closed",
        "CHILD_SA one.0.a.b{7} closed",
        "restarting CHILD_SA one.0.a.b",
        "unable to reauthenticate in CHILD_SA DELETED state, delaying for 6s",
        "CHILD_SA rekey collision won, deleting old child one.0.a.b{3}",
        "DPD not supported by peer, disabled",
        "peer certificate successfully verified",
        "ignoring KE exchange, agreed on a non-PFS proposal",
        "switching to peer config 'other'",
        "selected peer config 'one' unacceptable: constraint checking failed",
    ],
)
def test_a_line_that_says_nothing_is_no_fact(line: str):
    assert read(line) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("198.51.100.2", "ip"),
        ("2001:db8::1", "ip"),
        ("dev.example", "fqdn"),
        ("a@b.example", "email"),
        ("C=CH, O=strongSwan, CN=dev", "dn"),
    ],
)
def test_the_kind_of_an_identity_is_guessed_from_its_text(text: str, kind: str):
    assert identities.identity(text) == Identity(kind=kind, value=text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        (
            "IKE:AES_CBC_128/AES_CBC_192/3DES_CBC/HMAC_SHA1_96/HMAC_MD5_96/PRF_HMAC_SHA1/MODP_1024/ECP_256",
            Proposal(
                encryption=("aes-128", "aes-192", "3des"),
                integrity=("sha1", "md5"),
                prf=("sha1",),
                groups=("group2", "group19"),
            ),
        ),
        (
            "IKE:CHACHA20_POLY1305/PRF_AES128_XCBC/CURVE_25519",
            Proposal(encryption=("CHACHA20_POLY1305",), prf=("PRF_AES128_XCBC",), groups=("CURVE_25519",)),
        ),
        (
            "ESP:CAMELLIA_CBC_256/AES_XCBC_96/MODP_NONE/NO_EXT_SEQ",
            Proposal(encryption=("CAMELLIA_CBC_256",), integrity=("AES_XCBC_96",), groups=("none",)),
        ),
    ],
    ids=["lists", "what the API does not have", "no group"],
)
def test_a_proposal_has_the_words_of_the_api(text: str, proposal: Proposal):
    assert proposals.parse(text) == (proposal,)


def test_of_hundreds_of_proposals_the_first_are_kept():
    line = "received proposals: " + ", ".join(["IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024"] * 180)
    [mismatch] = read(line, "configured proposals: IKE:AES_CBC_256/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024")
    assert len(mismatch.offered) == proposals.KEPT
    assert len(mismatch.line) <= 2 * facts.LINE_KEPT


_pieces = st.sampled_from(
    [
        "[",
        "]",
        "...",
        "a",
        "'",
        " with ",
        " successful",
        " === ",
        "received ",
        "looking for peer configs matching ",
        "/",
        ":",
    ]
)


@given(st.lists(st.sampled_from([line for line, _, _ in ONE_LINE]) | st.text(max_size=40) | _pieces, max_size=30))
def test_any_line_is_read(parts: list[str]):
    reader = facts.Reader()
    reader.read(AT, "".join(parts))


@pytest.mark.parametrize(
    "line",
    [
        "looking for peer configs matching 1[" + "]...1[" * 1300 + "x",
        "authentication of '" + "' with " * 1100,
        "CHILD_SA a{1} established with SPIs 1_i 2_o and TS " + " === " * 1500,
        "received " * 900,
        "found 1 matching config, but none allows " + " authentication using" * 400,
        "received proposals: " + "/" * 8000,
    ],
    ids=lambda line: line[:24],
)
def test_a_hostile_line_takes_no_time(line: str):
    began = time.process_time()
    read(*[line] * 10)
    assert time.process_time() - began < 0.5
