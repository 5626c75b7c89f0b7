"""The answer to a check of a create (an extension of ours)."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import connections, errors, schema, shapes


class Identity(Protocol):
    """An IKE id."""

    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...


class Pair(Protocol):
    """Traffic selectors. `str` of both writes a CIDR block."""

    @property
    def device(self) -> object: ...
    @property
    def gateway(self) -> object: ...


class DeviceSide(Protocol):
    """A connection as the device sees it. `str` of an address or a block writes it."""

    @property
    def device_address(self) -> object | None: ...
    @property
    def gateway_address(self) -> object: ...
    @property
    def device_identity(self) -> Identity: ...
    @property
    def gateway_identity(self) -> Identity: ...
    @property
    def gateway_subnets(self) -> Sequence[object]: ...
    @property
    def selectors(self) -> Sequence[Pair]: ...
    @property
    def device_inner(self) -> object | None: ...
    @property
    def gateway_inner(self) -> object | None: ...
    @property
    def device_asn(self) -> int | None: ...
    @property
    def gateway_asn(self) -> int: ...
    @property
    def style(self) -> str: ...
    @property
    def dials(self) -> bool: ...
    @property
    def ike(self) -> model.IkePolicy: ...
    @property
    def ipsec(self) -> model.IpsecPolicy: ...


class SelectorsAnswer(schema.Answer):
    """Both ends of a CHILD_SA, from the device's side."""

    local: str
    peer: str


class DeviceIkeAnswer(schema.Answer):
    """Phase 1, the same on both sides."""

    ike_version: str
    phase1_negotiation_mode: str | None = Field(None, description="only with v1")
    authentication_algorithm: str
    encryption_algorithm: str
    dh_group: str | None = schema.listed(allowed_values.GROUPS, "not of a GM gateway")
    authentication_method: str
    lifetime_seconds: int


class DeviceIpsecAnswer(schema.Answer):
    """Phase 2, the same on both sides."""

    authentication_algorithm: str
    encryption_algorithm: str
    pfs: str | None = schema.listed((*allowed_values.GROUPS, "disable"), "not of a GM gateway")
    lifetime_seconds: int


class DeviceAnswer(schema.Answer):
    """The settings of the device, from its side: `local` is the device, `peer` is the VPN gateway. The PSK is that of the request."""

    local_address: str | None = Field(None, description="absent when the customer gateway has no fixed address")
    peer_address: str
    dials: bool = Field(description="true: only the device can initiate, since the gateway does not know its address")
    local_id_type: str
    local_id: str
    peer_id_type: str
    peer_id: str
    ikepolicy: DeviceIkeAnswer
    ipsecpolicy: DeviceIpsecAnswer
    traffic_selectors: list[SelectorsAnswer]
    routes: list[str] = Field(
        description="subnets behind the VPN gateway, which lead into the tunnel; with BGP the VPN gateway announces them"
    )
    tunnel_local_address: str | None = None
    tunnel_peer_address: str | None = None
    bgp_asn: int | None = Field(None, description="only with BGP")
    peer_bgp_asn: int | None = Field(None, description="only with BGP")


class CheckAnswer(schema.Answer):
    """The result of a create with this body. The check stores nothing."""

    valid: bool = Field(description="whether a create would succeed now")
    details: list[errors.Detail] = Field(description="all violations, as in the error of a create")
    warnings: list[errors.Detail] = Field(
        description="what refuses nothing: unknown fields, weak choices, what the engine does not carry, subnets and ids that other"
        " connections of the gateway have too, ASNs that do not fit BGP"
    )
    vpn_connection: connections.ConnectionAnswer | None = Field(
        None, description="the connection that a create would return; only when valid"
    )
    generated: list[str] | None = Field(None, description="the fields of vpn_connection that each create generates")
    device: DeviceAnswer | None = Field(None, description="the settings of the device; only when valid")


class OneCheck(schema.Answer):
    check: CheckAnswer
    request_id: str


def check(
    violations: Sequence[model.Violation],
    warnings: Iterable[model.Warning],
    connection: model.Connection | None,
    generated: Sequence[str],
    side: DeviceSide | None,
) -> dict[str, Any]:
    return shapes.without_none(
        valid=not violations,
        details=[{"field": violation.field, "message": violation.message} for violation in violations],
        warnings=[{"field": warning.field, "message": warning.text} for warning in warnings],
        vpn_connection=connections.connection(connection) if connection else None,
        generated=list(generated) or None,
        device=_device(side) if side else None,
    )


def _device(side: DeviceSide) -> dict[str, Any]:
    bgp = side.style == "bgp"
    return shapes.without_none(
        local_address=_text(side.device_address),
        peer_address=str(side.gateway_address),
        dials=side.dials,
        local_id_type=side.device_identity.kind,
        local_id=side.device_identity.text,
        peer_id_type=side.gateway_identity.kind,
        peer_id=side.gateway_identity.text,
        ikepolicy=_part(connections.ike_policy(side.ike), DeviceIkeAnswer),
        ipsecpolicy=_part(connections.ipsec_policy(side.ipsec), DeviceIpsecAnswer),
        traffic_selectors=[{"local": str(pair.device), "peer": str(pair.gateway)} for pair in side.selectors],
        routes=[str(subnet) for subnet in side.gateway_subnets],
        tunnel_local_address=_text(side.device_inner),
        tunnel_peer_address=_text(side.gateway_inner),
        bgp_asn=side.device_asn if bgp else None,
        peer_bgp_asn=side.gateway_asn if bgp else None,
    )


def _part(rendered: dict[str, Any], shape: type[schema.Answer]) -> dict[str, Any]:
    """The fields that a shape has."""
    return {name: value for name, value in rendered.items() if name in shape.model_fields}


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
