"""Customer gateways on the wire: create request and answers, in the present form and with the older names beside it."""

from typing import Any, ClassVar

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes


class CertificateShape(body.Shape):
    """CaCertificateRequest."""

    id: str | None = schema.field(schema.string(), "of a certificate that a customer gateway of the project has")
    content: str | None = schema.field(
        schema.length(allowed_values.CERTIFICATE_LENGTH),
        "one CA certificate in PEM, SM2 and SM2-with-SM3; this or the id",
    )


class CreateCustomerGateway(body.Shape):
    """CreateCgwRequestBodyContent."""

    examples: ClassVar = {
        "a device with an address": {"name": "cgw-2abf", "id_type": "ip", "id_value": "198.51.100.2"},
        "a device that is known by a name": {"name": "cgw-branch", "id_type": "fqdn", "id_value": "branch.example"},
        "the older form": {"name": "cgw-old", "ip": "198.51.100.3", "route_mode": "static", "bgp_asn": 65000},
    }

    name: str | None = schema.field(schema.name(), f"absent: {allowed_values.DEVICE_NAME}****")
    id_type: str | None = schema.field(schema.choice(allowed_values.ID_TYPES))
    id_value: str | None = schema.field(
        schema.string(allowed_values.DEVICE_IDENTITY),
        "an IPv4 address, or with fqdn an IKE identity; mandatory, unless the older ip is there",
    )
    ip: str | None = schema.field(schema.string(allowed_values.ADDRESS, format="ipv4"), "older name of id_value")
    route_mode: str | None = schema.field(schema.choice(allowed_values.ROUTE_MODES), "older field; stored and returned")
    bgp_asn: body.Integer | None = schema.field(
        schema.integer(allowed_values.ASN), f"absent: {allowed_values.DEVICE_ASN} with id_type ip, and none with fqdn"
    )
    ca_certificate: CertificateShape | None = Field(None, description="for connections of GM gateways")
    tags: tuple[shapes.TagShape, ...] | None = schema.tags()

    def request(self) -> model.CustomerGatewayRequest:
        given = self.ca_certificate
        return model.CustomerGatewayRequest(
            name=self.name,
            id_type=self.id_type,
            id_value=self.id_value,
            ip=self.ip,
            route_mode=self.route_mode,
            bgp_asn=self.bgp_asn,
            ca_certificate=None if given is None else model.CertificateRequest(id=given.id, content=given.content),
            tags=shapes.tag_requests(self.tags),
        )


class UpdateCustomerGateway(CreateCustomerGateway):
    """UpdateCgwRequestBodyContent. Every other field must be absent, or as it was read."""

    examples: ClassVar = {"another name": {"name": "cgw-f846"}}

    is_change = True

    name: str | None = schema.field(schema.name())
    id_type: str | None = schema.fixed()
    id_value: str | None = schema.fixed()
    ip: str | None = schema.fixed()
    route_mode: str | None = schema.fixed()
    bgp_asn: body.Integer | None = schema.field(schema.any_integer(), "cannot be changed here")
    tags: tuple[shapes.TagShape, ...] | None = schema.field(
        schema.objects(allowed_values.TAG_LIMIT), "cannot be changed here: tags have operations of their own"
    )


class CaCertificateAnswer(schema.Answer):
    """CaCertificate."""

    id: str
    serial_number: str = Field(description="hexadecimal")
    signature_algorithm: str
    issuer: str
    subject: str
    expire_time: str
    is_updatable: bool


class CustomerGatewayAnswer(schema.Answer):
    """ResponseCustomerGateway."""

    id: str
    name: str
    id_type: str
    id_value: str
    bgp_asn: int | None = None
    route_mode: str = Field(description="older field")
    ip: str | None = Field(None, description="older name of id_value, with id_type ip")
    ca_certificate: CaCertificateAnswer | None = Field(None, description="only when there is one")
    created_at: str
    updated_at: str
    tags: list[shapes.TagAnswer]


class OneCustomerGateway(schema.Answer):
    customer_gateway: CustomerGatewayAnswer
    request_id: str


class ManyCustomerGateways(schema.Answer):
    customer_gateways: list[CustomerGatewayAnswer]
    page_info: shapes.PageInfo
    total_count: int
    request_id: str


def customer_gateway(value: model.CustomerGateway) -> dict[str, Any]:
    return shapes.without_none(
        id=value.id,
        name=value.name,
        id_type=value.id_type,
        id_value=value.id_value,
        bgp_asn=value.bgp_asn,
        route_mode=value.route_mode,
        ip=value.address,
        ca_certificate=value.ca_certificate and _certificate(value.ca_certificate),
        created_at=shapes.time(value.created_at),
        updated_at=shapes.time(value.updated_at),
        tags=shapes.tags(value.tags),
    )


def _certificate(value: model.CaCertificate) -> dict[str, Any]:
    return {
        "id": value.id,
        "serial_number": value.serial_number,
        "signature_algorithm": value.signature_algorithm,
        "issuer": value.issuer,
        "subject": value.subject,
        "expire_time": shapes.time(value.expire_time),
        "is_updatable": True,
    }
