"""How a tunnel looks to a person, and a request for the estate of a project."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from landbridge.model.status import ConnectionStatusName

#: How a tunnel looks to a person: its status in a word. `warning`: up, and something is wrong with it. `unknown`: nobody looked lately.
TunnelLook = Literal["up", "warning", "down", "error", "pending", "deleting", "unknown"]
#: The gravest first.
LOOKS: tuple[TunnelLook, ...] = ("down", "error", "warning", "pending", "unknown", "deleting", "up")
#: Of a status that is seen now and has no warning.
LOOK_OF_STATUS: Mapping[ConnectionStatusName, TunnelLook] = {
    "PENDING_CREATE": "pending",
    "PENDING_UPDATE": "pending",
    "PENDING_DELETE": "deleting",
    "ACTIVE": "up",
    "DOWN": "down",
    "ERROR": "error",
}


def tunnel_look(status: ConnectionStatusName, *, is_seen: bool, is_warned: bool) -> TunnelLook:
    """`is_seen`: the engine looked lately. `is_warned`: a tunnel that is up has a warning."""
    look = LOOK_OF_STATUS[status]
    if not is_seen and look in ("up", "down", "error"):
        return "unknown"
    return "warning" if look == "up" and is_warned else look


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeEstateRequest:
    """`gateway_id`: only this VPN gateway; None: all."""

    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateRequest:
    """`text`: only tunnels with each of its words in a name or an address, in any letter case, and without the words that have a `-` before them. `looks`: only these; empty: all.
    `redundant`: only VPN gateways whose redundancy is met (True) or not met (False). `page`, `gateway_page`: which page of the rows
    and of the gateways, from 1 on.
    """

    text: str = ""
    looks: frozenset[TunnelLook] = frozenset()
    gateway_id: str | None = None
    redundant: bool | None = None
    page: int = 1
    gateway_page: int = 1
    limit: int = 50
