"""Bulk actions on a list: a page names the selected resources first, each resource has its own audit event, and a failure does not stop the others."""

import json
import re
import secrets
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from landbridge.console import bulk, customer_gateways, gateways, lists, shown_once
from landbridge.model import allowed_values
from tests.conftest import until
from tests.console.reading import events, told, words


@pytest.fixture
def one(person: Callable[..., Any]) -> Any:
    """Somebody with four connections of one VPN gateway, of which the last one is down."""
    someone = person()
    someone.gateway = someone.api.gateway()
    someone.made = [
        someone.api.connection(someone.gateway, name=f"site-{n}", peer_subnets=[f"192.168.{n}.0/24"]) for n in range(4)
    ]
    someone.ids = [each["id"] for each in someone.made]
    for id_ in someone.ids:
        someone.api.connection_as(id_, "ACTIVE")
    someone.api.simulate(someone.ids[3], "down")
    someone.api.connection_as(someone.ids[3], "DOWN")
    return someone


def _ask(one: Any, do: str, ids: list[str], kind: str = "connections", **more: str) -> str:
    """The page that names what an action will touch."""
    query = urlencode([("do", do), *(("row", id_) for id_ in ids), *more.items()])
    text: str = one.page(f"/{kind}/selected?{query}")
    return text


def _send(one: Any, text: str, kind: str = "connections", status: int = 303, **more: str) -> Any:
    """What a browser sends of the page, with all its boxes checked."""
    boxes = re.findall(r'<input type="checkbox" name="(row\.[^"]+)" value="([^"]*)" checked>', text)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text)
    form = {name: value.replace("&#34;", '"').replace("&amp;", "&") for name, value in [*hidden, *boxes]} | more
    answer = one.post(f"/console/{one.api.project_id}/{kind}/selected", form)
    assert answer.status_code == status, words(answer.text)[-500:]
    return answer


def _rows(text: str) -> set[str]:
    return set(re.findall(r'<li id="r-([^"]+)"', text))


def _actions(one: Any, since: int) -> list[tuple[str, str]]:
    """(action, resource) of the events after the first `since`, oldest first."""
    return events(one)[::-1][since:]


def test_each_row_of_a_list_can_be_selected_by_its_name(one: Any):
    text = one.page("/connections")
    for id_, made in zip(one.ids, one.made, strict=True):
        assert re.search(rf'name="row" value="{id_}"><span class="hidden">Select {made["name"]}</span>', text)
    assert text.count(" checked>") == 0
    assert one.page("/connections?all=true").count(" checked>") == 4


@pytest.mark.parametrize(
    ("do", "action", "said"),
    [
        ("reset", "reset_vpn_connection", "3 connections are negotiated anew."),
        ("probe", "probe", "3 connections are being probed."),
        ("delete", "delete_vpn_connection", "3 connections are being deleted."),
    ],
)
def test_an_action_names_what_it_touches_and_then_touches_that_alone(one: Any, do: str, action: str, said: str):
    before = len(events(one))
    text = _ask(one, do, one.ids[1:], back="?health=up")
    assert _rows(text) == set(one.ids[1:])
    assert "3 connections" in text
    assert len(events(one)) == before
    answer = _send(one, text)
    assert answer.headers["location"] == f"/console/{one.api.project_id}/connections?health=up"
    assert _actions(one, before) == [(action, id_) for id_ in one.ids[1:]]
    assert said in one.follow(answer)


def test_a_row_that_is_unchecked_again_is_not_touched(one: Any):
    before = len(events(one))
    text = _ask(one, "reset", one.ids)
    kept = re.sub(rf'(name="row\.{one.ids[2]}" value="[^"]*") checked', r"\1", text)
    _send(one, kept)
    assert [id_ for _, id_ in _actions(one, before)] == [one.ids[0], one.ids[1], one.ids[3]]


