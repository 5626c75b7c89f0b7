"""What a POST of a connection does beside its fields: headers, tokens, sizes, who sees what."""

import json
import logging
import sqlite3
import uuid
from typing import Any

import pytest

from landbridge.cli import log
from landbridge.rules import tunnel

PATH = "vpn-connection"
PSK = "Never-To-Be-Seen-4711"


def test_unknown_fields_are_named_in_a_header(api: Any):
    body = api.connection_body(
        api.gateway(), api.customer_gateway(), colour="red", ikepolicy={"speed": 9, "dpd": {"mood": 1}}
    )
    body["tags"] = [{"key": "a", "value": "b", "shade": "dark"}]
    answer = api.send("POST", PATH, {"vpn_connection": body, "dry_run": True})
    assert answer.status_code == 201
    named = set(answer.headers["Landbridge-Ignored-Fields"].split(", "))
    assert named == {"dry_run", "colour", "ikepolicy.speed", "ikepolicy.dpd.mood", "tags[0].shade"}
    assert "colour" not in answer.text


def test_a_sound_request_has_no_header_of_ignored_fields(api: Any):
    answer = api.send("POST", PATH, {"vpn_connection": api.connection_body(api.gateway(), api.customer_gateway())})
    assert "Landbridge-Ignored-Fields" not in answer.headers
    assert "Landbridge-Warnings" not in answer.headers


def test_a_body_over_one_mebibyte_is_413(api: Any):
    mebibyte = 1 << 20
    body = json.dumps({"vpn_connection": api.connection_body(api.gateway(), api.customer_gateway())}).encode()
    largest = api.send("POST", PATH, content=body.ljust(mebibyte))
    assert largest.status_code == 201
    answer = api.send("POST", PATH, content=body.ljust(mebibyte + 1))
    assert answer.status_code == 413
    assert answer.json()["error_code"] == "VPN.0001"
    assert "1 MiB" in answer.json()["error_msg"]
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_all_violations_come_in_one_answer(api: Any):
    body = api.connection_body(
        api.gateway(),
        api.customer_gateway(),
        name="no spaces please",
        peer_subnets=["192.168.44.0/24", "192.168.44.1/24", "100.64.1.0/24"],
        psk="short",
        enable_nqa="yes",
        ikepolicy={"dh_group": "group3", "lifetime_seconds": True, "dpd": {"timeout": 1}},
        ipsecpolicy="strong",
        tags=[{"key": "a", "value": "1"}, {"key": "a", "value": 7}],
    )
    answer = api.send("POST", PATH, {"vpn_connection": body})
    assert answer.status_code == 400
    error = answer.json()
    assert error["error_code"] == "VPN.0001"
    fields = {detail["field"] for detail in error["details"]}
    shapes = {"enable_nqa", "ikepolicy.lifetime_seconds", "ipsecpolicy", "tags[1].value"}
    rules = {"name", "peer_subnets[1]", "peer_subnets[2]", "psk", "ikepolicy.dh_group", "ikepolicy.dpd.timeout"}
    assert fields == shapes | rules | {"tags[1].key"}
    parts = [f"{detail['field']}: {detail['message']}" for detail in error["details"]]
    assert error["error_msg"] == "invalid request: " + "; ".join(parts)


def test_a_wrong_shape_alone_creates_nothing(api: Any):
    body = api.connection_body(api.gateway(), api.customer_gateway(), enable_nqa="false")
    assert set(api.refused(PATH, "vpn_connection", body)) == {"enable_nqa"}
    assert api.get(PATH)["total_count"] == 0


def test_weak_choices_are_warned_of_in_a_header(api: Any):
    made = api.connection_body(
        api.gateway(),
        api.customer_gateway(),
        ikepolicy={"authentication_algorithm": "md5", "dh_group": "group2"},
        ipsecpolicy={"encryption_algorithm": "3des", "pfs": "group15"},
    )
    answer = api.send("POST", PATH, {"vpn_connection": made})
    assert answer.status_code == 201
    warnings = answer.headers["Landbridge-Warnings"].split(", ")
    assert {warning.split(":")[0] for warning in warnings} == {
        "ikepolicy.authentication_algorithm",
        "ikepolicy.dh_group",
        "ipsecpolicy.encryption_algorithm",
    }
    assert api.diagnosis(answer.json()["vpn_connection"]["id"])["warnings"] == warnings


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "vpn-connection", 200, id="success"),
        pytest.param("POST", "vpn-connection", 400, id="refusal"),
        pytest.param("GET", f"vpn-connection/{uuid.uuid4()}", 404, id="missing"),
        pytest.param("GET", f"/v5/{'0' * 32}/vpn-connection", 403, id="another-project"),
    ],
)
def test_request_id_is_the_same_in_body_and_header(
    api: Any, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int
):
    caplog.handler.setFormatter(log.Json())
    with caplog.at_level(logging.DEBUG, "landbridge.api"):
        answer = api.send(method, path)
    assert answer.status_code == status
    request_id = answer.json()["request_id"]
    assert str(uuid.UUID(request_id)) == request_id
    assert answer.headers["X-Request-Id"] == request_id
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert f" {status} " in line["message"]


