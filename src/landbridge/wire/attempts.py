"""Attempts on the wire: each fact with a text, and with the line of the IKE daemon where it has one."""

import functools
from typing import Any, get_args

from pydantic import Field

from landbridge.model import negotiation
from landbridge.wire import schema, shapes

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


def attempt(one: negotiation.Attempt) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(one.updated_at),
        began_at=shapes.time(one.began_at),
        count=one.count if one.count > 1 else None,
        first_began_at=shapes.time(one.first_began_at) if one.first_began_at else None,
        ended_at=shapes.time(one.ended_at) if one.ended_at else None,
        began_by=one.began_by,
        outcome=one.outcome,
        ike_version=one.ike_version,
        phase1_negotiation_mode=one.mode,
        local_address=one.local_address,
        peer_address=one.peer_address,
        facts=list(map(fact, one.facts)),
    )


def fact(one: negotiation.Fact) -> dict[str, Any]:
    return shapes.without_none(
        at=shapes.time(one.at),
        kind=one.kind,
        sender=getattr(one, "sender", None),
        text=text(one),
        line=one.line or None,
    )


@functools.singledispatch
def text(fact: negotiation.Fact) -> str:
    """A text for a person. An unknown fact has its line as text."""
    return fact.line


@text.register
def _(fact: negotiation.Message) -> str:
    payloads = f" [{' '.join(fact.payloads)}]" if fact.payloads else ""
    return f"{fact.exchange} {'request' if fact.is_request else 'response'} {fact.id}{payloads}"


@text.register
def _(fact: negotiation.Packet) -> str:
    local, peer = f"{fact.local_address}:{fact.local_port}", f"{fact.peer_address}:{fact.peer_port}"
    return f"from {local} to {peer}" if fact.sender == "us" else f"from {peer} to {local}"


@text.register
def _(fact: negotiation.Retransmits) -> str:
    again = "sent again" if fact.sender == "us" else "received again"
    end = ", and given up" if fact.gave_up else ""
    return f"request {fact.message} {again}, {fact.count} times{end}"


@text.register
def _(fact: negotiation.ProposalMismatch) -> str:
    offered, configured = _proposals(fact.offered), _proposals(fact.configured)
    return f"no proposal of phase {fact.phase} fits: the device offers {offered}; this connection has {configured}"


@text.register
def _(fact: negotiation.ProposalChosen) -> str:
    return f"phase {fact.phase}: {_proposal(fact.proposal)}"


@text.register
def _(fact: negotiation.Refusal) -> str:
    return f"{fact.notify}{f' ({fact.data})' if fact.data else ''}, phase {fact.phase}"


@text.register
def _(fact: negotiation.NoConnection) -> str:
    if fact.reason == "address":
        return "no connection has these addresses and this IKE version"
    if fact.reason == "mode":
        return "no connection has this IKEv1 mode"
    ids = [f"{name} {_identity(one)}" for name, one in (("local_id", fact.local), ("peer_id", fact.peer)) if one]
    return f"no connection has {' and '.join(ids) or 'these ids'}"


@text.register
def _(fact: negotiation.PeerIdentity) -> str:
    wanted = f", and this connection expects {_identity(fact.wanted)}" if fact.wanted else ""
    return f"the device identifies itself as {_identity(fact.got)}{wanted}"


@text.register
def _(fact: negotiation.KeyMismatch) -> str:
    return _KEYS[fact.problem]


@text.register
def _(fact: negotiation.MethodMismatch) -> str:
    return f"the device authenticates by {fact.method}, not by a pre-shared key"


@text.register
def _(fact: negotiation.SelectorsRefused) -> str:
    asked = "; ".join(map(_selectors, fact.asked))
    return f"the device asks for subnets that this connection does not have: {asked}"


@text.register
def _(fact: negotiation.Established) -> str:
    what = f"phase {fact.phase} is {'renewed' if fact.again else 'up'}"
    return f"{what}: {_selectors(fact.selectors)}" if fact.selectors else what


@text.register
def _(fact: negotiation.Deleted) -> str:
    return f"DELETE of phase {fact.phase}"


@text.register
def _(fact: negotiation.RekeyFailed) -> str:
    return f"phase {fact.phase} was not renewed; the old SA goes on until its lifetime ends"


@text.register
def _(_: negotiation.DataPlaneFailure) -> str:
    return "the data plane of the VPN gateway could not install the SA"


@text.register
def _(_: negotiation.NotSent) -> str:
    return "the machine of the VPN gateway did not send a packet"


@text.register
def _(fact: negotiation.Nat) -> str:
    return f"there is a NAT before {'the VPN gateway' if fact.side == 'us' else 'the device'}"


@text.register
def _(_: negotiation.Replaced) -> str:
    return "another SA of the device took its place"


def _identity(one: negotiation.Identity) -> str:
    return f"{one.kind} {one.value}"


def _selectors(one: negotiation.Selectors) -> str:
    return f"{', '.join(one.local)} - {', '.join(one.remote)}"


def _proposals(many: tuple[negotiation.Proposal, ...]) -> str:
    return " or ".join(map(_proposal, many)) or "none"


def _proposal(one: negotiation.Proposal) -> str:
    """`aes-128 / sha2-256 / group15`"""
    kinds = (one.encryption, one.integrity, one.prf, one.groups)
    return " / ".join(", ".join(kind) for kind in kinds if kind)
