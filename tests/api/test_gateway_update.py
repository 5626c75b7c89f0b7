"""Updates of VPN gateways over HTTP: partial, idempotent, and with the connections on an EIP that changes."""

import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from landbridge import config, data_folder, model
from tests.conftest import service_in

PATH = "vpn-gateways"
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
EIPS = tuple(str(uuid.UUID(int=n + 1)) for n in range(4))
SITE = model.Site(
    eips=tuple(model.Eip(id=eip, address=f"203.0.113.{n + 1}") for n, eip in enumerate(EIPS)),
    networks=(model.Network(id=VPC, cidr="10.0.0.0/16", bridge="br0", address="10.0.0.254/16"),),
    zones=("zone-1", "zone-2"),
    any_network=False,
)


def _put(api: Any, gateway: Any, fields: dict[str, Any], **headers: str) -> Any:
    return api.send("PUT", f"{PATH}/{gateway['id']}", {"vpn_gateway": fields}, **headers)


def _updated(api: Any, gateway: Any, fields: dict[str, Any]) -> Any:
    answer = _put(api, gateway, fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["vpn_gateway"]


def _refused(api: Any, gateway: Any, fields: dict[str, Any]) -> dict[str, str]:
    answer = _put(api, gateway, fields)
    assert answer.status_code == 400, answer.text
    return {each["field"]: each["message"] for each in answer.json()["details"]}


@pytest.fixture
def own(open_service: Any) -> Any:
    """An API of a small site of its own."""
    return open_service(site=SITE).api()


def test_the_answer_has_the_new_values_and_what_was_left_out_stays(api: Any):
    gateway = api.gateway()
    answer = _updated(api, gateway, {"name": "other", "local_subnets": ["10.9.0.0/24", "10.0.0.0/24"]})
    kept = gateway.keys() - {"name", "local_subnets", "updated_at", "status"}
    assert {field: answer[field] for field in kept} == {field: gateway[field] for field in kept}
    assert (answer["name"], answer["local_subnets"]) == ("other", ["10.9.0.0/24", "10.0.0.0/24"])
    assert "status" not in answer
    assert answer["updated_at"] > gateway["updated_at"]
    shown = api.gateway_as(gateway["id"], "ACTIVE")
    assert {field: shown[field] for field in answer} == answer


def test_what_was_read_may_be_sent_back_and_changes_nothing(api: Any):
    gateway = api.gateway(tags=[{"key": "a", "value": "b"}])
    api.connection(gateway)
    before = api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]
    _updated(api, gateway, before)
    assert api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"] == before


def test_an_update_is_pending_until_an_engine_has_applied_it(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    service.agent.stop()
    _updated(api, gateway, {"name": "a-name-needs-no-engine"})
    assert api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]["status"] == "ACTIVE"
    _updated(api, gateway, {"local_subnets": ["10.9.0.0/24"]})
    assert api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]["status"] == "PENDING_UPDATE"


def test_all_that_is_wrong_comes_at_once_by_its_field(own: Any):
    gateway = own.gateway()
    connection = own.connection(gateway, peer_subnets=["192.168.44.0/24"])
    said = _refused(
        own,
        gateway,
        {
            "name": "a b",
            "local_subnets": ["10.0.0.0/24", "192.168.0.0/16", "10.1.0.1/24"],
            "local_subnets_v6": ["2001:db8::/64"],
            "eip_id_1": str(uuid.UUID(int=99)),
            "eip_id_2": "no-uuid",
            "policy_template": {"ike_policy": {"dh_group": "group3"}},
            "flavor": "Basic",
            "vpc_id": EIPS[0],
            "bgp_asn": 1,
            "availability_zone_ids": ["zone-2"],
            "eip1": {"id": EIPS[3]},
            "tags": [{"key": "a", "value": "b"}],
        },
    )
    assert set(said) == {
        "name",
        "local_subnets[1]",
        "local_subnets[2]",
        "local_subnets_v6",
        "eip_id_1",
        "eip_id_2",
        "policy_template",
        "policy_template.ike_policy.dh_group",
        "flavor",
        "vpc_id",
        "bgp_asn",
        "availability_zone_ids",
        "eip1.id",
        "tags",
    }
    assert connection["id"] in said["local_subnets[1]"]
    assert "update-specification" in said["flavor"]