def test_request_ids_are_never_the_same_twice(api: Any):
    answers = [api.send("GET", PATH).json()["request_id"] for _ in range(20)]
    assert len(set(answers)) == 20


@pytest.mark.parametrize("header", ["X-Client-Token", "Idempotency-Key"])
def test_a_token_repeats_the_first_answer(api: Any, header: str):
    body = {"vpn_connection": api.connection_body(api.gateway(), api.customer_gateway())}
    first, second = (api.send("POST", PATH, body, **{header: "retry-1"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["vpn_connection"] == first.json()["vpn_connection"]
    assert second.json()["request_id"] != first.json()["request_id"]
    assert api.get(PATH)["total_count"] == 1
    assert len(api.get(PATH)["vpn_connections"]) == 1


@pytest.mark.parametrize(
    ("path", "envelope", "body", "listed"),
    [
        pytest.param("customer-gateways", "customer_gateway", {"id_value": "198.51.100.9"}, "customer_gateways"),
        pytest.param(
            "vpn-gateways",
            "vpn_gateway",
            {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]},
            "vpn_gateways",
        ),
    ],
)
def test_a_token_works_for_every_create(api: Any, path: str, envelope: str, body: Any, listed: str):
    answers = [api.send("POST", path, {envelope: body}, X_Client_Token="t") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json()[envelope] == answers[0].json()[envelope]
    assert len(api.get(path)[listed]) == 1


def test_a_refused_request_does_not_use_up_its_token(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    wrong, sound = (
        {"vpn_connection": api.connection_body(gateway, peer, psk=psk)} for psk in ("short", "Long-Enough-1")
    )
    assert api.send("POST", PATH, wrong, X_Client_Token="t").status_code == 400
    assert api.send("POST", PATH, sound, X_Client_Token="t").status_code == 201


def test_a_token_with_another_body_is_refused(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    one, two = ({"vpn_connection": api.connection_body(gateway, peer, name=name)} for name in ("one", "two"))
    assert api.send("POST", PATH, one, X_Client_Token="t").status_code == 201
    answer = api.send("POST", PATH, two, X_Client_Token="t")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0031")
    other = api.send("POST", "customer-gateways", one, X_Client_Token="t")
    assert other.status_code == 400
    assert api.get(PATH)["total_count"] == 1


def test_a_token_belongs_to_its_project(shared_service: Any):
    bodies = {"customer_gateway": {"id_value": "198.51.100.9"}}
    made = [shared_service.api().send("POST", "customer-gateways", bodies, X_Client_Token="t") for _ in range(2)]
    first, second = (answer.json()["customer_gateway"]["id"] for answer in made)
    assert first != second


def test_a_create_answer_has_no_status(api: Any):
    gateway = api.gateway()
    answer = api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, api.customer_gateway())}).json()
    assert set(answer) == {"vpn_connection", "request_id"}
    made = answer["vpn_connection"]
    assert "status" not in made
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    assert {name: value for name, value in shown.items() if name != "status"} == made
    assert "status" in shown


@pytest.mark.parametrize("resource", ["vpn-connection", "vpn-gateways", "customer-gateways"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", [str(uuid.UUID(int=7)), "x", "%00", "a%2Fb", "%F0%9F%98%80"])
def test_a_missing_resource_in_the_path_is_404(api: Any, method: str, resource: str, name: str):
    answer = api.send(method, f"{resource}/{name}")
    assert answer.status_code == 404
    assert answer.json()["error_code"] in ("VPN.0004", "APIGW.0101")
    assert set(answer.json()) == {"error_code", "error_msg", "request_id"}


def test_a_missing_resource_in_the_body_is_400(api: Any):
    nobody = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
    gateway, peer = api.gateway(), api.customer_gateway()
    said = api.refused(PATH, "vpn_connection", api.connection_body(gateway, peer, vgw_id=nobody, cgw_id=nobody))
    assert set(said) == {"vgw_id", "cgw_id"}
    assert all(nobody in message for message in said.values())
    answer = api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, peer, cgw_id=nobody)})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")


def test_another_projects_resources_do_not_exist(shared_service: Any):
    ours, theirs = shared_service.api(), shared_service.api()
    gateway, peer = ours.gateway(), ours.customer_gateway()
    made = ours.connection(gateway, peer)
    for path in (f"vpn-gateways/{gateway['id']}", f"customer-gateways/{peer['id']}", f"{PATH}/{made['id']}"):
        for method in ("GET", "DELETE"):
            assert theirs.send(method, path).status_code == 404
    assert set(theirs.refused(PATH, "vpn_connection", theirs.connection_body(gateway, peer))) == {"vgw_id", "cgw_id"}
    assert theirs.simulate(made["id"], "down").status_code == 404
    assert theirs.get(f"{PATH}?vgw_id={gateway['id']}")["vpn_connections"] == []
    assert [theirs.get(path)[name] for path, name in LISTS] == [[], [], []]
    assert ours.get(f"{PATH}/{made['id']}")["vpn_connection"]["id"] == made["id"]


LISTS = (
    ("vpn-gateways", "vpn_gateways"),
    ("customer-gateways", "customer_gateways"),
    ("vpn-connection", "vpn_connections"),
)


def test_ids_are_taken_in_any_case_and_given_in_lower_case(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    body = api.connection_body(gateway, peer)
    body |= {"vgw_id": body["vgw_id"].upper(), "cgw_id": body["cgw_id"].upper()}
    made = api.create(PATH, "vpn_connection", body)
    assert (made["vgw_id"], made["cgw_id"]) == (gateway["id"], peer["id"])
    assert api.get(f"{PATH}/{made['id'].upper()}")["vpn_connection"]["id"] == made["id"]


# -- the PSK ----------------------------------------------------------------------------------------------------------


def test_the_psk_is_in_no_answer_and_no_header(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    body = {"vpn_connection": api.connection_body(gateway, peer, psk=PSK)}
    made = api.send("POST", PATH, body, X_Client_Token="t")
    connection_id = made.json()["vpn_connection"]["id"]
    api.connection_as(connection_id, "ACTIVE")
    answers = [
        made,
        api.send("POST", PATH, body, X_Client_Token="t"),
        api.send("POST", PATH, body),
        api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, peer, psk=PSK + "\u00e4")}),
        api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, peer, psk=PSK + "x" * 200, name=7)}),
        api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, peer, psk=[PSK])}),
        api.send("POST", PATH, {"vpn_connection": api.connection_body(gateway, peer, ikepolicy={"psk": PSK})}),
        api.send("GET", PATH),
        api.send("GET", f"{PATH}/{connection_id}"),
        api.send("GET", f"/landbridge/v1/{api.project_id}/vpn-connections/{connection_id}/diagnosis"),
        api.send("GET", "/openapi.json"),
        api.send("GET", "/readyz"),
        api.send("DELETE", f"{PATH}/{connection_id}"),
    ]
    for answer in answers:
        assert PSK not in answer.text
        assert PSK not in str(answer.headers)


