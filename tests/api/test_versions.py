"""Versions of resources: `ETag` on every look at one and on every update, and `If-Match` on all that changes something."""

import re
from typing import Any

import pytest

from landbridge.api import routes, table

NO_VERSION = routes.Route.__dataclass_fields__["etag"].default
PUTS = [route for route in table.TABLE if route.method == "PUT"]


@pytest.mark.parametrize("put", [pytest.param(route, id=route.name) for route in PUTS])
def test_what_can_be_updated_tells_its_version(put: routes.Route[Any, Any]):
    looks = [route for route in table.TABLE if route.method == "GET" and route.path == put.path]
    assert [route.name for route in (put, *looks) if route.etag is NO_VERSION] == []


def _connection(api: Any) -> tuple[str, str]:
    return f"vpn-connection/{api.connection(api.gateway())['id']}", "vpn_connection"


def _gateway(api: Any) -> tuple[str, str]:
    return f"vpn-gateways/{api.gateway()['id']}", "vpn_gateway"


def _customer_gateway(api: Any) -> tuple[str, str]:
    return f"customer-gateways/{api.customer_gateway()['id']}", "customer_gateway"


@pytest.mark.parametrize("make", [_connection, _gateway, _customer_gateway])
def test_of_two_that_read_the_same_version_only_the_first_may_write(api: Any, make: Any):
    path, envelope = make(api)
    version = api.send("GET", path).headers["ETag"]
    answers = [api.send("PUT", path, {envelope: {"name": name}}, If_Match=version) for name in ("one", "two")]
    assert [answer.status_code for answer in answers] == [200, 412]
    assert answers[1].json()["error_msg"].startswith("precondition failed: If-Match is ")
    shown = api.send("GET", path)
    assert shown.json()[envelope]["name"] == "one"
    assert shown.headers["ETag"] == answers[0].headers["ETag"] != version


@pytest.mark.parametrize("make", [_connection, _gateway, _customer_gateway])
@pytest.mark.parametrize("sent", ['"0-0"', "x", "", 'W/"0-0"', "\"0-0\", 'a'"])
def test_anything_else_is_another_version(api: Any, make: Any, sent: str):
    path, envelope = make(api)
    assert api.send("PUT", path, {envelope: {"name": "one"}}, If_Match=sent).status_code == 412


#: What changes one existing resource beside its PUT.
CHANGES = [
    pytest.param(_gateway, "POST", "/update-specification", {"vpn_gateway": {"flavor": "Professional2"}}, id="flavor"),
    pytest.param(_gateway, "POST", "/upgrade", {"action": "start"}, id="upgrade"),
    pytest.param(_gateway, "DELETE", "", None, id="delete-gateway"),
    pytest.param(_customer_gateway, "DELETE", "", None, id="delete-customer-gateway"),
    pytest.param(_connection, "POST", "/reset", {}, id="reset"),
    pytest.param(_connection, "DELETE", "", None, id="delete-connection"),
]


@pytest.mark.parametrize(("make", "method", "rest", "body"), CHANGES)
def test_nothing_is_done_to_another_version(api: Any, make: Any, method: str, rest: str, body: Any):
    path, envelope = make(api)
    before = api.send("GET", path)
    answer = api.send(method, path + rest, body, If_Match='"0-0"')
    assert answer.status_code == 412
    assert answer.json()["error_msg"].startswith("precondition failed: If-Match is ")
    after = api.send("GET", path)
    assert (after.status_code, after.headers["ETag"]) == (200, before.headers["ETag"])
    assert after.json()[envelope].get("status") != "PENDING_DELETE"
    assert api.send(method, path + rest, body, If_Match=before.headers["ETag"]).status_code in {200, 204}


def test_a_simulation_is_of_the_version_that_is_meant(api: Any):
    path, _ = _connection(api)
    simulate = f"/landbridge/v1/{api.project_id}/simulate/vpn-connections/{path.split('/')[1]}"
    body = {"simulate": {"state": "down:psk"}}
    version = api.send("GET", path).headers["ETag"]
    assert api.send("POST", simulate, body, If_Match='"0-0"').status_code == 412
    assert api.send("POST", simulate, body, If_Match=version).status_code == 204


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(route, id=route.name)
        for route in table.TABLE
        if route.operation.writes and not route.compares_versions
    ],
)
def test_what_compares_no_versions_is_not_done_with_if_match(api: Any, route: routes.Route[Any, Any]):
    path = re.sub("{.+?}", "vpn-connection", route.path.replace("{project_id}", api.project_id))
    envelope = route.accepts[0] if route.accepts else ""
    body = {envelope: [{}] if route.many else {}} if envelope else {}
    answer = api.send(route.method, path, body, If_Match="*")
    assert answer.status_code == 412
    assert "without If-Match" in answer.json()["error_msg"]


def test_a_read_does_not_mind(api: Any):
    path, _ = _customer_gateway(api)
    assert api.send("GET", path, If_Match='"0-0"').status_code == 200


def _tagged(api: Any, path: str) -> None:
    kind = {"vpn-connection": "vpn-connection", "vpn-gateways": "vpn-gateway", "customer-gateways": "customer-gateway"}
    first, _, resource_id = path.partition("/")
    answer = api.send("POST", f"{kind[first]}/{resource_id}/tags/create", {"tags": [{"key": "a", "value": "b"}]})
    assert answer.status_code == 204


def _monitored(api: Any, path: str) -> None:
    api.create("connection-monitors", "connection_monitor", {"vpn_connection_id": path.split("/")[1]})


def _connected(api: Any, path: str) -> None:
    api.connection(api.get(path)["vpn_gateway"])


@pytest.mark.parametrize(
    ("make", "change"),
    [
        pytest.param(_connection, _tagged, id="tags-of-a-connection"),
        pytest.param(_gateway, _tagged, id="tags-of-a-gateway"),
        pytest.param(_customer_gateway, _tagged, id="tags-of-a-customer-gateway"),
        pytest.param(_connection, _monitored, id="a-monitor"),
        pytest.param(_gateway, _connected, id="used_connection_number"),
    ],
)
def test_what_a_get_shows_cannot_change_without_the_version(api: Any, make: Any, change: Any):
    path, envelope = make(api)
    before = api.send("GET", path)
    change(api, path)
    after = api.send("GET", path)
    assert before.json()[envelope] != after.json()[envelope]
    assert before.headers["ETag"] != after.headers["ETag"]
    assert api.send("PUT", path, {envelope: {"name": "one"}}, If_Match=before.headers["ETag"]).status_code == 412
    assert api.send("PUT", path, {envelope: {"name": "one"}}, If_Match=after.headers["ETag"]).status_code == 200


def test_a_status_is_not_part_of_the_version(api: Any):
    path, _ = _connection(api)
    api.connection_as(path.split("/")[1], "ACTIVE")
    before = api.send("GET", path).headers["ETag"]
    assert api.simulate(path.split("/")[1], "down:psk").status_code == 204
    api.connection_as(path.split("/")[1], "DOWN")
    assert api.send("GET", path).headers["ETag"] == before
