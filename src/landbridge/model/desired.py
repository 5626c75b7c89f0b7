"""What ought to be: everything that an engine needs to know of one gateway, secrets included.

A DesiredGateway is whole: an engine makes the world equal to it and needs no other source.
"""

from dataclasses import dataclass, field

from landbridge.model.connection import Connection
from landbridge.model.gateway import Eip, Network, VpnGateway
from landbridge.model.probe import LastProbe, ProbeOrder
from landbridge.model.secret import Secret

#: Blocks that are nobody's network (RFC 6890), and with them the two that the API's page keeps back: never routed into a tunnel,
#: also where a wider peer subnet was accepted.
UNROUTABLE_NETS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
RESERVED_NETS = ("100.64.0.0/10", "214.0.0.0/8", *UNROUTABLE_NETS)

#: The first number that is no `if_id` any more: a route's metric has 29 bits for it (docs/decisions/0016).
IF_ID_END = 1 << 29

#: What the simulated engine can be asked to show; the words after the colon name the cause.
SIMULATED_STATES = ("active", "down", "down:psk", "down:proposal", "down:selectors", "down:bgp", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredConnection:
    """`peer_address` is None for a device without a fixed address: then we only respond.

    `if_id` is this connection's XFRM interface id, unique in its gateway and never used again. `simulate` is the state
    that the simulated engine is asked to show (None: a tunnel that comes up); real engines do not read it. `behind` is the
    gateway's own address where the machine only forwards `local_address` to it (attach = nat). `resets`: how often the user
    asked for new SAs; an SA that was made at a lower count is to go. `probe`: an order to ask the device what it takes, not done yet;
    `probed`: the last probe that was done; `path_checked`: the last check of the path through the tunnel.
    """

    connection: Connection
    generation: int
    psk: Secret | None
    local_address: str
    peer_address: str | None
    peer_asn: int | None
    if_id: int
    simulate: str | None = None
    behind: str | None = None
    resets: int = 0
    probe: ProbeOrder | None = None
    probed: LastProbe | None = None
    path_checked: LastProbe | None = None

    @property
    def id(self) -> str:
        return self.connection.id


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredGateway:
    """`fingerprint_key` keys the fingerprints that an engine writes into the names of what it loads. `eips`: the site's EIPs
    with the endpoints' addresses; none for addresses that are not of the site file. `restarts`: how often the gateway was asked to
    start anew; what was started at a lower count is to go. `uncovered`: what of the gateway the site file had and no longer has; an
    engine then leaves it as it is, but for connections that are to go.
    """

    gateway: VpnGateway
    generation: int
    network: Network
    connections: tuple[DesiredConnection, ...]
    eips: tuple[Eip, ...] = ()
    restarts: int = 0
    uncovered: tuple[str, ...] = ()
    fingerprint_key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.gateway.id
