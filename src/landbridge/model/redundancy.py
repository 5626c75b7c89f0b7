"""The redundancy of a VPN gateway: which connections carry its subnets, and which single failure would cut which subnets."""

from dataclasses import dataclass
from typing import Literal

from landbridge.model.connection import Style

FailureKind = Literal["connection", "endpoint", "customer_gateway", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A connection as it carries subnets."""

    connection_id: str
    connection: str
    style: Style
    endpoint: int
    customer_gateway_id: str
    #: Name and address, for people.
    customer_gateway: str
    #: Whether it carries the subnets now.
    up: bool
    #: CIDR blocks behind the device; for style policy, `source - destination`.
    subnets: tuple[str, ...]
    #: The prefixes that a BGP session learned, which it carries in place of `subnets`. Empty while the tunnel is
    #: down. None for other styles, and when nothing is known of the session of a tunnel that is up.
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
