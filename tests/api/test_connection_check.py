"""A create that is only checked: the answer that the create would give, and nothing stored."""

import json
from typing import Any

import pytest

from lab import specs
from landbridge import config
from landbridge.rules import bgp

PSK = "Correct-Horse-7"


def _send(api: Any, body: dict[str, Any]) -> Any:
    return api.send("POST", f"/landbridge/v1/{api.project_id}/vpn-connections/check", {"vpn_connection": body})


def _checked(api: Any, body: dict[str, Any]) -> Any:
    answer = _send(api, body)
    assert answer.status_code == 200, answer.text
    return answer.json()["check"]


@pytest.mark.parametrize(
    ("fields", "generated"),
    [
        pytest.param({}, ["name", "tunnel_local_address", "tunnel_peer_address"], id="defaults"),
        pytest.param(
            {"name": "branch", "tunnel_local_address": "169.254.76.1/30", "enable_health_check": True},
            ["connection_monitor_id"],
            id="given",
        ),
        pytest.param(
            {"style": "policy", "name": "branch"}, ["tunnel_local_address", "tunnel_peer_address"], id="policy"
        ),
        pytest.param({"style": "policy-template", "name": "branch"}, [], id="policy-template"),
        pytest.param({"style": "bgp", "name": "branch"}, ["tunnel_local_address", "tunnel_peer_address"], id="bgp"),
    ],
)
def test_it_answers_with_the_connection_of_the_create(api: Any, fields: Any, generated: list[str]):
    body = api.connection_body(api.gateway(), api.customer_gateway(), **fields)
    found = _checked(api, body)
    assert (found["valid"], found["details"]) == (True, [])
    assert found["generated"] == ["id", "created_at", "updated_at", *generated]
    made = api.create("vpn-connection", "vpn_connection", body)
    assert made.keys() == found["vpn_connection"].keys()
    same = made.keys() - set(found["generated"])
    assert {name: found["vpn_connection"][name] for name in same} == {name: made[name] for name in same}


def test_it_stores_nothing(service: Any):
    api = service.api()
    body = api.connection_body(
        api.gateway(), api.customer_gateway(), tags=[{"key": "k", "value": "v"}], enable_health_check=True
    )
    text = (
        "SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM tag), (SELECT max(next_if_id) FROM gateway_count)"
    )

    def stored() -> Any:
        return service.data.database.read(lambda tx: tx.cursor.execute(text).fetchall())

    before = stored()
    first = _checked(api, body)["vpn_connection"]
    assert stored() == before
    assert api.get("vpn-connection")["total_count"] == 0
    assert api.get("connection-monitors")["connection_monitors"] == []
    assert api.send("GET", f"vpn-connection/{first['id']}").status_code == 404
    assert api.send("POST", "vpn-connection", {"vpn_connection": body}).status_code == 201


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"psk": "short", "peer_subnets": ["192.168.44.1/24"], "style": "static"}, id="rules"),
        pytest.param({"enable_nqa": "yes", "tags": [{"key": "a", "value": 7}], "psk": None}, id="shapes"),
        pytest.param({"vgw_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "vgw_ip": None}, id="no gateway"),
        pytest.param(
            {"peer_subnets": [str(n) for n in range(50)], "tags": [{"key": str(n)} for n in range(60)]}, id="many"
        ),
    ],
)
def test_what_is_wrong_is_what_the_create_would_be_refused_for(api: Any, fields: Any):
    body = api.connection_body(api.gateway(), api.customer_gateway()) | fields
    refused = api.send("POST", "vpn-connection", {"vpn_connection": body})
    assert refused.status_code == 400
    found = _checked(api, body)
    assert found == {"valid": False, "details": refused.json()["details"], "warnings": []}


