"""What ought to be: everything that an engine needs to know of one gateway, secrets included.

A DesiredGateway is whole: an engine makes the world equal to it and needs no other source.
"""

from dataclasses import dataclass, field

from landbridge.model.connection import Connection
from landbridge.model.gateway import Network, VpnGateway
from landbridge.model.secret import Secret

#: What the simulated engine can be asked to show; the words after the colon name the cause.
SIMULATED_STATES = ("active", "down", "down:psk", "down:proposal", "down:selectors", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredConnection:
    """`peer_address` is None for a device without a fixed address: then we only respond.

    `if_id` is this connection's XFRM interface id, unique in its gateway and never used again. `simulate` is the state
    that the simulated engine is asked to show (None: a tunnel that comes up); real engines do not read it.
    """

    connection: Connection
    generation: int
    psk: Secret | None
    local_address: str
    peer_address: str | None
    peer_asn: int | None
    if_id: int
    simulate: str | None = None

    @property
    def id(self) -> str:
        return self.connection.id


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredGateway:
    """`fingerprint_key` keys the fingerprints that an engine writes into the names of what it loads."""

    gateway: VpnGateway
    generation: int
    network: Network
    connections: tuple[DesiredConnection, ...]
    fingerprint_key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.gateway.id
