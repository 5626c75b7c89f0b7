"""The database file: one writer at a time, which commits in groups, and concurrent readers.

Several processes may have the file open. They write one after another (see `writer_lock`), a group at a time.

A group of write operations goes through these steps:

1. The operations run on the event loop's thread, one after another. In a thread of their own they would compete with the loop for the
   interpreter at every statement.
2. One commit writes the group to the write-ahead log, in another thread, and does not wait for the disk.
3. The process releases the writer lock, synchronizes the log, and answers the callers (docs/decisions/0044).

A full disk rolls back the whole transaction, with its savepoints. So after every error the group checks whether its transaction is still
open. If not, every caller of the group gets Busy.
"""

import asyncio
import contextvars
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

import alembic.util
import sqlalchemy.exc

from landbridge import errors
from landbridge.store import database
from landbridge.store.sqlite import migrate
from landbridge.store.sqlite.dialect import compiled
from landbridge.store.sqlite.writer_lock import WriterLock
from landbridge.store.statement import Statement
from landbridge.telemetry import shared_metrics

log = logging.getLogger(__name__)
R = TypeVar("R")
_COMMITS = shared_metrics.Histogram(
    "landbridge_store_commit_seconds", "Duration of the commit of a group of writes, in seconds."
)
_WRITES = shared_metrics.Counter(
    "landbridge_store_writes_total", "Writes in the groups that were committed or refused."
)

GROUP_LIMIT = 16
#: How long a write that has the writer lock waits for a program that writes without it, such as `sqlite3`.
BUSY_TIMEOUT_SECONDS = 5.0
#: Pages of the file that a connection keeps, in KiB. There is one writer, and a reader a thread: some forty with the agent's.
WRITER_CACHE_KIB, READER_CACHE_KIB = 65536, 4096
#: Write operations after which the write-ahead log is copied into the database, beside the writer.
CHECKPOINT_WRITES = 500


class Transaction:
    """Runs statements on a cursor. See `store.database.Transaction`."""

    __slots__ = ("cursor", "nudged")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.cursor = cursor
        self.nudged: set[str] = set()

    def run(self, statement: Statement, **given: Any) -> int:
        return compiled(statement).run(self.cursor, given).rowcount

    def run_many(self, statement: Statement, rows: list[dict[str, Any]]) -> None:
        if rows:
            compiled(statement).run_many(self.cursor, rows)

    def one(self, statement: Statement, **given: Any) -> Any | None:
        return compiled(statement).run(self.cursor, given).fetchone()

    def all(self, statement: Statement, **given: Any) -> list[Any]:
        return compiled(statement).run(self.cursor, given).fetchall()

    def each(self, statement: Statement, **given: Any) -> Iterator[Any]:
        return iter(compiled(statement).run(self.cursor.connection.cursor(), given))

    def nudge(self, gateway_id: str) -> None:
        self.nudged.add(gateway_id)


class _Job:
    """A write operation and its result. `decided`: its group was committed or refused, so that `result` or `error` is valid. It runs in
    the context of its caller: what it logs belongs to the caller's request.
    """

    __slots__ = ("context", "decided", "error", "future", "nudged", "result", "work")

    def __init__(self, work: Callable[[database.Transaction], Any], future: asyncio.Future[Any] | None = None) -> None:
        self.work = work
        self.future = future
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: Exception | None = None
        self.nudged: set[str] = set()
        self.decided = False

    def refuse(self, why: object) -> None:
        self.error, self.decided = errors.Busy(f"nothing was stored ({why})"), True

    def settle(self) -> None:
        """Gives the caller the result or the error. Without a commit nothing is stored, whatever the operation returned."""
        if not self.decided:
            self.refuse("the group of this write was broken off")
        if self.future is None or self.future.done():  # done: its caller was cancelled
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def _ignore(_: set[str]) -> None:
    """Until somebody sets `on_nudge`."""


