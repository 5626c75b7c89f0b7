"""The texts of facts on the wire."""

import typing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.model import negotiation
from landbridge.model.negotiation import Identity, Proposal, Selectors
from landbridge.wire import attempts

AT = datetime(2026, 11, 30, 8, 0, 0, 125000, tzinfo=UTC)
OURS = Proposal(encryption=("aes-128",), integrity=("sha2-256",), groups=("group14", "group15"))
THEIRS = Proposal(encryption=("aes-256-gcm-16",), prf=("sha2-384",))
PAIR = Selectors(local=("10.0.0.0/24",), remote=("192.168.44.0/24", "192.168.45.0/24"))
ANY = Selectors(local=("0.0.0.0/0",), remote=("0.0.0.0/0",))
_GCM, _PAIR = "aes-256-gcm-16 / sha2-384", "10.0.0.0/24 - 192.168.44.0/24, 192.168.45.0/24"
FQDN, ADDRESS = Identity(kind="fqdn", value="branch"), Identity(kind="ip", value="198.51.100.2")


@given(
    st.one_of([st.builds(kind, at=st.just(AT), line=st.just("a line")) for kind in typing.get_args(negotiation.Fact)])
)
def test_each_fact_has_a_text(fact: negotiation.Fact):
    """One that no rule knows has the daemon's line alone."""
    assert attempts.text(fact)
    assert (attempts.text(fact) == "a line") == isinstance(fact, negotiation.Unknown)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (
            negotiation.Message(
                at=AT, sender="us", exchange="IKE_AUTH", is_request=True, id=1, payloads=("IDi", "N(ESP_TFC_PAD_N)")
            ),
            "IKE_AUTH request 1 [IDi N(ESP_TFC_PAD_N)]",
        ),
        (
            negotiation.Message(at=AT, sender="device", exchange="INFORMATIONAL", is_request=False, id=2),
            "INFORMATIONAL response 2",
        ),
        (
            negotiation.Packet(
                at=AT,
                sender="device",
                peer_address="198.51.100.2",
                peer_port=4500,
                local_address="203.0.113.1",
                local_port=500,
            ),
            "from 198.51.100.2:4500 to 203.0.113.1:500",
        ),
        (
            negotiation.Retransmits(at=AT, sender="us", count=5, message=0, gave_up=True),
            "request 0 sent again, 5 times, and given up",
        ),
        (negotiation.Retransmits(at=AT, sender="device", count=1, message=3), "request 3 received again, 1 times"),
        (
            negotiation.ProposalMismatch(at=AT, phase=1, offered=(THEIRS, THEIRS), configured=(OURS,)),
            f"no proposal of phase 1 fits: the device offers {_GCM} or {_GCM}; this connection has aes-128 / sha2-256 / group14 or group15",
        ),
        (negotiation.ProposalChosen(at=AT, phase=2, proposal=THEIRS), f"phase 2: {_GCM}"),
        (
            negotiation.Refusal(at=AT, sender="device", phase=1, notify="INVALID_KE_PAYLOAD", data="group19"),
            "the device refuses phase 1: INVALID_KE_PAYLOAD (group19)",
        ),
        (
            negotiation.NoConnection(at=AT, reason="ids", local=ADDRESS, peer=FQDN),
            "no connection has local_id ip 198.51.100.2 and peer_id fqdn branch",
        ),
        (negotiation.NoConnection(at=AT, reason="ids"), "no connection has these ids"),
        (
            negotiation.PeerIdentity(at=AT, got=FQDN, wanted=ADDRESS),
            "the device identifies itself as fqdn branch, and this connection expects ip 198.51.100.2",
        ),
        (negotiation.PeerIdentity(at=AT, got=FQDN), "the device identifies itself as fqdn branch"),
        (
            negotiation.SelectorsRefused(at=AT, asked=(PAIR, ANY)),
            f"the device asks for subnets that this connection does not have: {_PAIR}; 0.0.0.0/0 - 0.0.0.0/0",
        ),
        (negotiation.Established(at=AT, phase=1, again=True), "IKE_SA established again"),
        (
            negotiation.Established(at=AT, phase=2, selectors=PAIR),
            f"CHILD_SA established: {_PAIR}",
        ),
        (negotiation.Deleted(at=AT, sender="us", phase=2), "the VPN gateway ends the CHILD_SA"),
        (negotiation.Nat(at=AT, side="us"), "there is a NAT in front of the VPN gateway"),
        (negotiation.Unknown(at=AT, line="nobody knows"), "nobody knows"),
    ],
)
def test_a_fact_is_told_in_few_words(fact: negotiation.Fact, text: str):
    assert attempts.text(fact) == text


def test_an_answer_has_time_kind_sender_and_line():
    line = "received AUTHENTICATION_FAILED notify error"
    fact = negotiation.Refusal(at=AT, line=line, sender="device", phase=1, notify="AUTHENTICATION_FAILED")
    assert attempts.fact(fact) == {
        "at": "2026-11-30T08:00:00.125Z",
        "kind": "refusal",
        "sender": "device",
        "text": "the device refuses phase 1: AUTHENTICATION_FAILED",
        "line": line,
    }
    assert attempts.fact(negotiation.Nat(at=AT, side="device")).keys() == {"at", "kind", "text"}
