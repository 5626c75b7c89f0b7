"""Connections from create to 404: statuses, diagnoses on demand, lists and pages."""

from typing import Any

import pytest

PATH = "vpn-connection"


def test_a_connection_is_pending_until_the_engine_has_it(open_service: Any):
    service = open_service()
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    service.agent.stop()
    made = api.connection(gateway, peer)
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"]["status"] == "PENDING_CREATE"
    assert "waiting for the engine" in api.diagnosis(made["id"])["reason"]
    api.delete(f"{PATH}/{made['id']}")
    api.delete(f"{PATH}/{made['id']}")
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    assert shown["status"] == "PENDING_DELETE"
    listed = api.get(PATH)
    assert (listed["total_count"], [each["id"] for each in listed["vpn_connections"]]) == (1, [made["id"]])
    said = api.refused(PATH, "vpn_connection", api.connection_body(gateway, peer))
    assert "still being deleted" in said["cgw_id"]


def test_statuses_come_in_the_order_that_clients_wait_for(api: Any):
    made = api.connection(api.gateway())
    seen: list[str] = []
    while seen[-1:] != ["ACTIVE"]:
        status = api.get(f"{PATH}/{made['id']}")["vpn_connection"]["status"]
        seen += [status] if seen[-1:] != [status] else []
    order = ["PENDING_CREATE", "DOWN", "ACTIVE"]
    assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)


def test_an_active_connection_has_sas_and_no_reason(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    said = api.diagnosis(made["id"])
    assert said["status"] == "ACTIVE"
    assert "reason" not in said
    assert said["ike_established"] is True
    assert len(said["sas"]) == 1


@pytest.mark.parametrize(
    ("wish", "status", "word"),
    [
        pytest.param("down", "DOWN", "does not answer", id="down"),
        pytest.param("down:psk", "DOWN", "pre-shared keys", id="psk"),
        pytest.param("down:proposal", "DOWN", "phase 1 proposal", id="proposal"),
        pytest.param("down:selectors", "DOWN", "subnets", id="selectors"),
        pytest.param("error", "ERROR", "asked to refuse", id="error"),
    ],
)
def test_a_wish_gives_the_status_and_its_diagnosis(api: Any, until: Any, wish: str, status: str, word: str):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    assert api.simulate(made["id"], wish).status_code == 204
    until(lambda: word in api.diagnosis(made["id"]).get("reason", ""), f"a reason with {word!r}")
    assert api.diagnosis(made["id"])["status"] == status
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"]["status"] == status
    assert api.simulate(made["id"], "active").status_code == 204
    api.connection_as(made["id"], "ACTIVE")


@pytest.mark.parametrize("absent", [None, "active"])
def test_a_wish_is_taken_back(api: Any, absent: str | None):
    made = api.connection(api.gateway())
    api.simulate(made["id"], "error")
    api.connection_as(made["id"], "ERROR")
    api.simulate(made["id"], absent)
    api.connection_as(made["id"], "ACTIVE")


@pytest.mark.parametrize("wish", ["up", "", "down:", "ACTIVE"])
def test_a_wish_that_is_none_is_refused(api: Any, wish: str):
    made = api.connection(api.gateway())
    answer = api.simulate(made["id"], wish)
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["details"]] == ["state"]


def test_a_wish_of_the_wrong_shape_is_refused(api: Any):
    made = api.connection(api.gateway())
    path = f"/landbridge/v1/{api.project_id}/simulate/vpn-connections/{made['id']}"
    assert api.send("POST", path, {"simulate": {"state": 7}}).status_code == 400
    assert api.send("POST", path, {"simulate": "down"}).status_code == 400


def test_a_device_without_an_address_is_waited_for(api: Any):
    peer = api.customer_gateway(id_type="fqdn", id_value="branch.example")
    made = api.connection(api.gateway(), peer)
    assert (made["ikepolicy"]["peer_id_type"], made["ikepolicy"]["peer_id"]) == ("fqdn", "branch.example")
    api.connection_as(made["id"], "DOWN")
    assert "waiting for the device" in api.diagnosis(made["id"])["reason"]


@pytest.mark.parametrize("style", ["static", "policy", "bgp"])
def test_every_style_comes_up_and_answers_in_upper_case(api: Any, style: str):
    made = api.connection(api.gateway(), style=style)
    assert made["style"] == style.upper()
    assert api.connection_as(made["id"], "ACTIVE")["style"] == style.upper()


def test_a_policy_template_waits_for_its_device_at_any_address(api: Any):
    made = api.connection(api.gateway(), style="policy-template")
    assert api.connection_as(made["id"], "DOWN")["style"] == "POLICY-TEMPLATE"
    assert api.diagnosis(made["id"])["causes"][0]["code"] == "waiting_for_device"
    api.simulate(made["id"], "active")
    api.connection_as(made["id"], "ACTIVE")


