"""Certificates of GM gateways on the wire. No answer has a private key."""

from typing import Any, ClassVar

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes

#: As much of a text as fits into an example.
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"
_PEM_KEY = _PEM.replace("CERTIFICATE", "PRIVATE KEY")


def _pem(noun: str, *, secret: bool = False) -> Any:
    text = schema.length(allowed_values.CERTIFICATE_LENGTH)
    return schema.field(text, noun, mandatory=True, secret=secret)


class CertificateShape(body.Shape):
    """CreateVpnGatewayCertificateRequestBodyContent."""

    examples: ClassVar = {
        "two certificates and their keys": {
            "name": "gm-2026",
            "certificate": _PEM,
            "private_key": _PEM_KEY,
            "certificate_chain": _PEM,
            "enc_certificate": _PEM,
            "enc_private_key": _PEM_KEY,
        }
    }

    name: str | None = schema.field(schema.name(), f"absent: {allowed_values.CERTIFICATE_NAME}****")
    certificate: str | None = _pem("to sign with, in PEM: SM2, SM2-with-SM3")
    private_key: str | None = _pem("of the certificate to sign with, in PEM, not encrypted", secret=True)
    certificate_chain: str | None = _pem("the CA that issued both, in PEM")
    enc_certificate: str | None = _pem("to encrypt with, in PEM")
    enc_private_key: str | None = _pem("of the certificate to encrypt with, in PEM, not encrypted", secret=True)

    def request(self) -> model.GatewayCertificateRequest:
        return model.GatewayCertificateRequest(
            name=self.name,
            certificate=self.certificate,
            private_key=_secret(self.private_key),
            certificate_chain=self.certificate_chain,
            enc_certificate=self.enc_certificate,
            enc_private_key=_secret(self.enc_private_key),
        )


class UpdateCertificate(CertificateShape):
    """UpdateVpnGatewayCertificateRequestBodyContent. What is absent stays."""

    examples: ClassVar = {"another name": {"name": "gm-2027"}}

    is_change = True

    name: str | None = schema.field(schema.name())


def _secret(text: str | None) -> model.Secret | None:
    return None if text is None else model.Secret(text)


class CertificateAnswer(schema.Answer):
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


class OneCertificate(schema.Answer):
    certificate: CertificateAnswer
    request_id: str


class ManyCertificates(schema.Answer):
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
