"""Creating a customer gateway, in the present form (`id_type`, `id_value`) or the older one (`ip`, `route_mode`)."""

from collections.abc import Iterator

from landbridge import model
from landbridge.rules import choices, fields, ipv4, policies
from landbridge.rules.choices import Choice

ID_TYPES = Choice(("ip", "fqdn"), "ip")
ROUTE_MODES = Choice(("static", "bgp"), "bgp")
ID_VALUE_LIMIT = 128


def check(ask: model.AskCustomerGateway) -> Iterator[model.Violation]:
    yield from fields.check_name("name", ask.name)
    yield from choices.check(
        "", {"id_type": ask.id_type, "route_mode": ask.route_mode}, {"id_type": ID_TYPES, "route_mode": ROUTE_MODES}
    )
    if ask.id_value is not None and ask.ip is not None:
        yield model.Violation("ip", "is the older name of id_value, which is given too", "one of the two")
    if ask.ip is not None and ask.id_type == "fqdn":
        yield model.Violation("ip", "does not go with id_type fqdn", "id_value")
    yield from _check_value(ask)
    yield from fields.check_asn("bgp_asn", ask.bgp_asn)
    if ask.has_ca_certificate:
        yield model.Violation("ca_certificate", "certificates are not carried yet", "leave it out")
    yield from fields.check_tags("tags", ask.tags or ())


def _check_value(ask: model.AskCustomerGateway) -> Iterator[model.Violation]:
    field, value = ("ip", ask.ip) if ask.id_value is None and ask.ip is not None else ("id_value", ask.id_value)
    if value is None:
        yield model.Violation("id_value", "is mandatory", "an IPv4 address, or with id_type fqdn an IKE identity")
    elif ask.id_type == "fqdn":
        if len(value) > ID_VALUE_LIMIT or not policies.is_identity(value):
            yield model.Violation(
                field, f"{value!r} is not an identity", policies.IDENTITY_ALLOWED.replace("255", str(ID_VALUE_LIMIT))
            )
    elif ask.id_type in (None, "ip"):
        yield from _check_address(field, value)


def _check_address(field: str, value: str) -> Iterator[model.Violation]:
    number = ipv4.parse_address(value)
    if number is None:
        yield model.Violation(field, f"{value!r} is not an IPv4 address", "such as 192.168.45.7")
        return
    for block in fields.NOWHERE:
        if block.contains(ipv4.Block(number, 32)):
            yield model.Violation(field, f"{value} lies in {block}", "the address of a device")


def complete(ask: model.AskCustomerGateway, draws: fields.Draws, project_id: str) -> model.CustomerGateway:
    """The customer gateway with every default. Call it only on what `check` found nothing wrong with."""
    by_name = ask.id_type == "fqdn"
    return model.CustomerGateway(
        id=draws.id,
        project_id=project_id,
        name=ask.name or f"cgw-{draws.suffix}",
        id_type="fqdn" if by_name else "ip",
        id_value=ask.id_value or ask.ip or "",
        bgp_asn=ask.bgp_asn,
        route_mode=choices.text(ask.route_mode, ROUTE_MODES),
        certificate_id=None,
        tags=fields.tags(ask.tags),
        created_at=draws.now,
        updated_at=draws.now,
    )