def test_another_eip_moves_the_connections_on_its_endpoint_and_no_others(own: Any):
    gateway = own.gateway(eip1={"id": EIPS[0]}, eip2={"id": EIPS[1]})
    peer = own.customer_gateway()
    moving = own.connection(gateway, peer)
    named = own.connection(gateway, ikepolicy={"local_id_type": "fqdn", "local_id": "we", "peer_id": "198.18.9.9"})
    staying = own.connection(gateway, peer, vgw_ip=EIPS[1])
    for each in (moving, named, staying):
        own.connection_as(each["id"], "ACTIVE")
    before = own.get(f"vpn-connection/{staying['id']}")["vpn_connection"]
    answer = _updated(own, gateway, {"eip_id_1": EIPS[2].upper()})
    assert (answer["eip1"]["id"], answer["eip1"]["ip_address"]) == (EIPS[2], "203.0.113.3")
    assert (answer["eip2"], answer["master_eip"]) == (gateway["eip2"], answer["eip1"])
    own.gateway_as(gateway["id"], "ACTIVE")
    shown = own.connection_as(moving["id"], "ACTIVE")
    assert (shown["vgw_ip"], shown["ikepolicy"]["local_id"]) == (EIPS[2], "203.0.113.3")
    other = own.connection_as(named["id"], "ACTIVE")
    assert (other["vgw_ip"], other["ikepolicy"]["local_id"]) == (EIPS[2], "we")
    assert own.get(f"vpn-connection/{staying['id']}")["vpn_connection"] == before


def test_two_eips_may_change_places_and_a_left_one_is_free(own: Any):
    gateway = own.gateway(eip1={"id": EIPS[0]}, eip2={"id": EIPS[1]})
    one, two = own.connection(gateway), own.connection(gateway, vgw_ip=EIPS[1])
    answer = _updated(own, gateway, {"eip_id_1": EIPS[1], "eip_id_2": EIPS[0]})
    assert (answer["eip1"]["id"], answer["eip2"]["id"]) == (EIPS[1], EIPS[0])
    for made, eip in ((one, EIPS[1]), (two, EIPS[0])):
        assert own.get(f"vpn-connection/{made['id']}")["vpn_connection"]["vgw_ip"] == eip
    _updated(own, gateway, {"eip_id_1": EIPS[2]})
    _updated(own, gateway, {"eip_id_1": EIPS[1]})
    assert "other endpoint" in _refused(own, gateway, {"eip_id_1": EIPS[0]})["eip_id_1"]


def test_the_address_of_a_connections_device_is_refused(own: Any):
    gateway = own.gateway(eip1={"id": EIPS[0]}, eip2={"id": EIPS[1]})
    made = own.connection(gateway, own.customer_gateway(id_value="203.0.113.3"), vgw_ip=EIPS[1])
    assert made["id"] in _refused(own, gateway, {"eip_id_1": EIPS[2]})["eip_id_1"]
    assert own.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": "z"}}).status_code == 200


def test_an_eip_of_another_gateway_is_refused(api: Any):
    gateway, other = api.gateway(), api.gateway()
    said = _refused(api, gateway, {"eip_id_2": other["eip2"]["id"]})
    assert other["id"] in said["eip_id_2"]


def test_a_private_gateway_has_no_eips_and_an_er_gateway_no_local_subnets(api: Any):
    private = api.gateway(
        network_type="private", access_private_ip_1="198.19.242.8", access_private_ip_2="198.19.242.7"
    )
    assert set(_refused(api, private, {"eip_id_1": EIPS[0]})) == {"eip_id_1"}
    routed = api.gateway(attachment_type="er", er_id=VPC, vpc_id=None, local_subnets=None)
    assert set(_refused(api, routed, {"local_subnets": ["10.0.0.0/24"]})) == {"local_subnets"}
    _updated(api, routed, {"local_subnets": [], "name": "fine"})


def test_a_policy_template_merges_field_by_field(api: Any):
    gateway = api.gateway(flavor="Professional1-NonFixedIP")
    before = gateway["policy_template"]
    answer = _updated(
        api,
        gateway,
        {"policy_template": {"ike_policy": {"dh_group": "group21", "lifetime_seconds": 0}, "ipsec_policy": None}},
    )
    before["ike_policy"]["dh_group"] = "group21"
    assert answer["policy_template"] == before
    assert api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]["policy_template"] == before


def test_if_match_holds_up_who_read_another_version(api: Any):
    gateway = api.gateway()
    etag = api.send("GET", f"{PATH}/{gateway['id']}").headers["etag"]
    first = _put(api, gateway, {"name": "one"}, if_match=etag)
    assert (first.status_code, first.headers["etag"] != etag) == (200, True)
    assert _put(api, gateway, {"name": "two"}, if_match=etag).status_code == 412
    assert _put(api, gateway, {"name": "two"}, if_match=first.headers["etag"]).status_code == 200


