"""The database file, and who may touch it when: one writer thread that commits in groups, readers beside it.

Every write operation runs in a savepoint of its own; one durable commit (WAL, synchronous=FULL) ends the group, and
only then is anybody answered. A full disk rolls back the whole transaction, savepoints and all: after any error the
writer looks whether the transaction still stands, and if not refuses the whole group as Busy.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from landbridge import errors
from landbridge.store import migrate
from landbridge.store.statement import Statement

log = logging.getLogger(__name__)
R = TypeVar("R")

GROUP_LIMIT = 64
BUSY_TIMEOUT_MS = 5000


class Transaction:
    """What a query function gets: run statements, and name the gateways that the agent should look at afterwards."""

    __slots__ = ("cursor", "nudged")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.cursor = cursor
        self.nudged: set[str] = set()

    def run(self, statement: Statement, **given: Any) -> int:
        """Runs it and gives the number of rows it changed."""
        return statement.run(self.cursor, given).rowcount

    def run_many(self, statement: Statement, rows: list[Mapping[str, Any]]) -> None:
        if rows:
            statement.run_many(self.cursor, rows)

    def one(self, statement: Statement, **given: Any) -> Any | None:
        return statement.run(self.cursor, given).fetchone()

    def all(self, statement: Statement, **given: Any) -> list[Any]:
        return statement.run(self.cursor, given).fetchall()

    def nudge(self, gateway_id: str) -> None:
        """After the commit the agent is told this id, and nothing else."""
        self.nudged.add(gateway_id)


class _Job:
    __slots__ = ("error", "future", "loop", "nudged", "result", "work")

    def __init__(self, work: Callable[[Transaction], Any], loop: asyncio.AbstractEventLoop | None) -> None:
        self.work = work
        self.loop = loop
        self.future: Any = loop.create_future() if loop is not None else Future()
        self.result: Any = None
        self.error: BaseException | None = None
        self.nudged: set[str] = set()

    def settle(self) -> None:
        if self.future.done():  # its caller went away
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def _nobody(_: set[str]) -> None:
    """Nobody waits for nudges."""


class Database:
    """Opens (and migrates) a database file. `on_nudge` may be set; it is called after a commit with the gateways to look at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.on_nudge: Callable[[set[str]], None] = _nobody
        migrate.upgrade(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(4, "reader")
        self._writer = threading.Thread(target=self._write_groups, name="writer")
        self._writer.start()

    def close(self) -> None:
        """Finishes what is queued, then closes everything."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()

    def write(self, work: Callable[[Transaction], R]) -> R:
        """Runs `work` in the next group and waits for its commit. Not for the event loop's thread."""
        job = _Job(work, None)
        self._jobs.put(job)
        return job.future.result()  # type: ignore[no-any-return]

    async def write_soon(self, work: Callable[[Transaction], R]) -> R:
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        return await job.future  # type: ignore[no-any-return]

    def read(self, work: Callable[[Transaction], R]) -> R:
        """Runs `work` on one snapshot, beside the writer."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path)
            self._opened.append(connection)
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        try:
            return work(Transaction(cursor))
        finally:
            cursor.execute("ROLLBACK")

    async def read_soon(self, work: Callable[[Transaction], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read, work)

    def _write_groups(self) -> None:
        connection = _connect(self._path)
        running = True
        while running:
            group: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                group.append(job)
                if len(group) == GROUP_LIMIT or self._jobs.empty():
                    break
                job = self._jobs.get()
            running = job is not None
            if group:
                _run_group(connection, group)
                self._answer(group)
        connection.close()

    def _answer(self, group: list[_Job]) -> None:
        loops = {job.loop for job in group}
        for loop in loops:
            mine = [job for job in group if job.loop is loop]
            if loop is None:
                _settle(mine)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(_settle, mine)
        nudged = set().union(*(job.nudged for job in group if job.error is None))
        if nudged:
            self.on_nudge(nudged)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()


def _run_group(connection: sqlite3.Connection, group: list[_Job]) -> None:
    """One transaction for the whole group. Afterwards every job has its result or its error."""
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN IMMEDIATE")
        for job in group:
            _run_job(cursor, job)
            if not connection.in_transaction:
                raise sqlite3.OperationalError(str(job.error))
        cursor.execute("COMMIT")
    except sqlite3.Error as error:
        log.exception("a group of %d writes was not stored", len(group))
        if connection.in_transaction:
            connection.rollback()
        for job in group:
            job.error = errors.Busy(f"nothing was stored ({error})")


def _run_job(cursor: sqlite3.Cursor, job: _Job) -> None:
    transaction = Transaction(cursor)
    try:
        cursor.execute("SAVEPOINT job")
        job.result = job.work(transaction)
        job.nudged = transaction.nudged
        cursor.execute("RELEASE job")
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to the job's caller
        job.error = error
        if cursor.connection.in_transaction:
            cursor.execute("ROLLBACK TO job")
            cursor.execute("RELEASE job")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection
