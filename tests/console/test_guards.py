"""Every page of the table: who may open it, what its answers carry, and that no other site can use its forms."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landbridge import errors
from landbridge.console import origins, pages, rendering
from landbridge.operations import console_sessions

GETS = [page for page in pages.TABLE if page.method == "GET"]
POSTS = [page for page in pages.TABLE if page.method == "POST"]
NOWHERE = "00000000-0000-4000-8000-000000000000"


def _path(page: pages.Page, project_id: str) -> str:
    return f"/console/{project_id}" + re.sub(r"\{\w+\}", NOWHERE, page.path)


def _ids(some: list[pages.Page]) -> list[Any]:
    return [pytest.param(page, id=f"{page.method} {page.name}") for page in some]


def _check_headers(answer: Any) -> None:
    assert {name: answer.headers.get(name) for name in rendering.HEADERS} == rendering.HEADERS


def _check_markup(text: str) -> None:
    """The policy refuses styles and scripts in a page: none may be there that would silently not work."""
    assert re.findall(r"<[^>]+\sstyle=", text) == []
    assert re.findall(r"<[^>]+\son\w+=", text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r'(?:src|href)="(?!/|#|\?)[^"]*"', text) == []


@pytest.mark.parametrize("page", _ids(list(pages.TABLE)))
def test_a_page_needs_a_session(person: Callable[..., Any], page: pages.Page):
    stranger = person(signed_in=False)
    answer = stranger.send(page.method, _path(page, stranger.api.project_id), sec_fetch_site="same-origin")
    assert answer.status_code == (303 if page.method == "GET" else 401)
    _check_headers(answer)


@pytest.mark.parametrize("page", _ids(list(pages.TABLE)))
def test_a_page_of_another_project_is_refused(person: Callable[..., Any], shared_service: Any, page: pages.Page):
    answer = person().send(page.method, _path(page, shared_service.new_project()), sec_fetch_site="same-origin")
    assert answer.status_code == 403
    _check_headers(answer)
    _check_markup(answer.text)


@pytest.mark.parametrize("page", _ids([page for page in pages.TABLE if page.role == "admin"]))
def test_what_needs_an_admin_is_refused_to_a_reader(person: Callable[..., Any], shared_service: Any, page: pages.Page):
    reader = person(shared_service.api(role="reader"))
    answer = reader.send(page.method, _path(page, reader.api.project_id), {}, sec_fetch_site="same-origin")
    assert answer.status_code == 403


@pytest.mark.parametrize("page", _ids(POSTS))
def test_a_form_of_another_site_is_refused(person: Callable[..., Any], page: pages.Page):
    one = person()
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        answer = one.post(_path(page, one.api.project_id), **headers)
        assert answer.status_code == 403
        assert "another site" in answer.text


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/link/x"])
def test_a_sign_in_from_another_site_is_refused(person: Callable[..., Any], path: str):
    assert person(signed_in=False).post(path, sec_fetch_site="cross-site").status_code == 403


def test_another_site_signs_nobody_out(person: Callable[..., Any]):
    one = person()
    answer = one.post("/console/sign-out", sec_fetch_site="cross-site")
    assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)
    assert "No tunnel" in one.page()


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://a", "host": "a"}, False),
        ({"origin": "http://vpn.example:8700", "host": "vpn.example:8700"}, True),
        ({"origin": "http://vpn.example", "host": "vpn.example:8700"}, False),
        ({"origin": "null", "host": "vpn.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://[", "host": "vpn.example"}, False),
        ({"origin": "", "host": "vpn.example"}, False),
        ({}, True),
    ],
)
def test_which_requests_are_the_consoles_own(headers: dict[str, str], own: bool):
    assert origins.is_own(headers) == own


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/sign-in", "/console/nothing/here/at/all"])
def test_what_needs_no_session_has_the_headers_too(person: Callable[..., Any], path: str):
    answer = person(signed_in=False).get(path)
    _check_headers(answer)
    _check_markup(answer.text)


@pytest.mark.parametrize(
    ("error", "status"), [(errors.Busy("a full disk"), 503), (RuntimeError("a fault of ours"), 500)]
)
def test_what_fails_at_the_sign_in_is_a_page_too(
    person: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
):
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(console_sessions, "begin", fail)
    answer = person(signed_in=False).sign_in()
    assert answer.status_code == status
    assert "<h1>" in answer.text
    _check_headers(answer)


def test_assets_are_kept_for_ever_under_the_hash_of_their_content(person: Callable[..., Any]):
    one = person(signed_in=False)
    found = re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', one.get("/console/sign-in").text)
    assert len(found) == 3
    for path in found:
        answer = one.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-security-policy"] == rendering.CONTENT_SECURITY_POLICY
    assert one.get("/console/assets/console.css").status_code == 404


def test_the_theme_is_a_choice_of_the_browser(person: Callable[..., Any]):
    one = person(signed_in=False)
    assert 'data-theme="auto"' in one.get("/console/sign-in").text
    one.post("/console/theme", {"theme": "dark", "next": "/console/sign-in"})
    assert 'data-theme="dark"' in one.get("/console/sign-in").text
    one.post("/console/theme", {"theme": "pink", "next": "/console/sign-in"})
    assert 'data-theme="dark"' in one.get("/console/sign-in").text


def test_templates_stay_those_of_the_program_that_runs(tmp_path: Path):
    """An upgrade replaces the files of a service that runs."""
    (tmp_path / "page.html").write_text('{% import "macros.html" as m %}{{ m.before() }}')
    (tmp_path / "macros.html").write_text("{% macro before() %}before{% endmacro %}")
    environment = rendering._environment(tmp_path)
    (tmp_path / "macros.html").write_text("{% macro after() %}after{% endmacro %}")
    assert environment.get_template("page.html").render() == "before"
    (tmp_path / "page.html").write_text("after")
    assert environment.get_template("page.html").render() == "before"
