"""Tags of one resource, and access keys of the project."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from landbridge.console import shown_once
from landbridge.model import allowed_values
from landbridge.operations import access, clock, keys
from tests.console.reading import events, told, values, words

TYPES = tuple(allowed_values.TAGGED)


def _resource(one: Any, kind: str) -> tuple[str, Any]:
    """The path of its tags in the console and in the API."""
    made = {
        "vpn-gateway": one.api.gateway,
        "customer-gateway": one.api.customer_gateway,
        "vpn-connection": lambda: one.api.connection(one.api.gateway()),
    }[kind]()
    return f"/console/{one.api.project_id}/tags/{kind}/{made['id']}", f"{kind}/{made['id']}/tags"


def _tags(one: Any, path: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in one.api.get(path)["tags"]}


@pytest.mark.parametrize("kind", TYPES)
def test_a_tag_is_added_changed_and_removed(person: Callable[..., Any], kind: str):
    one = person()
    path, api = _resource(one, kind)
    for form, after in (
        ({"do": "set", "key": "site", "value": "berlin"}, {"site": "berlin"}),
        ({"do": "set", "key": "cost", "value": ""}, {"site": "berlin", "cost": ""}),
        ({"do": "set", "key": "site", "value": "bonn"}, {"site": "bonn", "cost": ""}),
        ({"do": "remove", "key": "site", "before": "bonn"}, {"cost": ""}),
    ):
        assert one.post(path, form).status_code == 303
        assert _tags(one, api) == after
    assert [action for action, _ in events(one)[:4]] == [
        "batch_delete_resource_tags",
        *["batch_create_resource_tags"] * 3,
    ]


def test_a_tag_that_somebody_else_changed_is_not_removed(person: Callable[..., Any]):
    one = person()
    path, api = _resource(one, "customer-gateway")
    one.post(path, {"do": "set", "key": "site", "value": "bonn"})
    one.post(path, {"do": "remove", "key": "site", "before": "berlin"})
    assert _tags(one, api) == {"site": "bonn"}
    assert "has another value by now" in one.get(path).text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"key": "", "value": "x"}, "key"),
        ({"key": "a<b", "value": "x"}, "key"),
        ({"key": "site", "value": "<b>"}, "value"),
        ({"key": "new", "value": "x" * 256}, "value"),
    ],
)
def test_what_the_rules_refuse_stands_at_the_field_that_was_sent(person: Any, form: dict[str, str], field: str):
    one = person()
    path, api = _resource(one, "customer-gateway")
    one.post(path, {"do": "set", "key": "site", "value": "bonn"})
    answer = one.post(path, {"do": "set"} | form)
    assert answer.status_code == 400
    assert list(told(answer.text)) == [field]
    assert _tags(one, api) == {"site": "bonn"}


def test_one_tag_more_than_allowed_is_refused(person: Callable[..., Any]):
    one = person()
    path, _ = _resource(one, "customer-gateway")
    for number in range(allowed_values.TAG_LIMIT):
        assert one.post(path, {"do": "set", "key": f"k{number}"}).status_code == 303
    assert "at most 20 tags" in words(one.get(path).text)
    assert one.post(path, {"do": "set", "key": "more"}).status_code == 400


def test_an_unknown_type_is_refused(person: Callable[..., Any]):
    one = person()
    assert one.get(f"/console/{one.api.project_id}/tags/vpc/x").status_code == 400


@pytest.mark.parametrize("role", ["reader", "admin"])
def test_the_secrets_of_a_new_key_are_shown_once_and_sign_in(person: Callable[..., Any], role: str):
    one = person()
    path = f"/console/{one.api.project_id}/keys"
    made = one.post(path, {"role": role})
    assert made.headers["location"] == path
    assert made.headers["cache-control"] == "no-store"
    text = one.follow(made)
    found = dict(zip(("access_key", "secret_key"), _codes(text), strict=False))
    assert 'data-etag="' not in text  # a refresh would take the secrets away
    assert found["secret_key"] not in str(made.headers)
    assert found["secret_key"] not in one.get(path).text
    assert found["access_key"] in one.get(path).text
    other = person(signed_in=False)
    assert other.post("/console/sign-in", found).status_code == 303
    assert other.get(path).status_code == (403 if role == "reader" else 200)
    assert events(one)[0] == ("create_key", found["access_key"])


def test_a_reload_after_a_new_key_makes_no_other_one(person: Callable[..., Any]):
    one = person()
    path = f"/console/{one.api.project_id}/keys"
    assert len(_codes(one.follow(one.post(path, {"role": "reader"})))) == 3
    assert _codes(one.get(path).text) == []
    assert [action for action, _ in events(one)] == ["create_key", "sign_in"]


def test_a_form_that_is_sent_twice_makes_one_key(person: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    one = person()
    path = f"/console/{one.api.project_id}/keys"
    form = values(one.page("/keys")) | {"role": "reader"}
    first, second = (_codes(one.follow(one.post(path, form))) for _ in "ab")
    assert len(first) == 3
    assert second == first
    assert [action for action, _ in events(one)] == ["create_key", "sign_in"]
    assert (
        person(signed_in=False)
        .post("/console/sign-in", dict(zip(("access_key", "secret_key"), second, strict=False)))
        .status_code
        == 303
    )
    other = person(one.api)
    assert _codes(other.follow(other.post(path, values(other.page("/keys")))))[0] != first[0]
    then = clock.now()
    for later, role in ((timedelta(), "admin"), (keys.REPEAT * 2, "reader")):
        with monkeypatch.context() as at:
            at.setattr(clock, "now", lambda by=later: then + by)
            text = one.follow(one.post(path, form | {"role": role}))
        assert f"Nothing was created: this form has created access key {first[0]}." in text
        assert _codes(text) == []
    assert [action for action, _ in events(one)].count("create_key") == 2


def test_secrets_open_only_on_their_page_in_their_session_and_in_time(
    person: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    one = person()
    path = f"/console/{one.api.project_id}/keys"
    one.post(path, {"role": "reader"})
    sealed = one.cookies[shown_once.COOKIE]
    assert 'id="made"' not in one.get(path, landbridge_refresh="1").text
    assert "set-cookie" not in one.send("HEAD", path).headers
    other = person(one.api)
    for wrong in (sealed, sealed[:-8], sealed[:-1], "", "?"):
        other.cookies[shown_once.COOKIE] = wrong
        assert _codes(other.get(path).text) == []
    then = clock.now()
    with monkeypatch.context() as later:
        later.setattr(shown_once.clock, "now", lambda: then + timedelta(seconds=shown_once.LIFETIME_SECONDS + 1))
        one.cookies[shown_once.COOKIE] = sealed
        assert _codes(one.get(path).text) == []
    one.cookies[shown_once.COOKIE] = sealed
    assert _codes(one.get(path.removesuffix("/keys")).text) == []
    one.cookies[shown_once.COOKIE] = sealed
    assert len(_codes(one.get(path).text)) == 3
    assert shown_once.COOKIE not in one.cookies


def _codes(text: str) -> list[str]:
    return [
        part.partition("</code>")[0] for part in text.split('<code id="made-')[1:] for part in [part.partition(">")[2]]
    ]


@pytest.mark.parametrize("role", ["operator", "monitor", "", "ADMIN"])
def test_no_key_of_another_role_is_created(person: Callable[..., Any], role: str):
    one = person()
    answer = one.post(f"/console/{one.api.project_id}/keys", {"role": role})
    assert answer.status_code == 400
    assert "role" in told(answer.text)
    assert [action for action, _ in events(one)] == ["sign_in"]


def test_a_revoked_key_ends_its_sessions(person: Callable[..., Any], shared_service: Any):
    one = person()
    other = person(shared_service.api(one.api.project_id))
    path = f"/console/{one.api.project_id}/keys/{other.api.key.access_key}"
    assert "its sessions of the console end" in words(one.get(path).text)
    assert one.post(path).status_code == 303
    assert other.get(f"/console/{one.api.project_id}").status_code == 303
    assert events(one)[0] == (access.REVOKED, other.api.key.access_key)
    assert one.post(path).status_code == 404


def test_nobody_revokes_the_own_key_or_one_of_another_project(person: Callable[..., Any]):
    one, other = person(), person()
    for whose, status in ((one, 400), (other, 404)):
        assert one.post(f"/console/{one.api.project_id}/keys/{whose.api.key.access_key}").status_code == status
        assert whose.get(f"/console/{whose.api.project_id}").status_code == 200
    assert one.get(f"/console/{one.api.project_id}/keys/{other.api.key.access_key}").status_code == 404


def test_an_operator_makes_keys_of_the_project_alone(person: Callable[..., Any], shared_service: Any):
    one = person(shared_service.api(role="operator"))
    text = one.follow(one.post(f"/console/{one.api.project_id}/keys", {"role": "admin"}))
    access_key, secret_key = _codes(text)[:2]
    made = person(signed_in=False)
    made.post("/console/sign-in", {"access_key": access_key, "secret_key": secret_key})
    assert made.get("/console/").headers["location"] == f"/console/{one.api.project_id}"
    assert made.get(f"/console/{shared_service.new_project()}").status_code == 403
