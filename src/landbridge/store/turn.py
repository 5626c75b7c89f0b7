"""Whose turn it is to write, among the threads of this process and among processes.

SQLite's own lock can only be tried again and again, and whoever just had it gets it again. Here a waiting process sleeps until it is its
turn, and the one that wrote last stands behind those that wait: to wait for the turn one needs the place in front, and gives it
up only when the turn has come. Both are locks on a byte of a file (fcntl(2)); the kernel takes them from a process that ends. They are the
process's, not the Turn's: two of one file in one process exclude nobody, and closing one gives up both.
"""

import fcntl
import os
import threading
from pathlib import Path

_PLACE_IN_FRONT, _TURN = 0, 1


class Turn:
    """A lock on a file of its own, which is made if need be. It keeps nobody from the database who does not ask for it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._own = threading.Lock()

    def acquire(self, *, blocking: bool = True) -> bool:
        """False when it is not to wait, and would have to."""
        if not self._own.acquire(blocking):
            return False
        try:
            self._stand_in_line(fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._own.release()
            return False
        except BaseException:
            self._own.release()
            raise
        return True

    def _stand_in_line(self, how: int) -> None:
        fcntl.lockf(self._file, how, 1, _PLACE_IN_FRONT)
        try:
            fcntl.lockf(self._file, how, 1, _TURN)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _PLACE_IN_FRONT)

    def release(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _TURN)
        self._own.release()

    def close(self) -> None:
        os.close(self._file)