def test_a_clash_with_a_connection_is_found(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    made = api.connection(gateway, peer)
    (found,) = _checked(api, api.connection_body(gateway, peer))["details"]
    assert found["field"] == "cgw_id"
    assert made["id"] in found["message"]


def test_a_quota_is_found(open_service: Any):
    api = open_service(quotas=config.Quotas(vpn_connection=1)).api()
    gateway = api.gateway()
    api.connection(gateway)
    found = _checked(api, api.connection_body(gateway, api.customer_gateway(), peer_subnets=["192.168.50.0/24"]))
    assert [each["field"] for each in found["details"]] == ["vpn_connection"]


def test_warnings_name_unknown_fields_weak_choices_and_overlaps(api: Any):
    gateway = api.gateway()
    other = api.connection(gateway, name="wide", peer_subnets=["192.168.0.0/16"])
    body = api.connection_body(
        gateway, api.customer_gateway(), nmae="branch", ipsecpolicy={"pfs": "group2", "speed": 1}
    )
    answer = _send(api, body)
    warnings = {each["field"]: each["message"] for each in answer.json()["check"]["warnings"]}
    assert warnings == {
        "nmae": "is not known, and would be ignored",
        "ipsecpolicy.speed": "is not known, and would be ignored",
        "ipsecpolicy.pfs": "group2 is weak",
        "peer_subnets[0]": f"192.168.44.0/24 overlaps with 192.168.0.0/16 of connection {other['id']} (wide): one of the two tunnels"
        " takes the packets for both",
    }
    assert answer.headers["Landbridge-Ignored-Fields"] == "nmae, ipsecpolicy.speed"


@pytest.mark.parametrize(
    ("gateway", "peer", "style", "warnings"),
    [
        pytest.param({}, {"bgp_asn": 65001}, "bgp", {}, id="two-asns"),
        pytest.param(
            {},
            {"id_type": "fqdn", "id_value": "branch.example"},
            "bgp",
            {"cgw_id": "the customer gateway has no bgp_asn: there can be no BGP session, and the connection is ERROR"},
            id="no-asn",
        ),
        pytest.param(
            {"bgp_asn": 65001},
            {"bgp_asn": 65001},
            "bgp",
            {
                "cgw_id": "the customer gateway has the ASN of the VPN gateway (65001): in one AS (iBGP) a device passes learned routes on"
                " to no other router of the AS. Use two ASNs"
            },
            id="one-asn",
        ),
        pytest.param({"bgp_asn": 65001}, {"bgp_asn": 65001}, "static", {}, id="static"),
    ],
)
def test_asns_that_do_not_fit_bgp_are_warnings(api: Any, gateway: Any, peer: Any, style: str, warnings: Any):
    found = _checked(api, api.connection_body(api.gateway(**gateway), api.customer_gateway(**peer), style=style))
    assert {each["field"]: each["message"] for each in found["warnings"]} == warnings
    assert found["valid"]
    assert found["device"]["routes"] == ["10.0.0.0/24"]


def test_a_gateway_that_announces_nothing_is_a_warning():
    connection = specs.connection(style="bgp").connection
    found = list(bgp.warnings(connection, specs.gateway(), specs.customer_gateway(), ()))
    assert [str(one) for one in found] == [
        "vgw_id: the VPN gateway has no local subnets, so it announces nothing over BGP"
    ]


def test_a_connection_that_is_going_is_no_overlap(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    made = api.connection(gateway)
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    api.delete(f"vpn-connection/{made['id']}")
    assert _checked(api, api.connection_body(gateway, api.customer_gateway()))["warnings"] == []


def test_the_device_is_told_what_it_must_be_set_to(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    policies = {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "branch.example", "lifetime_seconds": 7200}}
    device = _checked(api, api.connection_body(gateway, peer, tunnel_local_address="169.254.76.1/30", **policies))[
        "device"
    ]
    assert device == {
        "local_address": peer["id_value"],
        "peer_address": gateway["eip1"]["ip_address"],
        "dials": False,
        "local_id_type": "fqdn",
        "local_id": "branch.example",
        "peer_id_type": "ip",
        "peer_id": gateway["eip1"]["ip_address"],
        "ikepolicy": {
            "ike_version": "v2",
            "authentication_algorithm": "sha2-256",
            "encryption_algorithm": "aes-128",
            "dh_group": "group15",
            "authentication_method": "pre-share",
            "lifetime_seconds": 7200,
        },
        "ipsecpolicy": {
            "authentication_algorithm": "sha2-256",
            "encryption_algorithm": "aes-128",
            "pfs": "group15",
            "lifetime_seconds": 3600,
        },
        "traffic_selectors": [{"local": "0.0.0.0/0", "peer": "0.0.0.0/0"}],
        "routes": ["10.0.0.0/24"],
        "tunnel_local_address": "169.254.76.2/30",
        "tunnel_peer_address": "169.254.76.1/30",
    }


def test_a_device_without_an_address_dials_and_one_with_bgp_has_numbers(api: Any):
    peer = api.customer_gateway(id_type="fqdn", id_value="branch.example", bgp_asn=65001)
    device = _checked(api, api.connection_body(api.gateway(), peer, style="bgp"))["device"]
    assert (device["dials"], "local_address" in device) == (True, False)
    assert (device["bgp_asn"], device["peer_bgp_asn"]) == (65001, 64512)


def test_the_psk_is_in_no_answer(api: Any):
    answer = _send(api, api.connection_body(api.gateway(), api.customer_gateway()))
    assert PSK not in answer.text


def test_a_body_that_is_none_is_refused(api: Any):
    path = f"/landbridge/v1/{api.project_id}/vpn-connections/check"
    for content in (b"{", b"[]", json.dumps({"vpn_connection": 1}).encode()):
        assert api.send("POST", path, content=content).status_code == 400


def test_it_is_for_admins_and_another_projects_gateway_is_not_there(api: Any, shared_service: Any):
    body = api.connection_body(api.gateway(), api.customer_gateway())
    assert _send(shared_service.api(api.project_id, "reader"), body).status_code == 403
    found = _checked(shared_service.api(), body)["details"]
    assert {each["field"] for each in found} == {"vgw_id", "cgw_id"}
    assert all("does not exist" in each["message"] for each in found)
