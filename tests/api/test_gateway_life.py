"""VPN gateways from create to 404: statuses, endpoints, who may not go."""

import uuid
from typing import Any

import pytest

from landbridge import model, site_file

PATH = "vpn-gateways"
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
EIPS = tuple(str(uuid.UUID(int=n + 1)) for n in range(3))
SMALL_SITE = model.Site(
    eips=tuple(model.Eip(id=eip, address=f"203.0.113.{n + 1}") for n, eip in enumerate(EIPS)),
    networks=(),
    zones=("zone-1", "zone-2"),
    any_network=True,
)


def _body(**fields: Any) -> dict[str, Any]:
    body = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]} | fields
    return {name: value for name, value in body.items() if value is not None}


def _endpoints(gateway: Any) -> tuple[str, str]:
    return gateway["eip1"]["id"], gateway["eip2"]["id"]


def test_a_gateway_is_pending_then_active(api: Any):
    answer = api.send("POST", PATH, {"vpn_gateway": _body(name="gw-1")})
    made = answer.json()["vpn_gateway"]
    assert (answer.status_code, made["name"]) == (201, "gw-1")
    assert not {"status", "eip1", "created_at", "availability_zone_ids"} & set(made)
    shown = api.gateway_as(made["id"], "ACTIVE")
    assert {name: shown[name] for name in made} == made
    assert api.get(PATH)["vpn_gateways"] == [shown]


def test_a_gateway_without_an_engine_stays_pending(open_service: Any):
    service = open_service()
    service.agent.stop()
    api = service.api()
    made = api.create(PATH, "vpn_gateway", _body())
    assert api.get(f"{PATH}/{made['id']}")["vpn_gateway"]["status"] == "PENDING_CREATE"
    said = api.refused(
        "vpn-connection", "vpn_connection", api.connection_body(api.get(PATH)["vpn_gateways"][0], {"id": VPC})
    )
    assert "PENDING_CREATE" in said["vgw_id"]
    api.delete(f"{PATH}/{made['id']}")
    assert api.get(f"{PATH}/{made['id']}")["vpn_gateway"]["status"] == "PENDING_DELETE"
    api.delete(f"{PATH}/{made['id']}")
    assert api.get(f"{PATH}/{made['id']}")["vpn_gateway"]["status"] == "PENDING_DELETE"


def test_defaults_are_those_of_the_api(api: Any):
    shown = api.gateway()
    expected = {
        "network_type": "public",
        "attachment_type": "vpc",
        "ip_version": "ipv4",
        "bgp_asn": 64512,
        "flavor": "Professional1",
        "ha_mode": "active-active",
        "enterprise_project_id": "0",
        "used_connection_number": 0,
        "used_connection_group": 0,
        "local_subnets": ["10.0.0.0/24"],
        "availability_zone_ids": ["zone-1", "zone-2"],
    }
    assert {name: shown[name] for name in expected} == expected


def test_the_older_names_of_the_eips_stand_beside_the_new_ones(api: Any):
    shown = api.gateway()
    assert (shown["master_eip"], shown["slave_eip"]) == (shown["eip1"], shown["eip2"])
    assert shown["eip1"]["ip_address"] != shown["eip2"]["ip_address"]


def test_a_deleted_gateway_becomes_404_and_frees_its_eips(open_service: Any):
    api = open_service(site=SMALL_SITE).api()
    first = api.gateway(eip1={"id": EIPS[2]}, eip2={"id": EIPS[0]})
    assert _endpoints(first) == (EIPS[2], EIPS[0])
    assert "eip2" in api.refused(PATH, "vpn_gateway", _body())
    api.delete(f"{PATH}/{first['id']}")
    api.gone(f"{PATH}/{first['id']}")
    assert api.get(PATH)["vpn_gateways"] == []
    assert set(_endpoints(api.gateway())) < set(EIPS)


@pytest.mark.parametrize(("one", "two"), [("eip1", "eip2"), ("master_eip", "slave_eip")])
def test_eips_are_taken_by_id_under_both_names(open_service: Any, one: str, two: str):
    api = open_service(site=SMALL_SITE).api()
    sizes = {"bandwidth_size": 7, "bandwidth_name": "narrow", "charge_mode": "traffic", "type": "5_bgp"}
    shown = api.gateway(**{one: {"id": EIPS[1].upper()} | sizes, two: {"id": EIPS[0]}})
    assert _endpoints(shown) == (EIPS[1], EIPS[0])
    assert {name: shown["eip1"][name] for name in sizes} == sizes
    assert shown["eip1"]["ip_address"] == "203.0.113.2"


