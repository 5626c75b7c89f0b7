"""What was said when a tunnel was negotiated: facts, cut into attempts.

An engine reads a daemon's words and makes facts of them; no other room reads those words. Algorithms stand in the words of the API
where the API has one (`aes-128`, `sha2-256`, `group15`), otherwise as the daemon writes them. `line` is the daemon's line, verbatim; where
a fact came from two lines, both, one below the other; empty where it came from an event.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.evidence import Evidence

Party = Literal["us", "device"]
#: Phase 1 makes the IKE_SA, phase 2 a CHILD_SA.
Phase = Literal[1, 2]
IdKind = Literal["ip", "fqdn", "email", "key_id", "dn", "other"]
#: How an attempt ended. `up`: what it was for is up. `refused_by_us` and `refused_by_device`: one side said no. `no_answer`: requests
#: were sent again until the daemon gave up. `deleted`: a DELETE ended an SA that was up. `replaced`: another SA took its place.
#: `stopped`: a changed configuration or the end of the daemon ended it.
Outcome = Literal["up", "refused_by_us", "refused_by_device", "no_answer", "deleted", "replaced", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Algorithms of which one of each kind is to be used. A kind that is absent is empty; `groups` without one is `("none",)` only
    where a daemon says so.
    """

    encryption: tuple[str, ...] = ()
    integrity: tuple[str, ...] = ()
    prf: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    kind: IdKind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """Traffic selectors from our point of view: what is behind us and what is behind the device."""

    local: tuple[str, ...]
    remote: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An IKE message: `payloads` as the daemon abbreviates them (`SA`, `KE`, `N(NO_PROP)`). `id` is the message ID."""

    kind: Literal["message"] = "message"
    at: datetime
    line: str = ""
    sender: Party
    exchange: str
    is_request: bool
    id: int
    payloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """Where packets of the attempt came from or went to. Only a change of addresses or ports is a new fact."""

    kind: Literal["packet"] = "packet"
    at: datetime
    line: str = ""
    sender: Party
    peer_address: str
    peer_port: int
    local_address: str
    local_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retransmits:
    """We sent a request `count` times again, or (`sender` device) received one again. `gave_up`: the daemon ended the attempt for it.
    `message`: in IKEv1 the sequence number of our message (1, 2 or 3 of phase 1), in IKEv2 the message ID.
    """

    kind: Literal["retransmits"] = "retransmits"
    at: datetime
    line: str = ""
    sender: Party
    count: int
    message: int
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalMismatch:
    """We refused what the device proposed. `offered` by the device, `configured` here."""

    kind: Literal["proposal_mismatch"] = "proposal_mismatch"
    at: datetime
    line: str = ""
    phase: Phase
    offered: tuple[Proposal, ...]
    configured: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChosen:
    """Both sides agreed."""

    kind: Literal["proposal_chosen"] = "proposal_chosen"
    at: datetime
    line: str = ""
    phase: Phase
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A side ended the negotiation with a notify. `notify` is its name in RFC 7296 or RFC 2408 (`NO_PROPOSAL_CHOSEN`). `data` is what it
    carries, where that says something (INVALID_KE_PAYLOAD: the group that is wanted). `UNREAD` is one that the daemon did not read: `data`
    says whether it was `plain` or `encrypted`.
    """

    kind: Literal["refusal"] = "refusal"
    at: datetime
    line: str = ""
    sender: Party
    phase: Phase
    notify: str
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoConnection:
    """No loaded connection fits. `reason` address: none has the addresses or the version. ids: none has the identities; `local` is what
    the device expects of us (None: it does not say), `peer` what it calls itself. mode: only the other IKEv1 mode fits.
    """

    kind: Literal["no_connection"] = "no_connection"
    at: datetime
    line: str = ""
    reason: Literal["address", "ids", "mode"]
    local: Identity | None = None
    peer: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """The device proved or claimed `got` where this connection expects `wanted` (None: it fits)."""

    kind: Literal["peer_identity"] = "peer_identity"
    at: datetime
    line: str = ""
    got: Identity
    wanted: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMismatch:
    """`problem` differs: the keys of the two sides differ, as the check of `checked_by` shows. absent: we have no key for these
    identities. undecryptable: a message could not be decrypted, which in IKEv1 is another key or, with some devices, another id.
    """

    kind: Literal["key_mismatch"] = "key_mismatch"
    at: datetime
    line: str = ""
    problem: Literal["differs", "absent", "undecryptable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodMismatch:
    """The device authenticates by `method`: certificate, eap or xauth. Connections here have a pre-shared key."""

    kind: Literal["method_mismatch"] = "method_mismatch"
    at: datetime
    line: str = ""
    method: Literal["certificate", "eap", "xauth", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorsRefused:
    """We refused the selectors that the device asked for."""

    kind: Literal["selectors_refused"] = "selectors_refused"
    at: datetime
    line: str = ""
    asked: tuple[Selectors, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """An SA came up. `selectors` of a CHILD_SA as both sides agreed. `again`: a rekey or a reauthentication."""

    kind: Literal["established"] = "established"
    at: datetime
    line: str = ""
    phase: Phase
    selectors: Selectors | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A DELETE for an SA that was up. `sender`: who wanted it to end."""

    kind: Literal["deleted"] = "deleted"
    at: datetime
    line: str = ""
    sender: Party
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyFailed:
    """A rekey was refused or did not succeed; the old SA goes on until its lifetime ends."""

    kind: Literal["rekey_failed"] = "rekey_failed"
    at: datetime
    line: str = ""
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneFailure:
    """Our own data plane could not install what was negotiated."""

    kind: Literal["data_plane_failure"] = "data_plane_failure"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Our own machine refused to send a packet."""

    kind: Literal["not_sent"] = "not_sent"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """There is a NAT before `side`. The userland data plane always says so of the device: an engine leaves that out."""

    kind: Literal["nat"] = "nat"
    at: datetime
    line: str = ""
    side: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The peer made another SA in place of this one (INITIAL_CONTACT, or the same identities again)."""

    kind: Literal["replaced"] = "replaced"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A line that no rule knows. `is_refusal`: something was refused with it, or failed."""

    kind: Literal["unknown"] = "unknown"
    at: datetime
    line: str
    is_refusal: bool = False


Fact = (
    Message
    | Packet
    | Retransmits
    | ProposalMismatch
    | ProposalChosen
    | Refusal
    | NoConnection
    | PeerIdentity
    | KeyMismatch
    | MethodMismatch
    | SelectorsRefused
    | Established
    | Deleted
    | RekeyFailed
    | DataPlaneFailure
    | NotSent
    | Nat
    | Replaced
    | Unknown
)


def lines(facts: Iterable[Fact]) -> Iterator[Evidence]:
    """The lines of facts, in their order. A fact may have several."""
    return (Evidence(at=fact.at, line=line) for fact in facts for line in fact.line.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to bring something up, or (`within_sa`) what happened to an IKE_SA that was up: a rekey, a check whether the peer lives,
    a DELETE.

    `id` is unique in its gateway and grows with time. `configuration`: which configuration was loaded; an attempt of another one than
    the present says nothing about the present. `is_named`: the daemon knew which connection was meant; an attempt without a name
    belongs to every connection that may have been meant. `outcome` None: it goes on. `facts` are in their order, the first and the
    last ones of many.
    """

    id: str
    configuration: str
    began_at: datetime
    ended_at: datetime | None = None
    began_by: Party
    peer_address: str | None = None
    local_address: str | None = None
    ike_version: Literal["v1", "v2"] | None = None
    mode: Literal["main", "aggressive"] | None = None
    is_named: bool = True
    within_sa: bool = False
    outcome: Outcome | None = None
    facts: tuple[Fact, ...] = ()

    @property
    def heard_at(self) -> datetime:
        """When it was heard of last."""
        return max((self.began_at, *filter(None, (self.ended_at,)), *(fact.at for fact in self.facts)))
