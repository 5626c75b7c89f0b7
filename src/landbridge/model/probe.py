"""Probes: orders, and the answers of devices about the IKE parameters that they accept.

Answers to messages of phase 1 are not authenticated: anybody on the path can send one. No configuration is changed because of an answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.negotiation import Identity, Proposal, Selectors

#: `chosen`: the device accepted a proposal. `refused`: it refused all. `silent`: no answer came. `unreachable`: the network or the device's
#: machine reported that nothing listens there.
ProbeOutcome = Literal["chosen", "refused", "silent", "unreachable"]
#: `automatic`: the service started the probe after a refusal. `order`: a client of the API ordered it.
ProbeReason = Literal["automatic", "order"]
#: `passes`: the largest packet that the tunnel takes passed. `reported`: a smaller one passed, and a router reported its size (RFC 1191).
#: `black_hole`: large ones got no answer and no ICMP error (RFC 2923, 2.1). `unanswered`: no address behind the tunnel answered.
PathOutcome = Literal["passes", "reported", "black_hole", "unanswered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """An operator's order. The device is asked about phase 1 when no IKE_SA is up. `phase_2`: ask for the ESP algorithms too. `identity`:
    ask for the id of the device. `path`: only find the largest packet that passes the tunnel, which is up.
    """

    connection_id: str
    phase_2: bool = False
    identity: bool = False
    path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOrder:
    """A request that waits to be carried out. `id` is that of its result."""

    id: str
    phase_2: bool = False
    identity: bool = False
    path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProbe:
    """The last probe of a connection that is done. `finding`: what a check of the path found (`ProbePath.finding`)."""

    id: str
    at: datetime
    configuration: str
    finding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """The answer to one kind of first message. `mode` is None in IKEv2. `proposal`: the chosen algorithm of each kind; after a refusal, only
    what the notify contains. `notify`: the name of the notify that refused.
    """

    ike_version: Literal["v1", "v2"]
    mode: Literal["main", "aggressive"] | None
    outcome: ProbeOutcome
    proposal: Proposal | None = None
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePhase2:
    """What the device answered on an IKE_SA that is up. `selectors`: those of the accepted CHILD_SA, where the device made less of what
    it was asked for.
    """

    outcome: ProbeOutcome
    proposal: Proposal | None = None
    selectors: Selectors | None = None
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeIdentity:
    """The answer to an authentication that requested no particular id. `accepted`: the device proved its `identity` with the pre-shared key.
    Otherwise it refused our id or the key.
    """

    accepted: bool
    identity: Identity | None = None
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePath:
    """The result of a check of a path. Sizes are bytes of the inner IP packet."""

    outcome: PathOutcome
    #: The largest packet that the tunnel takes.
    mtu: int
    #: Our address.
    source: str | None = None
    #: The address that answered; None for `unanswered`.
    destination: str | None = None
    #: The addresses that did not answer, for `unanswered`.
    asked: tuple[str, ...] = ()
    #: The largest size that was answered.
    passed: int | None = None
    #: The smallest size that was not answered.
    lost: int | None = None
    #: The router that reported a size.
    reporter: str | None = None

    @property
    def finding(self) -> str:
        """`black_hole 1150 of 1438`. The finding of a later check is news when it differs."""
        return f"{self.outcome} {self.passed or 0} of {self.mtu}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe of one connection's device. `configuration` is that of the connection at that time (see ConnectionObservation).

    `packets`: the number of packets that we sent. `peer_identity`: the id in an answer of IKEv1 aggressive mode, without a proof. `failure`:
    why a part of the probe was not asked.
    """

    id: str
    connection_id: str
    at: datetime
    reason: ProbeReason
    configuration: str
    local_address: str
    peer_address: str
    packets: int = 0
    answers: tuple[ProbeAnswer, ...] = ()
    peer_identity: Identity | None = None
    phase_2: ProbePhase2 | None = None
    identity: ProbeIdentity | None = None
    path: ProbePath | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedProbe:
    """A probe as it is stored. `actor`: the access key of the order, or `landbridge`. `result` is None while the order waits."""

    id: str
    asked_at: datetime
    actor: str
    order: ProbeOrder | None = None
    result: ProbeResult | None = None
