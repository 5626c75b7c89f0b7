"""The certificates of a GM gateway: one to sign with, one to encrypt with, the key of each, and the CA that issued both.

The published faults are VPN.0070 to VPN.0076. A field that is absent from an update stays, and is not checked again: a
certificate that has expired may get another name. No violation shows a key.
"""

import base64
import dataclasses
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import certificate, fields, sm2

#: (certificate, private key): the fields of a request.
PAIRS = (("certificate", "private_key"), ("enc_certificate", "enc_private_key"))
CHAIN = "certificate_chain"
_CERTIFICATES = (CHAIN, *(field for field, _ in PAIRS))
_PEM_KEY = re.compile(r"\s*-----BEGIN ((?:EC |SM2 )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """`present`: the id of the certificate that the gateway has."""

    now: datetime
    gateway: model.VpnGateway
    present: str | None = None


def check_create(request: model.GatewayCertificateRequest, facts: CertificateFacts) -> Iterator[model.Violation]:
    if not facts.gateway.is_gm:
        wrong = f"VPN gateway {facts.gateway.id} has flavor {facts.gateway.flavor}, which has no certificate"
        yield model.Violation("vgw_id", wrong, "a gateway of flavor GM")
    if facts.present is not None:
        wrong = f"VPN gateway {facts.gateway.id} has certificate {facts.present} already"
        yield model.Violation("vgw_id", wrong, "an update of that certificate")
    yield from check(request, facts.now)


def check(
    request: model.GatewayCertificateRequest, now: datetime, present: model.GatewayCertificateRequest | None = None
) -> Iterator[model.Violation]:
    """Checks a whole request. For an update, call `merged` first."""
    changed = {field.name for field in dataclasses.fields(request)}
    if present is not None:
        changed = {field for field in changed if getattr(request, field) != getattr(present, field)}
    yield from fields.check_name("name", request.name)
    authority = yield from _check_certificate(CHAIN, request, changed, partial(certificate.check_ca, now=now))
    for field, key_field in PAIRS:
        check_leaf = partial(certificate.check_leaf, now=now, encrypts=field.startswith("enc_"))
        leaf = yield from _check_certificate(field, request, changed, check_leaf)
        if changed & {field, key_field}:
            yield from _check_key(field, key_field, getattr(request, key_field), leaf)
        if changed & {field, CHAIN} and leaf and authority and not _issued(leaf, authority):
            wrong = f"was not issued by {CHAIN}, {authority.shown.subject}"
            yield model.Violation(field, wrong, "a certificate that this CA signed", "VPN.0075")


def _check_certificate(
    field: str,
    request: model.GatewayCertificateRequest,
    changed: set[str],
    check_one: Callable[[str, str], Iterator[model.Violation]],
) -> Generator[model.Violation, None, certificate.Certificate | None]:
    """The parsed certificate; None when it has a violation."""
    content: str | None = getattr(request, field)
    if content is None:
        yield model.Violation(field, "is mandatory", f"a {'CA ' if field == CHAIN else ''}certificate in PEM")
        return None
    faults = list(check_one(field, content)) if field in changed else []
    yield from faults
    return None if faults else certificate.read(content)


def _check_key(
    field: str, key_field: str, key: model.Secret | None, leaf: certificate.Certificate | None
) -> Iterator[model.Violation]:
    if key is None:
        yield model.Violation(key_field, "is mandatory", "the certificate's private key in PEM, not encrypted")
        return
    length, allowed = len(key.reveal()), allowed_values.CERTIFICATE_LENGTH
    if length > allowed.high:
        yield model.Violation(key_field, f"has {length} characters", str(allowed), "VPN.0074")
        return
    public = _public_key(key.reveal())
    if public is None:
        wrong = "is not an SM2 private key in PEM"
        yield model.Violation(key_field, wrong, "PKCS #8 or SEC 1, not encrypted", "VPN.0074")
    elif leaf is not None and public != leaf.key:
        wrong = f"is not the private key of {field}"
        yield model.Violation(key_field, wrong, "the key of that certificate", "VPN.0075")


def _public_key(pem: str) -> sm2.Point | None:
    """The public key of a private key in PEM. None when the text is no private key."""
    match = _PEM_KEY.fullmatch(pem)
    if match is None:
        return None
    try:
        der = base64.b64decode("".join(match[2].split()), validate=True)
    except ValueError:
        return None
    return sm2.public_key_of(der, wrapped=match[1] == "PRIVATE KEY")


def _issued(leaf: certificate.Certificate, authority: certificate.Certificate) -> bool:
    numbers = sm2.numbers(leaf.signature)
    if leaf.shown.issuer != authority.shown.subject or authority.key is None or numbers is None:
        return False
    return sm2.verifies(leaf.signed, *numbers, authority.key)


def asked(
    present: model.GatewayCertificate, keys: tuple[model.Secret, model.Secret]
) -> model.GatewayCertificateRequest:
    """The request that would create the present certificate."""
    return model.GatewayCertificateRequest(
        name=present.name,
        certificate=present.signing.content,
        private_key=keys[0],
        certificate_chain=present.chain.content,
        enc_certificate=present.encryption.content,
        enc_private_key=keys[1],
    )


def merged(
    change: model.GatewayCertificateRequest, present: model.GatewayCertificateRequest
) -> model.GatewayCertificateRequest:
    """The whole request that an update makes. The same certificate in another spelling is no change."""
    given = {field.name: getattr(change, field.name) for field in dataclasses.fields(change)}
    for field in _CERTIFICATES:
        if given[field] is not None and certificate.same(given[field], getattr(present, field)):
            given[field] = None
    return replace(present, **{field: value for field, value in given.items() if value is not None})


def complete(
    request: model.GatewayCertificateRequest, gateway: model.VpnGateway, generated: fields.Generated
) -> model.GatewayCertificate:
    """Call it only when `check` found no violation."""
    return model.GatewayCertificate(
        id=generated.id,
        project_id=gateway.project_id,
        gateway_id=gateway.id,
        name=request.name or f"{allowed_values.CERTIFICATE_NAME}{generated.suffix}",
        signing=certificate.describe(request.certificate or ""),
        chain=certificate.describe(request.certificate_chain or ""),
        encryption=certificate.describe(request.enc_certificate or ""),
        created_at=generated.now,
        updated_at=generated.now,
    )


def updated(request: model.GatewayCertificateRequest, before: model.GatewayCertificate) -> model.GatewayCertificate:
    """The certificate after the update, still with the old time of update."""
    return replace(
        before,
        name=request.name or before.name,
        signing=_described(request.certificate, before.signing),
        chain=_described(request.certificate_chain, before.chain),
        encryption=_described(request.enc_certificate, before.encryption),
    )


def _described(content: str | None, before: model.CertificateText) -> model.CertificateText:
    return before if content in (None, before.content) else certificate.describe(content)
