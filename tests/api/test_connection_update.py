"""PUT of a connection over HTTP: partial, told at once, seen by the engine where it must be, and lost by nobody."""

import json
import threading
from typing import Any

import pytest

from landbridge.operations import check

PATH = "vpn-connection"


def _put(api: Any, connection_id: str, change: dict[str, Any], **headers: str) -> Any:
    return api.send("PUT", f"{PATH}/{connection_id}", {"vpn_connection": change}, **headers)


def _changed(api: Any, connection_id: str, change: dict[str, Any]) -> Any:
    answer = _put(api, connection_id, change)
    assert answer.status_code == 200, answer.text
    return answer.json()["vpn_connection"]


def _generation(service: Any, connection_id: str) -> int:
    found = service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT generation FROM connection WHERE id = ?", (connection_id,)).fetchone()
    )
    return int(found[0])


def _events(service: Any, connection_id: str) -> list[str]:
    rows = service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT action FROM audit WHERE resource_id = ?", (connection_id,)).fetchall()
    )
    return [action for (action,) in rows]


def test_the_answer_shows_the_new_values_and_so_does_the_next_look(api: Any):
    made = api.connection(api.gateway())
    change = {"peer_subnets": ["192.168.9.0/24", "192.168.1.0/24"], "ikepolicy": {"dpd": {"interval": 60}}}
    told = _changed(api, made["id"], change)
    assert told["peer_subnets"] == change["peer_subnets"]
    assert told["ikepolicy"] == made["ikepolicy"] | {"dpd": made["ikepolicy"]["dpd"] | {"interval": 60}}
    assert told["created_at"] == made["created_at"] < told["updated_at"]
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    assert {name: shown[name] for name in told} == told


def test_a_change_is_pending_until_the_engine_has_it(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    _changed(api, made["id"], {"peer_subnets": ["192.168.9.0/24"]})
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"]["status"] == "PENDING_UPDATE"


def test_a_change_reaches_the_tunnel_and_leaves_the_others_alone(api: Any, until: Any):
    gateway = api.gateway()
    made, other = api.connection(gateway), api.connection(gateway)
    for each in (made, other):
        api.connection_as(each["id"], "ACTIVE")
    spis = [api.diagnosis(each["id"])["sas"][0]["spi_in"] for each in (made, other)]
    _changed(api, made["id"], {"peer_subnets": ["192.168.9.0/24"]})

    def carried() -> Any:
        sas = api.diagnosis(made["id"])["sas"]
        return sas and sas[0]["peer_subnets"] == ["192.168.9.0/24"]

    until(carried, "the new subnet to be carried")
    api.connection_as(made["id"], "ACTIVE")
    assert api.diagnosis(made["id"])["sas"][0]["spi_in"] != spis[0]
    assert api.diagnosis(other["id"])["sas"][0]["spi_in"] == spis[1]


def test_what_changes_nothing_leaves_no_trace(shared_service: Any):
    api = shared_service.api()
    made = api.connection(api.gateway())
    shown = api.connection_as(made["id"], "ACTIVE")
    before = _generation(shared_service, made["id"])
    for change in ({}, shown, {"psk": "Correct-Horse-7"}, {"name": made["name"], "ipsecpolicy": made["ipsecpolicy"]}):
        assert _changed(api, made["id"], change)["updated_at"] == made["updated_at"]
    assert _generation(shared_service, made["id"]) == before
    assert _events(shared_service, made["id"]) == ["create_vpn_connection"]
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"] == shown


def test_a_new_name_is_told_and_moves_no_tunnel(shared_service: Any):
    api = shared_service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    before = _generation(shared_service, made["id"])
    assert _changed(api, made["id"], {"name": "renamed"})["name"] == "renamed"
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"]["status"] == "ACTIVE"
    assert _generation(shared_service, made["id"]) == before
    assert _events(shared_service, made["id"]) == ["create_vpn_connection", "update_vpn_connection"]


def test_a_new_psk_is_stored_sealed_and_moves(shared_service: Any):
    api = shared_service.api()
    made = api.connection(api.gateway())
    before = _generation(shared_service, made["id"])
    answer = _put(api, made["id"], {"psk": "Another-Horse-8"})
    assert answer.status_code == 200
    assert "Another" not in answer.text
    assert _generation(shared_service, made["id"]) == before + 1
    sealed = shared_service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT psk FROM connection WHERE id = ?", (made["id"],)).fetchone()
    )[0]
    assert shared_service.data.vault.open(sealed, made["id"]) == b"Another-Horse-8"


