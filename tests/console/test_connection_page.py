"""The page of a connection: what it shows, what each role may do there, and what is written down."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from landbridge import model
from tests.conftest import PSK
from tests.console.reading import events, told, values, words


def _made(one: Any, state: str | None = None) -> Any:
    made = one.api.connection(one.api.gateway())
    shown = one.api.connection_as(made["id"], "ACTIVE")
    if state is not None:
        one.api.simulate(made["id"], state)
        shown = one.api.connection_as(made["id"], "DOWN")
    return shown


def test_a_tunnel_that_is_up_says_so(person: Callable[..., Any]):
    one = person()
    text = words(one.page(f"/connections/{_made(one)['id']}"))
    assert "IKE_SA up" in text
    assert "1 of 1 CHILD_SAs" in text
    assert "Nothing is wrong." in text


def test_a_form_switches_nqa_on_and_off(person: Callable[..., Any]):
    one = person()
    path = f"/connections/{_made(one)['id']}"
    switched = []
    for given in ("true", "false", "true"):
        one.post(f"/console/{one.api.project_id}{path}/edit", values(one.page(f"{path}/edit")) | {"enable_nqa": given})
        switched.append(
            one.api.get(f"vpn-connection/{path.rsplit('/', maxsplit=1)[-1]}")["vpn_connection"]["enable_nqa"]
        )
    assert switched == [True, False, True]
    before = values(one.page(f"{path}/edit"))
    assert before["enable_nqa"] == "true"
    answer = one.post(f"/console/{one.api.project_id}{path}/edit", before)
    assert "Nothing was changed." in one.follow(answer)
    # A browser sends no value of a box that is not checked: the hidden field beside it says so.
    assert '<input type="hidden" name="enable_nqa" value="false">' in one.page(f"{path}/edit")


def test_the_audit_trail_names_the_resources(person: Callable[..., Any]):
    one = person()
    name = _made(one)["name"]
    assert name in words(one.page("/audit"))


def test_a_difference_is_marked_with_its_cause_and_its_step(person: Callable[..., Any]):
    one = person()
    page = one.page(f"/connections/{_made(one, 'down:proposal')['id']}")
    assert re.findall(r"<mark>(.*?)</mark>", page) == ["aes-256"]
    text = words(page)
    assert "on this connection, set encryption_algorithm to aes-256 (ikepolicy)" in text
    assert "no proposal of phase 1 fits: the device offers " in text


@pytest.mark.parametrize(("state", "marked"), [("down:psk", "another one"), ("down:selectors", "192.0.2.0/24")])
def test_other_differences_are_marked_too(person: Callable[..., Any], state: str, marked: str):
    one = person()
    page = one.page(f"/connections/{_made(one, state)['id']}")
    assert re.findall(r"<mark>(.*?)</mark>", page) == [marked]


def test_a_reader_sees_no_button_that_would_be_refused(person: Callable[..., Any], shared_service: Any):
    admin = person()
    made = _made(admin)
    reader = person(shared_service.api(admin.api.project_id, "reader"))
    path = f"/connections/{made['id']}"
    assert re.findall(r'action="([^"]+)"', admin.page(path)) != []
    theirs = reader.page(path)
    assert [to for to in re.findall(r'<form method="post" action="([^"]+)"', theirs) if made["id"] in to] == []
    assert f"{made['id']}/edit" not in theirs
    assert f"{made['id']}/delete" not in theirs


@pytest.mark.parametrize(
    ("what", "form", "action"),
    [
        ("reset", {}, "reset_vpn_connection"),
        ("probe", {"kind": "path"}, "probe"),
        ("delete", {}, "delete_vpn_connection"),
        ("edit", {"name": "renamed"}, "update_vpn_connection"),
    ],
)
def test_each_change_has_its_actor_in_the_audit_trail(person: Any, what: str, form: dict[str, str], action: str):
    one = person()
    made = _made(one)
    answer = one.post(f"/console/{one.api.project_id}/connections/{made['id']}/{what}", form)
    assert answer.status_code == 303, words(answer.text)
    assert events(one)[0][0] == action


def test_what_happened_is_said_once(person: Callable[..., Any]):
    one = person()
    path = f"/connections/{_made(one)['id']}"
    one.post(f"/console/{one.api.project_id}{path}/reset")
    assert "The tunnel is negotiated anew." in one.page(path)
    assert "The tunnel is negotiated anew." not in one.page(path)


def test_an_edit_sends_what_differs(person: Callable[..., Any]):
    one = person()
    made = _made(one)
    path = f"/console/{one.api.project_id}/connections/{made['id']}/edit"
    form = values(one.get(path).text)
    form |= {"peer_subnets": "192.168.50.0/24 192.168.51.0/24", "ikepolicy.dh_group": "group19"}
    assert one.post(path, values(one.post(path, form).text)).status_code == 303
    after = one.api.get(f"vpn-connection/{made['id']}")["vpn_connection"]
    assert after["peer_subnets"] == ["192.168.50.0/24", "192.168.51.0/24"]
    changed = {name for name in after["ikepolicy"] if after["ikepolicy"][name] != made["ikepolicy"][name]}
    assert changed == {"dh_group"}
    assert after["ipsecpolicy"] == made["ipsecpolicy"]


IKE, CHILD = (
    "The IKE_SA (phase 1) and all its CHILD_SAs are negotiated anew.",
    "CHILD_SAs (phase 2) are negotiated anew.",
)


def _edit(one: Any, made: Any) -> tuple[str, dict[str, str]]:
    path = f"/console/{one.api.project_id}/connections/{made['id']}/edit"
    return path, values(one.get(path).text)


@pytest.mark.parametrize(
    ("change", "effect"), [({"ikepolicy.dh_group": "group19"}, IKE), ({"ipsecpolicy.pfs": "disable"}, CHILD)]
)
def test_what_an_edit_does_to_a_tunnel_that_is_up_is_said_first(person: Any, change: dict[str, str], effect: str):
    one = person()
    made = _made(one)
    path, form = _edit(one, made)
    answer = one.post(path, form | change)
    assert answer.status_code == 200
    assert "Confirm this change" in answer.text
    assert effect in answer.text
    assert "The tunnel is up: packets of these SAs are lost meanwhile." in answer.text
    assert events(one)[0][0] == "create_vpn_connection"
    other = values(answer.text) | {"ikepolicy.encryption_algorithm": "aes-256", "ipsecpolicy.pfs": "group20"}
    assert one.post(path, other).status_code == (200 if effect == CHILD else 303)
    if effect == CHILD:
        assert one.post(path, values(answer.text)).status_code == 303
    assert events(one)[0][0] == "update_vpn_connection"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "renamed"}, "The tunnel does not change."),
        ({"peer_subnets": "192.168.77.0/24"}, "No SA is negotiated anew."),
        ({"psk": "Another-Key-2026"}, "is tried beside the tunnel"),
        ({"ipsecpolicy.pfs": "disable"}, CHILD),
        (
            {"ikepolicy.dh_group": "group19", "psk": "Another-Key-2026"},
            "The device needs the new pre-shared key at once.",
        ),
        ({}, "No field differs from what is stored."),
    ],
)
def test_a_check_says_what_an_edit_would_do_and_stores_nothing(person: Any, change: dict[str, str], says: str):
    one = person()
    made = _made(one)
    path, form = _edit(one, made)
    answer = one.post(path, form | change | {"do": "check"})
    assert answer.status_code == 200
    assert says in answer.text
    assert one.api.get(f"vpn-connection/{made['id']}")["vpn_connection"] == made
    kept = values(answer.text)
    assert {name: kept[name] for name in change if name != "psk"} == {n: v for n, v in change.items() if n != "psk"}
    assert list(told(one.post(path, form | {"name": "a b", "do": "check"}).text)) == ["name"]
    assert events(one)[0][0] == "create_vpn_connection"


def test_a_tunnel_that_is_down_needs_no_confirmation(person: Callable[..., Any]):
    one = person()
    path, form = _edit(one, _made(one, "down:psk"))
    assert one.post(path, form | {"ikepolicy.dh_group": "group19"}).status_code == 303


def test_a_wrong_value_is_explained_at_its_field(person: Callable[..., Any]):
    one = person()
    made = _made(one)
    path = f"/console/{one.api.project_id}/connections/{made['id']}/edit"
    answer = one.post(path, {"peer_subnets": "10.1.2.3/24x", "ikepolicy.lifetime_seconds": "soon"})
    assert answer.status_code == 400
    assert list(told(answer.text)) == ["peer_subnets", "ikepolicy.lifetime_seconds"]
    assert 'value="soon"' in answer.text
    assert one.api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["peer_subnets"] == made["peer_subnets"]


def test_an_edit_of_an_old_version_is_refused(person: Callable[..., Any]):
    one = person()
    made = _made(one)
    path = f"/console/{one.api.project_id}/connections/{made['id']}/edit"
    form = values(one.get(path).text)
    one.api.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": "other"}})
    assert one.post(path, form | {"name": "mine"}).status_code == 412
    assert one.api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["name"] == "other"


def test_a_delete_tells_what_it_cuts(person: Callable[..., Any]):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    first = one.api.connection(gateway, peer)
    one.api.connection_as(first["id"], "ACTIVE")
    path = f"/connections/{first['id']}/delete"
    assert "192.168.44.0/24 : is not reached any more" in words(one.page(path)).replace("  ", " ").replace(
        " down ", " "
    )
    second = one.api.connection(gateway, peer, vgw_ip=gateway["eip2"]["id"])
    one.api.connection_as(second["id"], "ACTIVE")
    assert f"stays reached through {second['name']}" in words(one.page(path))
    assert one.api.get(f"vpn-connection/{first['id']}")["vpn_connection"]["status"] == "ACTIVE"


def test_the_pre_shared_key_is_shown_to_an_admin_who_asks_and_noted(person: Callable[..., Any]):
    one = person()
    made = _made(one)
    path = f"/connections/{made['id']}"
    shown = one.page(f"{path}?device=cisco-ios-xe")
    assert "crypto" in shown
    assert PSK not in shown
    answer = one.post(f"/console/{one.api.project_id}{path}/psk", {"device": "cisco-ios-xe"})
    assert answer.headers["location"].endswith(f"{path}?device=cisco-ios-xe")
    assert PSK in one.follow(answer)
    assert events(one)[0][0] == "show_psk"
    assert PSK not in one.follow(answer)
    assert [action for action, _ in events(one)].count("show_psk") == 1


def test_what_people_type_is_text(person: Callable[..., Any]):
    one = person()
    path = f"/connections/{_made(one)['id']}"
    hostile = "\"'><script>alert(1)</script>"
    pages = [
        one.page(f"?{urlencode({'q': hostile})}"),
        one.page(f"/connections?{urlencode({'q': hostile, 'health': hostile})}"),
        one.page(f"/tags?{urlencode({'type': 'vpn-gateway', 'key': 'a', 'value': hostile})}"),
        one.post(f"/console/{one.api.project_id}{path}/edit", {"peer_subnets": hostile, "name": hostile}).text,
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_an_unknown_connection_is_not_found(person: Callable[..., Any]):
    one = person()
    answer = one.get(f"/console/{one.api.project_id}/connections/no-such-connection")
    assert answer.status_code == 404
    assert "no-such-connection" in answer.text


@pytest.mark.parametrize("id_", ["no-such-connection", "%E2%82%AC", "a%0D%0AX:%20y", "a;%20domain=example.org"])
@pytest.mark.parametrize("page", ["connections/{}/psk", "new-connection/{}"])
def test_the_pre_shared_key_of_an_unknown_connection_is_not_found(person: Callable[..., Any], page: str, id_: str):
    one = person()
    answer = one.post(f"/console/{one.api.project_id}/{page.format(id_)}", {"device": "strongswan"})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("health", model.HEALTH_ORDER)
def test_the_list_of_connections_is_filtered_by_health(person: Callable[..., Any], health: str):
    one = person()
    gateway = one.api.gateway()
    up, down = (one.api.connection(gateway) for _ in range(2))
    one.api.connection_as(up["id"], "ACTIVE")
    one.api.simulate(down["id"], "down")
    one.api.connection_as(down["id"], "DOWN")
    rows = re.findall(r'<tr id="r-([^"]+)"', one.page(f"/connections?health={health}"))
    assert rows == {"up": [up["id"]], "down": [down["id"]]}.get(health, [])


def test_pages_of_connections_have_fifty_rows(person: Callable[..., Any]):
    one = person()
    gateway = one.api.gateway()
    for number in range(52):
        one.api.connection(gateway, peer_subnets=[f"172.21.{number}.0/24"])
    pages = [re.findall(r'<tr id="r-([^"]+)"', one.page(f"/connections?page={number}")) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 2, 0]
    assert len({*pages[0], *pages[1]}) == 52


@pytest.mark.parametrize("style", ["static", "policy", "bgp"])
@pytest.mark.parametrize("state", [None, "down"])
def test_the_overview_has_the_redundancy_of_the_api(person: Callable[..., Any], style: str, state: str | None):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    rules = [{"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}]
    fields = {"style": style, "policy_rules": rules if style == "policy" else None}
    made = [one.api.connection(gateway, peer, vgw_ip=gateway[eip]["id"], **fields) for eip in ("eip1", "eip2")]
    for each in made:
        one.api.connection_as(each["id"], "ACTIVE")
    if state:
        one.api.simulate(made[0]["id"], state)
        one.api.connection_as(made[0]["id"], "DOWN")
    (row,) = one.api.get(f"/landbridge/v1/{one.api.project_id}/vpn-gateways")["vpn_gateways"]
    assert row["redundant"] is (state is None)
    assert ("redundancy met" if row["redundant"] else "redundancy not met") in one.page()
