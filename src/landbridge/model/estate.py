"""What a picture of a whole project is asked for."""

from dataclasses import dataclass
from typing import Literal

#: How a tunnel looks to a person: its status in a word. `warning`: up, and something is wrong with it. `unknown`: nobody looked lately.
TunnelLook = Literal["up", "warning", "down", "error", "pending", "deleting", "unknown"]
LOOKS: tuple[TunnelLook, ...] = ("down", "error", "warning", "pending", "unknown", "deleting", "up")


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateRequest:
    """`text`: only tunnels with this text in a name or an address, in any letter case. `looks`: only these; empty: all. `redundant`: only VPN gateways
    whose redundancy is met (True) or not met (False). `page`, `gateway_page`: which page of the rows and of the gateways, from 1 on.
    """

    text: str = ""
    looks: frozenset[TunnelLook] = frozenset()
    gateway_id: str | None = None
    redundant: bool | None = None
    page: int = 1
    gateway_page: int = 1
    limit: int = 50
