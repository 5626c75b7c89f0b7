"""Writes that share a commit: what each caller gets, and what is on the disk when he gets it."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from landbridge import errors
from landbridge.store.sqlite import database as store_database
from landbridge.store.sqlite.database import Database, Transaction


def _insert(name: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        tx.cursor.execute("INSERT INTO setting (name, value) VALUES (?, ?)", (name, b"v"))
        return name

    return work


def _insert_and_fail(name: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        _insert(name)(tx)
        raise LookupError(name)

    return work


def _on_disk(path: Path) -> set[str]:
    """What another process would see."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM setting")}


def _together(database: Database, *works: Callable[[Transaction], Any]) -> list[Any]:
    """Results or errors of writes that came at the same time."""

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*map(database.write_soon, works), return_exceptions=True)

    return asyncio.run(all_at_once())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "landbridge.db"


@pytest.fixture
def trace(database: Database) -> list[str]:
    seen: list[str] = []
    database.write(lambda tx: tx.cursor.connection.set_trace_callback(seen.append))
    seen.clear()
    return seen


def test_the_writer_is_durable(database: Database):
    def look(tx: Transaction) -> tuple[Any, ...]:
        pragmas = ("synchronous", "journal_mode", "foreign_keys")
        return tuple(tx.cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas)

    normal = 1  # the log is synchronized after the commit, see below
    assert database.write(look) == (normal, "wal", 1)