def test_a_tunnel_that_is_up_has_its_path_checked_and_the_other_one_its_device_asked(one: Any):
    _send(one, _ask(one, "probe", one.ids[2:]))
    path = f"/landbridge/v1/{one.api.project_id}/vpn-connections"
    kinds = [one.api.get(f"{path}/{id_}/probe")["probes"][0]["path"] for id_ in one.ids[2:]]
    assert kinds == [True, False]


def test_a_failure_is_shown_with_its_reason_and_the_others_are_done(one: Any):
    text = _ask(one, "delete", one.ids)
    one.api.send("PUT", f"vpn-connection/{one.ids[1]}", {"vpn_connection": {"name": "renamed"}})
    before = len(events(one))
    answer = _send(one, text)
    assert [id_ for _, id_ in _actions(one, before)] == [one.ids[0], one.ids[2], one.ids[3]]
    page = one.follow(answer)
    assert "3 connections are being deleted. It failed for 1 connection." in page
    assert _rows(page) == {one.ids[1]}
    assert "Not done: Somebody else changed it meanwhile" in words(page)
    again = one.follow(answer)
    assert _rows(again) == {one.ids[1]}
    assert "Not done" not in again
    assert len(events(one)) == before + 3
    assert one.api.get(f"vpn-connection/{one.ids[1]}")["vpn_connection"]["name"] == "renamed"
    _send(one, again)
    assert events(one)[0] == ("delete_vpn_connection", one.ids[1])


def test_the_reason_is_that_of_the_api(one: Any):
    peer = one.api.customer_gateway(id_type="fqdn", id_value="branch.example")
    dials_in = one.api.connection(one.gateway, peer, peer_subnets=["172.16.9.0/24"])["id"]
    one.api.connection_as(dials_in, "DOWN")
    page = one.follow(_send(one, _ask(one, "probe", [*one.ids[2:], dials_in])))
    assert "2 connections are being probed. It failed for 1 connection." in page
    assert _rows(page) == {dials_in}
    assert "the device has no fixed address: it dials in" in page


def test_what_is_gone_by_now_is_said(one: Any, person: Callable[..., Any]):
    other = person()
    theirs = other.api.connection(other.api.gateway())["id"]
    text = _ask(one, "reset", [one.ids[0], theirs])
    assert _rows(text) == {one.ids[0]}
    assert "1 selected resource no longer exists." in text
    answer = _send(one, text, **{f"row.{theirs}": ""})
    page = one.follow(answer)
    assert "1 connection is negotiated anew. 1 selected resource no longer exists." in page
    assert _rows(page) == set()
    assert events(other)[0][0] == "create_vpn_connection"


def test_a_reset_that_is_sent_twice_is_done_once(one: Any):
    before, path = len(events(one)), f"/connections/{one.ids[0]}"
    form = dict(re.findall(r'/reset"><input type="hidden" name="(version)" value="([^"]+)"', one.page(path)))
    form["version"] = form["version"].replace("&#34;", '"')
    answers = [one.follow(one.post(f"/console/{one.api.project_id}{path}/reset", form)) for _ in "ab"]
    assert "The tunnel is negotiated anew." in answers[0]
    assert "It was changed or reset meanwhile, and is not reset now." in answers[1]
    text = _ask(one, "reset", one.ids[1:3])
    assert "2 connections are negotiated anew." in one.follow(_send(one, text))
    assert "It failed for 2 connections." in one.follow(_send(one, text))
    assert _actions(one, before) == [("reset_vpn_connection", id_) for id_ in one.ids[:3]]


def test_a_probe_that_is_sent_twice_is_ordered_once_also_when_the_first_one_is_done(one: Any):
    id_, before = one.ids[2], len(events(one))
    found = re.search(r'/probe"><input type="hidden" name="token" value="([^"]+)"', one.page(f"/connections/{id_}"))
    assert found
    path = f"/console/{one.api.project_id}/connections/{id_}/probe"
    for _ in "ab":
        assert "The probe is ordered." in one.follow(one.post(path, {"kind": "path", "token": found[1]}))
        _all_done(one, id_)
    text = _ask(one, "probe", [id_])
    for _ in "ab":
        assert "1 connection is being probed." in one.follow(_send(one, text))
        _all_done(one, id_)
    assert _actions(one, before) == [("probe", id_)] * 2


