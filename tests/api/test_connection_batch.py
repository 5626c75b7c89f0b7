"""Several connections at once: all or none, and every violation by its index."""

from typing import Any

import pytest

from landbridge.operations import check

PATH = "vpn-connections/batch-create"


def _send(api: Any, bodies: Any, **headers: str) -> Any:
    return api.send("POST", PATH, {"vpn_connections": bodies}, **headers)


def _refused(api: Any, bodies: Any) -> dict[str, str]:
    answer = _send(api, bodies)
    assert answer.status_code == 400, answer.text
    assert api.get("vpn-connection")["total_count"] == 0
    return {each["field"]: each["message"] for each in answer.json()["details"]}


def test_all_are_made_in_their_order_and_come_up(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    bodies = [api.connection_body(gateway, peer, vgw_ip=gateway[f"eip{n}"]["id"], name=f"n{n}") for n in (1, 2)]
    answer = _send(api, bodies)
    assert answer.status_code == 201
    made = answer.json()["vpn_connections"]
    assert [each["name"] for each in made] == ["n1", "n2"]
    assert answer.json().keys() == {"vpn_connections", "request_id"}
    assert "status" not in made[0]
    for each in made:
        shown = api.connection_as(each["id"], "ACTIVE")
        assert {name: shown[name] for name in each} == each
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["used_connection_number"] == 2


def test_what_is_drawn_for_one_is_not_drawn_for_another(shared_service: Any):
    api = shared_service.api()
    gateway = api.gateway()
    bodies = [api.connection_body(gateway, api.customer_gateway()) for _ in range(50)]
    made = _send(api, bodies).json()["vpn_connections"]
    ids = [each["id"] for each in made]
    rows = shared_service.data.database.read(
        lambda tx: tx.cursor.execute(
            "SELECT id, if_id, tunnel_block FROM connection"
            " WHERE gateway_seq = (SELECT seq FROM vpn_gateway WHERE id = ?) ORDER BY seq",
            (gateway["id"],),
        ).fetchall()
    )
    assert [row[0] for row in rows] == ids
    assert [len({row[column] for row in rows}) for column in (1, 2)] == [50, 50]


def test_violations_are_named_by_their_index_and_nothing_is_made(api: Any):
    gateway = api.gateway()
    sound = api.connection_body(gateway, api.customer_gateway())
    bodies = [
        sound,
        api.connection_body(gateway, api.customer_gateway(), peer_subnets=["10.0.0.0/24"], psk="short"),
        "none",
        api.connection_body(gateway, api.customer_gateway(), name=7, ikepolicy={"dpd": {"interval": 1}}),
    ]
    assert _refused(api, bodies).keys() == {
        "vpn_connections[1].peer_subnets[0]",
        "vpn_connections[1].psk",
        "vpn_connections[2]",
        "vpn_connections[3].name",
        "vpn_connections[3].ikepolicy.dpd.interval",
    }
    assert _send(api, [sound]).status_code == 201


def test_two_of_a_batch_that_clash_are_told_in_the_words_of_the_batch(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    bodies = [
        api.connection_body(gateway, api.customer_gateway()),
        api.connection_body(gateway, peer, tunnel_local_address="169.254.8.1/30"),
        api.connection_body(gateway, peer, tunnel_local_address="169.254.8.2/30"),
    ]
    said = _refused(api, bodies)
    assert said.keys() == {"vpn_connections[2].cgw_id", "vpn_connections[2].tunnel_local_address"}
    assert all("connection vpn_connections[1]" in message for message in said.values())


def test_a_gateway_is_filled_and_not_overfilled(open_service: Any):
    api = open_service(connections_per_gateway=3).api()
    gateway = api.gateway()
    bodies = [api.connection_body(gateway, api.customer_gateway()) for _ in range(5)]
    assert _refused(api, bodies).keys() == {"vpn_connections[3].vgw_id", "vpn_connections[4].vgw_id"}
    assert _send(api, bodies[:3]).status_code == 201


@pytest.mark.parametrize(
    "bodies",
    [None, [], {}, "x", pytest.param([{}] * 51, id="51")],
)
def test_a_batch_is_an_array_of_one_to_fifty(api: Any, bodies: Any):
    said = _refused(api, bodies)
    assert said.keys() == {"vpn_connections"}
    assert "1 to 50" in said["vpn_connections"]


def test_a_hundred_wrong_shapes_are_named_by_their_index(api: Any):
    said = _refused(api, [api.connection_body(api.gateway(), api.customer_gateway()), {"peer_subnets": [7] * 200}])
    assert len(said) == 100
    assert all(field.startswith("vpn_connections[1].") for field in said)


@pytest.mark.parametrize("content", [b"[]", b"7", b"{}"])
def test_a_body_without_a_batch_is_refused(api: Any, content: bytes):
    answer = api.send("POST", PATH, content=content)
    assert [each["field"] for each in answer.json()["details"]] == ["vpn_connections"]


def test_what_is_unknown_and_what_is_weak_is_named_by_its_index(api: Any):
    gateway = api.gateway()
    bodies = [
        api.connection_body(gateway, api.customer_gateway(), colour="red"),
        api.connection_body(gateway, api.customer_gateway(), ipsecpolicy={"pfs": "group2"}),
    ]
    answer = api.send("POST", PATH, {"vpn_connections": bodies, "more": 1})
    assert answer.headers["Landbridge-Ignored-Fields"] == "more, vpn_connections[0].colour"
    assert answer.headers["Landbridge-Warnings"] == "vpn_connections[1].ipsecpolicy.pfs: group2 is weak"


def test_a_token_repeats_the_whole_batch(shared_service: Any):
    api = shared_service.api()
    gateway = api.gateway()
    bodies = [api.connection_body(gateway, api.customer_gateway()) for _ in range(2)]
    first, again = (_send(api, bodies, X_Client_Token="batch") for _ in range(2))
    assert first.json()["vpn_connections"] == again.json()["vpn_connections"]
    assert api.get("vpn-connection")["total_count"] == 2
    assert _send(api, bodies[:1], X_Client_Token="batch").json()["error_code"] == "VPN.0031"


def test_a_batch_with_a_token_leaves_a_sound_database(service: Any):
    api = service.api()
    gateway = api.gateway()
    bodies = [api.connection_body(gateway, api.customer_gateway()) for _ in range(2)]
    made = _send(api, bodies, X_Client_Token="batch").json()["vpn_connections"]
    assert service.data.database.read(lambda tx: [*check.contents(tx, service.data.vault)]) == []
    for each in made:
        api.delete(f"vpn-connection/{each['id']}")
        api.gone(f"vpn-connection/{each['id']}")
    assert service.data.database.read(lambda tx: [*check.contents(tx, service.data.vault)]) == []


def test_the_psk_is_in_no_answer(api: Any):
    gateway = api.gateway()
    assert "Correct-Horse" not in _send(api, [api.connection_body(gateway, api.customer_gateway())]).text