def test_many_writers_of_different_fields_lose_nothing(api: Any):
    gateway = api.gateway(flavor="Professional1-NonFixedIP")
    bodies = [
        {"name": "at-once"},
        {"local_subnets": ["10.7.0.0/24"]},
        {"policy_template": {"ike_policy": {"dh_group": "group20"}}},
        {"policy_template": {"ipsec_policy": {"pfs": "disable"}}},
        {"policy_template": {"ike_policy": {"lifetime_seconds": 7200}}},
    ]
    contents = [json.dumps({"vpn_gateway": each}).encode() for each in bodies]
    url = f"/v5/{api.project_id}/{PATH}/{gateway['id']}"
    answers = api.http.at_once("PUT", url, contents=contents, headers={"X-Auth-Token": api.key.token.reveal()})
    assert [each.status_code for each in answers] == [200] * len(bodies)
    shown = api.gateway_as(gateway["id"], "ACTIVE")
    assert (shown["name"], shown["local_subnets"]) == ("at-once", ["10.7.0.0/24"])
    template = shown["policy_template"]
    assert (template["ike_policy"]["dh_group"], template["ike_policy"]["lifetime_seconds"]) == ("group20", 7200)
    assert template["ipsec_policy"]["pfs"] == "disable"


def test_a_gateway_that_is_going_takes_no_change(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    service.agent.stop()
    api.delete(f"{PATH}/{gateway['id']}")
    assert _put(api, gateway, {"name": "late"}).status_code == 425
    assert _put(api, {"id": EIPS[0]}, {"name": "nobody"}).status_code == 404


def _flavor(api: Any, gateway: Any, flavor: Any) -> Any:
    body = {"vpn_gateway": {"flavor": flavor}}
    return api.send("POST", f"{PATH}/{gateway['id']}/update-specification", body)


def test_another_flavor_is_shown_at_once_and_pending_until_applied(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    service.agent.stop()
    answer = _flavor(api, gateway, "Professional2-NonFixedIP")
    assert (answer.status_code, answer.json()["vpn_gateway"]["flavor"]) == (200, "Professional2-NonFixedIP")
    shown = api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]
    assert (shown["status"], shown["eip1"]) == ("PENDING_UPDATE", gateway["eip1"])
    assert "policy_template" in shown


@pytest.mark.parametrize(
    ("has", "wants", "code"),
    [
        pytest.param("Basic", "Professional1", "VPN.0518", id="basic-to-professional"),
        pytest.param("Professional1", "Basic", "VPN.0518", id="professional-to-basic"),
        pytest.param("Professional2", "GM", "VPN.0518", id="to-gm"),
        pytest.param("Professional2", "professional1", "VPN.0001", id="unknown"),
        pytest.param("Professional2", None, "VPN.0001", id="absent"),
        pytest.param("Professional2", 5, "VPN.0001", id="no-text"),
    ],
)
def test_a_flavor_that_it_cannot_have_is_refused_by_its_field(api: Any, has: str, wants: Any, code: str):
    answer = _flavor(api, api.gateway(flavor=has), wants)
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert [each["field"] for each in answer.json()["details"]] == ["flavor"]


def test_the_same_flavor_changes_nothing(api: Any):
    gateway = api.gateway()
    assert _flavor(api, gateway, gateway["flavor"]).status_code == 200
    assert api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"] == gateway
    assert "status" not in _flavor(api, gateway, "Professional2").json()["vpn_gateway"]


def test_zones_are_listed_for_every_flavor_in_both_forms(api: Any):
    zones = api.get(f"{PATH}/availability-zones")["availability_zones"]
    assert zones["professional1"] == {"vpc": ["zone-1", "zone-2"], "er": ["zone-1", "zone-2"]}
    assert zones["basic"] == {"vpc": ["zone-1", "zone-2"], "er": []}
    assert {"professional2", "Professional1-NonFixedIP", "Professional2-NonFixedIP", "gm"} <= zones.keys()
    listed = api.get(f"/v5.1/{api.project_id}/{PATH}/availability-zones")["availability_zones"]
    assert [each["name"] for each in listed] == ["zone-1", "zone-2"]
    spec = {"flavor": "Professional1-NonFixedIP", "attachment_type": "er", "ip_version": "ipv4"}
    assert all(spec in each["available_specs"] for each in listed)
    assert all(spec | {"flavor": "Basic"} not in each["available_specs"] for each in listed)


def test_a_second_gateway_in_a_network_with_one_address_is_refused(own: Any):
    first = own.gateway(local_subnets=["10.0.1.0/24"])
    said = own.refused(PATH, "vpn_gateway", {"vpc_id": VPC, "local_subnets": ["10.0.2.0/24"]})
    assert first["id"] in said["vpc_id"]
    _updated(own, first, {"local_subnets": ["10.0.3.0/24"], "eip_id_2": EIPS[3]})
    assert "vpc_id" in own.refused(PATH, "vpn_gateway", {"vpc_id": VPC, "local_subnets": ["10.0.2.0/24"]})
    own.delete(f"{PATH}/{first['id']}")
    own.gone(f"{PATH}/{first['id']}")
    own.gateway()


def test_what_two_gateways_share_since_before_does_not_stop_an_update(tmp_path: Path):
    """The site file got the network's address when both gateways were there."""
    before = dataclasses.replace(SITE, networks=(model.Network(id=VPC, cidr="10.0.0.0/16"),))
    with service_in(tmp_path / "data", site=before) as running:
        api = running.api()
        one, two = api.gateway(local_subnets=["10.0.1.0/24"]), api.gateway(local_subnets=["10.0.2.0/24"])
        project = api.project_id
    with service_in(tmp_path / "data", site=SITE) as running:
        api = running.api(project)
        for each in (one, two):
            swapped = {"eip_id_1": each["eip2"]["id"], "eip_id_2": each["eip1"]["id"]}
            assert _updated(api, each, swapped)["eip1"]["id"] == each["eip2"]["id"]
            assert _flavor(api, each, "Professional2").status_code == 200
    settings = config.load({"data": str(tmp_path / "data"), "engine": "simulated"}, {})
    assert data_folder.check_data(settings)[0] == []


def test_a_local_subnet_outside_the_network_is_a_warning(open_service: Any):
    site = dataclasses.replace(SITE, networks=(model.Network(id=VPC, cidr="10.0.0.0/24"),))
    own = open_service(site=site).api()
    body = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/25", "10.7.0.0/24"]}
    said = "{}: {} is not in 10.0.0.0/24, which is all that the gateway reaches of its network"
    made = own.send("POST", "vpn-gateways", {"vpn_gateway": body})
    assert made.headers["Landbridge-Warnings"] == said.format("local_subnets[1]", "10.7.0.0/24")
    gateway = own.gateway()
    assert "Landbridge-Warnings" not in _put(own, gateway, {"local_subnets": ["10.0.0.0/25"]}).headers
    answer = _put(own, gateway, {"local_subnets": ["10.8.0.0/24"]})
    assert answer.headers["Landbridge-Warnings"] == said.format("local_subnets[0]", "10.8.0.0/24")
    assert "Landbridge-Warnings" not in _put(own, gateway, {"local_subnets": ["10.8.0.0/24"], "name": "n"}).headers


def test_derived_rules_follow_the_local_subnets(own: Any):
    gateway = own.gateway()
    derived = own.connection(gateway, style="policy")
    rules = [{"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}]
    given = own.connection(gateway, style="policy", policy_rules=rules)
    static = own.connection(gateway)
    before = {one["id"]: own.connection_as(one["id"], "ACTIVE") for one in (derived, given, static)}
    _updated(own, gateway, {"local_subnets": ["10.9.0.0/24", "10.0.0.0/24"]})
    after = {each: own.get(f"vpn-connection/{each}")["vpn_connection"] for each in before}
    assert [(rule["rule_index"], rule["source"]) for rule in after[derived["id"]]["policy_rules"]] == [
        (2, "10.9.0.0/24"),
        (1, "10.0.0.0/24"),
    ]
    assert after[derived["id"]]["updated_at"] > before[derived["id"]]["updated_at"]
    for one in (given, static):
        changed = {name for name in after[one["id"]] if after[one["id"]][name] != before[one["id"]][name]}
        assert changed <= {"status"}


def test_a_local_subnet_without_a_rule_is_a_warning(own: Any):
    gateway = own.gateway()
    rules = [{"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}]
    given = own.connection(gateway, style="policy", policy_rules=rules)
    answer = _put(own, gateway, {"local_subnets": ["10.0.0.0/24", "10.9.0.0/24"]})
    assert answer.headers["Landbridge-Warnings"].startswith(
        f"local_subnets[1]: no policy rule of connection {given['id']} has 10.9.0.0/24 in its source"
    )
    assert "Landbridge-Warnings" not in _put(own, gateway, {"name": "other"}).headers


def test_more_local_subnets_than_rules_can_be_derived_of_are_refused(own: Any):
    gateway = own.gateway()
    derived = own.connection(gateway, style="policy")
    subnets = [f"10.{n}.0.0/24" for n in range(6)]
    (message,) = _refused(own, gateway, {"local_subnets": subnets}).values()
    assert message.startswith(
        f"connection {derived['id']} has a policy rule for each local subnet, and 6 would be too many"
    )
    _updated(own, gateway, {"local_subnets": subnets[:5]})