class Database:
    """A database file, created or migrated when it is opened. See `store.database.Database`.

    `before_migration` is called before an older file is migrated. Raises ConfigError for a file that is no database of ours.
    """

    def __init__(self, path: Path, before_migration: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self.on_nudge: Callable[[set[str]], None] = _ignore
        try:
            migrate.upgrade(path, before=before_migration)
            self._writer = _connect(path, WRITER_CACHE_KIB)
            # The writer lock waits for our writers. That another program has SQLite's lock must show at once (see `_try_begin`).
            self._writer.execute("PRAGMA busy_timeout=0")
            self._writer.execute("PRAGMA synchronous=NORMAL")  # `_sync` waits for the disk
            self._writer.execute("PRAGMA user_version")  # the first read makes the log's file
            self._log_file = os.open(path.with_name(f"{path.name}-wal"), os.O_RDWR | os.O_CLOEXEC)
        except alembic.util.CommandError as error:
            raise errors.ConfigError(f"{path}: was made by a newer version of Landbridge ({error})") from None
        except (sqlite3.DatabaseError, sqlalchemy.exc.DatabaseError) as error:
            raise errors.ConfigError(f"{path}: {error}".splitlines()[0]) from None
        self._writer_lock = WriterLock(path.with_name("writer.lock"))
        self._queue: list[_Job] = []
        self._group: asyncio.Task[None] | None = None
        self._writes_since_checkpoint = 0
        self._checkpoint: Future[None] | None = None
        self._sync_error: OSError | None = None
        self._local = threading.local()
        self._connections = [self._writer]
        self._threads_waiting = 0
        self._committer = ThreadPoolExecutor(1, "commit")
        self._threads = ThreadPoolExecutor(4, "store")

    def close(self) -> None:
        self._committer.shutdown()
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()
        os.close(self._log_file)
        self._writer_lock.close()

    def write(self, work: Callable[[database.Transaction], R], *, durable: bool = True) -> R:
        job = _Job(work)
        self._threads_waiting += 1
        try:
            self._writer_lock.acquire()
        finally:
            self._threads_waiting -= 1
        try:
            self._begin()
            _run_group(self._writer, [job])
            began = self._commit([job])
        finally:
            self._release_writer()
        if durable:
            self._sync([job])
        _COMMITS.observe(time.perf_counter() - began)
        self._finish([job])
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]

    async def write_soon(self, work: Callable[[database.Transaction], R]) -> R:
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._queue.append(job)
        if self._group is None:
            self._group = asyncio.create_task(self._write_groups(), context=contextvars.Context())  # of no request
            self._group.add_done_callback(self._end_groups)
        return await job.future  # type: ignore[no-any-return, misc]

    def read(self, work: Callable[[database.Transaction], R]) -> R:
        cursor = self._reader().cursor()
        cursor.execute("BEGIN")
        try:
            return work(Transaction(cursor))
        finally:
            cursor.execute("ROLLBACK")

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path, READER_CACHE_KIB)
            self._connections.append(connection)
        return connection

    async def read_soon(self, work: Callable[[database.Transaction], R]) -> R:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: context.run(self.read, work))

    async def _write_groups(self) -> None:
        try:
            while self._queue:
                await self._write_group()
        except Exception:
            log.exception("a group of writes was broken off")
        finally:
            self._end_groups(self._group)

    def _end_groups(self, task: asyncio.Task[None] | None) -> None:
        """Refuses the jobs that still wait. Called twice, because a task that is cancelled before it began runs no `finally`."""
        if self._group is task:
            self._group = None
            left, self._queue = self._queue, []
            for job in left:
                job.settle()

    async def _write_group(self) -> None:
        await self._acquire_writer()
        group: list[_Job] = []
        try:
            try:
                if not self._try_begin():
                    await _completed(self._committer.submit(self._begin))
                group, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
                _run_group(self._writer, group)
                committing = self._committer.submit(self._commit_and_release, group)
            except BaseException:
                self._release_writer()
                raise
            await _completed(committing)
        finally:
            self._finish(group)

    def _commit_and_release(self, group: list[_Job]) -> None:
        """Another process can write as soon as the group is in the log, while this one waits for the disk."""
        try:
            began = self._commit(group)
        finally:
            self._release_writer()
        self._sync(group)
        _COMMITS.observe(time.perf_counter() - began)

    async def _acquire_writer(self) -> None:
        """Takes the writer lock, after the threads that wait for it."""
        if self._threads_waiting or not self._writer_lock.acquire(blocking=False):
            taking = self._committer.submit(self._writer_lock.acquire)
            try:
                await _completed(taking)
            except asyncio.CancelledError:
                if taking.exception() is None:  # acquired, and nobody will use it
                    self._writer_lock.release()
                raise

    def _release_writer(self) -> None:
        """Releases the writer lock, with no transaction left open: an open one would keep all others from writing."""
        try:
            if self._writer.in_transaction:
                self._writer.rollback()
        except sqlite3.Error as error:
            log.error("a group that was broken off could not be rolled back: %s", error)  # noqa: TRY400 - the words suffice
        finally:
            self._writer_lock.release()

    def _try_begin(self) -> bool:
        """Returns False when another program holds SQLite's write lock. Any other error shows when the group runs."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY
        return True

    def _begin(self) -> None:
        """Waits up to BUSY_TIMEOUT_SECONDS for a program that writes without the writer lock."""
        deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
        while not self._try_begin() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _commit(self, group: list[_Job]) -> float:
        """Writes the group to the log. Afterwards every job has its result or its error. Returns when it began."""
        began = time.perf_counter()
        if self._sync_error is None:
            _commit(self._writer, group)
        else:
            _refuse(self._writer, group, self._sync_error)
        _WRITES.add(len(group))
        if self._checkpoint is not None and self._checkpoint.done():
            self._checkpoint = None
            _run_checkpoint(self._writer)  # what was written meanwhile: then the log restarts
        return began

    def _sync(self, group: list[_Job]) -> None:
        """Waits until what is committed is on the disk, by whatever process. Other writers go on meanwhile.

        After an error nobody knows what is on the disk: the callers get the error, and this process refuses all writes from now on.
        """
        try:
            os.fdatasync(self._log_file)
        except OSError as error:
            log.critical(
                "the write-ahead log could not be synchronized: all writes are refused until a restart: %s", error
            )
            self._sync_error = error
            for job in group:
                job.error = job.error or error

    def _finish(self, group: list[_Job]) -> None:
        for job in group:
            job.settle()
        self._checkpoint_when_long(len(group))
        nudged = set().union(*(job.nudged for job in group if job.error is None))
        if nudged:
            try:
                self.on_nudge(nudged)
            except Exception:  # what is stored is stored: a lost nudge costs a tick
                log.exception("a nudge was lost")

    def _checkpoint_when_long(self, more: int) -> None:
        """Has another thread copy a long write-ahead log into the database: in a commit all callers would wait.

        What is written meanwhile is little. The next commit copies it, and the log restarts.
        """
        self._writes_since_checkpoint += more
        if self._writes_since_checkpoint > CHECKPOINT_WRITES and self._checkpoint is None:
            self._writes_since_checkpoint = 0
            self._checkpoint = self._threads.submit(lambda: _run_checkpoint(self._reader()))


async def _completed(running: Future[Any]) -> None:
    """Waits until `running` has ended, even when the caller is cancelled before it begins."""
    try:
        await asyncio.shield(asyncio.wrap_future(running))
    except asyncio.CancelledError:
        wait([running])
        raise


def _run_checkpoint(connection: sqlite3.Connection) -> None:
    """Copies the log into the database. On an error it stays in the log, where it is durable, until the next try."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        log.warning("the write-ahead log could not be copied into the database: %s", error)


