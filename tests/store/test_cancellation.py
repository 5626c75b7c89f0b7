"""Whoever cancels a group of writes, and whenever: who is told "stored" finds it on the disk, who is not told so does not, and the
next write of anybody works.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge import errors
from landbridge.store.sqlite.database import Database, Transaction

#: Within what a group leaves to the committing thread: before that begins it, while it does it, or when it is done and nobody knows yet.
MOMENTS = ("before", "during", "after")
_names = itertools.count()


class _Committer(ThreadPoolExecutor):
    """Has the group cancelled at one moment of the n-th thing that it is given."""

    def __init__(self, cancel: Callable[[], None], nth: int, moment: str) -> None:
        super().__init__(1)
        self._cancel, self._nth, self._moment = cancel, nth, moment
        self._given = 0

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:  # type: ignore[override]
        self._given += 1
        if self._given != self._nth:
            return super().submit(work, *given, **named)
        if self._moment == "before":
            super().submit(self._cancel)
            return super().submit(work, *given, **named)
        return super().submit(self._disturbed, work, *given)

    def _disturbed(self, work: Callable[..., Any], *given: Any) -> Any:
        if self._moment == "during":
            self._cancel()
        try:
            return work(*given)
        finally:
            if self._moment == "after":
                self._cancel()


def _insert(name: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        tx.cursor.execute("INSERT INTO setting (name, value) VALUES (?, ?)", (name, b"v"))
        return name

    return work


def _on_disk(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM setting")}


@contextlib.contextmanager
def _somebody_writes(database: Database, wanted: bool) -> Iterator[None]:
    """A thread has the turn for a moment."""
    holding = threading.Event()

    def hold(_: Transaction) -> None:
        holding.set()
        threading.Event().wait(0.02)

    thread = threading.Thread(target=database.write, args=(hold,))
    if wanted:
        thread.start()
        assert holding.wait(60)
    yield
    if wanted:
        thread.join()


@contextlib.contextmanager
def _somebody_locks(path: Path, wanted: bool) -> Iterator[None]:
    """Somebody who writes out of turn has SQLite's lock for a moment."""
    if not wanted:
        yield
        return
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.02, other.execute, ("ROLLBACK",))
        timer.start()
        yield
        timer.join()


async def _cancelled(database: Database, names: list[str], nth: int, moment: str) -> list[Any]:
    """What the callers are told."""
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        loop.call_soon_threadsafe(lambda: database._group and database._group.cancel())
        threading.Event().wait(0.005)

    kept, database._committer = database._committer, _Committer(cancel, nth, moment)
    try:
        told = await asyncio.wait_for(
            asyncio.gather(*(database.write_soon(_insert(name)) for name in names), return_exceptions=True), 60
        )
    finally:
        database._committer.shutdown()
        database._committer = kept
    return told


@given(
    nth=st.integers(1, 7),
    moment=st.sampled_from(MOMENTS),
    number=st.integers(1, 40),
    held=st.booleans(),
    locked=st.booleans(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_group_that_is_cancelled_at_any_await_tells_the_truth(
    database: Database, tmp_path: Path, nth: int, moment: str, number: int, held: bool, locked: bool
):
    path = tmp_path / "landbridge.db"
    names = [f"n{next(_names)}" for _ in range(number)]
    with _somebody_writes(database, held), _somebody_locks(path, locked):
        told = asyncio.run(_cancelled(database, names, nth, moment))
    stored = _on_disk(path)
    for name, said in zip(names, told, strict=True):
        assert said == name or isinstance(said, errors.Busy), said
        assert (said == name) == (name in stored), (name, said)
    _all_may_write(database, path)


def _all_may_write(database: Database, path: Path) -> None:
    """This process, on its loop or in a thread, and anybody else; nobody has the turn or SQLite's lock."""
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    assert database._writer_lock.acquire(blocking=False)
    assert not database._writer_lock.acquire(blocking=False), "released once too often"
    database._writer_lock.release()
    one, two = f"n{next(_names)}", f"n{next(_names)}"
    assert database.write(_insert(one)) == one
    assert asyncio.run(_soon(database, two)) == two
    assert {one, two} <= _on_disk(path)


async def _soon(database: Database, name: str) -> str:
    return await database.write_soon(_insert(name))


def test_a_group_that_is_cancelled_before_it_began_tells_the_truth(database: Database, tmp_path: Path):
    async def cancel() -> list[Any]:
        writing = [asyncio.ensure_future(_soon(database, name)) for name in ("a", "b")]
        await asyncio.sleep(0)  # the callers are in the queue, and the group has not begun
        assert database._group is not None
        database._group.cancel()
        return await asyncio.wait_for(asyncio.gather(*writing, return_exceptions=True), 60)

    assert [type(one) for one in asyncio.run(cancel())] == [errors.Busy] * 2
    assert not {"a", "b"} & _on_disk(tmp_path / "landbridge.db")
    _all_may_write(database, tmp_path / "landbridge.db")


@pytest.mark.parametrize("where", ["lock", "commit"])
def test_what_fails_beside_sqlite_is_busy_too(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    """A turn that cannot be had (no locks left on the machine), or a committing thread that cannot be started."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no locks available")

    target = (database._writer_lock, "acquire") if where == "lock" else (database._committer, "submit")
    with monkeypatch.context() as broken:
        broken.setattr(*target, fail)
        with pytest.raises(errors.Busy, match="nothing was stored"):
            asyncio.run(_soon(database, "lost"))
    assert "lost" not in _on_disk(tmp_path / "landbridge.db")
    _all_may_write(database, tmp_path / "landbridge.db")
