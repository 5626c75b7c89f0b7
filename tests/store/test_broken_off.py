"""What happens when something is broken off in the middle: a migration, a checkpoint, a nudge."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from landbridge.store import keys, sealed_keys
from landbridge.store.sqlite import database, migrate


class BrokenOffError(Exception):
    """The power went."""


@pytest.mark.parametrize("after", [0, 1, 5, 12, 20])
def test_a_migration_that_is_broken_off_anywhere_is_done_by_the_next_start(tmp_path: Path, after: int):
    path = tmp_path / "landbridge.db"
    made: list[str] = []

    def break_off(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("CREATE"):
            if len(made) == after:
                raise BrokenOffError
            made.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", break_off)
    try:
        with pytest.raises(BrokenOffError):
            migrate.upgrade(path)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", break_off)
    migrate.upgrade(path)
    opened = database.Database(path)
    assert opened.read(keys.projects) == []
    opened.close()


def _setting(name: str) -> Any:
    return lambda tx: sealed_keys.add(tx, name, b"v")


def test_a_log_that_cannot_be_copied_stops_no_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "CHECKPOINT_WRITES", 0)
    opened = database.Database(tmp_path / "landbridge.db")

    def refuse(action: int, name: str | None, *_: Any) -> int:
        return sqlite3.SQLITE_DENY if (action, name) == (sqlite3.SQLITE_PRAGMA, "wal_checkpoint") else sqlite3.SQLITE_OK

    opened._writer.set_authorizer(refuse)

    async def write_some() -> None:
        for n in range(20):
            await asyncio.wait_for(opened.write_soon(_setting(f"n{n}")), 60)
            await asyncio.sleep(0.005)

    asyncio.run(write_some())
    assert opened.read(lambda tx: sealed_keys.find(tx, "n19")) == b"v"
    opened.close()


def test_a_nudge_that_nobody_can_take_loses_no_write(tmp_path: Path):
    opened = database.Database(tmp_path / "landbridge.db")

    def fail(_: set[str]) -> None:
        raise BrokenOffError

    def work(tx: database.Transaction) -> None:
        sealed_keys.add(tx, "name", b"v")
        tx.nudge("gateway")

    opened.on_nudge = fail
    opened.write(work)
    asyncio.run(asyncio.wait_for(opened.write_soon(_setting("other")), 60))
    assert opened.read(lambda tx: sealed_keys.find(tx, "name")) == b"v"
    opened.close()
