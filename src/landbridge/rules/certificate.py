"""Certificates that a request brings: read from PEM and held against the published faults, VPN.0070 to VPN.0076.

The API takes certificates for GM (the Chinese national algorithms) only: SM2 keys, signed with SM2-with-SM3 (GM/T 0009).
`cryptography` reads such a certificate, but has no public key of that curve: the curve is looked up in the key's own DER.
A CA certificate is an anchor that its owner vouches for: its own signature is not verified.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from landbridge import model

CONTENT_LIMIT = 8192
EC_PUBLIC_KEY, SM2_WITH_SM3 = "1.2.840.10045.2.1", "1.2.156.10197.1.501"
#: The object identifier of the curve SM2, as DER spells it.
SM2_DER = bytes.fromhex("06082a811ccf5501822d")


def check_ca(path: str, content: str, now: datetime) -> Iterator[model.Violation]:
    """One CA certificate in PEM that is valid now."""
    yield from _check(path, content, now, lambda read_: _check_authority(path, read_))


def check_leaf(path: str, content: str, now: datetime, *, encrypts: bool) -> Iterator[model.Violation]:
    """One certificate in PEM that is valid now, and whose key may do what it is for."""
    yield from _check(path, content, now, lambda read_: _check_usage(path, read_, encrypts=encrypts))


def _check(
    path: str, content: str, now: datetime, check_kind: Callable[[x509.Certificate], Iterator[model.Violation]]
) -> Iterator[model.Violation]:
    if not 1 <= len(content) <= CONTENT_LIMIT:
        yield model.Violation(path, f"has {len(content)} characters", f"1 to {CONTENT_LIMIT}", "VPN.0074")
        return
    if content.count("-----BEGIN CERTIFICATE-----") != 1:
        yield model.Violation(path, "is not one certificate in PEM", "-----BEGIN CERTIFICATE----- …", "VPN.0074")
        return
    try:
        certificate = read(content)
        yield from _check_algorithms(path, certificate)
        yield from _check_dates(path, certificate, now)
        yield from check_kind(certificate)
    except (ValueError, x509.DuplicateExtension) as error:
        wrong = f"does not read as a certificate: {str(error).splitlines()[0]}"
        yield model.Violation(path, wrong, "a certificate of X.509", "VPN.0075")


def read(content: str) -> x509.Certificate:
    """Raises ValueError."""
    return x509.load_pem_x509_certificate(content.encode())


def _check_algorithms(path: str, certificate: x509.Certificate) -> Iterator[model.Violation]:
    if not _has_sm2_key(certificate):
        yield model.Violation(path, "its key algorithm is not supported", "an SM2 key", "VPN.0070")
    if certificate.signature_algorithm_oid.dotted_string != SM2_WITH_SM3:
        wrong = f"its signature algorithm {signature_algorithm(certificate)} is not supported"
        yield model.Violation(path, wrong, "SM2-with-SM3", "VPN.0071")


def _has_sm2_key(certificate: x509.Certificate) -> bool:
    if certificate.public_key_algorithm_oid.dotted_string != EC_PUBLIC_KEY:
        return False
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return SM2_DER in certificate.tbs_certificate_bytes
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "sm2"


def _check_dates(path: str, certificate: x509.Certificate, now: datetime) -> Iterator[model.Violation]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        yield model.Violation(path, f"expired at {last:%Y-%m-%dT%H:%M:%SZ}", "one that is valid", "VPN.0072")
    if now < first:
        yield model.Violation(path, f"is not valid before {first:%Y-%m-%dT%H:%M:%SZ}", "one that is valid", "VPN.0073")


def _check_authority(path: str, certificate: x509.Certificate) -> Iterator[model.Violation]:
    """RFC 5280, 4.2.1.9 and 4.2.1.3: a basic constraint says CA, and a key usage, where there is one, lets it sign."""
    if not _may_sign(certificate.extensions):
        allowed = "one with basicConstraints CA:TRUE, whose key may sign certificates"
        yield model.Violation(path, "is not a CA certificate", allowed, "VPN.0076")


def _check_usage(path: str, certificate: x509.Certificate, *, encrypts: bool) -> Iterator[model.Violation]:
    """RFC 5280, 4.2.1.3: where a certificate says what its key is for, that must be among it."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if encrypts and not (usage.key_encipherment or usage.data_encipherment or usage.key_agreement):
        allowed = "keyEncipherment, dataEncipherment or keyAgreement"
        yield model.Violation(path, "its key may not be used to encrypt", allowed, "VPN.0075")
    if not encrypts and not usage.digital_signature:
        yield model.Violation(path, "its key may not be used to sign", "digitalSignature", "VPN.0075")


def _may_sign(extensions: x509.Extensions) -> bool:
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        return False
    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def signature_algorithm(certificate: x509.Certificate) -> str:
    oid = certificate.signature_algorithm_oid.dotted_string
    return "SM2-with-SM3" if oid == SM2_WITH_SM3 else oid


def describe_ca(content: str, certificate_id: str) -> model.CaCertificate:
    """What is shown of a certificate that `check_ca` found nothing wrong with."""
    certificate = read(content)
    return model.CaCertificate(
        id=certificate_id,
        serial_number=f"{certificate.serial_number:X}",
        signature_algorithm=signature_algorithm(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        subject=certificate.subject.rfc4514_string(),
        expire_time=certificate.not_valid_after_utc,
        content=content,
    )


def describe(content: str) -> model.CertificateText:
    """What is shown of a certificate that a check found nothing wrong with."""
    certificate = read(content)
    return model.CertificateText(
        serial_number=f"{certificate.serial_number:X}",
        signature_algorithm=signature_algorithm(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        subject=certificate.subject.rfc4514_string(),
        expire_time=certificate.not_valid_after_utc,
        content=content,
    )
