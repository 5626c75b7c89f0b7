"""The certificates of a GM gateway, without their private keys."""

from dataclasses import dataclass
from datetime import datetime

from landbridge.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCertificateRequest:
    """A create or update request. None: the client did not give the field. All fields are PEM, except the name."""

    name: str | None = None
    certificate: str | None = None
    private_key: Secret | None = None
    certificate_chain: str | None = None
    enc_certificate: str | None = None
    enc_private_key: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCertificateCreateRequest:
    gateway_id: str
    certificate: GatewayCertificateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCertificateUpdateRequest:
    """`change`: what is absent stays."""

    gateway_id: str
    certificate_id: str
    change: GatewayCertificateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCertificateListRequest:
    """The list of gateway certificates. `limit`: certificates, at most; `created_after`: only certificates of a later time;
    `expires_within_days`: only certificates that end within so many days. None does not filter.
    """

    limit: int
    created_after: datetime | None = None
    expires_within_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateText:
    """`content` is PEM. The other fields are read from it."""

    serial_number: str
    signature_algorithm: str
    issuer: str
    subject: str
    expire_time: datetime
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCertificate:
    id: str
    project_id: str
    gateway_id: str
    name: str
    signing: CertificateText
    chain: CertificateText
    encryption: CertificateText
    created_at: datetime
    updated_at: datetime

    @property
    def expire_time(self) -> datetime:
        """When the first of the three certificates ends."""
        return min(text.expire_time for text in (self.signing, self.chain, self.encryption))
