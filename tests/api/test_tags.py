"""Tags: changed, shown and searched on all three types, and the same wherever they are read."""

import contextlib
import json
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from landbridge import model
from landbridge.cli import main
from landbridge.store import tags as stored
from landbridge.store.sqlite.dialect import compiled

TYPES = {
    "vpn-gateway": ("vpn-gateways", "vpn_gateway"),
    "customer-gateway": ("customer-gateways", "customer_gateway"),
    "vpn-connection": ("vpn-connection", "vpn_connection"),
}


def _made(api: Any, kind: str, **fields: Any) -> Any:
    match kind:
        case "vpn-gateway":
            return api.gateway(**fields)
        case "customer-gateway":
            return api.customer_gateway(**fields)
        case _:
            return api.connection(api.gateway(), **fields)


def _tags(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _change(api: Any, kind: str, one: Any, verb: str, tags: Any) -> Any:
    return api.send("POST", f"{kind}/{one['id']}/tags/{verb}", {"tags": tags})


@pytest.fixture(params=TYPES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_changes_are_204_and_read_the_same_everywhere(api: Any, kind: str):
    path, envelope = TYPES[kind]
    one = _made(api, kind, tags=_tags(a="1", b="2"))

    def read() -> list[Any]:
        listed = [each for each in api.get(path)[f"{envelope}s"] if each["id"] == one["id"]]
        (found,) = api.send("POST", f"{kind}/resource-instances/filter", {}).json()["resources"]
        return [
            api.get(f"{kind}/{one['id']}/tags")["tags"],
            api.get(f"{path}/{one['id']}")[envelope]["tags"],
            listed[0]["tags"],
            found["tags"],
        ]

    assert read() == [_tags(a="1", b="2")] * 4
    added = _change(api, kind, one, "create", [*_tags(b="9", c="3"), {"key": "d"}])
    assert (added.status_code, added.content) == (204, b"")
    assert read() == [_tags(a="1", b="9", c="3", d="")] * 4
    removed = _change(api, kind, one, "delete", [{"key": "a"}, *_tags(b="9", c="other", e="5")])
    assert (removed.status_code, removed.content) == (204, b"")
    assert read() == [_tags(c="3", d="")] * 4
    assert api.get(f"{kind}/tags")["tags"] == [{"key": "c", "values": ["3"]}, {"key": "d", "values": [""]}]


def test_the_calls_of_a_client_that_replaces_all_tags(api: Any, kind: str):
    """Terraform: delete all the old ones, create all the new ones."""
    one = _made(api, kind, tags=_tags(a="1", b="2"))
    assert _change(api, kind, one, "delete", _tags(b="2", a="1")).status_code == 204
    assert _change(api, kind, one, "create", _tags(a="2", z="é")).status_code == 204
    assert api.get(f"{kind}/{one['id']}/tags")["tags"] == _tags(a="2", z="é")


def test_a_change_may_be_repeated(api: Any):
    one = api.customer_gateway()
    for _ in range(2):
        assert _change(api, "customer-gateway", one, "create", _tags(a="1")).status_code == 204
    for _ in range(2):
        assert _change(api, "customer-gateway", one, "delete", _tags(a="1")).status_code == 204
    assert api.get(f"customer-gateway/{one['id']}/tags")["tags"] == []


def test_tags_touch_no_tunnel_and_no_time(service: Any):
    api = service.api()
    connection = api.connection(api.gateway(), tags=_tags(a="1"))
    before = api.connection_as(connection["id"], "ACTIVE")
    service.agent.stop()  # what has to be applied would stay PENDING_UPDATE
    _change(api, "vpn-connection", connection, "create", _tags(b="2"))
    after = api.get(f"vpn-connection/{connection['id']}")["vpn_connection"]
    assert after == before | {"tags": _tags(a="1", b="2")}


@pytest.mark.parametrize(
    ("tags", "fields"),
    [
        pytest.param(None, {"tags"}, id="absent"),
        pytest.param("x", {"tags"}, id="shape"),
        pytest.param([{"key": 7}, {"key": "*"}], {"tags[0].key", "tags[1].key"}, id="shape-and-rule"),
        pytest.param([{"key": f"k{n}"} for n in range(21)], {"tags"}, id="21"),
        pytest.param([{"key": f"k{n}"} for n in range(20)], {"tags"}, id="21-in-all"),
    ],
)
def test_a_wrong_change_names_its_fields_and_changes_nothing(api: Any, kind: str, tags: Any, fields: set[str]):
    one = _made(api, kind, tags=_tags(a="1"))
    answer = _change(api, kind, one, "create", tags)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert {each["field"] for each in answer.json()["details"]} == fields
    assert api.get(f"{kind}/{one['id']}/tags")["tags"] == _tags(a="1")


def test_a_body_that_is_no_object_is_refused(api: Any):
    one = api.customer_gateway()
    answer = api.send("POST", f"customer-gateway/{one['id']}/tags/create", ["a"])
    assert answer.json()["details"][0]["field"] == "body"


def test_what_is_not_there_is_404_and_another_type_is_named(api: Any, kind: str, shared_service: Any):
    nobody = "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"
    assert api.send("GET", f"{kind}/{nobody}/tags").status_code == 404
    assert _change(api, kind, {"id": nobody}, "create", _tags(a="1")).status_code == 404
    theirs = _made(shared_service.api(), kind, tags=_tags(secret="1"))
    assert api.send("GET", f"{kind}/{theirs['id']}/tags").status_code == 404
    assert _change(api, kind, theirs, "delete", _tags(secret="1")).status_code == 404
    assert api.get(f"{kind}/tags")["tags"] == []
    for method, path in (
        ("GET", "vpns/tags"),
        ("GET", f"vpns/{nobody}/tags"),
        ("POST", "vpns/resource-instances/count"),
    ):
        answer = api.send(method, path, {} if method == "POST" else None)
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "resource_type")


@pytest.mark.parametrize("kind", ["vpn-gateway", "vpn-connection"])
def test_what_is_being_deleted_keeps_its_tags(open_service: Any, kind: str):
    service = open_service()
    api = service.api()
    one = _made(api, kind, tags=_tags(a="1"))
    service.agent.stop()  # so that it stays PENDING_DELETE
    api.delete(f"{TYPES[kind][0]}/{one['id']}")
    for verb, tags in (("create", _tags(b="2")), ("delete", _tags(a="1")), ("create", None)):
        answer = _change(api, kind, one, verb, tags)
        assert (answer.status_code, answer.json()["error_code"]) == (425, "VPN.0009")
    assert api.get(f"{kind}/{one['id']}/tags")["tags"] == _tags(a="1")


def test_a_reader_may_search_and_not_change(shared_service: Any):
    project = shared_service.api()
    one = project.customer_gateway(tags=_tags(a="1"))
    reader = shared_service.api(project.project_id, "reader")
    assert reader.send("POST", "customer-gateway/resource-instances/count", {}).json()["total_count"] == 1
    assert _change(reader, "customer-gateway", one, "create", _tags(b="1")).status_code == 403


# -- searches ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(shared_service: Any) -> SimpleNamespace:
    """Customer gateways a to e: site and stage as their tags."""
    api = shared_service.api()
    tags = {
        "a": _tags(site="berlin", stage="test"),
        "b": _tags(site="berlin", stage="live"),
        "c": _tags(site="bonn", stage="live"),
        "d": _tags(site=""),
        "e": [],
    }
    for name, each in tags.items():
        api.customer_gateway(name=name, tags=each)
    shared_service.api().customer_gateway(name="theirs", tags=_tags(site="berlin"))
    return SimpleNamespace(api=api)


def _want(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "values": list(values)}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param({}, "abcde", id="everything"),
        pytest.param({"without_any_tag": "false"}, "abcde", id="false-as-the-page-writes-it"),
        pytest.param({"tags": [_want("site", "berlin")]}, "ab", id="a-value"),
        pytest.param({"tags": [_want("site", "berlin", "bonn")]}, "abc", id="one-of-two-values"),
        pytest.param({"tags": [_want("site")]}, "abcd", id="any-value"),
        pytest.param({"tags": [_want("site", "")]}, "d", id="the-empty-value"),
        pytest.param({"tags": [_want("site", "berlin"), _want("stage", "live")]}, "b", id="both-keys"),
        pytest.param({"tags": [_want("site", "bonn"), _want("stage", "test")]}, "", id="both-keys-and-nobody"),
        pytest.param({"tags": [_want("nothing")]}, "", id="no-such-key"),
        pytest.param({"without_any_tag": True}, "e", id="without"),
        pytest.param({"without_any_tag": True, "tags": [_want("site")]}, "e", id="without-ignores-tags"),
        pytest.param({"matches": [{"key": "resource_name", "value": "c"}]}, "c", id="name"),
        pytest.param(
            {"matches": [{"key": "resource_name", "value": "c"}], "tags": [_want("site", "berlin")]}, "", id="and-name"
        ),
        pytest.param(
            {"matches": [{"key": "resource_name", "value": "e"}], "without_any_tag": True}, "e", id="without-and-name"
        ),
    ],
)
def test_a_search_finds_those_and_counts_them(fleet: Any, body: Any, names: str):
    found = fleet.api.send("POST", "customer-gateway/resource-instances/filter", body)
    assert found.status_code == 200
    assert "".join(each["resource_name"] for each in found.json()["resources"]) == names
    assert found.json()["total_count"] == len(names)
    counted = fleet.api.send("POST", "customer-gateway/resource-instances/count", body)
    assert (counted.status_code, counted.json()["total_count"]) == (200, len(names))