def test_an_eip_is_never_used_twice(open_service: Any):
    api = open_service(site=SMALL_SITE).api()
    said = api.refused(PATH, "vpn_gateway", _body(eip1={"id": EIPS[0]}, eip2={"id": EIPS[0]}))
    assert set(said) == {"eip2.id"}
    first = api.gateway()
    taken = first["eip1"]["id"]
    said = api.refused(PATH, "vpn_gateway", _body(eip1={"id": taken}))
    assert taken in said["eip1.id"]
    assert first["id"] in said["eip1.id"]


def test_an_eip_that_the_site_does_not_have_is_refused(api: Any):
    assert set(api.refused(PATH, "vpn_gateway", _body(eip1={"id": str(uuid.UUID(int=99))}))) == {"eip1.id"}


def test_another_projects_gateway_is_not_named_when_its_eip_is_asked_for(open_service: Any):
    service = open_service(site=SMALL_SITE)
    theirs = service.api().gateway()
    said = service.api().refused(PATH, "vpn_gateway", _body(eip1={"id": theirs["eip1"]["id"]}))
    assert theirs["id"] not in str(said)


def test_a_private_gateway_has_addresses_and_no_eips(api: Any):
    fields = {"access_private_ip_1": "198.19.240.9", "access_private_ip_2": "198.19.240.10", "network_type": "private"}
    shown = api.gateway(**fields)
    assert {name: shown[name] for name in fields} == fields
    assert not {"eip1", "eip2", "master_eip", "slave_eip"} & set(shown)
    made = api.connection(shown, vgw_ip="198.19.240.10", ha_role="slave")
    assert (made["vgw_ip"], made["ikepolicy"]["local_id"]) == ("198.19.240.10", "198.19.240.10")
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    api.delete(f"{PATH}/{shown['id']}")
    api.gone(f"{PATH}/{shown['id']}")
    assert api.gateway(**fields)["access_private_ip_1"] == "198.19.240.9"


def test_a_gateway_with_a_connection_is_refused_by_its_id(api: Any):
    gateway = api.gateway()
    made = api.connection(gateway)
    answer = api.send("DELETE", f"{PATH}/{gateway['id']}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert made["id"] in answer.json()["error_msg"]
    shown = api.get(f"{PATH}/{gateway['id']}")["vpn_gateway"]
    assert (shown["status"], shown["used_connection_number"], shown["used_connection_group"]) == ("ACTIVE", 1, 1)
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    api.delete(f"{PATH}/{gateway['id']}")
    api.gone(f"{PATH}/{gateway['id']}")


def test_a_second_delete_of_a_gone_gateway_is_404(api: Any):
    gateway = api.gateway()
    api.delete(f"{PATH}/{gateway['id']}")
    api.gone(f"{PATH}/{gateway['id']}")
    assert api.send("DELETE", f"{PATH}/{gateway['id']}").status_code == 404


def test_a_connection_on_a_gateway_that_is_going_is_refused(open_service: Any):
    service = open_service()
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    service.agent.stop()
    api.delete(f"{PATH}/{gateway['id']}")
    said = api.refused("vpn-connection", "vpn_connection", api.connection_body(gateway, peer))
    assert "PENDING_DELETE" in said["vgw_id"]


def test_the_list_is_never_cut_and_keeps_the_order_of_creation(api: Any):
    made = [api.create(PATH, "vpn_gateway", _body(name=f"gw-{n}"))["id"] for n in range(12)]
    answer = api.get(f"{PATH}?limit=2&marker=1")
    assert [each["id"] for each in answer["vpn_gateways"]] == made
    assert set(answer) == {"vpn_gateways", "request_id"}


def test_a_gm_gateway_has_no_connections_without_certificates(api: Any):
    gateway, peer = api.gateway(flavor="GM"), api.customer_gateway()
    assert gateway["flavor"] == "GM"
    assert {"vgw_id", "cgw_id"} == set(
        api.refused("vpn-connection", "vpn_connection", api.connection_body(gateway, peer))
    )


def test_the_limit_of_connections_is_held(open_service: Any):
    api = open_service(connections_per_gateway=2).api()
    gateway = api.gateway()
    assert gateway["connection_number"] == 2
    first = api.connection(gateway)
    api.connection(gateway)
    said = api.refused("vpn-connection", "vpn_connection", api.connection_body(gateway, api.customer_gateway()))
    assert "at most 2" in said["vgw_id"]
    api.delete(f"vpn-connection/{first['id']}")
    api.gone(f"vpn-connection/{first['id']}")
    api.connection(gateway)


def test_the_default_site_has_enough_eips_for_everybody_and_then_says_so(open_service: Any):
    site = site_file.default()
    assert len(site.eips) > 700
    few = model.Site(eips=site.eips[:4], networks=(), zones=site.zones, any_network=True)
    api = open_service(site=few).api()
    used = [eip for _ in range(2) for eip in _endpoints(api.gateway())]
    assert len(set(used)) == 4
    assert "0 free ones are left for this project" in api.refused(PATH, "vpn_gateway", _body())["eip1"]
