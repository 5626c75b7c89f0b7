"""Customer gateways on the wire: create request and answers, in the present form and with the older names beside it."""

from typing import Any

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.wire import body, shapes


class CertificateShape(body.Shape):
    """CaCertificateRequest."""

    id: str | None = Field(None, description="of a certificate that a customer gateway of the project has")
    content: str | None = Field(None, description="one CA certificate in PEM, SM2 and SM2-with-SM3; at most 8192")


class CreateCustomerGateway(body.Shape):
    """CreateCgwRequestBodyContent."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"name": "cgw-2abf", "id_type": "ip", "id_value": "198.51.100.2"}]}
    )

    name: str | None = Field(None, description="1-64 of letters, digits, _ - and .; default cgw-****")
    id_type: str | None = shapes.choice(("ip", "fqdn"), description="default ip")
    id_value: str | None = Field(None, description="an IPv4 address, or with fqdn an IKE identity; mandatory")
    ip: str | None = Field(None, description="older name of id_value")
    route_mode: str | None = shapes.choice(
        ("static", "bgp"), description="older field, default bgp; stored and returned"
    )
    bgp_asn: body.Integer | None = Field(None, description="1-4294967295; default 65000 with id_type ip")
    ca_certificate: CertificateShape | None = Field(None, description="for connections of GM gateways")
    tags: tuple[shapes.TagShape, ...] | None = Field(None, strict=False, description="at most 20")

    def ask(self) -> model.AskCustomerGateway:
        given = self.ca_certificate
        return model.AskCustomerGateway(
            name=self.name,
            id_type=self.id_type,
            id_value=self.id_value,
            ip=self.ip,
            route_mode=self.route_mode,
            bgp_asn=self.bgp_asn,
            ca_certificate=None if given is None else model.AskCertificate(id=given.id, content=given.content),
            tags=shapes.ask_tags(self.tags),
        )


class UpdateCustomerGateway(CreateCustomerGateway):
    """UpdateCgwRequestBodyContent. Of the other fields of a customer gateway only what they are is taken."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [{"name": "cgw-f846"}]})

    name: str | None = Field(None, description="1-64 of letters, digits, _ - and .")
    id_type: str | None = Field(None, description="cannot be changed")
    id_value: str | None = Field(None, description="cannot be changed")
    ip: str | None = Field(None, description="cannot be changed")
    route_mode: str | None = Field(None, description="cannot be changed")
    bgp_asn: body.Integer | None = Field(None, description="cannot be changed")
    tags: tuple[shapes.TagShape, ...] | None = Field(None, strict=False, description="cannot be changed here")


class CaCertificateAnswer(pydantic.BaseModel):
    """CaCertificate."""

    id: str
    serial_number: str = Field(description="hexadecimal")
    signature_algorithm: str
    issuer: str
    subject: str
    expire_time: str
    is_updatable: bool


class CustomerGatewayAnswer(pydantic.BaseModel):
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


class OneCustomerGateway(pydantic.BaseModel):
    customer_gateway: CustomerGatewayAnswer
    request_id: str


class ManyCustomerGateways(pydantic.BaseModel):
    customer_gateways: list[CustomerGatewayAnswer]
    page_info: shapes.PageInfo
    total_count: int
    request_id: str


def customer_gateway(value: model.CustomerGateway) -> dict[str, Any]:
    return shapes.present(
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
