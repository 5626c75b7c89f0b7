"""The statuses of resources, with their explanations and times."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from landbridge.model.cause import Cause
from landbridge.model.connection import Connection
from landbridge.model.evidence import Evidence
from landbridge.model.gateway import VpnGateway
from landbridge.model.observation import ConnectionObservation


class StatusFacts(NamedTuple):
    """The values that decide the status of a connection. `applied`: as in `KnownConnection`. `state`: that of the last observation; None without
    one.
    """

    generation: int
    deleting: bool
    applied: int | None
    state: str | None


class KnownConnection(NamedTuple):
    """What the store knows of a connection."""

    connection: Connection
    generation: int
    deleting: bool
    #: The newest generation that an engine ever reported as completely applied.
    applied: int | None
    observation: ConnectionObservation | None
    #: The time of the last observation of its gateway.
    seen_at: datetime | None
    #: Its place in lists.
    seq: int = 0

    @property
    def facts(self) -> StatusFacts:
        state = None if self.observation is None else self.observation.state
        return StatusFacts(self.generation, self.deleting, self.applied, state)


class KnownGateway(NamedTuple):
    """What the store knows of a VPN gateway."""

    gateway: VpnGateway
    generation: int
    deleting: bool
    #: The newest generation that an engine ever reported as applied.
    applied: int | None
    #: The failure of the last cycle.
    failure: str | None
    seen_at: datetime | None
    seq: int = 0
    connections: int = 0
    next_if_id: int = 1
    restarts: int = 0
    #: The engine's last report, as JSON.
    report: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a status began."""

    #: The time of the oldest change that is not applied yet; None when the store does not know.
    changed_at: datetime | None
    #: When observations with the present state and the present applied generation began; None when the store does not
    #: know.
    state_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListRequest:
    """A page of a list of statuses: how many, the marker of the page before, and only those of a status or a name. Connections also
    by their gateway and by the code of their first cause.
    """

    limit: int
    marker: str = ""
    status: str | None = None
    name: str | None = None
    gateway_id: str | None = None
    cause: str | None = None

    def fits(self, name: str, status: str) -> bool:
        return self.status in (None, status) and self.name in (None, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRequest:
    """A page of a connection's timeline."""

    connection_id: str
    limit: int
    marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a status is what it is. `reason`: in the operator's words. `remedy`: what to change. `evidence`: the lines
    that show the reason. `causes`: all possible causes, the likeliest first; the other fields are those of the first cause.
    """

    reason: str
    remedy: str | None = None
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[Cause, ...] = ()


#: The statuses of the API pages.
ConnectionStatusName = Literal["PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR"]
GatewayStatusName = Literal["PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "FAULT"]


@dataclass(frozen=True, slots=True)
class StateChange:
    """A change of a connection's status or cause. `cause`: the code; None when it is not known."""

    at: datetime
    status: ConnectionStatusName
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """`not_seen_since`: set when `seen_at` is too old to be trusted. `paused_since`: set while the agent changes nothing."""

    status: GatewayStatusName
    explanation: Explanation | None = None
    seen_at: datetime | None = None
    not_seen_since: datetime | None = None
    paused_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatus:
    """The times are those of its gateway. `warnings`: all that is wrong with a tunnel that is up; the status stays ACTIVE."""

    status: ConnectionStatusName
    explanation: Explanation | None = None
    warnings: tuple[Cause, ...] = ()
    seen_at: datetime | None = None
    not_seen_since: datetime | None = None
    paused_since: datetime | None = None
    observation: ConnectionObservation | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All causes of a connection that is down, or all warnings of one that is up, the likeliest first."""
        return self.warnings or (self.explanation.causes if self.explanation is not None else ())