@pytest.mark.parametrize(
    ("how", "change", "resets"),
    [
        pytest.param("", {"psk": "Another-Horse-8"}, 0, id="proved beside the tunnel"),
        pytest.param("?landbridge_psk=prove", {"psk": "Another-Horse-8"}, 0, id="proved, as asked for"),
        pytest.param("?landbridge_psk=replace", {"psk": "Another-Horse-8"}, 1, id="instead of the tunnel"),
        pytest.param("?landbridge_psk=replace", {"name": "other"}, 0, id="no new psk"),
        pytest.param("?landbridge_psk=replace", {"psk": "Correct-Horse-7"}, 0, id="the same psk"),
    ],
)
def test_a_new_psk_ends_the_tunnel_when_that_is_asked_for(
    shared_service: Any, how: str, change: dict[str, Any], resets: int
):
    api = shared_service.api()
    made = api.connection(api.gateway())
    answer = api.send("PUT", f"{PATH}/{made['id']}{how}", {"vpn_connection": change})
    assert answer.status_code == 200, answer.text
    shown = api.send("GET", f"{PATH}/{made['id']}")
    assert answer.headers["etag"] == shown.headers["etag"]
    found = shared_service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT resets FROM connection WHERE id = ?", (made["id"],)).fetchone()
    )
    assert found == (resets,)


def test_another_way_with_a_new_psk_is_refused_by_its_name(api: Any):
    made = api.connection(api.gateway())
    answer = api.send("PUT", f"{PATH}/{made['id']}?landbridge_psk=hide", {"vpn_connection": {"psk": "Another-Horse-8"}})
    assert answer.status_code == 400
    assert "landbridge_psk" in answer.text
    assert "prove" in answer.text


def test_an_update_moves_what_tells_connections_apart(api: Any):
    """The places that it leaves are free, and the ones that it takes are taken."""
    gateway, one, two = api.gateway(), api.customer_gateway(), api.customer_gateway()
    made = api.connection(gateway, one, tunnel_local_address="169.254.76.1/30")
    _changed(api, made["id"], {"cgw_id": two["id"], "tunnel_local_address": "169.254.8.1/30"})
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    assert (shown["cgw_id"], shown["ikepolicy"]["peer_id"]) == (two["id"], two["id_value"])
    said = api.refused(PATH, "vpn_connection", api.connection_body(gateway, two, tunnel_local_address="169.254.8.1/30"))
    assert {"cgw_id", "tunnel_local_address"} == said.keys()
    api.connection(gateway, one, tunnel_local_address="169.254.76.1/30")
    assert api.send("DELETE", f"customer-gateways/{two['id']}").status_code == 400