def test_a_deleted_connection_is_404_and_its_place_is_free(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    made = api.connection(gateway, peer, tunnel_local_address="169.254.76.1/30")
    api.connection_as(made["id"], "ACTIVE")
    api.delete(f"{PATH}/{made['id']}")
    api.gone(f"{PATH}/{made['id']}")
    assert api.send("DELETE", f"{PATH}/{made['id']}").status_code == 404
    assert api.send("GET", f"/landbridge/v1/{api.project_id}/vpn-connections/{made['id']}/diagnosis").status_code == 404
    assert api.get(PATH)["total_count"] == 0
    again = api.connection(gateway, peer, tunnel_local_address="169.254.76.1/30")
    assert again["id"] != made["id"]


def test_other_connections_keep_their_sas_when_one_comes_or_goes(api: Any):
    gateway = api.gateway()
    kept = api.connection(gateway)
    api.connection_as(kept["id"], "ACTIVE")
    spi = api.diagnosis(kept["id"])["sas"][0]["spi_in"]
    other = api.connection(gateway)
    api.connection_as(other["id"], "ACTIVE")
    api.delete(f"{PATH}/{other['id']}")
    api.gone(f"{PATH}/{other['id']}")
    assert api.diagnosis(kept["id"])["sas"][0]["spi_in"] == spi


def test_a_redundant_pair_is_allowed(api: Any):
    gateway = api.gateway()
    one, two = api.customer_gateway(), api.customer_gateway()
    for peer in (one, two):
        for number in (1, 2):
            api.connection(gateway, peer, vgw_ip=gateway[f"eip{number}"]["id"])
    shown = api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]
    assert (shown["used_connection_number"], shown["used_connection_group"]) == (4, 2)


def test_what_is_sent_in_order_comes_back_in_order(api: Any):
    subnets = ["192.168.9.0/24", "192.168.1.0/24", "172.16.0.0/16", "192.168.5.0/24"]
    rules = [
        {"rule_index": 9, "source": "10.9.0.0/24", "destination": subnets[:3]},
        {"rule_index": 2, "source": "10.1.0.0/24", "destination": subnets[::-1]},
    ]
    tags = [{"key": "z", "value": "1"}, {"key": "a", "value": ""}]
    made = api.connection(api.gateway(), style="policy", peer_subnets=subnets, policy_rules=rules, tags=tags)
    for found in (made, api.get(f"{PATH}/{made['id']}")["vpn_connection"], api.get(PATH)["vpn_connections"][0]):
        assert (found["peer_subnets"], found["policy_rules"], found["tags"]) == (subnets, rules, tags)


# -- lists ------------------------------------------------------------------------------------------------------------


def _pages(api: Any, limit: int, query: str = "") -> list[list[str]]:
    pages, marker = [], ""
    while True:
        page = api.get(f"{PATH}?limit={limit}&marker={marker}{query}")
        pages.append([each["id"] for each in page["vpn_connections"]])
        assert page["page_info"]["current_count"] == len(pages[-1])
        marker = page["page_info"].get("next_marker")
        if marker is None:
            return pages


def test_pages_follow_each_other_in_the_order_of_creation(api: Any):
    gateway = api.gateway()
    made = [api.connection(gateway)["id"] for _ in range(6)]
    assert _pages(api, 4) == [made[:4], made[4:]]
    assert _pages(api, 3) == [made[:3], made[3:]]
    assert _pages(api, 1) == [[each] for each in made]
    assert _pages(api, 2000) == [made]
    assert api.get(f"{PATH}?limit=1")["total_count"] == 6


def test_a_deletion_between_two_pages_loses_no_other(api: Any):
    gateway = api.gateway()
    made = [api.connection(gateway)["id"] for _ in range(5)]
    first = api.get(f"{PATH}?limit=2")
    marker = first["page_info"]["next_marker"]
    for gone in (made[0], made[1], made[2]):
        api.delete(f"{PATH}/{gone}")
        api.gone(f"{PATH}/{gone}")
    second = api.get(f"{PATH}?limit=2&marker={marker}")
    assert [each["id"] for each in second["vpn_connections"]] == made[3:]
    assert second["total_count"] == 2
    late = api.connection(gateway)["id"]
    third = api.get(f"{PATH}?marker={marker}")
    assert [each["id"] for each in third["vpn_connections"]] == [*made[3:], late]


def test_a_list_can_be_of_one_gateway(api: Any):
    one, two = api.gateway(), api.gateway()
    made = {each["id"]: [api.connection(each)["id"] for _ in range(3)] for each in (one, two)}
    for gateway in (one, two):
        found = api.get(f"{PATH}?vgw_id={gateway['id'].upper()}")
        assert [each["id"] for each in found["vpn_connections"]] == made[gateway["id"]]
        assert found["total_count"] == 3
        assert _pages(api, 2, f"&vgw_id={gateway['id']}") == [made[gateway["id"]][:2], made[gateway["id"]][2:]]
    nobody = api.get(f"{PATH}?vgw_id=00000000-0000-0000-0000-000000000000")
    assert (nobody["vpn_connections"], nobody["total_count"]) == ([], 0)


@pytest.mark.parametrize("path", [PATH, "customer-gateways", "vpn-gateways"])
def test_a_list_has_exactly_one_array_at_its_top(api: Any, path: str):
    api.connection(api.gateway())
    answer = api.get(path)
    assert len([value for value in answer.values() if isinstance(value, list)]) == 1


def test_listed_and_shown_are_the_same(api: Any):
    made = api.connection(api.gateway())
    shown = api.connection_as(made["id"], "ACTIVE")
    assert api.get(PATH)["vpn_connections"] == [shown]


def test_a_monitor_is_named_when_a_health_check_is_asked_for(api: Any):
    gateway = api.gateway()
    with_one, without = api.connection(gateway, enable_health_check=True), api.connection(gateway)
    assert api.get(f"{PATH}/{with_one['id']}")["vpn_connection"]["connection_monitor_id"]
    assert "connection_monitor_id" not in without
    api.connection_as(with_one["id"], "ACTIVE")
    assert api.diagnosis(with_one["id"])["monitor"]["destination_ip"].startswith("198.18.")
