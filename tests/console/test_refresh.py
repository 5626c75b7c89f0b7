"""A refresh costs nothing while nothing changes, and keeps no session alive."""

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from landbridge.console import app
from landbridge.store import connection_states, connections


def _refresh(one: Any, tag: str, path: str = "") -> Any:
    return one.get(f"/console/{one.api.project_id}{path}", if_none_match=tag, landbridge_refresh="1")


def test_a_page_that_did_not_change_is_not_sent_again(person: Callable[..., Any], monkeypatch: Any):
    one = person()
    now = app.clock.now()
    monkeypatch.setattr(app.clock, "now", lambda: now)  # a minute may end
    first = one.get(f"/console/{one.api.project_id}")
    again = _refresh(one, first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    one.api.gateway()
    changed = _refresh(one, first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_a_look_of_the_engine_changes_the_tag(person: Callable[..., Any]):
    one = person()
    made = one.api.connection(one.api.gateway())
    one.api.connection_as(made["id"], "ACTIVE")
    tag = one.get(f"/console/{one.api.project_id}").headers["etag"]
    one.api.simulate(made["id"], "down")
    one.api.connection_as(made["id"], "DOWN")
    assert "1 down" in _refresh(one, tag).text


def test_a_cause_that_is_stored_after_its_look_changes_the_tag(person: Callable[..., Any], shared_service: Any):
    one = person()
    made = one.api.connection(one.api.gateway())
    one.api.connection_as(made["id"], "ACTIVE")
    tag = one.get(f"/console/{one.api.project_id}").headers["etag"]

    def note(tx: Any) -> None:
        seq = connections.find(tx, one.api.project_id, made["id"]).seq
        connection_states.note(tx, seq, app.clock.now(), "ACTIVE", "path_mtu")

    shared_service.data.database.write(note)
    assert "1 warning" in _refresh(one, tag).text


def test_another_callers_tag_is_another_one(person: Callable[..., Any], shared_service: Any):
    one = person()
    reader = person(shared_service.api(one.api.project_id, "reader"))
    path = f"/console/{one.api.project_id}"
    assert one.get(path).headers["etag"] != reader.get(path).headers["etag"]


def test_a_refresh_is_no_use_of_the_session(person: Callable[..., Any], shared_service: Any, monkeypatch: Any):
    one = person()
    later = app.clock.now() + timedelta(minutes=2)
    monkeypatch.setattr(app.clock, "now", lambda: later)
    used = "SELECT used_at FROM console_session WHERE access_key = ?"

    def used_at() -> int:
        with contextlib.closing(sqlite3.connect(shared_service.data.path / "landbridge.db")) as connection:
            return connection.execute(used, (one.api.key.access_key,)).fetchone()[0]

    before = used_at()
    _refresh(one, '"old"')
    assert used_at() == before
    one.page()
    assert used_at() > before