def _all_done(one: Any, id_: str) -> None:
    path = f"/landbridge/v1/{one.api.project_id}/vpn-connections/{id_}/probe"
    until(lambda: {each["state"] for each in one.api.get(path)["probes"]} == {"done"}, "the probes to be done")


def test_an_id_in_two_spellings_is_one_resource(one: Any):
    id_, before = one.ids[0], len(events(one))
    text = _ask(one, "reset", [id_, id_.upper()])
    assert _rows(text) == {id_}
    assert "Reset 1 connection" in text
    answer = _send(one, text, **{f"row.{id_.upper()}": ""})
    assert _actions(one, before) == [("reset_vpn_connection", id_)]
    assert "1 connection is negotiated anew." in one.follow(answer)
    text = _ask(one, "reset", [id_, id_.replace("-", "")])  # no id of the API has 32 characters
    assert _rows(text) == {id_}
    assert "1 selected resource no longer exists." in text


def test_a_bulk_delete_names_the_subnets_that_no_other_tunnel_reaches(one: Any):
    peer = one.api.customer_gateway()
    ends = [one.gateway["eip1"]["id"], one.gateway["eip2"]["id"]]
    pair = [one.api.connection(one.gateway, peer, vgw_ip=end, peer_subnets=["172.16.1.0/24"])["id"] for end in ends]
    for id_ in pair:
        one.api.connection_as(id_, "ACTIVE")
    lost = "172.16.1.0/24: no other tunnel leads to it"
    assert lost not in words(_ask(one, "delete", pair[:1]))
    assert words(_ask(one, "delete", pair)).count(lost) == 2