def test_the_psk_is_in_no_log_line(api: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        made = api.connection(api.gateway(), psk=PSK)
        api.connection_as(made["id"], "ACTIVE")
        api.send("POST", PATH, {"vpn_connection": {"psk": PSK}})
        api.send("POST", PATH, content=b'{"vpn_connection": {"psk": "' + PSK.encode() + b'", }}')
        api.delete(f"{PATH}/{made['id']}")
        api.gone(f"{PATH}/{made['id']}")
    assert made["id"] in caplog.text
    assert PSK not in caplog.text


def test_secrets_are_in_no_byte_of_the_data_folder(service: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    body = {"vpn_connection": api.connection_body(gateway, peer, psk=PSK)}
    made = api.send("POST", PATH, body, X_Client_Token="t").json()["vpn_connection"]
    api.connection_as(made["id"], "ACTIVE")
    other = api.connection(gateway, psk=PSK)
    api.delete(f"{PATH}/{other['id']}")
    api.gone(f"{PATH}/{other['id']}")
    files = [path for path in service.data.path.rglob("*") if path.is_file()]
    assert {"landbridge.db", "landbridge.db-wal"} <= {path.name for path in files}
    everything = b"".join(path.read_bytes() for path in files)
    assert made["id"].encode() in everything
    for secret in (PSK, api.key.secret_key.reveal(), api.key.token.reveal()):
        assert secret.encode() not in everything


def test_the_psk_reaches_the_engine_unchanged(service: Any):
    psk = " ~!@#$%^()-_+={ },./:; aA1 "
    api = service.api()
    made = api.connection(api.gateway(), psk=psk)
    with sqlite3.connect(service.data.path / "landbridge.db") as connection:
        (sealed,) = connection.execute("SELECT psk FROM connection WHERE id = ?", (made["id"],)).fetchone()
    connection.close()
    assert service.data.vault.open(sealed, made["id"]).decode() == psk


# -- many at once -----------------------------------------------------------------------------------------------------


def _at_once(api: Any, bodies: list[dict[str, Any]], **headers: str) -> list[Any]:
    contents = [json.dumps({"vpn_connection": body}).encode() for body in bodies]
    sent = {"X-Auth-Token": api.key.token.reveal()} | headers
    return api.http.at_once("POST", f"/v5/{api.project_id}/{PATH}", contents=contents, headers=sent)


def test_creates_at_the_same_time_share_no_tunnel_block(api: Any):
    gateway = api.gateway()
    answers = _at_once(api, [api.connection_body(gateway, api.customer_gateway()) for _ in range(40)])
    assert {answer.status_code for answer in answers} == {201}
    made = [answer.json()["vpn_connection"] for answer in answers]
    assert len({each["tunnel_local_address"] for each in made}) == 40
    assert len({each["id"] for each in made}) == 40
    assert api.get(PATH)["total_count"] == 40
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["used_connection_number"] == 40


def test_of_equal_creates_at_the_same_time_one_succeeds(api: Any):
    answers = _at_once(api, [api.connection_body(api.gateway(), api.customer_gateway())] * 8)
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert api.get(PATH)["total_count"] == 1


def test_a_tunnel_block_that_is_taken_is_not_picked(api: Any):
    gateway = api.gateway()
    candidate = tunnel.addresses(tunnel.nth(2))[0]
    api.connection(gateway, tunnel_local_address=candidate)
    assert api.connection(gateway)["tunnel_local_address"] != candidate
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["used_connection_number"] == 2


def test_a_neighbour_in_the_way_is_named_beside_what_else_is_wrong(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    made = api.connection(gateway, peer, tunnel_local_address="169.254.76.1/30")
    wish = api.connection_body(gateway, peer, tunnel_local_address="169.254.76.1/30", name="not a name")
    refused = api.refused(PATH, "vpn_connection", wish)
    assert set(refused) == {"cgw_id", "tunnel_local_address", "name"}
    assert made["id"] in refused["cgw_id"]


def test_one_token_sent_many_times_at_once_creates_one(api: Any):
    headers = {"X-Client-Token": "one"}
    answers = _at_once(api, [api.connection_body(api.gateway(), api.customer_gateway())] * 10, **headers)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["vpn_connection"]["id"] for answer in answers}) == 1
    assert api.get(PATH)["total_count"] == 1


def test_a_connection_comes_up_without_a_tick(open_service: Any):
    api = open_service(tick=3600.0).api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "vpn-connection"),
        ("GET", "vpn-gateways"),
        ("GET", "vpn-gateways/availability-zones"),
        ("GET", "connection-monitors"),
    ],
)
def test_unknown_words_of_a_query_are_named_in_a_header(api: Any, method: str, path: str):
    answer = api.send(method, f"{path}?status=DOWN&sort=")
    assert answer.headers["Landbridge-Ignored-Fields"] == "?status, ?sort"
    assert "Landbridge-Ignored-Fields" not in api.send(method, path).headers


def test_unknown_words_of_a_query_are_named_beside_those_of_a_body(api: Any):
    body = {"customer_gateway": {"id_value": "198.51.100.2", "colour": "red"}}
    answer = api.send("POST", "customer-gateways?dry_run=true", body)
    assert answer.headers["Landbridge-Ignored-Fields"] == "?dry_run, colour"