def test_a_loop_over_pages_ends_on_an_empty_one(fleet: Any):
    """As Terraform's data source does, which asks until there is nothing."""
    found, offset = [], 0
    while True:
        path = f"customer-gateway/resource-instances/filter?limit=2&offset={offset}"
        answer = fleet.api.send("POST", path, {}).json()
        assert [name for name, value in answer.items() if isinstance(value, list)] == ["resources"]
        assert answer["total_count"] == 5
        if not answer["resources"]:
            break
        found += [each["resource_name"] for each in answer["resources"]]
        offset += len(answer["resources"])
    assert "".join(found) == "abcde"


def test_all_tags_of_a_type_are_listed_by_key(fleet: Any):
    assert fleet.api.get("customer-gateway/tags")["tags"] == [
        {"key": "site", "values": ["", "berlin", "bonn"]},
        {"key": "stage", "values": ["live", "test"]},
    ]
    assert fleet.api.get("vpn-connection/tags")["tags"] == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", {"limit"}),
        ("limit=1001", {"limit"}),
        ("offset=-1", {"offset"}),
        ("limit=x&offset=9999999999999", {"limit", "offset"}),
    ],
)
def test_a_wrong_window_is_refused(fleet: Any, query: str, fields: set[str]):
    answer = fleet.api.send("POST", f"customer-gateway/resource-instances/filter?{query}", {})
    assert {each["field"] for each in answer.json()["details"]} == fields


