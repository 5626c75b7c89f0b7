"""Connection monitors: one for a connection, ACTIVE when the engine probes, gone at once, and gone with its connection."""

import json
from typing import Any

import pytest

PATH = "connection-monitors"


def _create(api: Any, connection_id: str) -> Any:
    return api.create(PATH, "connection_monitor", {"vpn_connection_id": connection_id})


def _shown(api: Any, connection: Any) -> Any:
    return api.get(f"vpn-connection/{connection['id']}")["vpn_connection"]


@pytest.mark.parametrize("endpoint", ["eip1", "eip2"])
@pytest.mark.parametrize("style", ["static", "policy", "bgp"])
def test_a_monitor_is_there_at_once_and_active_when_the_engine_probes(api: Any, style: str, endpoint: str):
    gateway, peer = api.gateway(), api.customer_gateway()
    connection = api.connection(gateway, peer, style=style, vgw_ip=gateway[endpoint]["id"])
    made = _create(api, connection["id"])
    assert made == {
        "id": made["id"],
        "vpn_connection_id": connection["id"],
        "type": "gateway",
        "source_ip": gateway[endpoint]["ip_address"],
        "destination_ip": peer["id_value"],
        "proto_type": "icmp",
    }
    path = f"{PATH}/{made['id'].upper()}"
    assert api.get(path)["connection_monitor"]["status"] in ("PENDING_CREATE", "ACTIVE")
    assert api.seen(path, "connection_monitor", "ACTIVE") == made | {"status": "ACTIVE"}
    assert _shown(api, connection)["connection_monitor_id"] == made["id"]


def test_a_monitor_that_no_engine_takes_up_stays_pending(service: Any):
    api = service.api()
    connection = api.connection(api.gateway())
    service.agent.stop()
    made = _create(api, connection["id"])
    assert api.get(f"{PATH}/{made['id']}")["connection_monitor"] == made | {"status": "PENDING_CREATE"}
    assert [one["status"] for one in api.get(PATH)["connection_monitors"]] == ["PENDING_CREATE"]


def test_what_the_echoes_say_is_in_the_diagnosis(api: Any):
    connection = api.connection(api.gateway(), api.customer_gateway(), enable_nqa=True, enable_health_check=True)
    api.connection_as(connection["id"], "ACTIVE")
    found = api.diagnosis(connection["id"])
    assert (found["nqa"]["source_ip"], found["nqa"]["state"]) == (
        connection["tunnel_local_address"].split("/")[0],
        "up",
    )
    assert (found["monitor"]["state"], found["monitor"]["lost"]) == ("up", 0)


def test_the_monitor_of_a_device_without_an_address_has_no_destination(api: Any):
    peer = api.customer_gateway(id_type="fqdn", id_value="branch.example")
    connection = api.connection(api.gateway(), peer, enable_health_check=True)
    (listed,) = api.get(PATH)["connection_monitors"]
    assert (listed["id"], "destination_ip" in listed) == (connection["connection_monitor_id"], False)


def test_a_second_monitor_is_refused_with_the_published_code(api: Any):
    connection = api.connection(api.gateway(), enable_health_check=True)
    answer = api.send("POST", PATH, {"connection_monitor": {"vpn_connection_id": connection["id"]}})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0381")
    assert f"VPN connection {connection['id']} already has connection monitor" in answer.json()["error_msg"]


def test_a_health_check_of_a_create_is_a_monitor(api: Any):
    connection = api.connection(api.gateway(), enable_health_check=True)
    (listed,) = api.get(PATH)["connection_monitors"]
    assert listed["id"] == connection["connection_monitor_id"]
    assert listed["vpn_connection_id"] == connection["id"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="absent"),
        pytest.param({"vpn_connection_id": 7}, id="shape"),
        pytest.param({"vpn_connection_id": "x"}, id="no-id"),
        pytest.param({"vpn_connection_id": "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"}, id="unknown"),
    ],
)
def test_a_wrong_request_names_its_field(api: Any, body: Any):
    assert set(api.refused(PATH, "connection_monitor", body)) == {"vpn_connection_id"}


