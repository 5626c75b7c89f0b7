"""Reads the lines that a charon adds to its log file. As events of VICI, the same lines take a quarter of charon's processor time while tunnels
come up (docs/decisions/0069).
"""

import contextlib
import os
import re
import shutil
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from landbridge.engine.strongswan.ike import charon, state

#: Local time, thread and group, the name and the number of the IKE_SA that the line is about, text.
_LINE = re.compile(rb"(\S+:\d\d\.\d+) \d+\[\w+\](?: <(?:([^|>]*)\|)?(\d+)>)? (.*)")
_UNNAMED = state.UNNAMED.encode()
#: Bytes that are read at once.
_PART = 1 << 18
#: Bytes at the end of a file in which its last line is looked for.
_TAIL = 1 << 12


class Line(NamedTuple):
    """`time`: as charon writes it. `name` and `unique_id`: of the IKE_SA, empty when the line is about none."""

    time: bytes
    name: bytes
    unique_id: bytes
    text: bytes

    def at(self, now: datetime) -> datetime:
        """When charon wrote the line, if that is less than half a minute ago. The file has local times, whose hours may be ambiguous."""
        ago = (now.second + now.microsecond / 1e6 - float(self.time.rpartition(b":")[2])) % 60
        return now - timedelta(seconds=ago) if ago < 30 else now


class LogFile:
    """The lines that come after it was opened. For one thread.

    `is_replaced`: another file, or none, stands where the file was. charon still writes to the old one until it is told to open its log anew.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._path = folder / charon.CHARON.log_file
        self._file = _open(self._path)
        self._rest = self._last = b""
        self._file.seek(max(0, os.fstat(self._file.fileno()).st_size - _TAIL))
        self.lines()
        self.is_replaced = False

    def close(self) -> None:
        self._file.close()

    def is_open_in(self, pid: int) -> bool:
        """Whether the process has this file open. A process that writes to another file of this name does not. Raises OSError."""
        ours = os.fstat(self._file.fileno())
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(each.stat(), ours):
                    return True
        return False

    def lines(self) -> list[Line]:
        """Returns what was added since the last call. Raises OSError."""
        lines = []
        while data := self._file.read(_PART):
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                if match := _LINE.match(line):
                    at, name, unique_id, text = match.groups(b"")
                    lines.append(Line(at, name or (_UNNAMED if unique_id else b""), unique_id, text))
        if lines:
            self._last = lines[-1].time
        return lines

    def keep_up(self) -> list[Line]:
        """The same. Keeps a full log as charon.log.1: what charon adds meanwhile is read before it is cut off, and charon appends, so its next line
        stands at the beginning. Begins anew in a file that somebody cut, and in one that stands in its place since the last call. Raises OSError.
        """
        lines, ours = self.lines(), os.fstat(self._file.fileno())
        if not self._is_in_its_place(ours):
            if not self.is_replaced:
                self.is_replaced = True
                return lines
            new = _open(self._path)
            self._file.close()
            self._file, self.is_replaced = new, False
        elif ours.st_size > charon.LOG_LIMIT:
            with contextlib.suppress(OSError):  # a full disk is one more reason to cut it
                shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
            lines += self.lines()
            os.truncate(self._path, 0)
            self._file.seek(0)
            self._rest = b""
            return lines + self.lines()
        elif ours.st_size < self._file.tell():
            self._file.seek(0)
        else:
            return lines
        last, self._rest = self._last, b""  # a copy has old lines
        return lines + [line for line in self.lines() if line.time > last]

    def _is_in_its_place(self, ours: os.stat_result) -> bool:
        """Raises OSError when something stands there that is no regular file."""
        try:
            its = self._path.stat()
        except FileNotFoundError:
            return False
        _check(its, self._path)
        return os.path.samestat(its, ours)


def _open(path: Path) -> BinaryIO:
    """Raises OSError, also for what is no regular file: to open a FIFO waits for whoever writes to it, and /dev/null has no lines."""
    _check(path.stat(), path)
    return path.open("rb", buffering=0)


def _check(its: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(its.st_mode):
        raise OSError(f"{path} is no regular file")
