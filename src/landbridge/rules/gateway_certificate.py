"""The certificates of a GM gateway: one to sign with, one to encrypt with, the key of each, and the CA that issued both.

The published faults are VPN.0070 to VPN.0076. What is absent from an update stays. No violation shows a key.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from landbridge import model
from landbridge.rules import certificate, fields, sm2

#: The parts of a request that are certificates, each with its private key.
PAIRS = (("certificate", "private_key"), ("enc_certificate", "enc_private_key"))
CHAIN = "certificate_chain"
_PEM_KEY = re.compile(r"\s*-----BEGIN ((?:EC |SM2 )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*", re.ASCII)
#: How DER spells an ECPrivateKey of 32 bytes (RFC 5915), alone or inside PKCS #8.
_KEY_IN_DER = re.compile(rb"\x02\x01\x01\x04\x20(.{32})", re.DOTALL)
#: An uncompressed point after the curve's name, in a bit string.
_POINT_IN_DER = re.compile(re.escape(certificate.SM2_DER) + rb"\x03\x42\x00\x04(.{32})(.{32})", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`present`: the id of the certificate that the gateway has already."""

    now: datetime
    gateway: model.VpnGateway
    present: str | None = None


def check_create(ask: model.AskGatewayCertificate, facts: Facts) -> Iterator[model.Violation]:
    if not facts.gateway.is_gm:
        wrong = f"VPN gateway {facts.gateway.id} has flavor {facts.gateway.flavor}, which has no certificate"
        yield model.Violation("vgw_id", wrong, "a gateway of flavor GM")
    if facts.present is not None:
        wrong = f"VPN gateway {facts.gateway.id} has certificate {facts.present} already"
        yield model.Violation("vgw_id", wrong, "update that one")
    yield from check(ask, facts.now)


def check(ask: model.AskGatewayCertificate, now: datetime) -> Iterator[model.Violation]:
    """Of a whole request; an update is `merged` first."""
    yield from fields.check_name("name", ask.name)
    authority = None
    if ask.certificate_chain is None:
        yield model.Violation(CHAIN, "is mandatory", "a CA certificate in PEM")
    else:
        faults = list(certificate.check_ca(CHAIN, ask.certificate_chain, now))
        yield from faults
        authority = None if faults else certificate.read(ask.certificate_chain)
    for field, key_field in PAIRS:
        yield from _check_pair(field, key_field, ask, authority, now)


def _check_pair(
    field: str, key_field: str, ask: model.AskGatewayCertificate, authority: x509.Certificate | None, now: datetime
) -> Iterator[model.Violation]:
    content, key = getattr(ask, field), getattr(ask, key_field)
    leaf = None
    if content is None:
        yield model.Violation(field, "is mandatory", "a certificate in PEM")
    else:
        faults = list(certificate.check_leaf(field, content, now, encrypts=field.startswith("enc_")))
        yield from faults
        leaf = None if faults else certificate.read(content)
    number = _private_number(key) if key is not None else None
    if key is None:
        yield model.Violation(key_field, "is mandatory", "the certificate's private key in PEM, not encrypted")
    elif number is None:
        yield model.Violation(
            key_field, "is not an SM2 private key in PEM", "PKCS #8 or SEC 1, not encrypted", "VPN.0074"
        )
    elif leaf is not None and sm2.public_key(number) != _point(leaf):
        yield model.Violation(
            key_field, f"is not the private key of {field}", "the key of that certificate", "VPN.0075"
        )
    if leaf is not None and authority is not None and not _issued(leaf, authority):
        wrong = f"was not issued by {CHAIN}, {authority.subject.rfc4514_string()}"
        yield model.Violation(field, wrong, "a certificate that this CA signed", "VPN.0075")


def _private_number(key: model.Secret) -> int | None:
    match = _PEM_KEY.fullmatch(key.reveal())
    if match is None:
        return None
    try:
        der = base64.b64decode("".join(match[2].split()), validate=True)
    except binascii.Error:
        return None
    found = _KEY_IN_DER.search(der)
    return int.from_bytes(found[1], "big") if found is not None and certificate.SM2_DER in der else None


def _point(leaf: x509.Certificate) -> sm2.Point | None:
    found = _POINT_IN_DER.search(leaf.tbs_certificate_bytes)
    return (int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big")) if found else None


def _issued(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    key = _point(authority)
    if leaf.issuer != authority.subject or key is None:
        return False
    numbers = _two_numbers(leaf.signature)
    return numbers is not None and sm2.verifies(leaf.tbs_certificate_bytes, *numbers, key)


def _two_numbers(der: bytes) -> tuple[int, int] | None:
    """SEQUENCE of two INTEGERs of at most 33 bytes."""
    found = re.fullmatch(rb"\x30(.)\x02(.)(.*)", der, re.DOTALL)
    if found is None:
        return None
    length, rest = found[2][0], found[3]
    one, other = rest[:length], rest[length:]
    if len(one) != length or len(other) < 2 or other[0] != 2 or other[1] != len(other) - 2:
        return None
    return int.from_bytes(one, "big"), int.from_bytes(other[2:], "big")


def merged(
    change: model.AskGatewayCertificate, present: model.GatewayCertificate, keys: tuple[model.Secret, model.Secret]
) -> model.AskGatewayCertificate:
    """The whole request that an update is."""
    return model.AskGatewayCertificate(
        name=change.name or present.name,
        certificate=change.certificate or present.signing.content,
        private_key=change.private_key or keys[0],
        certificate_chain=change.certificate_chain or present.chain.content,
        enc_certificate=change.enc_certificate or present.encryption.content,
        enc_private_key=change.enc_private_key or keys[1],
    )


def complete(
    ask: model.AskGatewayCertificate, gateway: model.VpnGateway, draws: fields.Draws
) -> model.GatewayCertificate:
    """Call it only on what a check found nothing wrong with."""
    return model.GatewayCertificate(
        id=draws.id,
        project_id=gateway.project_id,
        gateway_id=gateway.id,
        name=ask.name or f"vpngw-cert-{draws.suffix}",
        signing=certificate.describe(ask.certificate or ""),
        chain=certificate.describe(ask.certificate_chain or ""),
        encryption=certificate.describe(ask.enc_certificate or ""),
        created_at=draws.now,
        updated_at=draws.now,
    )


def updated(ask: model.AskGatewayCertificate, before: model.GatewayCertificate) -> model.GatewayCertificate:
    """As it was, but for what `merged` has of it; its time of update still the old one."""
    return replace(
        before,
        name=ask.name or before.name,
        signing=certificate.describe(ask.certificate or ""),
        chain=certificate.describe(ask.certificate_chain or ""),
        encryption=certificate.describe(ask.enc_certificate or ""),
    )