KINDS = {"vpn-gateway": "gateways", "customer-gateway": "customer-gateways", "vpn-connection": "connections"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tag_is_added_to_several_and_removed_again(person: Callable[..., Any], kind: str):
    one = person()
    made = {
        "vpn-gateway": one.api.gateway,
        "customer-gateway": one.api.customer_gateway,
        "vpn-connection": lambda: one.api.connection(one.api.gateway()),
    }
    ids = [made[kind]()["id"] for _ in range(2)]
    before = len(events(one))
    _send(one, _ask(one, "tag", ids, KINDS[kind]), KINDS[kind], key="site", value="berlin")
    tags = [one.api.get(f"{kind}/{id_}/tags")["tags"] for id_ in ids]
    assert tags == [[{"key": "site", "value": "berlin"}]] * 2
    _send(one, _ask(one, "untag", ids, KINDS[kind]), KINDS[kind], key="site")
    assert [one.api.get(f"{kind}/{id_}/tags")["tags"] for id_ in ids] == [[], []]
    assert [action for action, _ in _actions(one, before)] == [
        *["batch_create_resource_tags"] * 2,
        *["batch_delete_resource_tags"] * 2,
    ]


@pytest.mark.parametrize(
    ("form", "field"), [({"key": ""}, "key"), ({"key": "a<b"}, "key"), ({"key": "a", "value": "<b>"}, "value")]
)
def test_a_wrong_tag_stands_at_its_field_and_no_resource_has_it(one: Any, form: dict[str, str], field: str):
    before = len(events(one))
    answer = _send(one, _ask(one, "tag", one.ids), status=400, **form)
    assert list(told(answer.text)) == [field]
    assert _rows(answer.text) == set(one.ids)
    assert len(events(one)) == before


def test_one_tag_more_than_allowed_fails_for_its_resource_alone(one: Any):
    full = [{"key": f"k{n}", "value": ""} for n in range(allowed_values.TAG_LIMIT)]
    one.api.send("POST", f"vpn-connection/{one.ids[0]}/tags/create", {"tags": full})
    page = one.follow(_send(one, _ask(one, "tag", one.ids), key="site", value="berlin"))
    assert _rows(page) == {one.ids[0]}
    assert "would have 21 tags" in page
    assert 'value="berlin"' in page


@pytest.mark.parametrize("kind", ["gateways", "customer-gateways"])
def test_what_has_connections_is_not_deleted_with_the_others(one: Any, kind: str):
    free = one.api.gateway() if kind == "gateways" else one.api.customer_gateway()
    used = one.gateway["id"] if kind == "gateways" else one.made[0]["cgw_id"]
    text = _ask(one, "delete", [free["id"], used], kind)
    assert "cannot be deleted" in words(text)
    page = one.follow(_send(one, text, kind))
    assert _rows(page) == {used}
    assert "has connection" in page
    assert events(one)[0][1] == free["id"]


def test_nothing_selected_leads_back_to_the_list_as_it_was(one: Any):
    path = f"/console/{one.api.project_id}/connections"
    for back, to in (("?health=down&q=a b", "?health=down&q=a+b"), ("", ""), ("//evil.example", ""), ("\r\nX: y", "")):
        answer = one.get(f"{path}/selected?{urlencode({'do': 'reset', 'back': back})}")
        assert answer.headers["location"] == path + to
        assert one.post(f"{path}/selected", {"do": "reset", "back": back}).headers["location"] == path + to
    assert "Nothing was selected." in one.page("/connections")


@pytest.mark.parametrize("do", ["", "simulate", "reset"])
def test_an_unknown_action_and_too_many_rows_are_refused(one: Any, do: str):
    before, many = len(events(one)), [secrets.token_hex(8) for _ in range(bulk.LIMIT + 1)]
    path = f"/console/{one.api.project_id}/connections/selected"
    for answer in (
        one.get(f"{path}?{urlencode([('do', do), *(('row', id_) for id_ in many)])}"),
        one.post(path, {"do": do} | {f"row.{id_}": "" for id_ in (*one.ids, *many[4:])}),
    ):
        assert answer.status_code == 400
        assert ("at most 50 in one request" if do == "reset" else "is not an action") in answer.text
    assert len(events(one)) == before


def test_a_page_of_a_list_is_no_more_than_one_request():
    assert max(lists.ROWS, gateways.ROWS, customer_gateways.ROWS) <= bulk.LIMIT


@pytest.mark.parametrize("length", [20, 200, 2000])
def test_the_cookie_has_as_many_reasons_as_fit(shared_service: Any, length: int):
    failed = {f"{n:08}-{secrets.token_hex(12)}": secrets.token_hex(length // 2) for n in range(bulk.LIMIT)}
    secret = bulk._reasons_that_fit(failed)
    sealed = shown_once.seal(SimpleNamespace(vault=shared_service.data.vault), secret, "session", "/console/x")
    assert len(f"{shown_once.COOKIE}={sealed}") <= 4096
    told = json.loads(secret.reveal())
    assert told.items() <= failed.items()
    assert len(told) == bulk.LIMIT if length == 20 else 0 < len(told) < bulk.LIMIT


def test_readers_select_nothing(one: Any, person: Callable[..., Any], shared_service: Any):
    reader = person(shared_service.api(one.api.project_id, "reader"))
    for rest in ("/connections", "/gateways", "/customer-gateways"):
        assert 'type="checkbox"' not in reader.page(rest)
        assert 'type="checkbox"' in one.page(rest)


def test_what_people_type_is_text(one: Any):
    hostile = "\"'></textarea><script>alert(1)</script>"
    text = _ask(one, "tag", one.ids, key=hostile, value=hostile, back=hostile)
    answer = _send(one, text, status=400, key=hostile, value=hostile, back=hostile)
    for page in (text, answer.text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
