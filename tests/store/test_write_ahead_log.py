"""The write-ahead log: copied into the database now and then, and never longer than a while of work."""

import asyncio
from pathlib import Path

from landbridge.store.sqlite.database import Database, Transaction

ROW_BYTES = 3000
WRITES = 4000
#: The copying goes on beside the writers, so on a slow disk the log grows a while. Without it 16000 writes make 80 MiB.
SHORT_BYTES = 32 << 20


def _write(database: Database, clients: int, first: int = 0) -> None:
    names = iter(range(first, first + WRITES))

    def insert(tx: Transaction) -> None:
        row = (f"n{next(names)}", ROW_BYTES)
        tx.cursor.execute("INSERT INTO setting (name, value) VALUES (?, zeroblob(?))", row)

    async def client() -> None:
        for _ in range(WRITES // clients):
            await database.write_soon(insert)

    async def all_at_once() -> None:
        await asyncio.gather(*(client() for _ in range(clients)))

    asyncio.run(all_at_once())


def test_the_log_stays_short_while_everybody_writes(database: Database, tmp_path: Path):
    _write(database, clients=32)
    early = (tmp_path / "landbridge.db-wal").stat().st_size
    for more in (1, 2, 3):
        _write(database, clients=32, first=more * WRITES)
    assert (tmp_path / "landbridge.db-wal").stat().st_size < max(SHORT_BYTES, 3 * early)


def test_a_closed_database_has_no_log(tmp_path: Path):
    opened = Database(tmp_path / "closed.db")
    _write(opened, clients=32)
    opened.close()
    log = tmp_path / "closed.db-wal"
    assert not log.exists() or log.stat().st_size == 0
    again = Database(tmp_path / "closed.db")
    assert again.read(lambda tx: tx.cursor.execute("SELECT count(*) FROM setting").fetchone()) == (WRITES,)
    again.close()
