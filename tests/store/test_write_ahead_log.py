"""The write-ahead log: copied into the database now and then, so that it begins anew and never grows without end."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

from landbridge.store.sqlite.database import Database, Transaction
from tests.conftest import PATIENCE_SECONDS

ROW_BYTES = 3000
WRITES = 4000


def _write(database: Database, clients: int, enough: Callable[[int], bool]) -> None:
    """Clients write rows all at once, until it is enough with so many rows."""
    names = itertools.count()

    def insert(tx: Transaction) -> None:
        row = (f"n{next(names)}", ROW_BYTES)
        tx.cursor.execute("INSERT INTO setting (name, value) VALUES (?, zeroblob(?))", row)

    async def client(numbers: "itertools.count[int]") -> None:
        while not enough(next(numbers)):
            await database.write_soon(insert)

    async def all_at_once() -> None:
        numbers = itertools.count()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(client(numbers) for _ in range(clients)))

    asyncio.run(all_at_once())


def _beginnings(log: Path) -> int:
    """How often the log began anew: the checkpoint sequence number of its header (SQLite's "WAL File Format")."""
    with log.open("rb") as file:
        return int.from_bytes(file.read(16)[12:], "big")


def test_the_log_begins_anew_while_everybody_writes(database: Database, tmp_path: Path):
    log = tmp_path / "landbridge.db-wal"
    first = _beginnings(log)
    _write(database, 32, lambda _: _beginnings(log) >= first + 3)


def test_a_closed_database_has_no_log(tmp_path: Path):
    opened = Database(tmp_path / "closed.db")
    _write(opened, 32, lambda number: number >= WRITES)
    opened.close()
    log = tmp_path / "closed.db-wal"
    assert not log.exists() or log.stat().st_size == 0
    again = Database(tmp_path / "closed.db")
    assert again.read(lambda tx: tx.cursor.execute("SELECT count(*) FROM setting").fetchone()) == (WRITES,)
    again.close()
