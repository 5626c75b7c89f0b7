"""A connection from the side of the customer's device: mirrored, complete, and with strict types.

Addresses and networks are parsed, so they cannot hide text. Identities, the PSK and the connection's name are as users
wrote them.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.model import bgp, traffic_selectors

Address = ipaddress.IPv4Address
Interface = ipaddress.IPv4Interface
Net = ipaddress.IPv4Network

EVERYTHING = Net("0.0.0.0/0")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of one end. `field` is its name on the wire, for refusals."""

    kind: model.IdType
    text: str
    field: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The traffic selectors of one CHILD_SA."""

    device: Net
    gateway: Net


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSide:
    """The effective values of one connection, from the side of the device. `device` is the end that the text
    configures, and `gateway` is the other end.
    """

    connection_id: str
    name: str
    style: model.Style
    #: The data plane of the gateway. The kernel plane offers 0.0.0.0/0 for a connection of style static or bgp; the
    #: userland plane offers exactly the pairs.
    plane: model.Plane
    device_address: Address | None
    gateway_address: Address
    device_identity: Identity
    gateway_identity: Identity
    device_subnets: tuple[Net, ...]
    gateway_subnets: tuple[Net, ...]
    #: The traffic selectors of everything that the tunnel carries.
    pairs: tuple[Pair, ...]
    #: The inner addresses are None when there is no tunnel interface.
    device_inner: Interface | None
    gateway_inner: Interface | None
    probed: bool
    device_asn: int | None
    gateway_asn: int
    ike: model.IkePolicy
    ipsec: model.IpsecPolicy
    #: True for the second tunnel of an active-standby pair. Its routes are the second choice.
    standby: bool
    #: True when the gateway asks for 0.0.0.0/0 in place of the pairs, even when the device has pairs.
    widened: bool
    #: Why the gateway's engine does not carry the connection; None when it does.
    uncarried: str | None
    psk: model.Secret | None

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.connection_id):
            raise ValueError("a connection's id is a UUID in small letters: names in the device are made of it")

    @property
    def tag(self) -> str:
        """The prefix of names in the device. It is short enough for all devices, and contains no text of a user."""
        return f"lb-{self.connection_id[:8]}"

    @property
    def number(self) -> int:
        """The number for interfaces and lists, 100 to 999. Two connections may have the same number."""
        return 100 + int(self.connection_id[:8], 16) % 900

    @property
    def aggressive(self) -> bool:
        return self.ike.version == "v1" and self.ike.negotiation_mode == "aggressive"

    @property
    def exchange(self) -> str:
        """v2, or v1 with its mode."""
        return self.ike.version if self.ike.version == "v2" else f"v1 {self.ike.negotiation_mode}"

    @property
    def routed(self) -> bool:
        """Whether both ends offer 0.0.0.0/0 and routes decide. The userland plane narrows a route-based device, so
        there a connection uses pairs.
        """
        return self.style in ("static", "bgp") and self.plane == "kernel"

    @property
    def dials(self) -> bool:
        """Whether only the device can start the tunnel, because the gateway does not know its address."""
        return self.device_address is None

    @property
    def selectors(self) -> tuple[Pair, ...]:
        return (Pair(EVERYTHING, EVERYTHING),) if self.routed else self.pairs

    @property
    def bgp_timers(self) -> tuple[int, int]:
        """Keepalive and hold time in seconds, as the gateway has them."""
        return bgp.KEEPALIVE_TIME, bgp.HOLD_TIME

    @property
    def metric(self) -> int:
        return 200 if self.standby else 100

    @property
    def dpd_timeout(self) -> int:
        """Seconds of silence after which the device takes the gateway for dead. The gateway uses the same time."""
        return self.ike.dpd.interval + 3 * self.ike.dpd.timeout


def side_of(
    connection: model.Connection,
    gateway: model.VpnGateway,
    customer_gateway: model.CustomerGateway,
    *,
    network: model.Network,
    plane: model.Plane,
    psk: model.Secret | None = None,
    abilities: model.Abilities | None = None,
) -> DeviceSide:
    """The device's view. `network`: the local side of a gateway that names no subnets (er). Without `psk` the text has
    no PSK. `abilities`: those of the gateway's engine; without them the engine carries everything.
    """
    policy = connection.ike_policy
    endpoint = gateway.endpoints[connection.endpoint - 1]
    local = traffic_selectors.local_subnets(gateway, network)
    inner = traffic_selectors.inner_addresses(connection)
    warning = model.uncarried(connection, abilities) if abilities else None
    address = customer_gateway.address_for(connection.style)
    return DeviceSide(
        connection_id=connection.id,
        name=connection.name,
        style=connection.style,
        plane=plane,
        device_address=Address(address) if address else None,
        gateway_address=Address(endpoint.address),
        device_identity=_identity(
            policy.peer_id_type or customer_gateway.id_type,
            policy.peer_id or customer_gateway.id_value,
            "ikepolicy.peer_id",
        ),
        gateway_identity=_identity(
            policy.local_id_type or "ip", policy.local_id or endpoint.address, "ikepolicy.local_id"
        ),
        device_subnets=tuple(map(_net, connection.peer_subnets or ())),
        gateway_subnets=tuple(map(_net, local)),
        pairs=tuple(dict.fromkeys(_pairs(connection, local))),
        device_inner=Interface(inner[1]) if inner else None,
        gateway_inner=Interface(inner[0]) if inner else None,
        probed=bool(connection.enable_nqa) and inner is not None,
        device_asn=customer_gateway.bgp_asn,
        gateway_asn=gateway.bgp_asn,
        ike=policy,
        ipsec=connection.ipsec_policy,
        standby=gateway.stands_by(connection.ha_role),
        widened=connection.style == "static" and plane == "kernel",
        uncarried=warning.text if warning else None,
        psk=psk,
    )


def _pairs(connection: model.Connection, local: tuple[str, ...]) -> Iterator[Pair]:
    for _, ours, theirs in traffic_selectors.subnet_pairs(connection, local):
        yield Pair(_net(theirs), _net(ours))
    inner = traffic_selectors.inner_addresses(connection)
    speaks = connection.style == "bgp" or (connection.style != "policy" and connection.enable_nqa)
    if speaks and inner is not None:
        yield Pair(_host(inner[1]), _host(inner[0]))


def _identity(kind: model.IdType, text: str, field: str) -> Identity:
    """The text of an id of type ip is an address."""
    return Identity(kind, text if kind == "fqdn" else str(Address(text)), field)


def _net(text: str) -> Net:
    return Net(text, strict=False)


def _host(text: str) -> Net:
    return Net(Interface(text).ip)
