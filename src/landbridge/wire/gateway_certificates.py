"""Certificates of GM gateways on the wire. No answer has a private key."""

from typing import Any

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.wire import body, shapes


class CertificateShape(body.Shape):
    """CreateVpnGatewayCertificateRequestBodyContent. In an update what is absent stays."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"name": "gm-2026", "certificate": "-----BEGIN CERTIFICATE-----\n…"}]}
    )

    name: str | None = Field(None, description="1-64 of letters, digits, _ - and .; default vpngw-cert-****")
    certificate: str | None = Field(None, description="to sign with, in PEM: SM2, SM2-with-SM3; mandatory in a create")
    private_key: str | None = Field(None, repr=False, description="of it, in PEM, not encrypted; mandatory in a create")
    certificate_chain: str | None = Field(None, description="the CA that issued both, in PEM; mandatory in a create")
    enc_certificate: str | None = Field(None, description="to encrypt with, in PEM; mandatory in a create")
    enc_private_key: str | None = Field(None, repr=False, description="of it, in PEM; mandatory in a create")

    def ask(self) -> model.AskGatewayCertificate:
        return model.AskGatewayCertificate(
            name=self.name,
            certificate=self.certificate,
            private_key=_secret(self.private_key),
            certificate_chain=self.certificate_chain,
            enc_certificate=self.enc_certificate,
            enc_private_key=_secret(self.enc_private_key),
        )


def _secret(text: str | None) -> model.Secret | None:
    return None if text is None else model.Secret(text)


class CertificateAnswer(pydantic.BaseModel):
    """VpnGatewayCertificate."""

    id: str
    name: str
    project_id: str
    vgw_id: str
    status: str = Field(description="BOUND: to its gateway")
    issuer: str
    signature_algorithm: str
    certificate_serial_number: str
    certificate_subject: str
    certificate_expire_time: str
    certificate_chain_serial_number: str
    certificate_chain_subject: str
    certificate_chain_expire_time: str
    enc_certificate_serial_number: str
    enc_certificate_subject: str
    enc_certificate_expire_time: str
    created_at: str
    updated_at: str


class OneCertificate(pydantic.BaseModel):
    certificate: CertificateAnswer
    request_id: str


class ManyCertificates(pydantic.BaseModel):
    vpn_gateway_certificates: list[CertificateAnswer]
    request_id: str


def certificate(value: model.GatewayCertificate) -> dict[str, Any]:
    return {
        "id": value.id,
        "name": value.name,
        "project_id": value.project_id,
        "vgw_id": value.gateway_id,
        "status": "BOUND",
        "issuer": value.signing.issuer,
        "signature_algorithm": value.signing.signature_algorithm,
        **_part("certificate", value.signing),
        **_part("certificate_chain", value.chain),
        **_part("enc_certificate", value.encryption),
        "created_at": shapes.time(value.created_at),
        "updated_at": shapes.time(value.updated_at),
    }


def _part(name: str, text: model.CertificateText) -> dict[str, str]:
    return {
        f"{name}_serial_number": text.serial_number,
        f"{name}_subject": text.subject,
        f"{name}_expire_time": shapes.time(text.expire_time),
    }