def test_a_write_returns_after_the_log_is_synchronized_and_without_the_writer_lock(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another connection can write while this one waits for the disk."""
    seen: list[set[str]] = []

    def sync(file: int) -> None:
        assert Path(f"/proc/self/fd/{file}").samefile(f"{path}-wal")
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as other, other:
            other.execute("INSERT INTO setting (name, value) VALUES ('other', x'00')")
        seen.append(_on_disk(path))

    monkeypatch.setattr(os, "fdatasync", sync)
    database.write(_insert("n"))
    assert [{"n", "other"} <= names for names in seen] == [True]


def test_a_write_that_a_power_cut_may_take_back_does_not_wait_for_the_disk(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[set[str]] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: synced.append(_on_disk(path)))
    assert database.write(_insert("observed"), durable=False) == "observed"
    assert ("observed" in _on_disk(path), synced) == (True, [])
    database.write(_insert("asked"))
    assert [{"observed", "asked"} <= names for names in synced] == [True]


def test_after_an_error_of_the_disk_the_caller_gets_it_and_later_writes_are_refused(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            database.write(_insert("unknown"))
    with pytest.raises(errors.Busy, match="Input/output error"):
        database.write(_insert("later"))
    assert "later" not in _on_disk(path)


def test_writes_that_come_together_share_one_commit(database: Database, path: Path, trace: list[str]):
    names = [f"n{n}" for n in range(15)]
    assert _together(database, *map(_insert, names)) == names
    assert trace.count("COMMIT") == 1
    assert set(names) <= _on_disk(path)


def test_a_group_has_a_limit(database: Database, trace: list[str]):
    assert len(_together(database, *(_insert(f"n{n}") for n in range(200)))) == 200
    assert 13 <= trace.count("COMMIT") <= 17


def test_a_write_is_on_the_disk_when_its_caller_is_told(database: Database, path: Path):
    async def look() -> set[str]:
        await database.write_soon(_insert("a"))
        return _on_disk(path)

    assert "a" in asyncio.run(look())
    database.write(_insert("b"))
    assert "b" in _on_disk(path)


def test_another_may_write_while_the_loop_has_not_heard_of_the_commit(database: Database):
    """A thread stands for another process: it waits for the same lock."""
    written = threading.Event()
    other = threading.Thread(target=lambda: (database.write(_insert("two")), written.set()))

    async def write_and_be_busy() -> bool:
        def work(tx: Transaction) -> str:
            other.start()
            return _insert("one")(tx)

        first = asyncio.ensure_future(database.write_soon(work))
        await asyncio.sleep(0)  # now the group's task is next
        busy = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: busy.set_result(written.wait(60)))
        await first
        return bool(await busy)

    assert asyncio.run(write_and_be_busy())
    other.join()


def test_a_failing_operation_leaves_its_neighbours_alone(database: Database, path: Path, trace: list[str]):
    one, two, three = _together(database, _insert("one"), _insert_and_fail("two"), _insert("three"))
    assert (one, three) == ("one", "three")
    assert isinstance(two, LookupError)
    assert {"one", "three"} <= _on_disk(path)
    assert "two" not in _on_disk(path)
    assert trace.count("COMMIT") == 1


def test_several_failing_operations_leave_their_neighbours_alone(database: Database, path: Path):
    works = (_insert("one"), _insert_and_fail("two"), _insert_and_fail("three"), _insert("four"))
    one, two, three, four = _together(database, *works)
    assert (one, four) == ("one", "four")
    assert [type(two), type(three)] == [LookupError, LookupError]
    assert {"one", "two", "three", "four"} & _on_disk(path) == {"one", "four"}


def _fail(_: Transaction) -> None:
    raise LookupError


@pytest.mark.parametrize(
    ("failing", "runs"), [pytest.param(_fail, 1, id="before"), pytest.param(_insert_and_fail("two"), 2, id="after")]
)
def test_a_group_runs_without_savepoints_until_an_operation_fails_after_it_has_written(
    database: Database, path: Path, trace: list[str], failing: Callable[[Transaction], Any], runs: int
):
    assert len(_together(database, _insert("one"), failing, _insert("three"))) == 3
    assert {"one", "three"} <= _on_disk(path)
    inserted = [name for name in ("one", "two", "three") for each in trace if f"VALUES ('{name}'" in each]
    assert (inserted.count("one"), trace.count("SAVEPOINT job")) == (runs, 0 if runs == 1 else 2)
    assert (inserted.count("two"), inserted.count("three")) == (runs - 1, 1)


def test_a_broken_constraint_is_its_own_callers_error(database: Database, path: Path):
    first, again, other = _together(database, _insert("same"), _insert("same"), _insert("other"))
    assert (first, other) == ("same", "other")
    assert isinstance(again, sqlite3.IntegrityError)
    assert {"same", "other"} <= _on_disk(path)


def test_a_later_write_sees_an_earlier_one_of_its_group(database: Database):
    def count(tx: Transaction) -> int:
        return tx.cursor.execute("SELECT count(*) FROM setting").fetchone()[0]

    before, _, after = _together(database, count, _insert("a"), count)
    assert after == before + 1


def test_a_caller_that_went_away_harms_nobody(database: Database, path: Path):
    async def leave() -> str:
        going = [asyncio.create_task(database.write_soon(_insert(f"going-{n}"))) for n in range(3)]
        staying = asyncio.create_task(database.write_soon(_insert("staying")))
        await asyncio.sleep(0)
        for task in going:
            task.cancel()
        return await staying

    assert asyncio.run(leave()) == "staying"
    assert "staying" in _on_disk(path)
    assert database.write(_insert("later")) == "later"


def test_after_a_loop_that_ended_with_writes_under_way_writes_go_on(database: Database, path: Path):
    """The first write after it may be refused as Busy: nobody knows whether the abandoned group was stored."""

    async def abandon() -> None:
        tasks = [asyncio.create_task(database.write_soon(_insert(f"n{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(abandon())
    with contextlib.suppress(errors.Busy):
        database.write(_insert("first"))
    assert asyncio.run(_soon(database, "later")) == "later"
    assert database.write(_insert("last")) == "last"
    assert {"later", "last"} <= _on_disk(path)


async def _soon(database: Database, name: str) -> str:
    return await database.write_soon(_insert(name))


def test_nudges_are_told_after_the_commit_and_only_of_what_was_stored(database: Database, path: Path):
    told: list[tuple[set[str], set[str]]] = []
    database.on_nudge = lambda ids: told.append((ids, _on_disk(path)))

    def nudging(name: str) -> Callable[[Transaction], str]:
        def work(tx: Transaction) -> str:
            tx.nudge(name)
            return _insert(name)(tx)

        return work

    def failing(tx: Transaction) -> None:
        nudging("bad")(tx)
        raise LookupError

    _together(database, nudging("one"), failing, nudging("two"))
    assert [ids for ids, _ in told] == [{"one", "two"}]
    assert {"one", "two"} <= told[0][1]


def test_threads_and_the_loop_may_write_at_the_same_time(database: Database, path: Path):
    names = [f"thread-{n}-{m}" for n in range(4) for m in range(25)]

    def write(mine: list[str]) -> None:
        for name in mine:
            database.write(_insert(name))

    threads = [threading.Thread(target=write, args=(names[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    results = _together(database, *(_insert(f"loop-{n}") for n in range(100)))
    for thread in threads:
        thread.join()
    assert results == [f"loop-{n}" for n in range(100)]
    assert {*names, *results} <= _on_disk(path)


def test_a_read_sees_one_snapshot(database: Database):
    started, written = threading.Event(), threading.Event()

    def look(tx: Transaction) -> tuple[int, int]:
        before = tx.cursor.execute("SELECT count(*) FROM setting").fetchone()[0]
        started.set()
        written.wait(60)
        return before, tx.cursor.execute("SELECT count(*) FROM setting").fetchone()[0]

    found: list[tuple[int, int]] = []
    reader = threading.Thread(target=lambda: found.append(database.read(look)))
    reader.start()
    assert started.wait(60)
    database.write(_insert("between"))
    written.set()
    reader.join()
    before, after = found[0]
    assert before == after


# -- the disk is full -------------------------------------------------------------------------------------------------


def _fill_up(database: Database, pages_left: int) -> None:
    def work(tx: Transaction) -> None:
        used = tx.cursor.execute("PRAGMA page_count").fetchone()[0]
        tx.cursor.execute(f"PRAGMA max_page_count={used + pages_left}")

    database.write(work)


def _free(database: Database) -> None:
    database.write(lambda tx: tx.cursor.execute("PRAGMA max_page_count=1000000").fetchone())


def _insert_much(tx: Transaction) -> str:
    tx.cursor.execute("INSERT INTO setting (name, value) VALUES ('much', zeroblob(400000))")
    return "much"


def test_a_full_disk_refuses_the_writer_and_the_next_one_works(database: Database, path: Path):
    _fill_up(database, 2)
    with pytest.raises(errors.Busy, match="nothing was stored"):
        database.write(_insert_much)
    _free(database)
    assert database.write(_insert("next")) == "next"
    assert _on_disk(path) >= {"next"}
    assert "much" not in _on_disk(path)


def test_a_full_disk_refuses_a_whole_group_as_busy(database: Database, path: Path):
    _fill_up(database, 2)
    results = _together(database, _insert("before"), _insert_much, _insert("after"))
    assert [type(result) for result in results] == [errors.Busy] * 3
    assert not {"before", "after", "much"} & _on_disk(path)
    _free(database)
    assert _together(database, _insert("one"), _insert("two")) == ["one", "two"]


def test_a_full_disk_is_an_honest_answer_to_everybody_of_a_group(database: Database, path: Path):
    """Whoever is told of success is on the disk, whoever is not, is not."""
    _fill_up(database, 2)
    works = [_insert("a"), _insert_much, _insert("b")]
    results = _together(database, *works)
    stored = _on_disk(path)
    told = {result for result in results if isinstance(result, str)}
    assert told == stored & {"a", "b", "much"}
    refused = [result for result in results if not isinstance(result, str)]
    assert all(isinstance(result, errors.Busy) for result in refused)
    _free(database)
    assert database.write(_insert("next")) == "next"


def test_a_database_that_another_process_holds_is_busy_and_then_works(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_database, "BUSY_TIMEOUT_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.Busy):
            database.write(_insert("blocked"))
        other.execute("ROLLBACK")
    assert database.write(_insert("next")) == "next"
    assert "blocked" not in _on_disk(path)


def test_many_readers_do_not_stop_a_writer(database: Database):
    async def all_at_once() -> tuple[list[int], str]:
        def count(tx: Transaction) -> int:
            return tx.cursor.execute("SELECT count(*) FROM setting").fetchone()[0]

        reads = asyncio.gather(*(database.read_soon(count) for _ in range(30)))
        return await reads, await database.write_soon(_insert("a"))

    counts, name = asyncio.run(all_at_once())
    assert (len(counts), name) == (30, "a")


def test_many_who_open_it_at_once_wait_for_each_other(path: Path):
    """With connections that did not wait three of 1,200 openings were refused: "database is locked"."""

    def look(opened: Database) -> int:
        return opened.read(lambda tx: tx.cursor.execute("SELECT count(*) FROM setting").fetchone()[0])

    for _ in range(40):
        with contextlib.closing(Database(path)) as opened, ThreadPoolExecutor(8) as threads:
            assert list(threads.map(look, [opened] * 8)) == [0] * 8


def test_a_write_that_is_cancelled_while_it_waits_keeps_nobody_from_writing(database: Database, path: Path):
    holding, release = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        holding.set()
        release.wait(60)

    thread = threading.Thread(target=database.write, args=(hold,))
    thread.start()
    assert holding.wait(60)

    async def give_up() -> None:
        writing = asyncio.ensure_future(database.write_soon(_insert("lost")))
        while (group := database._group) is None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
        threading.Timer(0.2, release.set).start()
        group.cancel()
        await asyncio.wait([group])
        writing.cancel()

    asyncio.run(give_up())
    thread.join()
    database.write(_insert("kept"))
    assert "kept" in _on_disk(path)
