"""Creating and updating a customer gateway, in the present form (`id_type`, `id_value`) or the older one (`ip`,
`route_mode`).

An update changes the name and the CA certificate. A client may send back all that it read: the rules accept every unchanged field, and
refuse a new value of a field that cannot change.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import certificate, fields, ipv4

CANNOT_CHANGE = "leave it out; another one needs another customer gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayFacts:
    """The time and the site. `named_certificate`: the CA certificate of this project that the request names by its id;
    None when there is none.
    """

    now: datetime
    site: model.Site
    named_certificate: model.CaCertificate | None = None


def check(request: model.CustomerGatewayRequest, facts: CustomerGatewayFacts) -> Iterator[model.Violation]:
    yield from fields.check_name("name", request.name)
    yield from fields.check_value("id_type", request.id_type, allowed_values.ID_TYPES)
    yield from fields.check_value("route_mode", request.route_mode, allowed_values.ROUTE_MODES)
    if request.id_value is not None and request.ip not in (None, request.id_value):
        yield model.Violation("ip", "is the older name of id_value, which is given too", "one of the two")
    if request.ip is not None and request.id_type == "fqdn":
        yield model.Violation("ip", "does not go with id_type fqdn", "id_value")
    yield from _check_value(request, facts.site)
    yield from fields.check_value("bgp_asn", request.bgp_asn, allowed_values.ASN)
    yield from _check_certificate(request.ca_certificate, facts)
    yield from fields.check_tags("tags", request.tags or ())


def _check_value(request: model.CustomerGatewayRequest, site: model.Site) -> Iterator[model.Violation]:
    field, value = (
        ("ip", request.ip) if request.id_value is None and request.ip is not None else ("id_value", request.id_value)
    )
    if value is None:
        yield model.Violation("id_value", "is mandatory", "an IPv4 address, or with id_type fqdn an IKE identity")
    elif request.id_type == "fqdn":
        if value not in allowed_values.DEVICE_IDENTITY:
            yield model.Violation(field, f"{value!r} is not an identity", str(allowed_values.DEVICE_IDENTITY))
    elif request.id_type in (None, "ip"):
        yield from _check_address(field, value, site)


def _check_address(field: str, value: str, site: model.Site) -> Iterator[model.Violation]:
    number = ipv4.parse_address(value)
    if number is None:
        yield model.Violation(field, f"{value!r} is not an IPv4 address", "such as 192.168.45.7")
        return
    for block in fields.UNROUTABLE:
        if block.contains(ipv4.Block(number, 32)):
            yield model.Violation(field, f"{value} lies in {block}", "the address of a device")
    if value in site.machine_addresses or any(ipv4.is_between(number, ends) for ends in site.ranges()):
        yield model.Violation(field, f"{value} is an address of this service", "the address of a device")


def _check_certificate(
    request: model.CertificateRequest | None, facts: CustomerGatewayFacts
) -> Iterator[model.Violation]:
    place = "ca_certificate"
    if request is None:
        return
    if request.id is not None and request.content is not None:
        yield model.Violation(place, "has an id and a content", "one of the two")
    elif request.content is not None:
        yield from certificate.check_ca(f"{place}.content", request.content, facts.now)
    elif request.id is None:
        yield model.Violation(
            place, "names no certificate", "content, a PEM text, or the id of a certificate of this project"
        )
    elif facts.named_certificate is None:
        wrong = f"certificate {request.id} does not exist"
        yield model.Violation(f"{place}.id", wrong, "the id of a customer gateway's certificate in this project")


def _certificate(
    request: model.CertificateRequest | None, facts: CustomerGatewayFacts, generated: fields.Generated
) -> model.CaCertificate | None:
    if request is None or request.content is None:
        return facts.named_certificate
    return certificate.describe_ca(request.content, generated.other_ids[0])


def complete(
    request: model.CustomerGatewayRequest, facts: CustomerGatewayFacts, generated: fields.Generated, project_id: str
) -> model.CustomerGateway:
    """The customer gateway with every default. Call it only when `check` found no violation."""
    by_name = request.id_type == "fqdn"
    return model.CustomerGateway(
        id=generated.id,
        project_id=project_id,
        name=request.name or f"{allowed_values.DEVICE_NAME}{generated.suffix}",
        id_type="fqdn" if by_name else "ip",
        id_value=request.id_value or request.ip or "",
        bgp_asn=allowed_values.DEVICE_ASN if request.bgp_asn is None and not by_name else request.bgp_asn,
        route_mode=allowed_values.ROUTE_MODES.complete(request.route_mode),
        ca_certificate=_certificate(request.ca_certificate, facts, generated),
        tags=fields.tags(request.tags),
        created_at=generated.now,
        updated_at=generated.now,
    )


def check_update(
    request: model.CustomerGatewayRequest, before: model.CustomerGateway, facts: CustomerGatewayFacts
) -> Iterator[model.Violation]:
    yield from fields.check_name("name", request.name)
    unchangeable = {
        "id_type": before.id_type,
        "id_value": before.id_value,
        "ip": before.address,
        "route_mode": before.route_mode,
        "bgp_asn": before.bgp_asn,
    }
    for field, value in unchangeable.items():
        requested = getattr(request, field)
        if requested is not None and requested != value:
            present = "it is not set" if value is None else f"it is {value}"
            yield model.Violation(field, f"cannot be changed to {requested!r}: {present}", CANNOT_CHANGE)
    if request.tags is not None and set(fields.tags(request.tags)) != set(before.tags):
        yield model.Violation("tags", "cannot be updated here", "tags/create and tags/delete of this customer gateway")
    if not _keeps_certificate(request, before):
        yield from _check_certificate(request.ca_certificate, facts)


def _keeps_certificate(request: model.CustomerGatewayRequest, before: model.CustomerGateway) -> bool:
    """Whether the request has the present certificate. Clients send it with every change, even when it has expired."""
    sent, kept = request.ca_certificate, before.ca_certificate
    if sent is None or sent.id is not None or sent.content is None or kept is None:
        return False
    return certificate.same(sent.content, kept.content)


def update(
    request: model.CustomerGatewayRequest,
    before: model.CustomerGateway,
    facts: CustomerGatewayFacts,
    generated: fields.Generated,
) -> model.CustomerGateway:
    """The customer gateway after the update. An update that changes nothing gives back the same object."""
    ca_certificate = before.ca_certificate
    if request.ca_certificate is not None and not _keeps_certificate(request, before):
        ca_certificate = _certificate(request.ca_certificate, facts, generated)
    after = dataclasses.replace(before, name=request.name or before.name, ca_certificate=ca_certificate)
    return before if after == before else dataclasses.replace(after, updated_at=generated.now)
