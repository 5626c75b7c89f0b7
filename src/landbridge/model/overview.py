"""The health of a tunnel, and a request for the overview of a project."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from landbridge.model.status import ConnectionStatusName

#: The status of a tunnel in a word for people. `warning`: up, and something is wrong with it. `unknown`: nobody looked lately.
TunnelHealth = Literal["up", "warning", "down", "error", "pending", "deleting", "unknown"]
#: The gravest first.
HEALTH_ORDER: tuple[TunnelHealth, ...] = ("down", "error", "warning", "pending", "unknown", "deleting", "up")
#: Of a status that is seen now and has no warning.
HEALTH_OF_STATUS: Mapping[ConnectionStatusName, TunnelHealth] = {
    "PENDING_CREATE": "pending",
    "PENDING_UPDATE": "pending",
    "PENDING_DELETE": "deleting",
    "ACTIVE": "up",
    "DOWN": "down",
    "ERROR": "error",
}


def tunnel_health(status: ConnectionStatusName, *, is_seen: bool, is_warned: bool) -> TunnelHealth:
    """`is_seen`: the engine looked lately. `is_warned`: a tunnel that is up has a warning."""
    health = HEALTH_OF_STATUS[status]
    if not is_seen and health in ("up", "down", "error"):
        return "unknown"
    return "warning" if health == "up" and is_warned else health


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewDataRequest:
    """`gateway_id`: only this VPN gateway; None: all."""

    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRequest:
    """A page of the overview."""

    #: Only tunnels that match each word in a name or an address, in any letter case, and match no word with a leading
    #: `-`.
    text: str = ""
    #: Only tunnels with one of these; empty: all.
    health: frozenset[TunnelHealth] = frozenset()
    gateway_id: str | None = None
    #: Only VPN gateways whose redundancy is met (True) or not met (False).
    redundant: bool | None = None
    #: The page of the rows, from 1 on.
    page: int = 1
    #: The page of the gateways, from 1 on.
    gateway_page: int = 1
    limit: int = 50
