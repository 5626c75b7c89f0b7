"""What is old goes, a little at a time, and nothing else."""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from landbridge.store import audit_trail, codec, idempotency_tokens, retention
from landbridge.store.sqlite.database import Database, Transaction

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALL = retention.Limits(age=None, events=None)


def _event(tx: Transaction, at: datetime, name: str = "one") -> None:
    audit_trail.append(tx, at=at, project_id=None, actor="a", action="act", resource_id=name, request_id="r")


@pytest.fixture
def write_events(database: Database) -> Callable[..., None]:
    """Writes an event for each age in days before NOW, named by its age."""

    def write(*ages: float) -> None:
        def work(tx: Transaction) -> None:
            for age in ages:
                _event(tx, NOW - timedelta(days=age), f"{age:g}")

        database.write(work)

    return write


def _prune(database: Database, limits: retention.Limits) -> int:
    return database.write(lambda tx: retention.prune_audit(tx, limits, NOW))


def _left(rows: Any) -> list[str]:
    return [name for (name,) in rows("SELECT resource_id FROM audit ORDER BY seq")]


def test_events_go_when_they_are_too_old(database: Database, rows: Any, write_events: Any):
    write_events(400, 366, 365, 364, 1)
    assert _prune(database, retention.Limits(age=timedelta(days=365), events=None)) == 2
    assert _left(rows) == ["365", "364", "1"]


def test_events_go_when_there_are_too_many(database: Database, rows: Any, write_events: Any):
    write_events(5, 4, 3, 2, 1)
    assert _prune(database, retention.Limits(age=None, events=2)) == 3
    assert _left(rows) == ["2", "1"]


def test_the_narrower_of_both_limits_holds(database: Database, rows: Any, write_events: Any):
    write_events(5, 4, 3, 2, 1)
    assert _prune(database, retention.Limits(age=timedelta(days=3.5), events=4)) == 2
    assert _prune(database, retention.Limits(age=timedelta(days=3.5), events=2)) == 1
    assert _left(rows) == ["2", "1"]


def test_without_limits_everything_stays(database: Database, rows: Any, write_events: Any):
    write_events(10_000, 1)
    assert _prune(database, ALL) == 0
    assert len(_left(rows)) == 2


def test_an_empty_trail_is_no_trouble(database: Database):
    assert _prune(database, retention.Limits(age=timedelta(days=1), events=1)) == 0


def test_a_clock_that_was_wrong_leaves_no_gap(database: Database, rows: Any, write_events: Any):
    """An old date behind a young one stays until the young one goes too."""
    write_events(400, 1, 400, 2)
    limits = retention.Limits(age=timedelta(days=365), events=None)
    assert _prune(database, limits) == 1
    assert _prune(database, limits) == 0
    assert _left(rows) == ["1", "400", "2"]


def test_numbers_of_events_are_not_used_again(database: Database, rows: Any, write_events: Any):
    write_events(400, 399)
    _prune(database, retention.Limits(age=timedelta(days=365), events=None))
    write_events(1)
    assert rows("SELECT seq FROM audit") == [(3,)]


def test_a_batch_is_small(database: Database, write_events: Any):
    write_events(*itertools.repeat(400, 2 * retention.BATCH + 1))
    limits = retention.Limits(age=timedelta(days=365), events=None)
    assert [_prune(database, limits) for _ in range(4)] == [retention.BATCH, retention.BATCH, 1, 0]


def _token(database: Database, project: str, name: str, at: datetime) -> None:
    def work(tx: Transaction) -> None:
        tx.cursor.execute(
            "INSERT INTO token VALUES (?, ?, 'create_cgw', 'hash', '{}', ?)", (project, name, codec.milliseconds(at))
        )

    database.write(work)


def test_tokens_go_when_nothing_looks_at_them_any_more(database: Database, rows: Any, project: str):
    lifetime = idempotency_tokens.LIFETIME
    second = timedelta(seconds=1)
    _token(database, project, "old", NOW - lifetime - second)
    _token(database, project, "young", NOW - lifetime + second)
    assert database.write(lambda tx: retention.prune_tokens(tx, NOW)) == 1
    assert rows("SELECT token FROM token") == [("young",)]
    assert database.read(lambda tx: idempotency_tokens.find(tx, project, "young", NOW)) is not None


def test_a_round_removes_all_that_is_old(
    database: Database, rows: Any, project: str, monkeypatch: pytest.MonkeyPatch, write_events: Any
):
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)
    write_events(*itertools.repeat(10_000, 3 * retention.BATCH))
    _token(database, project, "old", NOW - timedelta(days=10_000))
    database.write(lambda tx: _event(tx, datetime.now(UTC), "fresh"))
    retention.Retention(database, retention.Limits(age=timedelta(days=1), events=None)).prune()
    assert _left(rows)[-1] == "fresh"
    assert "10000" not in _left(rows)
    assert rows("SELECT count(*) FROM token") == [(0,)]


def test_who_writes_meanwhile_waits_for_a_batch_at_most(
    database: Database, monkeypatch: pytest.MonkeyPatch, until: Any
):
    """Every write of the round removes a batch at most, and others' writes come between two of them."""
    database.write(lambda tx: [_event(tx, NOW, "old") for _ in range(20 * retention.BATCH)] and None)
    left: list[int] = []

    async def write_some() -> None:
        """From a transaction on to the next: how many old events others see."""
        while not left or left[-1]:
            left.append(await database.write_soon(_old_events))
            await asyncio.sleep(0)

    writing = threading.Thread(target=lambda: asyncio.run(write_some()))
    write, removed = database.write, []
    monkeypatch.setattr(database, "write", lambda work: removed.append(write(work)) or removed[-1])
    writing.start()
    until(lambda: left, "the first of the other writes")
    retention.Retention(database, retention.Limits(age=timedelta(seconds=1), events=None)).prune()
    writing.join()
    assert (max(removed), sum(removed)) == (retention.BATCH, 20 * retention.BATCH)
    assert len(set(left)) > 3


def _old_events(tx: Transaction) -> int:
    return int(tx.cursor.execute("SELECT count(*) FROM audit WHERE resource_id = 'old'").fetchone()[0])


def test_a_full_disk_ends_no_round_for_good(
    database: Database,
    caplog: pytest.LogCaptureFixture,
    until: Any,
    rows: Any,
    write_events: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(retention, "ROUND_SECONDS", 0.02)
    write_events(10_000)

    def refuse(action: int, name: str | None, *_: Any) -> int:
        return sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_DELETE, "audit") else sqlite3.SQLITE_OK

    database._writer.set_authorizer(refuse)
    keeping = retention.Retention(database, retention.Limits(age=timedelta(days=365), events=None))
    keeping.start()
    try:
        until(lambda: "old records" in caplog.text, "the refusal to be told")
        database._writer.set_authorizer(None)
        until(lambda: _left(rows) == [], "the next round")
    finally:
        keeping.stop()


def test_the_service_prunes_by_itself(start_server: Any, landbridge: Any, until: Any, tmp_path: Path):
    limits = tmp_path / "limits.toml"
    limits.write_text("[limits]\naudit_events = 1\n")
    start_server("data").stop()
    server = start_server("data", "--config", str(limits))

    def events() -> Any:
        with contextlib.closing(sqlite3.connect(server.folder / "landbridge.db")) as connection:
            return connection.execute("SELECT count(*), max(seq) FROM audit").fetchone()

    until(lambda: events() == (1, 2), "all but the newest event to go")
    assert landbridge("db", "check", "--data", str(server.folder)).returncode == 0