def test_an_updated_connection_leaves_a_sound_database(service: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway(id_type="fqdn", id_value="branch.example")
    tags = [{"key": "a", "value": "b"}]
    made = api.connection(gateway, tags=tags, enable_health_check=True, tunnel_local_address="169.254.76.1/30")
    change = {"cgw_id": peer["id"], "tunnel_peer_address": "169.254.8.1/30", "psk": "Another-Horse-8", "name": "n"}
    told = _changed(api, made["id"], change)
    assert (told["tags"], told["connection_monitor_id"]) == (tags, made["connection_monitor_id"])
    api.send("POST", f"{PATH}/{made['id']}/reset")
    assert service.data.database.read(lambda tx: [*check.contents(tx, service.data.vault)]) == []


def test_an_update_into_anothers_place_is_refused(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    taken = api.connection(gateway, peer, tunnel_local_address="169.254.76.1/30")
    made = api.connection(gateway)
    answer = _put(api, made["id"], {"cgw_id": peer["id"], "tunnel_local_address": "169.254.76.2/30"})
    assert answer.status_code == 400
    said = {each["field"]: each["message"] for each in answer.json()["details"]}
    assert said.keys() == {"cgw_id", "tunnel_local_address"}
    assert all(taken["id"] in message for message in said.values())


def test_all_violations_of_shape_and_rules_come_in_one_answer(api: Any):
    made = api.connection(api.gateway())
    change = {
        "name": 7,
        "peer_subnets": ["10.0.0.0/24"],
        "vgw_id": made["cgw_id"],
        "ikepolicy": {"dpd": {"timeout": 1}},
    }
    answer = _put(api, made["id"], change)
    assert answer.status_code == 400
    fields = [each["field"] for each in answer.json()["details"]]
    assert sorted(fields) == ["ikepolicy.dpd.timeout", "name", "peer_subnets[0]", "vgw_id"]
    assert answer.json()["error_code"] == "VPN.0001"


def test_weak_choices_of_an_update_are_named_in_a_header(api: Any):
    made = api.connection(api.gateway())
    answer = _put(api, made["id"], {"ikepolicy": {"dh_group": "group2"}})
    assert "ikepolicy.dh_group: group2 is weak" in answer.headers["Landbridge-Warnings"]


def test_what_cannot_be_sent_is_ignored_and_named(api: Any):
    made = api.connection(api.gateway())
    shown = api.connection_as(made["id"], "ACTIVE")
    ignored = _put(api, made["id"], shown).headers["Landbridge-Ignored-Fields"].split(", ")
    assert sorted(ignored) == ["created_at", "enterprise_project_id", "id", "status", "updated_at"]


@pytest.mark.parametrize("connection_id", ["b32d91a4-0c4b-4f57-8f3a-e907174eb11d", "x"])
def test_an_update_of_nothing_is_404(api: Any, connection_id: str):
    answer = _put(api, connection_id, {"name": "n"})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VPN.0004")


def test_another_projects_connection_cannot_be_changed(shared_service: Any, api: Any):
    made = shared_service.api()
    connection = made.connection(made.gateway())
    assert _put(api, connection["id"], {"name": "n"}).status_code == 404


def test_a_reader_cannot_change_anything(shared_service: Any, api: Any):
    made = api.connection(api.gateway())
    reader = shared_service.api(api.project_id, "reader")
    assert _put(reader, made["id"], {"name": "n"}).status_code == 403


def test_what_is_being_deleted_takes_no_change(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    api.delete(f"{PATH}/{made['id']}")
    answer = _put(api, made["id"], {"name": "n"})
    assert answer.status_code == 425
    assert answer.json()["error_code"] == "VPN.0009"
    assert answer.json()["error_msg"] == f"VPN connection {made['id']} is being deleted"


# -- versions ---------------------------------------------------------------------------------------------------------


def test_a_version_is_told_and_can_be_asked_for(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    first = api.send("GET", f"{PATH}/{made['id']}").headers["ETag"]
    answer = _put(api, made["id"], {"name": "one"}, If_Match=first)
    assert answer.status_code == 200
    second = answer.headers["ETag"]
    assert second == api.send("GET", f"{PATH}/{made['id']}").headers["ETag"] != first
    late = _put(api, made["id"], {"name": "two"}, If_Match=first)
    assert (late.status_code, late.json()["error_code"]) == (412, "VPN.0001")
    assert second in late.json()["error_msg"]
    assert late.json()["request_id"] == late.headers["X-Request-Id"]
    assert api.get(f"{PATH}/{made['id']}")["vpn_connection"]["name"] == "one"
    for fitting in ("*", f'"0-0", {second}'):
        assert _put(api, made["id"], {"name": "one"}, If_Match=fitting).status_code == 200


def test_no_two_updates_make_the_same_version(api: Any):
    made = api.connection(api.gateway())
    seen = {_put(api, made["id"], {"name": f"n{number}"}).headers["ETag"] for number in range(20)}
    assert len(seen) == 20


def test_of_many_writers_of_different_fields_none_is_lost(api: Any):
    made = api.connection(api.gateway(), style="static")
    changes = [
        {"name": "many"},
        {"peer_subnets": ["192.168.9.0/24"]},
        {"enable_nqa": True},
        {"enable_hub": True},
        {"psk": "Another-Horse-8"},
        {"tunnel_local_address": "169.254.8.1/30"},
        {"ikepolicy": {"lifetime_seconds": 7200}},
        {"ikepolicy": {"dh_group": "group16"}},
        {"ikepolicy": {"dpd": {"interval": 60}}},
        {"ikepolicy": {"dpd": {"timeout": 5}}},
        {"ipsecpolicy": {"lifetime_seconds": 600}},
        {"ipsecpolicy": {"pfs": "disable"}},
    ]
    contents = [json.dumps({"vpn_connection": change}).encode() for change in changes * 4]
    token = {"X-Auth-Token": api.key.token.reveal()}
    url = f"/v5/{api.project_id}/{PATH}/{made['id']}"
    answers = api.http.at_once("PUT", url, contents=contents, headers=token)
    assert [answer.status_code for answer in answers] == [200] * len(contents)
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    for change in changes:
        for name, value in change.items():
            if name != "psk":
                assert _holds(shown[name], value), (name, value, shown[name])


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return all(_holds(found[name], value) for name, value in wanted.items())
    return bool(found == wanted)


def test_of_many_writers_that_read_before_each_counts_once(api: Any):
    """Each adds one subnet to the list that it read, and tries again when somebody was quicker."""
    made = api.connection(api.gateway(), peer_subnets=["192.168.0.0/24"])
    path = f"{PATH}/{made['id']}"
    refused: list[int] = []

    def add(number: int) -> None:
        while True:
            read = api.send("GET", path)
            subnets = [*read.json()["vpn_connection"]["peer_subnets"], f"192.168.{number}.0/24"]
            answer = _put(api, made["id"], {"peer_subnets": subnets}, If_Match=read.headers["ETag"])
            if answer.status_code == 200:
                return
            refused.append(answer.status_code)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = api.get(path)["vpn_connection"]["peer_subnets"]
    assert sorted(found) == sorted(f"192.168.{number}.0/24" for number in range(25))
    assert set(refused) <= {412}
