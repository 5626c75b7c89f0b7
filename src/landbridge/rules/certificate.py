"""Reads the certificates of a request from PEM, and checks them for the published faults, VPN.0070 to VPN.0076.

The API takes certificates for GM (the Chinese national algorithms) only: SM2 keys, signed with SM2-with-SM3 (GM/T 0009). `cryptography`
reads such a certificate, but has no public key of that curve: `sm2` takes it from the certificate's DER. `cryptography` decodes a part of a
certificate at the first access. `read` accesses all parts, and no other function does. A CA certificate is a trust anchor, which its owner
vouches for: its own signature is not verified.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import sm2

SM2_WITH_SM3 = "SM2-with-SM3"
ALGORITHMS = {"1.2.156.10197.1.501": SM2_WITH_SM3}
#: What `cryptography` raises for a certificate that is not sound.
_FAULTS = (
    ValueError,
    TypeError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the rules look at. `key`: None when it is no SM2 key. `usage`: None when the key may be used for anything.
    `signed`: the bytes that the issuer signed.
    """

    shown: model.CertificateText
    begins: datetime
    key: sm2.Point | None
    is_authority: bool
    usage: x509.KeyUsage | None
    signed: bytes
    signature: bytes


class Unsound(Exception):
    """The text is no sound certificate. The arguments are those of a violation without its field: what is wrong, what
    is allowed, the code.
    """


def check_ca(path: str, content: str, now: datetime) -> Iterator[model.Violation]:
    """Checks that `content` is one CA certificate in PEM, valid now."""
    yield from _check(path, content, now, lambda read_: _check_authority(path, read_))


def check_leaf(path: str, content: str, now: datetime, *, encrypts: bool) -> Iterator[model.Violation]:
    """Checks that `content` is one certificate in PEM, valid now, whose key may encrypt (or sign, without `encrypts`)."""
    yield from _check(path, content, now, lambda read_: _check_usage(path, read_, encrypts=encrypts))


def _check(
    path: str, content: str, now: datetime, check_kind: Callable[[Certificate], Iterator[model.Violation]]
) -> Iterator[model.Violation]:
    try:
        certificate = read(content)
    except Unsound as fault:
        yield model.Violation(path, *fault.args)
        return
    yield from _check_algorithms(path, certificate)
    yield from _check_dates(path, certificate, now)
    yield from check_kind(certificate)


def read(content: str) -> Certificate:
    """The one certificate in a PEM text. Raises Unsound."""
    if len(content) not in allowed_values.CERTIFICATE_LENGTH:
        raise Unsound(f"has {len(content)} characters", str(allowed_values.CERTIFICATE_LENGTH), "VPN.0074")
    if content.count("-----BEGIN CERTIFICATE-----") != 1:
        raise Unsound("is not one certificate in PEM", "-----BEGIN CERTIFICATE----- …", "VPN.0074")
    try:
        return _decoded(x509.load_pem_x509_certificate(content.encode()))
    except _FAULTS as error:
        first_line, _, _ = str(error).partition("\n")
        wrong = f"does not read as a certificate: {first_line}"
        raise Unsound(wrong, "a certificate of X.509", "VPN.0075") from error


def _decoded(certificate: x509.Certificate) -> Certificate:
    constraints = _extension(certificate, x509.BasicConstraints)
    oid = certificate.signature_algorithm_oid.dotted_string
    return Certificate(
        shown=model.CertificateText(
            serial_number=f"{certificate.serial_number:X}",
            signature_algorithm=ALGORITHMS.get(oid, oid),
            issuer=certificate.issuer.rfc4514_string(),
            subject=certificate.subject.rfc4514_string(),
            expire_time=certificate.not_valid_after_utc,
            content=certificate.public_bytes(Encoding.PEM).decode(),
        ),
        begins=certificate.not_valid_before_utc,
        key=_key(certificate.tbs_certificate_bytes),
        is_authority=constraints is not None and constraints.ca,
        usage=_extension(certificate, x509.KeyUsage),
        signed=certificate.tbs_certificate_bytes,
        signature=certificate.signature,
    )


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key(tbs: bytes) -> sm2.Point | None:
    """From subjectPublicKeyInfo, the sixth part of a certificate beside its version (RFC 5280, 4.1). Raises ValueError."""
    _, _, _, _, _, (_, info), *_ = (part for part in sm2.sequence(tbs) or () if part[0] != 0xA0)
    match sm2.elements(info):
        case [(0x30, sm2.ALGORITHM), (0x03, bits)]:
            point = sm2.public_point(bits)
            if point is None:
                raise ValueError("its key is not an uncompressed point of the curve SM2")
            return point
    return None


def _check_algorithms(path: str, certificate: Certificate) -> Iterator[model.Violation]:
    if certificate.key is None:
        yield model.Violation(path, "its key algorithm is not supported", "an SM2 key", "VPN.0070")
    algorithm = certificate.shown.signature_algorithm
    if algorithm != SM2_WITH_SM3:
        wrong = f"its signature algorithm {algorithm} is not supported"
        yield model.Violation(path, wrong, SM2_WITH_SM3, "VPN.0071")


def _check_dates(path: str, certificate: Certificate, now: datetime) -> Iterator[model.Violation]:
    first, last = certificate.begins, certificate.shown.expire_time
    if now > last:
        yield model.Violation(
            path, f"expired at {last:%Y-%m-%dT%H:%M:%SZ}", "a certificate that is valid now", "VPN.0072"
        )
    if now < first:
        yield model.Violation(
            path, f"is not valid before {first:%Y-%m-%dT%H:%M:%SZ}", "a certificate that is valid now", "VPN.0073"
        )


def _check_authority(path: str, certificate: Certificate) -> Iterator[model.Violation]:
    """RFC 5280, 4.2.1.9 and 4.2.1.3: the basic constraints say CA. A key usage, if there is one, allows the CA to sign."""
    usage = certificate.usage
    if not certificate.is_authority or (usage is not None and not usage.key_cert_sign):
        allowed = "one with basicConstraints CA:TRUE, whose key may sign certificates"
        yield model.Violation(path, "is not a CA certificate", allowed, "VPN.0076")


def _check_usage(path: str, certificate: Certificate, *, encrypts: bool) -> Iterator[model.Violation]:
    """RFC 5280, 4.2.1.3: a certificate that limits the use of its key must allow the use that the request needs."""
    usage = certificate.usage
    if usage is None:
        return
    if encrypts and not (usage.key_encipherment or usage.data_encipherment or usage.key_agreement):
        allowed = "keyEncipherment, dataEncipherment or keyAgreement"
        yield model.Violation(path, "its key may not be used to encrypt", allowed, "VPN.0075")
    if not encrypts and not usage.digital_signature:
        yield model.Violation(path, "its key may not be used to sign", "digitalSignature", "VPN.0075")


def same(first: str, other: str) -> bool:
    """Whether two texts are the same certificate, in any spelling."""
    try:
        return first == other or read(first).shown.content == read(other).shown.content
    except Unsound:
        return False


def describe_ca(content: str, certificate_id: str) -> model.CaCertificate:
    """Returns what answers show of a certificate. Call it only when `check_ca` found no violation."""
    return model.CaCertificate(id=certificate_id, **dataclasses.asdict(describe(content)))


def describe(content: str) -> model.CertificateText:
    """Returns what answers show of a certificate. Call it only when a check found no violation. `content` is one spelling of
    the certificate: PEM of its DER.
    """
    return read(content).shown
