"""Creating and updating a customer gateway: both forms of the request, its rules and its defaults."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from landbridge import model
from landbridge.rules import certificate, customer_gateway, fields
from landbridge.wire import customer_gateways

KNOWN_ID = "11111111-0000-4000-8000-000000000001"
GENERATED = fields.Generated(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
    now=datetime(2026, 1, 2, tzinfo=UTC),
    suffix="2abf",
    other_ids=(KNOWN_ID,),
)
BODY = {"id_value": "198.51.100.2"}
LATER = replace(GENERATED, now=GENERATED.now + timedelta(days=1), other_ids=("11111111-0000-4000-8000-000000000002",))
CA, OTHER_CA = (
    (Path(__file__).parent / "certificates" / name).read_text() for name in ("sm2-ca.pem", "sm2-other-ca.pem")
)
KNOWN = certificate.describe_ca(CA, KNOWN_ID)
#: 10.9.0.7 is the machine's own, and 10.9.0.200 and on are for private gateways.
SITE = model.Site(
    eips=(),
    networks=(model.Network(id="vpc-1", cidr="10.9.0.0/24", gateway_addresses=("10.9.0.200", "10.9.0.220")),),
    zones=("zone-1",),
    any_network=False,
    machine_addresses=frozenset({"10.9.0.7"}),
)
FACTS = customer_gateway.CustomerGatewayFacts(now=GENERATED.now, site=SITE)
NAMED = replace(FACTS, named_certificate=KNOWN)


def _ask(changes: dict[str, Any]) -> model.CustomerGatewayRequest:
    return customer_gateways.CreateCustomerGateway.model_validate({**BODY, **changes}).request()


def _refusals(changes: dict[str, Any], facts: customer_gateway.CustomerGatewayFacts = FACTS) -> list[str]:
    return [str(v) for v in customer_gateway.check(_ask(changes), facts)]


def _made(changes: dict[str, Any], facts: customer_gateway.CustomerGatewayFacts = FACTS) -> model.CustomerGateway:
    assert _refusals(changes, facts) == []
    return customer_gateway.complete(_ask(changes), facts, GENERATED, "p1")


def test_the_smallest_request_becomes_a_complete_customer_gateway():
    assert _made({}) == model.CustomerGateway(
        id=GENERATED.id,
        project_id="p1",
        name="cgw-2abf",
        id_type="ip",
        id_value="198.51.100.2",
        bgp_asn=65000,
        route_mode="bgp",
        ca_certificate=None,
        tags=(),
        created_at=GENERATED.now,
        updated_at=GENERATED.now,
    )


@pytest.mark.parametrize(
    ("changes", "field", "kept"),
    [
        pytest.param({"name": "site.1"}, "name", "site.1", id="name"),
        pytest.param({"id_type": "ip"}, "address", "198.51.100.2", id="address"),
        pytest.param({"id_value": None, "ip": "192.0.2.1"}, "id_value", "192.0.2.1", id="older-ip"),
        pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, "id_value", "branch.example", id="fqdn"),
        pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, "address", None, id="fqdn-has-no-address"),
        pytest.param({"id_type": "fqdn", "id_value": "f" * 128}, "id_value", "f" * 128, id="fqdn-of-128"),
        pytest.param({"route_mode": "static"}, "route_mode", "static", id="route-mode-static"),
        pytest.param({"route_mode": "bgp"}, "route_mode", "bgp", id="route-mode-bgp"),
        pytest.param({"id_type": "fqdn", "id_value": "f"}, "bgp_asn", None, id="fqdn-has-no-asn-by-itself"),
        pytest.param({"id_type": "fqdn", "id_value": "f", "bgp_asn": 65000}, "bgp_asn", 65000, id="fqdn-with-an-asn"),
        pytest.param({"ca_certificate": {"content": CA}}, "ca_certificate", KNOWN, id="certificate"),
        pytest.param({"bgp_asn": 1}, "bgp_asn", 1, id="lowest-asn"),
        pytest.param({"bgp_asn": 4294967295}, "bgp_asn", 4294967295, id="highest-asn"),
        pytest.param({"id_value": "10.0.0.1"}, "id_value", "10.0.0.1", id="private-address"),
        pytest.param({"id_value": "10.9.0.199"}, "id_value", "10.9.0.199", id="beside-what-is-kept"),
        pytest.param({"tags": [{"key": "k", "value": "v"}]}, "tags", (model.Tag("k", "v"),), id="tags"),
    ],
)
def test_what_is_asked_is_kept(changes: dict[str, Any], field: str, kept: Any):
    assert kept == getattr(_made(changes), field)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        pytest.param({"name": "a b"}, "name", "is not a name", id="name"),
        pytest.param({"id_type": "dn"}, "id_type", "one of ip, fqdn", id="id-type"),
        pytest.param({"id_value": None}, "id_value", "is mandatory", id="no-value"),
        pytest.param({"id_value": ""}, "id_value", "is not an IPv4 address", id="empty-value"),
        pytest.param({"id_value": "branch.example"}, "id_value", "is not an IPv4 address", id="fqdn-without-its-type"),
        pytest.param({"id_value": None, "ip": "x"}, "ip", "is not an IPv4 address", id="older-ip-no-address"),
        pytest.param({"ip": "198.51.100.9"}, "ip", "is the older name of id_value", id="both-names"),
        pytest.param(
            {"id_value": None, "id_type": "fqdn"}, "id_value", "with id_type fqdn an IKE identity", id="fqdn-absent"
        ),
        pytest.param({"id_type": "fqdn", "id_value": "f" * 129}, "id_value", "1 to 128", id="fqdn-of-129"),
        pytest.param({"id_type": "fqdn", "id_value": "a b"}, "id_value", "is not an identity", id="fqdn-space"),
        pytest.param({"id_type": "fqdn", "id_value": ""}, "id_value", "is not an identity", id="fqdn-empty"),
        pytest.param(
            {"id_type": "fqdn", "id_value": None, "ip": "192.0.2.1"},
            "ip",
            "does not go with id_type fqdn",
            id="fqdn-ip",
        ),
        pytest.param({"id_value": "0.0.0.1"}, "id_value", "lies in 0.0.0.0/8", id="this-network"),
        pytest.param({"id_value": "127.0.0.1"}, "id_value", "lies in 127.0.0.0/8", id="loopback"),
        pytest.param({"id_value": "169.254.1.1"}, "id_value", "lies in 169.254.0.0/16", id="link-local"),
        pytest.param({"id_value": "224.0.0.1"}, "id_value", "lies in 224.0.0.0/3", id="multicast"),
        pytest.param({"id_value": "255.255.255.255"}, "id_value", "lies in 224.0.0.0/3", id="broadcast"),
        pytest.param({"id_value": "10.9.0.7"}, "id_value", "is an address of this service", id="the-machine"),
        pytest.param({"id_value": "10.9.0.200"}, "id_value", "is an address of this service", id="first-kept"),
        pytest.param({"id_value": None, "ip": "10.9.0.220"}, "ip", "is an address of this service", id="last-kept"),
        pytest.param({"bgp_asn": 0}, "bgp_asn", "0 is out of range", id="asn-0"),
        pytest.param({"bgp_asn": 4294967296}, "bgp_asn", "out of range", id="asn-33-bits"),
        pytest.param({"route_mode": "rip"}, "route_mode", "one of static, bgp", id="route-mode"),
        pytest.param({"ca_certificate": {}}, "ca_certificate", "names no certificate", id="certificate-of-nothing"),
        pytest.param(
            {"ca_certificate": {"id": "x"}}, "ca_certificate.id", "x does not exist", id="certificate-unknown"
        ),
        pytest.param(
            {"ca_certificate": {"id": "x", "content": CA}}, "ca_certificate", "one of the two", id="certificate-twice"
        ),
        pytest.param(
            {"ca_certificate": {"content": "x"}},
            "ca_certificate.content",
            "is not one certificate",
            id="no-certificate",
        ),
        pytest.param({"tags": [{"key": "", "value": ""}]}, "tags[0].key", "has 0 characters", id="tags"),
    ],
)
def test_an_unsound_request_is_refused(changes: dict[str, Any], field: str, text: str):
    found = _refusals(changes)
    assert [field] == [one.split(": ")[0] for one in found]
    assert text in found[0]


def test_all_violations_come_at_once():
    wrong = {"name": "", "id_type": "dn", "bgp_asn": 0, "route_mode": "x", "ca_certificate": {}, "tags": [{}]}
    found = [one.split(": ")[0] for one in _refusals(wrong)]
    assert found == ["name", "id_type", "route_mode", "bgp_asn", "ca_certificate", "tags[0].key", "tags[0].value"]


def test_a_certificate_that_is_there_is_used_again_by_its_id():
    assert _made({"ca_certificate": {"id": KNOWN.id}}, NAMED).ca_certificate == KNOWN


# -- updates ----------------------------------------------------------------------------------------------------------


def _asked(body: dict[str, Any]) -> model.CustomerGatewayRequest:
    return customer_gateways.UpdateCustomerGateway.model_validate(body).request()


def _updated(
    body: dict[str, Any], before: model.CustomerGateway, facts: customer_gateway.CustomerGatewayFacts = FACTS
) -> model.CustomerGateway:
    assert [str(v) for v in customer_gateway.check_update(_asked(body), before, facts)] == []
    return customer_gateway.update(_asked(body), before, facts, LATER)


BOTH_FORMS = [
    pytest.param({"name": "a", "tags": [{"key": "k", "value": "v"}]}, id="address"),
    pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, id="fqdn"),
    pytest.param({"id_value": None, "ip": "192.0.2.1", "route_mode": "static"}, id="older"),
    pytest.param({"ca_certificate": {"content": CA}}, id="certificate"),
]


@pytest.mark.parametrize("changes", BOTH_FORMS)
def test_an_update_changes_only_what_it_names(changes: dict[str, Any]):
    before = _made(changes)
    after = _updated({"name": "other"}, before)
    assert after == replace(before, name="other", updated_at=LATER.now)


@pytest.mark.parametrize("changes", BOTH_FORMS)
def test_an_update_with_all_that_was_read_changes_nothing(changes: dict[str, Any]):
    before = _made(changes)
    assert _updated(customer_gateways.customer_gateway(before), before, NAMED) is before
    assert _updated({}, before) is before


@pytest.mark.parametrize(
    ("body", "facts", "content"),
    [
        pytest.param({"content": OTHER_CA}, FACTS, OTHER_CA, id="content"),
        pytest.param({"id": KNOWN.id}, NAMED, CA, id="id"),
    ],
)
def test_an_update_replaces_the_certificate(
    body: dict[str, str], facts: customer_gateway.CustomerGatewayFacts, content: str
):
    before = _made({"ca_certificate": {"content": CA if content == OTHER_CA else OTHER_CA}})
    after = _updated({"ca_certificate": body}, before, facts)
    assert after.ca_certificate is not None
    assert (after.ca_certificate.content, after.updated_at) == (content, LATER.now)


@pytest.mark.parametrize("year", [2026, 2200])
def test_the_same_certificate_again_keeps_its_id_also_when_it_has_expired(year: int):
    before = _made({"ca_certificate": {"content": CA}})
    facts = replace(FACTS, now=FACTS.now.replace(year=year))
    assert _updated({"ca_certificate": {"content": CA}}, before, facts) is before


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        pytest.param({"name": ""}, "name", "is not a name", id="name"),
        pytest.param({"id_type": "fqdn"}, "id_type", "it is ip (wanted: leave it out", id="id-type"),
        pytest.param({"id_value": "192.0.2.9"}, "id_value", "it is 198.51.100.2 (wanted: leave it out", id="id-value"),
        pytest.param({"ip": "192.0.2.9"}, "ip", "it is 198.51.100.2 (wanted: leave it out", id="ip"),
        pytest.param({"route_mode": "static"}, "route_mode", "it is bgp (wanted: leave it out", id="route-mode"),
        pytest.param({"bgp_asn": 65001}, "bgp_asn", "it is 65000 (wanted: leave it out", id="asn"),
        pytest.param({"tags": [{"key": "k", "value": "v"}]}, "tags", "tags/create", id="tags"),
        pytest.param({"ca_certificate": {}}, "ca_certificate", "names no certificate", id="certificate-of-nothing"),
        pytest.param({"ca_certificate": {"content": ""}}, "ca_certificate.content", "has 0", id="certificate"),
    ],
)
def test_what_an_update_cannot_change_is_refused_by_its_name(body: dict[str, Any], field: str, text: str):
    found = [str(v) for v in customer_gateway.check_update(_asked(body), _made({}), FACTS)]
    assert [field] == [one.split(": ")[0] for one in found]
    assert text in found[0]


def test_all_violations_of_an_update_come_at_once():
    wrong = {"name": "", "id_type": "fqdn", "id_value": "x", "bgp_asn": 1, "ca_certificate": {}, "tags": [{"key": "k"}]}
    found = [v.field for v in customer_gateway.check_update(_asked(wrong), _made({}), FACTS)]
    assert found == ["name", "id_type", "id_value", "bgp_asn", "tags", "ca_certificate"]
