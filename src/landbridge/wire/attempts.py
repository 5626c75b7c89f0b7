"""Attempts on the wire: each fact with a text, and with the line of the IKE daemon where it has one."""

from typing import Any, get_args

from pydantic import Field

from landbridge.model import negotiation
from landbridge.wire import schema, shapes

_SIDES: dict[negotiation.Party, str] = {"us": "the VPN gateway", "device": "the device"}
_SAS = {1: "IKE_SA", 2: "CHILD_SA"}
_KEYS = {
    "differs": "the pre-shared keys of the two sides differ",
    "absent": "there is no pre-shared key for these ids",
    "undecryptable": "a message of the device could not be decrypted",
}


class FactAnswer(schema.Answer):
    """A message, or what the VPN gateway found in it."""

    at: str
    kind: str = Field(description="such as message, refusal, proposal_mismatch")
    sender: str | None = schema.listed(get_args(negotiation.Party), "absent for a fact without a sender")
    text: str
    line: str | None = Field(None, description="the line in the log of the IKE daemon, verbatim")


class AttemptAnswer(schema.Answer):
    """One negotiation of a tunnel, or an event of a tunnel that was up."""

    at: str = Field(description="the time of the last fact")
    began_at: str
    count: int | None = Field(
        None,
        description="how many attempts failed in this way; the other fields are those of the last one. Absent for one attempt",
    )
    first_began_at: str | None = Field(None, description="when the first of them began")
    ended_at: str | None = Field(None, description="absent while it goes on")
    began_by: str = schema.listed(get_args(negotiation.Party))
    outcome: str | None = schema.listed(get_args(negotiation.Outcome), "absent while it goes on")
    ike_version: str | None = None
    phase1_negotiation_mode: str | None = None
    local_address: str | None = None
    peer_address: str | None = None
    facts: list[FactAnswer] = Field(description="the messages with their senders, and what was found in them, in order")


def attempt(attempt: negotiation.Attempt) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(attempt.updated_at),
        began_at=shapes.time(attempt.began_at),
        count=attempt.count if attempt.count > 1 else None,
        first_began_at=shapes.time(attempt.first_began_at) if attempt.first_began_at else None,
        ended_at=shapes.time(attempt.ended_at) if attempt.ended_at else None,
        began_by=attempt.began_by,
        outcome=attempt.outcome,
        ike_version=attempt.ike_version,
        phase1_negotiation_mode=attempt.mode,
        local_address=attempt.local_address,
        peer_address=attempt.peer_address,
        facts=list(map(fact, attempt.facts)),
    )


def fact(value: negotiation.Fact) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(value.at),
        kind=value.kind,
        sender=getattr(value, "sender", None),
        text=text(value),
        line=value.line or None,
    )


def text(fact: negotiation.Fact) -> str:  # noqa: C901, PLR0912 - a sentence for each kind of fact
    """A text for a person. An unknown fact has its line as text."""
    match fact:
        case negotiation.Message():
            payloads = f" [{' '.join(fact.payloads)}]" if fact.payloads else ""
            return f"{fact.exchange} {'request' if fact.is_request else 'response'} {fact.id}{payloads}"
        case negotiation.Packet():
            local, peer = f"{fact.local_address}:{fact.local_port}", f"{fact.peer_address}:{fact.peer_port}"
            return f"from {local} to {peer}" if fact.sender == "us" else f"from {peer} to {local}"
        case negotiation.Retransmits():
            again = "sent again" if fact.sender == "us" else "received again"
            return f"request {fact.message} {again}, {fact.count} times{', and given up' if fact.gave_up else ''}"
        case negotiation.ProposalMismatch():
            offered, configured = (" or ".join(map(str, many)) or "none" for many in (fact.offered, fact.configured))
            return (
                f"no proposal of phase {fact.phase} fits: the device offers {offered}; this connection has {configured}"
            )
        case negotiation.ProposalChosen():
            return f"phase {fact.phase}: {fact.proposal}"
        case negotiation.Refusal():
            data = f" ({fact.data})" if fact.data else ""
            return f"{_SIDES[fact.sender]} refuses phase {fact.phase}: {fact.notify}{data}"
        case negotiation.NoConnection(reason="address"):
            return "no connection has these addresses and this IKE version"
        case negotiation.NoConnection(reason="mode"):
            return "no connection has this IKEv1 mode"
        case negotiation.NoConnection():
            ids = [
                f"{name} {identity}"
                for name, identity in (("local_id", fact.local), ("peer_id", fact.peer))
                if identity
            ]
            return f"no connection has {' and '.join(ids) or 'these ids'}"
        case negotiation.PeerIdentity():
            expectation = f", and this connection expects {fact.wanted}" if fact.wanted else ""
            return f"the device identifies itself as {fact.got}{expectation}"
        case negotiation.KeyMismatch():
            return _KEYS[fact.problem]
        case negotiation.MethodMismatch():
            return f"the device authenticates by {fact.method}, not by a pre-shared key"
        case negotiation.SelectorsRefused():
            selectors = "; ".join(map(str, fact.asked))
            return f"the device asks for subnets that this connection does not have: {selectors}"
        case negotiation.Established():
            pair = f": {fact.selectors}" if fact.selectors else ""
            return f"{_SAS[fact.phase]} established{' again' if fact.again else ''}{pair}"
        case negotiation.Deleted():
            return f"{_SIDES[fact.sender]} ends the {_SAS[fact.phase]}"
        case negotiation.RekeyFailed():
            return f"the rekey of phase {fact.phase} failed; the old SA stays up until its lifetime ends"
        case negotiation.DataPlaneFailure():
            return "the data plane of the VPN gateway could not install the SA"
        case negotiation.NotSent():
            return "the machine of the VPN gateway refused to send a packet"
        case negotiation.Nat():
            return f"there is a NAT in front of {_SIDES[fact.side]}"
        case negotiation.Replaced():
            return "the device established another SA in place of this one"
        case negotiation.Unknown():
            return fact.line
