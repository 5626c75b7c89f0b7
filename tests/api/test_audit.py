"""The audit trail of a project, as its admins read it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import landbridge
from landbridge.api.table import TABLE
from landbridge.operations import access, audit, clock


def _path(api: Any, query: str = "") -> str:
    return f"/landbridge/v1/{api.project_id}/audit{query}"


def _events(api: Any, query: str = "") -> list[Any]:
    events: list[Any] = api.get(_path(api, query))["audit_events"]
    return events


def test_an_event_says_who_did_what_when_and_by_which_request(api: Any):
    started = datetime.now(UTC)
    answer = api.send("POST", "customer-gateways", {"customer_gateway": {"id_value": "198.18.7.7"}})
    event, key, project = _events(api)
    assert (event["action"], event["resource_id"]) == ("create_cgw", answer.json()["customer_gateway"]["id"])
    assert (event["actor"], event["request_id"]) == (api.key.access_key, answer.json()["request_id"])
    at = datetime.fromisoformat(event["at"])
    assert started - timedelta(milliseconds=1) <= at <= datetime.now(UTC)
    assert [(each["action"], each["resource_id"], each["actor"]) for each in (key, project)] == [
        ("create_key", api.key.access_key, "this machine"),
        ("create_project", api.project_id, "this machine"),
    ]


def test_an_event_has_the_name_of_a_resource_while_that_exists(api: Any):
    peer = api.customer_gateway(name="before")
    made = api.connection(api.gateway(name="hq"), peer, name="branch")
    api.send("PUT", f"customer-gateways/{peer['id']}", {"customer_gateway": {"name": "after"}})
    named = [(event["action"], event.get("resource_name")) for event in _events(api)]
    assert named[:5] == [
        ("update_cgw", "after"),
        ("create_vpn_connection", "branch"),
        ("create_vgw", "hq"),
        ("create_cgw", "after"),
        ("create_key", None),
    ]
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    assert "resource_name" not in _events(api, f"?resource_id={made['id']}")[0]


def test_the_trail_is_cut_to_a_resource_an_action_and_an_actor(api: Any, shared_service: Any):
    other = shared_service.api(api.project_id)
    one, two = api.customer_gateway(), other.customer_gateway(id_value="198.18.9.9")
    for name in ("a", "b"):
        api.send("PUT", f"customer-gateways/{two['id']}", {"customer_gateway": {"name": name}})
    update, create = "update_cgw", "create_cgw"
    for query, wanted in (
        (f"resource_id={one['id']}", [create]),
        (f"resource_id={two['id']}", [update, update, create]),
        (f"resource_id={two['id']}&action={create}", [create]),
        (f"action={update}", [update, update]),
        (f"actor={other.key.access_key}", [create]),
        (f"actor={other.key.access_key}&action={update}", []),
        ("actor=this+machine", ["create_key", "create_key", "create_project"]),
        ("action=simulate", []),
    ):
        assert [each["action"] for each in _events(api, f"?{query}")] == wanted, query


def test_the_trail_is_cut_to_a_time_and_both_ends_belong_to_it(api: Any):
    for _ in range(3):
        api.customer_gateway()
    middle = _events(api, "?action=create_cgw")[1]["at"]
    times = [each["at"] for each in _events(api)]
    assert [each["at"] for each in _events(api, f"?from={middle}")] == [at for at in times if at >= middle]
    assert [each["at"] for each in _events(api, f"?to={middle}")] == [at for at in times if at <= middle]
    assert {each["at"] for each in _events(api, f"?from={middle}&to={middle}")} == {middle}
    assert _events(api, "?to=2020-01-01T00:00:00%2B01:00") == []


def test_pages_have_all_newest_first(api: Any, monkeypatch: pytest.MonkeyPatch):
    """Also where a request looks through few events: then pages are short. Several events may have one time."""
    peers = [api.customer_gateway() for _ in range(5)]
    api.send("PUT", f"customer-gateways/{peers[0]['id']}", {"customer_gateway": {"name": "a"}})
    made = [each["id"] for each in reversed(peers)]
    for looked_through in (2000, 2):
        monkeypatch.setattr(audit, "LOOKED_THROUGH", looked_through)
        for query, wanted in (
            ("limit=2", [peers[0]["id"], *made, api.key.access_key, api.project_id]),
            ("limit=1&action=create_cgw", made),
            ("limit=500&action=create_cgw", made),
            (f"limit=1&resource_id={peers[0]['id']}", [peers[0]["id"]] * 2),
        ):
            found, marker = [], ""
            for _ in range(10):
                page = api.get(_path(api, f"?{query}{marker}"))
                assert page["page_info"]["current_count"] == len(page["audit_events"])
                found += [each["resource_id"] for each in page["audit_events"]]
                if "next_marker" not in page["page_info"]:
                    break
                marker = f"&marker={page['page_info']['next_marker']}"
            assert found == wanted, (looked_through, query)


def test_a_page_after_what_retention_removed_is_empty(service: Any):
    api = service.api()
    for _ in range(3):
        api.customer_gateway()
    page = api.get(_path(api, "?limit=2"))
    service.data.database.write(lambda tx: tx.cursor.execute("DELETE FROM audit"))
    assert _events(api, f"?marker={page['page_info']['next_marker']}") == []


def test_an_action_that_no_operation_has_is_refused_with_the_allowed_ones(api: Any):
    answer = api.send("GET", _path(api, "?action=update_conection"))
    assert answer.status_code == 400
    assert "create_key or" in answer.json()["error_msg"]


def test_every_action_that_the_service_records_can_be_asked_for(api: Any):
    """The actions in the source text of the program against those of the document."""
    allowed = {
        action
        for route in TABLE
        for word in route.query
        if (route.name, word.name) == ("list_audit_events", "action")
        for action in word.schema["enum"]
    }
    source = Path(landbridge.__file__).parent
    texts = [path.read_text() for room in ("operations", "store") for path in (source / room).rglob("*.py")]
    recorded = {name for text in texts for name in re.findall(r'(?:\.audit\(tx, |action=)"(\w+)"', text)}
    assert {"probe", "show_psk", "simulate"} <= recorded
    assert recorded <= allowed
    for action in sorted(allowed):
        assert api.send("GET", _path(api, f"?action={action}")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "?action=foo",
        "?limit=0",
        "?limit=501",
        "?marker=x",
        "?from=yesterday",
        "?to=2026-11-30",
        "?from=2026-11-30T08:00:00",
    ],
)
def test_a_wrong_query_is_refused_by_its_word(api: Any, query: str):
    answer = api.send("GET", _path(api, query))
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == [query[1:].partition("=")[0]]


def test_the_trail_is_for_admins_of_the_project_and_for_operators(api: Any, shared_service: Any):
    api.customer_gateway()
    assert shared_service.api(api.project_id, "reader").send("GET", _path(api)).status_code == 403
    other = shared_service.api()
    assert other.send("GET", _path(api)).status_code == 403
    assert [each["action"] for each in _events(other)] == ["create_key", "create_project"]
    operator = shared_service.api(api.project_id, "operator")
    assert [each["actor"] for each in _events(operator, "?action=create_cgw")] == [api.key.access_key]


def test_the_keys_of_a_project_are_in_its_trail(api: Any, shared_service: Any):
    key = shared_service.new_key(api.project_id)
    shared_service.data.database.write(lambda tx: access.revoke_key(tx, key.access_key, clock.now()))
    done = [each["action"] for each in _events(api, f"?resource_id={key.access_key}")]
    assert done == ["revoke_key", "create_key"]


def test_a_marker_of_another_project_or_list_is_refused(api: Any, shared_service: Any):
    other = shared_service.api()
    marker = other.get(_path(other, "?limit=1"))["page_info"]["next_marker"]
    assert api.send("GET", _path(api, f"?marker={marker}")).status_code == 400
    answer = other.send("GET", f"/landbridge/v1/{other.project_id}/vpn-connections?marker={marker}")
    assert answer.status_code == 400
