"""What a device was asked, and what it answered: which parameters does it take?

Nothing of an answer is authenticated: anybody on the way can have sent it. It is shown as an answer and never adopted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.negotiation import Identity, Proposal, Selectors

#: `chosen`: the device took one of what was offered. `refused`: it said no to all. `silent`: no answer came. `unreachable`: the network or
#: the device's machine said that nobody is there.
ProbeOutcome = Literal["chosen", "refused", "silent", "unreachable"]
#: Who wanted the probe: the service itself after a refusal, or somebody by the API.
ProbeReason = Literal["automatic", "order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """An operator's order. Phase 1 is asked where no IKE_SA is up. `phase_2`: ask for the ESP algorithms too; `identity`: ask which
    id the device has.
    """

    connection_id: str
    phase_2: bool = False
    identity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOrder:
    """A request that waits to be carried out. `id` is that of its result."""

    id: str
    phase_2: bool = False
    identity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """That a probe is done: the last one of a connection."""

    id: str
    at: datetime
    configuration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What one kind of first message got for an answer. `mode` is None in IKEv2. `proposal`: what was chosen, one algorithm of each kind;
    after a refusal only what the device said of its own. `notify`: the name of the notify that refused.
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
    """What the device answered when it was asked without a wish for its id. `identity` is set where it `accepted`: its own, proved by
    the pre-shared key. Otherwise it refused our id or the key.
    """

    accepted: bool
    identity: Identity | None = None
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe of one connection's device. `configuration` is that of the connection at that time (see ConnectionObservation).

    `packets` counts what we sent. `peer_identity`: what something at the device's address calls itself in IKEv1 aggressive mode, without
    a proof. `failure`: why something was not asked.
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
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedProbe:
    """A probe as it is stored. `actor`: the access key of who ordered it, or `landbridge`. `result` is None while it waits."""

    id: str
    asked_at: datetime
    actor: str
    order: ProbeOrder | None = None
    result: ProbeResult | None = None
