"""Reads the lines that a charon adds to its log file. As events of VICI, the same lines take a quarter of charon's processor time while tunnels
come up (docs/decisions/0069).
"""

import contextlib
import os
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from landbridge.engine.strongswan.ike import charon, state

#: Second, thread and group, the name and the number of the IKE_SA that the line is about, text.
_LINE = re.compile(rb"\S+:(\d\d\.\d+) \d+\[\w+\](?: <(?:([^|>]*)\|)?(\d+)>)? (.*)")
_UNNAMED = state.UNNAMED.encode()
#: Bytes that are read at once.
_PART = 1 << 18


class Line(NamedTuple):
    """`second`: of its minute. `name` and `unique_id`: of the IKE_SA, empty when the line is about none."""

    second: bytes
    name: bytes
    unique_id: bytes
    text: bytes

    def at(self, now: datetime) -> datetime:
        """When charon wrote the line, if that is less than half a minute ago. The file has local times, whose hours may be ambiguous."""
        ago = (now.second + now.microsecond / 1e6 - float(self.second)) % 60
        return now - timedelta(seconds=ago) if ago < 30 else now


class LogFile:
    """The lines that come after it was opened. For one thread."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._path = folder / charon.CHARON.log_file
        self._file = self._path.open("rb", buffering=0)
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def close(self) -> None:
        self._file.close()

    def lines(self) -> list[Line]:
        """What was added since the last call. Raises OSError."""
        found = []
        while data := self._file.read(_PART):
            *whole, self._rest = (self._rest + data).split(b"\n")
            for each in whole:
                if match := _LINE.match(each):
                    second, name, unique_id, text = match.groups(b"")
                    found.append(Line(second, name or (_UNNAMED if unique_id else b""), unique_id, text))
        return found

    def keep_up(self) -> list[Line]:
        """The same. Begins anew where somebody has replaced or cut the file, and keeps a full log as charon.log.1. What charon adds meanwhile is read
        before it is cut off. charon appends, so its next line stands at the beginning. Raises OSError.
        """
        try:
            its = self._path.stat()
        except FileNotFoundError:  # charon still writes to the file that was deleted
            return self.lines()
        found, ours = self.lines(), os.fstat(self._file.fileno())
        if not os.path.samestat(its, ours):
            new = self._path.open("rb", buffering=0)
            self._file.close()
            self._file = new
        elif ours.st_size > charon.LOG_LIMIT:
            with contextlib.suppress(OSError):  # a full disk is one more reason to cut it
                shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
            found += self.lines()
            os.truncate(self._path, 0)
            self._file.seek(0)
        elif ours.st_size < self._file.tell():
            self._file.seek(0)
        else:
            return found
        self._rest = b""
        return found + self.lines()
