"""The lists of ours: how connections and gateways stand, since when, and why in one line."""

from datetime import datetime
from typing import Any

import pytest

from landbridge.operations import status_lists


def _path(api: Any, query: str = "", what: str = "vpn-connections") -> str:
    return f"/landbridge/v1/{api.project_id}/{what}{query}"


def _listed(api: Any, query: str = "") -> list[Any]:
    rows: list[Any] = api.get(_path(api, query))["vpn_connections"]
    return rows


def _row(api: Any, connection_id: str) -> Any:
    (row,) = [each for each in _listed(api) if each["id"] == connection_id]
    return row


def _as(api: Any, connection_id: str, state: str, status: str) -> Any:
    assert api.simulate(connection_id, state).status_code == 204
    api.connection_as(connection_id, status)
    return _row(api, connection_id)


def test_a_row_says_status_since_and_reason(api: Any):
    gateway = api.gateway()
    made = api.connection(gateway, name="branch")
    api.connection_as(made["id"], "ACTIVE")
    up = _row(api, made["id"])
    assert (up["name"], up["status"], up["vgw_id"], "reason" in up) == ("branch", "ACTIVE", gateway["id"], False)
    assert up["since"] >= made["created_at"]
    down = _as(api, made["id"], "down:psk", "DOWN")
    assert down["since"] > up["since"]
    assert down["reason"] == api.diagnosis(made["id"])["reason"]
    assert "\n" not in down["reason"]