def _run_group(connection: sqlite3.Connection, group: list[_Job]) -> None:
    """Runs every job in the transaction that was begun.

    A savepoint keeps a copy of each page that its job changes (docs/decisions/0058). So the jobs run without savepoints. When a job that
    has changed something fails, the transaction is rolled back, and the others run again, each in a savepoint.
    """
    cursor = connection.cursor()
    try:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")  # says why none could be begun
        failed = next((job for job in group if not _run_job(cursor, job)), None)
        if failed is not None:
            connection.rollback()
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                if job is not failed:
                    _run_job_in_savepoint(cursor, job)
    except sqlite3.Error as error:
        _refuse(connection, group, error)


def _run_job(cursor: sqlite3.Cursor, job: _Job) -> bool:
    """Returns False when the job fails and has changed something. Raises sqlite3.Error when its error ended the transaction."""
    connection = cursor.connection
    transaction, changes = Transaction(cursor), connection.total_changes
    job.error = None
    try:
        job.result = job.context.run(job.work, transaction)
        job.nudged = transaction.nudged
    except Exception as error:
        job.error = error
        if not connection.in_transaction:
            raise sqlite3.OperationalError(str(error)) from error
        return connection.total_changes == changes
    return True


def _run_job_in_savepoint(cursor: sqlite3.Cursor, job: _Job) -> None:
    cursor.execute("SAVEPOINT job")
    if not _run_job(cursor, job):
        cursor.execute("ROLLBACK TO job")
    cursor.execute("RELEASE job")


def _commit(connection: sqlite3.Connection, group: list[_Job]) -> None:
    if not connection.in_transaction:
        return
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _refuse(connection, group, error)
        return
    for job in group:
        job.decided = True


def _refuse(connection: sqlite3.Connection, group: list[_Job], error: Exception) -> None:
    log.error("a group of %d writes was not stored: %s", len(group), error)
    if connection.in_transaction:
        connection.rollback()
    for job in group:
        job.refuse(error)


#: `journal_size_limit`: bytes that the log keeps when it restarts. `temp_store`: where a savepoint keeps what it may undo.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "wal_autocheckpoint=0",
    "journal_size_limit=67108864",
    "temp_store=MEMORY",
)


def _connect(path: Path, cache_kib: int) -> sqlite3.Connection:
    """Waits while another process opens the database, or repairs its log after a process that was killed."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for setting in (*_PRAGMAS, f"cache_size=-{cache_kib}"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
