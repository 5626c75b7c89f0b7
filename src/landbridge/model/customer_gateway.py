"""The customer gateway: the other side's device, and the CA certificate of a GM device."""

from dataclasses import dataclass
from datetime import datetime

from landbridge.model.connection import IdType, Tag, TagRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A CA certificate: the PEM text of a new one, or the id of one that a customer gateway of the project has."""

    id: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayRequest:
    """What a create or update request says, in the present form (id_type, id_value) or the older one (ip, route_mode)."""

    name: str | None = None
    id_type: str | None = None
    id_value: str | None = None
    ip: str | None = None
    route_mode: str | None = None
    bgp_asn: int | None = None
    ca_certificate: CertificateRequest | None = None
    tags: tuple[TagRequest, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayRef:
    """Names a customer gateway of the project."""

    customer_gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayUpdateRequest:
    """`change`: what is absent stays."""

    customer_gateway_id: str
    change: CustomerGatewayRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayListRequest:
    """A page of the list of customer gateways. `limit`: customer gateways of a page, at most; `marker`: of the page before;
    `customer_gateway_id`: only this one; None: all.
    """

    limit: int
    marker: str = ""
    customer_gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaCertificate:
    """`content` is PEM. The other fields are read from it, except the id. The id stays the same wherever the
    certificate is used.
    """

    id: str
    serial_number: str
    signature_algorithm: str
    issuer: str
    subject: str
    expire_time: datetime
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGateway:
    """`id_value` is an IPv4 address (id_type ip) or an IKE identity that is never resolved by DNS (id_type fqdn)."""

    id: str
    project_id: str
    name: str
    id_type: IdType
    id_value: str
    bgp_asn: int | None
    route_mode: str
    ca_certificate: CaCertificate | None = None
    tags: tuple[Tag, ...]
    created_at: datetime
    updated_at: datetime

    @property
    def address(self) -> str | None:
        """The device's outer address; None when the device has no fixed address."""
        return self.id_value if self.id_type == "ip" else None

    def address_for(self, style: str) -> str | None:
        """The address at which a gateway reaches the device of a connection of this style. None: the device dials in, and may come from any
        address.
        """
        return None if style == "policy-template" else self.address