def test_a_wrong_search_names_its_fields(fleet: Any):
    body = {
        "tags": [{"key": 7, "values": []}, {"key": "k", "values": [None]}],
        "matches": [{"key": "id", "value": "x"}],
    }
    answer = fleet.api.send("POST", "customer-gateway/resource-instances/count", body)
    assert {each["field"] for each in answer.json()["details"]} == {
        "tags[0].key",
        "tags[1].values[0]",
        "matches[0].key",
    }


def test_a_search_by_tags_starts_from_the_index_of_tags(service: Any):
    """And from no list of the project's resources, of which there may be a million."""
    wanted = (model.TagValuesRequest(key="k", values=("a", "b")), model.TagValuesRequest(key="l", values=()))
    form = stored._form(model.TagSearchRequest(resource_type="vpn-connection", tags=wanted))
    with contextlib.closing(sqlite3.connect(service.data.path / "landbridge.db")) as connection:
        for statement in map(compiled, stored._statements(form)):
            explained = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", [""] * len(statement.names))
            plan = [line for *_, line in explained.fetchall()]
            first = next(line for line in plan if "tag_" in line or "connection" in line)
            assert "ix_tag_project_id_resource_type_key_value" in first, plan
            assert [line for line in plan if line.startswith("SCAN") and "anon" not in line] == []


def test_a_database_with_changed_tags_and_monitors_is_sound(service: Any):
    api = service.api()
    gateway = api.gateway(tags=_tags(a="1"))
    for verb, tags in (("create", _tags(b="2")), ("delete", _tags(a="1"))):
        assert _change(api, "vpn-gateway", gateway, verb, tags).status_code == 204
    kept, checked = api.connection(gateway), api.connection(gateway, enable_health_check=True)
    api.create("connection-monitors", "connection_monitor", {"vpn_connection_id": kept["id"]})
    assert main.main(["db", "check", "--data", str(service.data.path)]) == 0
    api.delete(f"vpn-connection/{checked['id']}")
    api.gone(f"vpn-connection/{checked['id']}")
    assert main.main(["db", "check", "--data", str(service.data.path)]) == 0


def test_of_many_writers_none_is_lost(api: Any):
    one = api.customer_gateway(tags=_tags(a="1"))
    url = f"/v5/{api.project_id}/customer-gateway/{one['id']}/tags/create"
    contents = [json.dumps({"tags": _tags(**{f"k{n}": "v"})}).encode() for n in range(19)]
    answers = api.http.at_once("POST", url, contents=contents, headers={"X-Auth-Token": api.key.token.reveal()})
    assert {answer.status_code for answer in answers} == {204}
    found = api.get(f"customer-gateways/{one['id']}")["customer_gateway"]["tags"]
    assert {tag["key"] for tag in found} == {"a", *(f"k{n}" for n in range(19))}
