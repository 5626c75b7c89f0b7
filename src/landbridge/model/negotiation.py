"""Negotiations of tunnels: facts, and attempts that hold them.

Only an engine reads the log lines and events of its daemon; it makes facts of them. An algorithm has the name of the API (`aes-128`,
`sha2-256`, `group15`), or the daemon's name when the API does not have the algorithm. The `line` of a fact is the daemon's line, verbatim.
It has two lines when the fact came from two, and is empty when the fact came from an event.
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
#: How an attempt ended. `up`: it succeeded. `refused_by_us`, `refused_by_device`: one side refused. `no_answer`: the daemon gave up after its
#: retransmits. `deleted`: a DELETE ended an SA that was up. `replaced`: another SA replaced the SA. `stopped`: a changed configuration or
#: the end of the daemon ended it.
Outcome = Literal["up", "refused_by_us", "refused_by_device", "no_answer", "deleted", "replaced", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Algorithms to choose one of each kind from. A kind without algorithms is empty. `groups` is `("none",)` when the daemon logs that no
    group is used.
    """

    encryption: tuple[str, ...] = ()
    integrity: tuple[str, ...] = ()
    prf: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`aes-128 or aes-256 / sha2-256 / group15`. A PRF is included when it differs from the integrity algorithm."""
        prf = () if self.prf == self.integrity else self.prf
        return " / ".join(" or ".join(kind) for kind in (self.encryption, self.integrity, prf, self.groups) if kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    kind: IdKind
    value: str

    def __str__(self) -> str:
        """`fqdn branch.example`."""
        return f"{self.kind} {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """Traffic selectors as CIDR blocks: `local` behind the VPN gateway, `remote` behind the device."""

    local: tuple[str, ...]
    remote: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.local)} - {', '.join(self.remote)}"


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
    """The addresses and ports of a packet of the attempt. Only a change of them is a new fact."""

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
    """We repeated a request `count` times, or (`sender` device) received one again. `gave_up`: the daemon ended the attempt because of it.
    `message`: in IKEv1 the sequence number of our message (1, 2 or 3 in phase 1), in IKEv2 the message ID.
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
    """We refused the proposals of the device. `offered`: its proposals. `configured`: ours."""

    kind: Literal["proposal_mismatch"] = "proposal_mismatch"
    at: datetime
    line: str = ""
    phase: Phase
    offered: tuple[Proposal, ...]
    configured: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChosen:
    """Both sides agreed on a proposal."""

    kind: Literal["proposal_chosen"] = "proposal_chosen"
    at: datetime
    line: str = ""
    phase: Phase
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A side ended the negotiation with a notify. `notify`: its name in RFC 7296 or RFC 2408 (`NO_PROPOSAL_CHOSEN`), or `UNREAD` for a
    notify that the daemon did not read. `data`: the content of the notify (INVALID_KE_PAYLOAD: the requested group; UNREAD: `plain` or
    `encrypted`).
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
    """No loaded connection matches. `reason` address: none has the addresses and the IKE version. ids: none has the ids; `local` is the id
    that the device expects of us (None: its message has none), `peer` its own id. mode: only a connection of the other IKEv1 mode matches.
    """

    kind: Literal["no_connection"] = "no_connection"
    at: datetime
    line: str = ""
    reason: Literal["address", "ids", "mode"]
    local: Identity | None = None
    peer: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """The device identified itself as `got`. `wanted`: the id that the connection expects, when it is another one; None: `got` matches."""

    kind: Literal["peer_identity"] = "peer_identity"
    at: datetime
    line: str = ""
    got: Identity
    wanted: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMismatch:
    """`problem` differs: the keys of the two sides differ. absent: we have no key for the ids. undecryptable: a message could not be
    decrypted; in IKEv1 the reason is another key or, with some devices, another id.
    """

    kind: Literal["key_mismatch"] = "key_mismatch"
    at: datetime
    line: str = ""
    problem: Literal["differs", "absent", "undecryptable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodMismatch:
    """The device authenticates by `method`. A connection authenticates by a pre-shared key."""

    kind: Literal["method_mismatch"] = "method_mismatch"
    at: datetime
    line: str = ""
    method: Literal["certificate", "eap", "xauth", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorsRefused:
    """We refused the traffic selectors that the device requested."""

    kind: Literal["selectors_refused"] = "selectors_refused"
    at: datetime
    line: str = ""
    asked: tuple[Selectors, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """An SA came up. `selectors`: the selectors of a CHILD_SA that both sides agreed on. `again`: by a rekey or a reauthentication."""

    kind: Literal["established"] = "established"
    at: datetime
    line: str = ""
    phase: Phase
    selectors: Selectors | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A DELETE for an SA that was up."""

    kind: Literal["deleted"] = "deleted"
    at: datetime
    line: str = ""
    sender: Party
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyFailed:
    """A rekey failed. The old SA stays up until its lifetime ends."""

    kind: Literal["rekey_failed"] = "rekey_failed"
    at: datetime
    line: str = ""
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneFailure:
    """The data plane of this machine could not install the SA."""

    kind: Literal["data_plane_failure"] = "data_plane_failure"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """This machine refused to send a packet."""

    kind: Literal["not_sent"] = "not_sent"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """There is a NAT in front of `side`. An engine leaves out the NAT that the userland data plane simulates."""

    kind: Literal["nat"] = "nat"
    at: datetime
    line: str = ""
    side: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The device established another SA in place of this one (INITIAL_CONTACT, or the same ids again)."""

    kind: Literal["replaced"] = "replaced"
    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A line that no rule knows. `is_refusal`: the line has a word of a refusal or a failure."""

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
    """The lines of the facts, in order. A fact may have several lines."""
    return (Evidence(at=fact.at, line=line) for fact in facts for line in fact.line.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One negotiation, or an event of an IKE_SA that was up: a rekey, a dead peer detection, a DELETE."""

    #: Unique in its gateway; grows with time.
    id: str
    #: The identifier of the configuration that was loaded (see `ConnectionObservation`). An attempt with another
    #: configuration than the present one is never a cause.
    configuration: str
    began_at: datetime
    ended_at: datetime | None = None
    began_by: Party
    peer_address: str | None = None
    local_address: str | None = None
    ike_version: Literal["v1", "v2"] | None = None
    mode: Literal["main", "aggressive"] | None = None
    #: Whether the daemon assigned the attempt to a connection. An attempt without a name belongs to every connection
    #: that it can concern.
    is_named: bool = True
    #: Whether it is an event of an IKE_SA that was up.
    within_sa: bool = False
    #: None while the attempt has not ended.
    outcome: Outcome | None = None
    #: In order. Of many facts, the first and the last ones are kept.
    facts: tuple[Fact, ...] = ()
    #: How many attempts failed in the same way. The store keeps the newest one for all of them.
    count: int = 1
    #: When the first of these attempts began; None for a single attempt.
    first_began_at: datetime | None = None

    @property
    def updated_at(self) -> datetime:
        """The time of the last fact, or of the end."""
        return max((self.began_at, *filter(None, (self.ended_at,)), *(fact.at for fact in self.facts)))
