"""Who gets a session, what the browser gets, and how sessions end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landbridge import config, errors
from landbridge.console import app, sign_in
from landbridge.operations import access, clock, console_sessions
from landbridge.operations.call import Caller
from landbridge.wire import body

LIMITS = config.Console(idle_minutes=30, session_hours=8)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_nobody_sees_a_page_without_a_session(person: Callable[..., Any]):
    stranger = person(signed_in=False)
    path = f"/console/{stranger.api.project_id}"
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/sign-in?next={path}")
    assert stranger.get(path, landbridge_refresh="1").status_code == 401


def test_a_key_and_its_secret_sign_in(person: Callable[..., Any]):
    one = person(signed_in=False)
    answer = one.sign_in(to=f"/console/{one.api.project_id}?health=down")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/{one.api.project_id}?health=down")
    assert "No tunnel" in one.page()


def test_the_cookie_is_for_this_site_and_not_for_scripts(person: Callable[..., Any]):
    one = person(signed_in=False)
    plain = one.sign_in().headers["set-cookie"]
    assert plain.startswith("landbridge=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(plain.split("; "))
    secure = person(signed_in=False).sign_in(origin="https://landbridge.test", host="landbridge.test")
    assert secure.headers["set-cookie"].startswith("__Host-landbridge=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(secure.headers["set-cookie"].split("; "))


@pytest.mark.parametrize(
    "to",
    ["https://evil.example/", "//evil.example", "/console//evil.example", "/docs", "javascript:1", "/console/\r\nX: y"],
)
def test_a_sign_in_leads_nowhere_else(person: Callable[..., Any], to: str):
    answer = person(signed_in=False).sign_in(to=to)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/")
    assert "evil" not in answer.headers["location"]
    assert "x" not in answer.headers


def test_an_unknown_key_and_a_wrong_secret_get_one_answer(person: Callable[..., Any]):
    one = person(signed_in=False)
    wrong = one.post("/console/sign-in", {"access_key": one.api.key.access_key, "secret_key": "x"})
    unknown = one.post("/console/sign-in", {"access_key": "NOBODY", "secret_key": "x"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text == unknown.text
    assert console_sessions.BAD_CREDENTIALS in wrong.text


def test_a_key_for_metrics_alone_is_told_so(person: Callable[..., Any], shared_service: Any):
    answer = person(signed_in=False).sign_in(shared_service.new_key(role="monitor"))
    assert answer.status_code == 403
    assert "/metrics" in answer.text


def test_failed_tries_are_limited_by_address():
    failures = sign_in.Failures()
    for _ in range(sign_in.MAX_FAILURES):
        assert failures.wait_seconds("192.0.2.1") == 0
        failures.note("192.0.2.1")
    assert 0 < failures.wait_seconds("192.0.2.1") <= sign_in.WINDOW_SECONDS + 1
    assert failures.wait_seconds("192.0.2.2") == 0


def test_after_too_many_failed_tries_a_right_key_waits_too(open_service: Callable[..., Any], person: Any):
    service = open_service()
    one = type(person())(http=service.http, api=service.api())
    for _ in range(sign_in.MAX_FAILURES):
        one.post("/console/sign-in", {"access_key": "NOBODY", "secret_key": "x"})
    answer = one.sign_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_tries_of_links_are_limited_as_those_of_keys(open_service: Callable[..., Any], person: Any):
    service = open_service()
    one = type(person())(http=service.http, api=service.api())
    tries = [one.post("/console/link/x").status_code for _ in range(sign_in.MAX_FAILURES + 1)]
    assert tries == [401] * sign_in.MAX_FAILURES + [429]
    assert one.get(_link(service, one), sec_fetch_site="none").status_code == 429


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/theme"])
def test_a_form_of_somebody_without_a_session_is_small(person: Callable[..., Any], path: str):
    assert person(signed_in=False).post(path, {"next": "x" * app.SMALL_FORM_LIMIT}).status_code == 413


def test_a_form_has_a_size(person: Callable[..., Any]):
    one = person()
    answer = one.post(f"/console/{one.api.project_id}/connections/x/edit", {"psk": "y", "a[0]": "x" * body.BODY_LIMIT})
    assert answer.status_code == 413
    assert "more than 1024 KiB. Its largest field is a[0]. Nothing is changed." in answer.text


def test_over_tls_the_plain_cookie_opens_no_page(person: Callable[..., Any]):
    """Another host of the site, or somebody on the way of a request over plain HTTP, can plant it."""
    one = person()
    path = f"/console/{one.api.project_id}"
    assert list(one.cookies) == [sign_in.PLAIN]
    assert one.get(path).status_code == 200
    assert one.get(path, x_forwarded_proto="https").status_code == 303


def test_signing_out_ends_the_session_on_the_server(person: Callable[..., Any]):
    one = person()
    cookies = dict(one.cookies)
    assert one.post("/console/sign-out").status_code == 303
    assert one.cookies == {}
    one.cookies = cookies
    assert one.get(f"/console/{one.api.project_id}").status_code == 303


def test_a_session_dies_with_its_key(person: Callable[..., Any], shared_service: Any):
    one = person()
    shared_service.data.database.write(lambda tx: access.revoke_key(tx, one.api.key.access_key, clock.now()))
    assert one.get(f"/console/{one.api.project_id}").status_code == 303


def test_each_sign_in_has_a_new_secret(person: Callable[..., Any]):
    one = person(signed_in=False)
    one.cookies = {"landbridge": "planted"}
    one.sign_in()
    first = one.cookies["landbridge"]
    one.sign_in()
    assert "planted" != first != one.cookies["landbridge"]


@pytest.mark.parametrize("by_link", [False, True])
def test_a_sign_in_ends_the_session_that_it_replaces(person: Callable[..., Any], shared_service: Any, by_link: bool):
    one = person()
    before = dict(one.cookies)
    if by_link:
        one.get(_link(shared_service, one), sec_fetch_site="none")
    else:
        one.sign_in()
    assert "No tunnel" in one.page()
    found = one.api.get(f"/landbridge/v1/{one.api.project_id}/audit")["audit_events"]
    assert [each["action"] for each in found if each["action"].startswith("sign_")] == [
        "sign_in",
        "sign_out",
        "sign_in",
    ]
    one.cookies = before
    assert one.get(f"/console/{one.api.project_id}").status_code == 303


def test_a_sign_in_that_fails_ends_no_session(person: Callable[..., Any]):
    one = person()
    one.post("/console/sign-in", {"access_key": one.api.key.access_key, "secret_key": "x"})
    one.post("/console/link/x")
    assert "No tunnel" in one.page()


def test_a_look_at_the_head_of_a_link_does_not_use_it(person: Callable[..., Any], shared_service: Any):
    one = person(signed_in=False)
    link = _link(shared_service, one)
    answer = one.send("HEAD", link, sec_fetch_site="none")
    assert (answer.status_code, one.cookies) == (200, {})
    assert one.get(link, sec_fetch_site="none").status_code == 303
    assert "No tunnel" in one.page()


def test_the_store_has_no_secret_of_a_session(person: Callable[..., Any], shared_service: Any):
    one = person()
    found = shared_service.data.path / "landbridge.db"
    content = found.read_bytes() + found.with_name("landbridge.db-wal").read_bytes()
    assert one.api.key.access_key.encode() in content
    assert one.cookies["landbridge"].encode() not in content


def test_the_audit_trail_has_sign_in_and_sign_out(person: Callable[..., Any]):
    one = person()
    one.post("/console/sign-out")
    events = one.api.get(f"/landbridge/v1/{one.api.project_id}/audit")["audit_events"]
    assert [(event["action"], event["actor"]) for event in events[:2]] == [
        ("sign_out", one.api.key.access_key),
        ("sign_in", one.api.key.access_key),
    ]


@pytest.mark.parametrize(
    ("used", "after", "alive"),
    [
        pytest.param((), timedelta(minutes=29), True, id="in use"),
        pytest.param((), timedelta(minutes=31), False, id="idle"),
        pytest.param((20, 40, 60), timedelta(minutes=89), True, id="used again and again"),
        pytest.param(range(0, 481, 20), timedelta(hours=8, minutes=1), False, id="longer than a session may last"),
    ],
)
def test_a_session_ends_by_time(service: Any, used: Any, after: timedelta, alive: bool):
    database = service.data.database
    key = service.new_key(service.new_project())
    caller = Caller(access_key=key.access_key, project_id=key.project_id, role="admin")
    secret = database.write(lambda tx: console_sessions.begin(tx, caller, LIMITS, NOW, "r")).reveal()
    for minutes in used:
        at = NOW + timedelta(minutes=minutes)
        assert database.read(lambda tx: console_sessions.find(tx, secret, LIMITS, at))  # noqa: B023
        database.write(lambda tx: console_sessions.use(tx, secret, at))  # noqa: B023
    found = database.read(lambda tx: console_sessions.find(tx, secret, LIMITS, NOW + after))
    assert (found is not None) == alive


def test_a_link_signs_in_once(person: Callable[..., Any], shared_service: Any):
    one = person(signed_in=False)
    link = _link(shared_service, one)
    assert one.get(link, sec_fetch_site="none").status_code == 303
    assert "No tunnel" in one.page()
    again = person(signed_in=False).get(link, sec_fetch_site="none")
    assert again.status_code == 401
    assert console_sessions.BAD_LINK in again.text


def test_behind_a_proxy_with_tls_a_link_gives_the_cookie_of_tls(person: Callable[..., Any], shared_service: Any):
    one = person(signed_in=False)
    answer = one.get(_link(shared_service, one), sec_fetch_site="none", x_forwarded_proto="https")
    assert answer.headers["set-cookie"].startswith("__Host-landbridge=")
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    assert "No tunnel" in one.page(x_forwarded_proto="https")


# same-origin: a sign-in with `next` leads to a link that somebody else made for another key
@pytest.mark.parametrize("headers", [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-origin"}, {}])
def test_another_site_that_opens_a_link_signs_nobody_in(person: Any, shared_service: Any, headers: dict[str, str]):
    one = person(signed_in=False)
    link = _link(shared_service, one)
    answer = one.get(link, **headers)
    assert (answer.status_code, one.cookies) == (200, {})
    assert one.post(link, sec_fetch_site="cross-site").status_code == 403
    assert one.post(link).status_code == 303


def test_an_old_link_is_worth_nothing(service: Any):
    key = service.new_key(service.new_project())
    link = service.data.database.write(lambda tx: console_sessions.make_link(tx, key.access_key, NOW)).reveal()
    late = NOW + console_sessions.LINK_LIFETIME + timedelta(seconds=1)
    with pytest.raises(errors.Unauthenticated, match="too old"):
        service.data.database.write(lambda tx: console_sessions.begin_by_link(tx, link, LIMITS, late, "r"))


def _link(shared_service: Any, one: Any) -> str:
    made = shared_service.data.database.write(
        lambda tx: console_sessions.make_link(tx, one.api.key.access_key, clock.now())
    )
    return f"/console/link/{made.reveal()}"