def test_a_row_says_the_cause_and_what_to_change(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    down = _as(api, made["id"], "down:psk", "DOWN")
    (first, *_) = api.diagnosis(made["id"])["causes"]
    assert (down["cause"], down["reason"], down["remedy"]) == (first["code"], first["reason"], first["remedy"])
    up = _as(api, made["id"], "active", "ACTIVE")
    assert {"cause", "reason", "remedy"} & up.keys() == set()


def test_a_list_is_cut_to_a_cause_and_a_gateway(api: Any, shared_service: Any, monkeypatch: pytest.MonkeyPatch):
    """Also where a request derives the causes of few connections: then pages are short."""
    one, two = api.gateway(), api.gateway()
    made = [api.connection(gateway)["id"] for gateway in (one, two, one, two)]
    for each, state in zip(made, ("down:psk", "down:proposal", "down:proposal", "down:psk"), strict=True):
        api.connection_as(each, "ACTIVE")
        _as(api, each, state, "DOWN")
    other = shared_service.api().gateway()
    for explained in (500, 1):
        monkeypatch.setattr(status_lists, "EXPLAINED", explained)
        for query, wanted in (
            (f"vgw_id={one['id']}", [made[0], made[2]]),
            (f"vgw_id={two['id'].upper()}&limit=1", [made[1], made[3]]),
            ("cause=psk_mismatch", [made[0], made[3]]),
            ("cause=ike_proposal_mismatch&limit=1", [made[1], made[2]]),
            (f"cause=psk_mismatch&vgw_id={one['id']}&status=DOWN", made[:1]),
            ("cause=psk_mismatch&status=ACTIVE", []),
            (f"vgw_id={other['id']}", []),
        ):
            assert [each["id"] for each in _all_pages(api, query)] == wanted, query


def _all_pages(api: Any, query: str) -> list[Any]:
    rows, marker = [], ""
    for _ in range(9):
        page = api.get(_path(api, f"?{query}{marker}"))
        assert page["page_info"]["current_count"] == len(page["vpn_connections"])
        rows += page["vpn_connections"]
        if "next_marker" not in page["page_info"]:
            return rows
        marker = f"&marker={page['page_info']['next_marker']}"
    raise AssertionError(f"{query}: pages without end")


def test_since_stays_while_the_status_does(api: Any):
    made = api.connection(api.gateway())
    down = _as(api, made["id"], "down:psk", "DOWN")
    assert _as(api, made["id"], "down:proposal", "DOWN")["since"] == down["since"]
    other = api.connection(api.get(f"vpn-gateways/{made['vgw_id']}")["vpn_gateway"])
    api.connection_as(other["id"], "ACTIVE")
    assert _row(api, made["id"])["since"] == down["since"]


def test_what_waits_waits_since_it_was_asked_for(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    changed, deleted, reset = (api.connection(gateway) for _ in range(3))
    for one in (changed, deleted, reset):
        api.connection_as(one["id"], "ACTIVE")
    service.agent.stop()
    new = api.connection(gateway)
    since = _row(api, new["id"])
    assert (since["status"], since["since"]) == ("PENDING_CREATE", new["created_at"])
    path = f"vpn-connection/{changed['id']}"
    first = api.send("PUT", path, {"vpn_connection": {"peer_subnets": ["192.168.50.0/24"]}}).json()["vpn_connection"]
    api.send("PUT", path, {"vpn_connection": {"peer_subnets": ["192.168.51.0/24"]}})
    row = _row(api, changed["id"])
    assert (row["status"], row["since"]) == ("PENDING_UPDATE", first["updated_at"])
    api.delete(f"vpn-connection/{deleted['id']}")
    assert api.send("POST", f"vpn-connection/{reset['id']}/reset", {}).status_code == 200
    for one, status in ((deleted, "PENDING_DELETE"), (reset, "PENDING_UPDATE")):
        row = _row(api, one["id"])
        assert row["status"] == status
        assert datetime.fromisoformat(row["since"]) >= datetime.fromisoformat(first["updated_at"])


def test_an_update_that_was_applied_begins_a_new_time(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    before = _row(api, made["id"])["since"]
    api.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": "renamed"}})
    assert _row(api, made["id"])["since"] == before
    body = {"vpn_connection": {"peer_subnets": ["192.168.50.0/24"]}}
    after = api.send("PUT", f"vpn-connection/{made['id']}", body).json()["vpn_connection"]
    api.connection_as(made["id"], "ACTIVE")
    assert _row(api, made["id"])["since"] >= after["updated_at"] > before


def test_a_list_is_cut_to_a_status_and_a_name(api: Any):
    gateway = api.gateway()
    names = ["one", "two", "two"]
    made = [api.connection(gateway, name=name)["id"] for name in names]
    for each in made:
        api.connection_as(each, "ACTIVE")
    _as(api, made[2], "down:psk", "DOWN")
    for query, wanted in (
        ("", made),
        ("?status=DOWN", made[2:]),
        ("?name=two", made[1:]),
        ("?name=two&status=ACTIVE", made[1:2]),
        ("?name=tw", []),
        ("?status=ERROR", []),
    ):
        assert [each["id"] for each in _listed(api, query)] == wanted


def test_pages_have_all_in_the_order_of_creation(api: Any, monkeypatch: pytest.MonkeyPatch):
    """Also where a request looks through few rows: then pages are short."""
    gateway = api.gateway()
    made = [api.connection(gateway, name=f"n{number % 2}")["id"] for number in range(7)]
    for looked_through in (2000, 2):
        monkeypatch.setattr(status_lists, "LOOKED_THROUGH", looked_through)
        for query, wanted in (("limit=3", made), ("limit=2&name=n1", made[1::2]), ("limit=7", made)):
            assert [each["id"] for each in _all_pages(api, query)] == wanted


@pytest.mark.parametrize("query", ["?status=down", "?limit=0", "?limit=501", "?marker=x", "?cause=psk", "?vgw_id=x"])
def test_a_wrong_query_is_refused_by_its_word(api: Any, query: str):
    answer = api.send("GET", _path(api, query))
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == query[1:].partition("=")[0]


def test_gateways_are_listed_alike(open_service: Any):
    service = open_service()
    api = service.api()
    first, second = api.gateway(name="first"), api.gateway(name="second")
    rows = api.get(_path(api, what="vpn-gateways"))["vpn_gateways"]
    assert [(row["id"], row["name"], row["status"]) for row in rows] == [
        (each["id"], each["name"], "ACTIVE") for each in (first, second)
    ]
    assert all(row["since"] >= made["created_at"] for row, made in zip(rows, (first, second), strict=True))
    page = api.get(_path(api, "?limit=1", "vpn-gateways"))
    assert [row["id"] for row in page["vpn_gateways"]] == [first["id"]]
    more = api.get(_path(api, f"?marker={page['page_info']['next_marker']}", "vpn-gateways"))
    assert [row["id"] for row in more["vpn_gateways"]] == [second["id"]]
    service.agent.stop()
    body = {"vpn_gateway": {"local_subnets": ["10.9.0.0/24"]}}
    changed = api.send("PUT", f"vpn-gateways/{first['id']}", body).json()["vpn_gateway"]
    (row,) = api.get(_path(api, "?status=PENDING_UPDATE&name=first", "vpn-gateways"))["vpn_gateways"]
    assert row["since"] == changed["updated_at"]


def test_another_project_sees_none_of_it(api: Any, shared_service: Any):
    api.connection(api.gateway())
    other = shared_service.api()
    assert _listed(other) == []
    assert other.get(_path(other, what="vpn-gateways"))["vpn_gateways"] == []
