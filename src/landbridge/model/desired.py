"""The desired state: everything that an engine needs to know of one gateway, with secrets.

A DesiredGateway is complete: an engine makes the machine equal to it and reads nothing else.
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
    """A connection as an engine must make it."""

    connection: Connection
    generation: int
    psk: Secret | None
    local_address: str
    #: None for a device without a fixed address. The gateway then waits for the device.
    peer_address: str | None
    peer_asn: int | None
    #: The id of the XFRM interface: unique in the gateway, and never used again.
    if_id: int
    #: The state that the simulated engine shows; None is a tunnel that comes up. Other engines ignore it.
    simulate: str | None = None
    #: The gateway's own address, when the machine forwards `local_address` to it (attach = nat).
    behind: str | None = None
    #: How often the user asked for new SAs. An SA that was made at a lower count must end.
    resets: int = 0
    #: An order for a probe that is not done yet.
    probe: ProbeOrder | None = None
    #: The last probe that is done.
    probed: LastProbe | None = None
    #: The last check of the path through the tunnel.
    path_checked: LastProbe | None = None

    @property
    def id(self) -> str:
        return self.connection.id


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredGateway:
    """A gateway as an engine must make it, with all its connections."""

    gateway: VpnGateway
    generation: int
    network: Network
    connections: tuple[DesiredConnection, ...]
    #: The site's EIPs that the endpoints use. An address that is not in the site file has none.
    eips: tuple[Eip, ...] = ()
    #: How often a restart of the gateway was requested. What was started at a lower count must be restarted.
    restarts: int = 0
    #: What the gateway uses of the site and the site file no longer has. An engine changes nothing of such a gateway,
    #: and only removes connections that are deleted.
    uncovered: tuple[str, ...] = ()
    #: The key of the fingerprints that an engine writes into the names of what it loads.
    fingerprint_key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.gateway.id
