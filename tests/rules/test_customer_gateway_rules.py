"""Creating a customer gateway: both forms of the request, its rules and its defaults."""

from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model
from landbridge.rules import customer_gateway, fields
from landbridge.wire import customer_gateways

DRAWS = fields.Draws(id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3", now=datetime(2026, 1, 2, tzinfo=UTC), suffix="2abf")
BODY = {"id_value": "198.51.100.2"}


def _ask(changes: dict[str, Any]) -> model.AskCustomerGateway:
    return customer_gateways.CreateCustomerGateway.model_validate({**BODY, **changes}).ask()


def _refusals(changes: dict[str, Any]) -> list[str]:
    return [str(v) for v in customer_gateway.check(_ask(changes))]


def _made(changes: dict[str, Any]) -> model.CustomerGateway:
    assert _refusals(changes) == []
    return customer_gateway.complete(_ask(changes), DRAWS, "p1")


def test_the_smallest_request_becomes_a_complete_customer_gateway():
    assert _made({}) == model.CustomerGateway(
        id=DRAWS.id,
        project_id="p1",
        name="cgw-2abf",
        id_type="ip",
        id_value="198.51.100.2",
        bgp_asn=None,
        route_mode="bgp",
        certificate_id=None,
        tags=(),
        created_at=DRAWS.now,
        updated_at=DRAWS.now,
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
        pytest.param({"bgp_asn": 1}, "bgp_asn", 1, id="lowest-asn"),
        pytest.param({"bgp_asn": 4294967295}, "bgp_asn", 4294967295, id="highest-asn"),
        pytest.param({"id_value": "10.0.0.1"}, "id_value", "10.0.0.1", id="private-address"),
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
        pytest.param({"ip": "198.51.100.2"}, "ip", "is the older name of id_value", id="both-names"),
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
        pytest.param({"bgp_asn": 0}, "bgp_asn", "0 is out of range", id="asn-0"),
        pytest.param({"bgp_asn": 4294967296}, "bgp_asn", "out of range", id="asn-33-bits"),
        pytest.param({"route_mode": "rip"}, "route_mode", "one of static, bgp", id="route-mode"),
        pytest.param({"ca_certificate": {"id": "x"}}, "ca_certificate", "certificates are not carried yet", id="cert"),
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
