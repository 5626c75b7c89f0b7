"""The vendor's SDKs in Go and Java: a whole life of each resource, and each operation that an SDK has.

What an SDK read is compared with the service's JSON: an SDK that drops or turns a value reads another one.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import gm_certificates
from landbridge.api import table
from tests.clients import sdk
from tests.compat.test_every_operation import OUT_OF_SCOPE
from tests.conftest import PSK, VPC, until

pytestmark = pytest.mark.process

#: Operations that an SDK does not have: this version of the Java SDK is of 2025.
LACKS = {
    "go": frozenset[str](),
    "java": frozenset(
        {
            "batch_create_vpn_connection",
            "reset_vpn_connection",
            "list_connection_ipsec_sa",
            "export_vpn_connection_peer_configuration",
            "list_peer_configuration_supported_devices",
            "list_vpn_gateway_jobs",
            "delete_vpn_gateway_job",
            "upgrade_vpn_gateway",
            "list_vpn_gateway_certificates",
        }
    ),
}
ROUTES = {
    route.name: route for route in table.TABLE if route.path.startswith("/v5") and not OUT_OF_SCOPE.search(route.path)
}
STYLES: dict[str, dict[str, Any]] = {
    "static": {"style": "static", "enable_nqa": True},
    "policy": {
        "style": "policy",
        "policy_rules": [
            {"rule_index": 2, "source": "10.0.0.0/24", "destination": ["192.168.9.0/24", "192.168.1.0/24"]}
        ],
    },
    "bgp": {"style": "bgp", "tunnel_local_address": "169.254.21.1/30", "tunnel_peer_address": "169.254.21.2/30"},
    "policy-template": {"style": "policy-template"},
}
NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"


class Life:
    """One SDK on one project: calls, and the same reads without it."""

    def __init__(self, client: sdk.Sdk, credentials: dict[str, str]) -> None:
        self.client = client
        self._credentials = credentials

    def call(self, operation: str, body: Any = None, **parameters: Any) -> dict[str, Any]:
        """The answer; that of a read is the service's own JSON, as far as the SDK knows its fields."""
        answered = self.client.call(operation, body, **parameters)
        if ROUTES[operation].method == "GET":
            _agree(answered, self._plain(operation, parameters), operation)
        return answered

    def _plain(self, operation: str, parameters: dict[str, Any]) -> Any:
        words = self._credentials
        path = ROUTES[operation].path.format(project_id=words["project_id"], **parameters)
        query = {name: value for name, value in parameters.items() if f"{{{name}}}" not in ROUTES[operation].path}
        answer = httpx.get(words["endpoint"] + path, params=query, headers={"X-Auth-Token": words["token"]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, operation: str, envelope: str, status: str, **parameters: str) -> dict[str, Any]:
        """The resource once it has this status."""

        def look() -> Any:
            found = self.client.call(operation, **parameters)[envelope]
            return found if found["status"] == status else None

        return until(look, f"{operation} of {parameters} to be {status}")

    def gone(self, operation: str, **parameters: str) -> None:
        until(lambda: self.refusal(operation, **parameters)["status"] == 404, f"{operation} of {parameters} to be 404")

    def refusal(self, operation: str, body: Any = None, **parameters: Any) -> Any:
        """What the SDK raised, or nothing at all."""
        try:
            self.client.call(operation, body, **parameters)
        except sdk.Refused as refused:
            return refused.error
        return {"status": None}

    def gateway(self, **fields: Any) -> dict[str, Any]:
        body = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"], "name": "main"} | fields
        made = self.call("create_vgw", {"vpn_gateway": body})["vpn_gateway"]
        return self.status("show_vgw", "vpn_gateway", "ACTIVE", vgw_id=made["id"])

    def device(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "branch", "id_type": "ip", "id_value": "198.51.100.2", "bgp_asn": 65000} | fields
        return self.call("create_cgw", {"customer_gateway": body})["customer_gateway"]

    def connection_body(self, gateway: Any, device: Any, **fields: Any) -> dict[str, Any]:
        ends = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": device["id"]}
        return ends | {"name": "c-1", "psk": PSK, "peer_subnets": ["192.168.44.0/24", "192.168.4.0/24"]} | fields

    def connection(self, gateway: Any, device: Any, **fields: Any) -> dict[str, Any]:
        """A connection that is not pending."""
        wish = self.connection_body(gateway, device, **fields)
        made = self.call("create_vpn_connection", {"vpn_connection": wish})["vpn_connection"]
        return self.settled(made["id"])

    def settled(self, connection_id: str) -> dict[str, Any]:
        def look() -> Any:
            found = self.client.call("show_vpn_connection", vpn_connection_id=connection_id)["vpn_connection"]
            assert found["status"] != "ERROR", found
            return found if found["status"] in ("ACTIVE", "DOWN") else None

        return until(look, f"{connection_id} to be ACTIVE or DOWN")


#: Fields that may differ between two answers, one right after the other. The time that an upgrade still takes follows its status.
OF_EACH_ANSWER = ("request_id", "X-request-id", "header-response-token", "status", "expected_time_seconds")


def _agree(read: Any, plain: Any, where: str) -> None:
    """All that the SDK read stands in the answer with the same value."""
    if isinstance(read, dict):
        assert isinstance(plain, dict), where
        for name, value in read.items():
            if name not in OF_EACH_ANSWER:
                assert name in plain, f"{where}.{name}: {value!r} is not in the answer"
                _agree(value, plain[name], f"{where}.{name}")
    elif isinstance(read, list):
        assert len(read) == len(plain), where
        for number, (one, other) in enumerate(zip(read, plain, strict=True)):
            _agree(one, other, f"{where}[{number}]")
    else:
        assert _second(read) == _second(plain), where


def _second(value: Any) -> Any:
    """A time as the second that it is in: the Go SDK shows no fractions."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)
    return value


@pytest.fixture(scope="module", params=["go", "java"])
def life(request: pytest.FixtureRequest, server: Any) -> Iterator[Life]:
    client = sdk.Sdk(request.getfixturevalue(f"{request.param}_sdk"), server.credentials)
    yield Life(client, server.credentials)
    client.close()


def test_a_gateway_lives(life: Life):
    eips = {
        f"eip{n}": {"type": "5_bgp", "bandwidth_name": f"e{n}", "bandwidth_size": 100, "charge_mode": "traffic"}
        for n in (1, 2)
    }
    made = life.gateway(**eips, bgp_asn=4200000000, flavor="Professional1", tags=[{"key": "site", "value": "bonn"}])
    shown = life.call("show_vgw", vgw_id=made["id"])["vpn_gateway"]
    assert shown["tags"] == [{"key": "site", "value": "bonn"}]
    assert (shown["eip1"]["bandwidth_name"], shown["bgp_asn"]) == ("e1", 4200000000)
    assert made["id"] in [one["id"] for one in life.call("list_vgws")["vpn_gateways"]]

    wish = {"name": "new", "local_subnets": ["10.9.0.0/24", "10.1.0.0/24"]}
    told = life.call("update_vgw", {"vpn_gateway": wish}, vgw_id=made["id"])["vpn_gateway"]
    assert (told["name"], told["local_subnets"]) == ("new", ["10.9.0.0/24", "10.1.0.0/24"])
    life.status("show_vgw", "vpn_gateway", "ACTIVE", vgw_id=made["id"])
    flavor = {"vpn_gateway": {"flavor": "Professional2"}}
    life.call("update_postpaid_vgw_specification", flavor, vgw_id=made["id"])
    shown = life.status("show_vgw", "vpn_gateway", "ACTIVE", vgw_id=made["id"])
    assert (shown["flavor"], shown["name"]) == ("Professional2", "new")
    assert life.call("show_vpn_gateway_routing_table", vgw_id=made["id"])["total_count"] >= 0

    life.call("delete_vgw", vgw_id=made["id"])
    life.gone("show_vgw", vgw_id=made["id"])


def test_zones_and_quotas_are_read(life: Life):
    zones = life.call("list_availability_zones")["availability_zones"]
    assert zones["professional1"]["vpc"] == ["zone-1", "zone-2"]
    assert {one["name"] for one in life.call("list_extended_availability_zones")["availability_zones"]} == {
        "zone-1",
        "zone-2",
    }
    quotas = life.call("show_quotas_info")["quotas"]["resources"]
    assert {one["type"] for one in quotas} >= {"vpn_gateway", "customer_gateway", "vpn_connection"}


def test_a_customer_gateway_lives(life: Life):
    made = life.device(bgp_asn=4200000001, tags=[{"key": "k", "value": "v"}])
    told = life.call("update_cgw", {"customer_gateway": {"name": "new"}}, customer_gateway_id=made["id"])
    assert told["customer_gateway"]["name"] == "new"
    shown = life.call("show_cgw", customer_gateway_id=made["id"])["customer_gateway"]
    assert (shown["id_value"], shown["bgp_asn"], shown["name"]) == ("198.51.100.2", 4200000001, "new")
    assert made["id"] in [one["id"] for one in life.call("list_cgws", limit=200)["customer_gateways"]]
    life.call("delete_cgw", customer_gateway_id=made["id"])
    assert life.refusal("show_cgw", customer_gateway_id=made["id"])["status"] == 404


@pytest.mark.parametrize("style", STYLES)
def test_a_connection_lives(life: Life, style: str):
    gateway, device = life.gateway(), life.device(id_type="fqdn", id_value="branch.example")
    other = life.device(id_type="fqdn", id_value="other.example")
    made = life.connection(gateway, device, **STYLES[style])
    shown = life.call("show_vpn_connection", vpn_connection_id=made["id"])["vpn_connection"]
    assert shown["style"] == style.upper()
    assert "psk" not in shown
    assert shown["ikepolicy"]["dpd"] == {"timeout": 15, "interval": 30, "msg": "seq-hash-notify"}
    listed = life.call("list_vpn_connections", vgw_id=gateway["id"])["vpn_connections"]
    assert [one["id"] for one in listed] == [made["id"]]

    wish = {"name": "new", "cgw_id": other["id"], "psk": PSK + "2"}
    wish |= {"ikepolicy": {"lifetime_seconds": 7200, "dpd": {"interval": 60}}, "ipsecpolicy": {"pfs": "group16"}}
    told = life.call("update_vpn_connection", {"vpn_connection": wish}, vpn_connection_id=made["id"])["vpn_connection"]
    assert (told["name"], told["cgw_id"], told["ikepolicy"]["lifetime_seconds"]) == ("new", other["id"], 7200)
    shown = life.settled(made["id"])
    assert (shown["ikepolicy"]["dpd"]["interval"], shown["ipsecpolicy"]["pfs"]) == (60, "group16")
    assert shown.get("policy_rules") == made.get("policy_rules")
    life.call("show_vpn_connection_log", vpn_connection_id=made["id"])

    life.call("delete_vpn_connection", vpn_connection_id=made["id"])
    life.gone("show_vpn_connection", vpn_connection_id=made["id"])


def test_tags_are_put_on_read_and_taken_off(life: Life):
    device = life.device(name=f"tagged-{time.monotonic_ns()}")
    where = {"resource_type": "customer-gateway", "resource_id": device["id"]}
    tags = [{"key": "site", "value": "bonn"}, {"key": "floor", "value": "2"}]
    life.call("batch_create_resource_tags", {"tags": tags}, **where)
    life.call("batch_delete_resource_tags", {"tags": tags[:1]}, **where)
    assert life.call("show_resource_tags", **where)["tags"] == tags[1:]
    assert {"key": "floor", "values": ["2"]} in life.call("list_project_tags", resource_type="customer-gateway")["tags"]
    query = {
        "tags": [{"key": "floor", "values": ["2"]}],
        "matches": [{"key": "resource_name", "value": device["name"]}],
    }
    found = life.call("list_resources_by_tags", query, resource_type="customer-gateway")
    assert ([one["resource_id"] for one in found["resources"]], found["total_count"]) == ([device["id"]], 1)
    assert life.call("count_resources_by_tags", query, resource_type="customer-gateway")["total_count"] == 1


def test_a_monitor_lives(life: Life):
    made = life.connection(life.gateway(), life.device(), **STYLES["static"])
    body = {"connection_monitor": {"vpn_connection_id": made["id"]}}
    monitor = life.call("create_connection_monitor", body)["connection_monitor"]
    where = {"connection_monitor_id": monitor["id"]}
    assert life.call("show_connection_monitor", **where)["connection_monitor"]["vpn_connection_id"] == made["id"]
    listed = life.call("list_connection_monitors", vpn_connection_id=made["id"])["connection_monitors"]
    assert [one["id"] for one in listed] == [monitor["id"]]
    life.call("delete_connection_monitor", **where)
    assert life.refusal("show_connection_monitor", **where)["status"] == 404


def test_a_gm_gateway_has_a_certificate(life: Life, tmp_path: Path):
    gateway = life.gateway(flavor="GM")
    texts = gm_certificates.gateway(tmp_path) | {"name": "gm-1"}
    made = life.call("create_vgw_certificate", {"certificate": texts}, vgw_id=gateway["id"])["certificate"]
    change = {"certificate": {"name": "gm-2"}}
    life.call("update_vgw_certificate", change, vgw_id=gateway["id"], certificate_id=made["id"])
    shown = life.call("show_vpn_gateway_certificate", vgw_id=gateway["id"])["certificate"]
    assert (shown["id"], shown["name"]) == (made["id"], "gm-2")


def test_a_refusal_has_status_code_message_and_request_id(life: Life):
    told = life.refusal("create_cgw", {"customer_gateway": {"id_type": "ip", "id_value": "nowhere"}})
    assert (told["status"], told["code"]) == (400, "VPN.0001")
    assert told["message"].startswith("invalid request: id_value: 'nowhere' is not an IPv4 address")
    assert re.fullmatch(r"[0-9a-f-]{36}", told["request_id"])
    told = life.refusal("show_vgw", vgw_id=NOBODY)
    assert (told["status"], told["code"]) == (404, "VPN.0004")


# -- operations that not every SDK has --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def newest(server: Any, go_sdk: Any) -> Iterator[Life]:
    """The SDK that has all operations."""
    client = sdk.Sdk(go_sdk, server.credentials)
    yield Life(client, server.credentials)
    client.close()


def test_connections_are_made_in_a_batch(newest: Life):
    gateway, device = newest.gateway(), newest.device()
    wishes = [
        newest.connection_body(
            gateway, device, name=f"c-{end}", vgw_ip=gateway[f"eip{end}"]["id"], peer_subnets=["192.168.44.0/24"]
        )
        for end in (1, 2)
    ]
    made = newest.call("batch_create_vpn_connection", {"vpn_connections": wishes})["vpn_connections"]
    assert [one["name"] for one in made] == ["c-1", "c-2"]


def test_a_connection_is_reset_counted_and_written_for_a_device(newest: Life):
    made = newest.connection(newest.gateway(), newest.device())
    newest.call("reset_vpn_connection", vpn_connection_id=made["id"])
    newest.status("show_vpn_connection", "vpn_connection", "ACTIVE", vpn_connection_id=made["id"])
    counted = newest.client.call("list_connection_ipsec_sa", vpn_connection_id=made["id"])["sa_infos"]
    assert [one["dest_ip_cidr"] for one in counted] == ["192.168.44.0/24, 192.168.4.0/24"]
    (device, *_) = newest.call("list_peer_configuration_supported_devices")["supported_devices"]
    text = newest.call("export_vpn_connection_peer_configuration", device, vpn_connection_id=made["id"])["peer_config"]
    assert "198.51.100.2" in text


def test_a_gateway_is_upgraded_and_its_job_deleted(newest: Life):
    gateway = newest.gateway()
    for action, end in (("start", "pending_upgrade_confirm"), ("finish", "success")):
        job = newest.call("upgrade_vpn_gateway", {"action": action}, vgw_id=gateway["id"])["job_id"]

        def ended(job: str = job, end: str = end) -> bool:
            jobs = newest.call("list_vpn_gateway_jobs", resource_id=gateway["id"])["jobs"]
            return bool(next(one for one in jobs if one["id"] == job)["status"] == end)

        until(ended, f"{action} to be {end}")
    newest.call("delete_vpn_gateway_job", job_id=job)
    assert newest.call("list_vpn_gateway_jobs", resource_id=gateway["id"])["jobs"] == []


def test_certificates_of_gateways_are_listed(newest: Life, tmp_path: Path):
    gateway = newest.gateway(flavor="GM")
    texts = gm_certificates.gateway(tmp_path) | {"name": "gm-1"}
    newest.call("create_vgw_certificate", {"certificate": texts}, vgw_id=gateway["id"])
    listed = newest.call("list_vpn_gateway_certificates")["vpn_gateway_certificates"]
    assert gateway["id"] in [one["vgw_id"] for one in listed]


@pytest.mark.parametrize("name", LACKS)
def test_each_operation_that_an_sdk_has_is_called_here(name: str, server: Any, request: pytest.FixtureRequest):
    """By its source: a test of this file names it."""
    client = sdk.Sdk(request.getfixturevalue(f"{name}_sdk"), server.credentials)
    missing = {operation for operation in ROUTES if not client.has(operation)}
    client.close()
    assert missing == LACKS[name]
    named = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', Path(__file__).read_text()))
    assert ROUTES.keys() - named == set()
