"""A fair exclusive lock over fcntl, across threads and processes.

SQLite's own lock can only be polled, and the process that has just released it usually gets it again. Here a waiting process sleeps in the
kernel. A process first locks the head of the queue, then the writer byte. It releases the head as soon as it has the writer byte. So the process
that wrote last queues behind the processes that wait.

Both are locks on a byte of a file (fcntl(2)). The kernel releases them when a process ends. The locks belong to the process and not to the
WriterLock: two WriterLocks of one file in one process do not exclude each other, and closing one releases the locks of both.
"""

import fcntl
import os
import threading
from pathlib import Path

_QUEUE_HEAD, _WRITER = 0, 1


class WriterLock:
    """A lock on a file of its own, which is created when it is missing. The lock is advisory: SQLite does not know it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._threads = threading.Lock()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Returns False when `blocking` is false and somebody else has the lock or waits for it."""
        if not self._threads.acquire(blocking):
            return False
        try:
            self._acquire_file(fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._threads.release()
            return False
        except BaseException:
            self._threads.release()
            raise
        return True

    def _acquire_file(self, operation: int) -> None:
        fcntl.lockf(self._file, operation, 1, _QUEUE_HEAD)
        try:
            fcntl.lockf(self._file, operation, 1, _WRITER)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _QUEUE_HEAD)

    def release(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _WRITER)
        self._threads.release()

    def close(self) -> None:
        os.close(self._file)
