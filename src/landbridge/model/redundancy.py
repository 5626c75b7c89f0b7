"""What carries the subnets behind a VPN gateway, and which single failure would cut which of them."""

from dataclasses import dataclass
from typing import Literal

from landbridge.model.connection import Style

FailureKind = Literal["connection", "endpoint", "customer_gateway", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A connection of a style as it carries subnets. `up`: whether it carries them now. `subnets`: CIDR blocks behind the device; of a
    connection of style policy `source - destination`. `customer_gateway`: name and address, for people. `learned`: of a connection of
    style bgp, the prefixes that its session learned, none while the tunnel is down; None for other styles, and while the tunnel is up
    and nothing is known of its session. A session that learned something carries that in place of `subnets`.
    """

    connection_id: str
    connection: str
    style: Style
    endpoint: int
    customer_gateway_id: str
    customer_gateway: str
    up: bool
    subnets: tuple[str, ...]
    learned: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedSubnet:
    """A subnet behind the gateway with all connections that are configured to carry it. `subnet` is a CIDR block, `source - destination` of
    policies, or words for what BGP sessions would carry that have learned nothing.
    """

    subnet: str
    carriers: tuple[Carrier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFailure:
    """What cuts `subnets` when it fails alone. `id`: of the connection or the customer gateway; None for an endpoint and the machine."""

    kind: FailureKind
    name: str
    id: str | None
    subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """`is_met`: all subnets are reached, and neither one connection nor one endpoint carries a subnet alone. `is_configured`: the same, if all
    connections were up. `failures` are those of now. `summary`: one line for people.
    """

    is_met: bool
    is_configured: bool
    summary: str
    subnets: tuple[CarriedSubnet, ...]
    failures: tuple[SingleFailure, ...]