def test_a_style_without_a_device_of_its_own_takes_none(api: Any):
    connection = api.connection(api.gateway(), style="policy-template")
    found = api.refused(PATH, "connection_monitor", {"vpn_connection_id": connection["id"]})
    assert "has no device of its own" in found["vpn_connection_id"]


def test_a_deleted_monitor_is_404_at_once_and_may_come_again(api: Any):
    connection = api.connection(api.gateway())
    made = _create(api, connection["id"])
    api.delete(f"{PATH}/{made['id']}")
    assert api.send("GET", f"{PATH}/{made['id']}").status_code == 404
    assert api.send("DELETE", f"{PATH}/{made['id']}").status_code == 404
    assert "connection_monitor_id" not in _shown(api, connection)
    assert _create(api, connection["id"])["id"] != made["id"]


def test_it_goes_with_its_connection_and_a_deleting_one_takes_none(service: Any):
    api = service.api()
    connection = api.connection(api.gateway(), enable_health_check=True)
    service.agent.stop()  # so that it stays PENDING_DELETE
    api.delete(f"vpn-connection/{connection['id']}")
    assert api.get(PATH)["connection_monitors"] == []
    assert api.send("GET", f"{PATH}/{connection['connection_monitor_id']}").status_code == 404
    shown = _shown(api, connection)
    assert (shown["status"], "connection_monitor_id" in shown) == ("PENDING_DELETE", False)
    found = api.refused(PATH, "connection_monitor", {"vpn_connection_id": connection["id"]})
    assert "is being deleted" in found["vpn_connection_id"]


def test_a_list_is_whole_in_the_order_of_creation_and_filtered(api: Any):
    gateway = api.gateway(enterprise_project_id="0f0f0f0f-0000-4000-8000-000000000001")
    plain = api.gateway()
    connections = [api.connection(gateway), api.connection(plain), api.connection(gateway)]
    made = [_create(api, each["id"])["id"] for each in reversed(connections)]

    def listed(query: str = "") -> list[str]:
        answer = api.get(PATH + query)
        assert [name for name, value in answer.items() if isinstance(value, list)] == ["connection_monitors"]
        return [each["id"] for each in answer["connection_monitors"]]

    assert listed() == made
    assert listed(f"?vpn_connection_id={connections[1]['id']}") == [made[1]]
    assert listed("?vpn_connection_id=98c5af8a-6ee2-4482-99a2-ae2280a6f4c3") == []
    assert listed("?enterprise_project_id=0") == [made[1]]
    assert listed("?enterprise_project_id=0F0F0F0F-0000-4000-8000-000000000001") == [made[0], made[2]]
    assert listed("?enterprise_project_id=0&enterprise_project_id=0f0f0f0f-0000-4000-8000-000000000001") == made
    assert api.send("GET", f"{PATH}?vpn_connection_id=x").status_code == 400


def test_another_project_sees_none_of_it(api: Any, shared_service: Any):
    connection = api.connection(api.gateway())
    made = _create(api, connection["id"])
    other = shared_service.api()
    assert other.get(PATH)["connection_monitors"] == []
    assert other.send("GET", f"{PATH}/{made['id']}").status_code == 404
    assert other.send("DELETE", f"{PATH}/{made['id']}").status_code == 404
    assert set(other.refused(PATH, "connection_monitor", {"vpn_connection_id": connection["id"]})) == {
        "vpn_connection_id"
    }


def test_a_token_repeats_the_first_answer(api: Any):
    connection = api.connection(api.gateway())
    body = {"connection_monitor": {"vpn_connection_id": connection["id"]}}
    first, second = (api.send("POST", PATH, body, X_Client_Token="t") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["connection_monitor"] == second.json()["connection_monitor"]


def test_of_many_that_create_one_at_once_one_does(api: Any):
    connection = api.connection(api.gateway())
    body = json.dumps({"connection_monitor": {"vpn_connection_id": connection["id"]}}).encode()
    answers = api.http.at_once(
        "POST",
        f"/v5/{api.project_id}/{PATH}",
        contents=[body] * 10,
        headers={"X-Auth-Token": api.key.token.reveal()},
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 9
    (listed,) = api.get(PATH)["connection_monitors"]
    assert _shown(api, connection)["connection_monitor_id"] == listed["id"]
