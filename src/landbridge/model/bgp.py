"""The BGP session of a connection, as the routing daemon reports it. It holds facts, never a status."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Seconds that a gateway proposes (RFC 4271, 4.2). The lower hold time of both sides counts. Without BFD, a cut path is detected after the hold
#: time. docs/reference/bgp.md has the reasons.
HOLD_TIME, KEEPALIVE_TIME = 9, 3
#: A gateway ends a session when its device announces more routes, until the operator sets another limit (`[limits] learned_prefixes`).
ROUTE_LIMIT = 10_000
#: The states of RFC 4271, 8.2.2, and `down`: the session was ended on this side and does not begin by itself.
BgpState = Literal["idle", "connect", "active", "open_sent", "open_confirm", "established", "down"]
BgpOrigin = Literal["igp", "egp", "incomplete"]
#: Why a session ended or does not begin. `device_…`: the device sent a NOTIFICATION (RFC 4271, 4.5), or closed the connection.
BgpFaultCode = Literal[
    "wrong_device_asn",
    "device_wrong_asn",
    "hold_timer",
    "device_hold_timer",
    "bfd_down",
    "route_limit",
    "device_route_limit",
    "refused",
    "no_answer",
    "no_route",
    "no_interface",
    "device_shutdown",
    "device_closed",
    "unknown",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpFault:
    """The last fault of a session. `asn`: the AS number that the device named; `text`: the daemon's own line, for the evidence."""

    code: BgpFaultCode
    text: str
    asn: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpRoute:
    """A learned route that is in use. `prefix`: a CIDR block; `as_path`: AS numbers, the neighbour's first; `origin` and `med` as in RFC 4271,
    5.1.1 and 5.1.4, None where the route has none.
    """

    prefix: str
    next_hop: str
    as_path: tuple[int, ...] = ()
    origin: BgpOrigin | None = None
    med: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpSession:
    """A BGP session, as the routing daemon reports it."""

    state: BgpState
    since: datetime | None = None
    #: Seconds that both ends agreed on.
    hold_time: int | None = None
    #: The state of the BFD session (RFC 5880); None when the device does no BFD.
    bfd: Literal["up", "down"] | None = None
    #: Numbers of routes: received, accepted and announced.
    received: int = 0
    accepted: int = 0
    announced: int = 0
    #: The highest number of routes that may be received.
    limit: int | None = None
    #: None while the session is established and nothing is wrong.
    fault: BgpFault | None = None
    #: At most 1,000 of the accepted routes, in the order of their prefixes.
    routes: tuple[BgpRoute, ...] = ()

    @property
    def carries(self) -> bool:
        """Whether routes lead into the tunnel, or can. A graceful restart (RFC 4724) keeps routes while the session is not established."""
        return self.state == "established" or self.accepted > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpPeer:
    """The other side of a session, as the API shows it. `lasts`: the seconds for which the session has been in its state."""

    address: str
    asn: int | None
    state: BgpState
    lasts: int | None
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpChange:
    """A change of a session, as it was seen at `at`. `cause`: the code of what is wrong with it; `reason`: the cause in words. `received`: the
    routes that were received then.
    """

    at: datetime
    state: BgpState
    cause: str | None = None
    reason: str | None = None
    received: int = 0
