"""Caches expensive reads of a project, and what was rendered of them, for other requests.

An entry belongs to a change mark, so a page that a person opens shows everything that was written before. In a large project a refresh of
an open page may use a slightly older mark. Many changes then cost one read, for any number of viewers. The cache belongs to the event loop;
only the reads run elsewhere.
"""

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

#: Entries that are kept, the newest: a whole project of 10,000 connections takes some megabytes.
KEPT = 16
#: A project with fewer connections is read at once, whenever it changed.
FEW = 1000
#: Refreshes use a mark for a second for so many connections, and at most for so many seconds.
HELD_A_SECOND, HOLD_SECONDS = 4000, 5.0
Mark = tuple[int, ...]


@dataclass
class _KnownMark:
    """`taken`: when the mark was read, as `time.monotonic`. `connections`: how many the last whole read had."""

    mark: Mark
    taken: float
    connections: int = 0


class ReadCache:
    """The reads of all projects, in this process."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[Mark, asyncio.Task[Any]]] = OrderedDict()
        self._marks: OrderedDict[str, _KnownMark] = OrderedDict()

    def mark(self, project_id: str, read: Callable[[], Mark], *, is_refresh: bool) -> Mark:
        """The change mark that a page shows. `read`: reads the present one."""
        known = self._marks.get(project_id)
        if is_refresh and known is not None and time.monotonic() < known.taken + _hold(known.connections):
            return known.mark
        mark = read()
        if known is not None and known.mark == mark:
            known.taken = time.monotonic()
        else:
            self._marks[project_id] = _KnownMark(mark, time.monotonic(), known.connections if known is not None else 0)
            self._marks.move_to_end(project_id)
        while len(self._marks) > KEPT:
            self._marks.popitem(last=False)
        return mark

    async def get(self, project_id: str, mark: Mark, name: Hashable, read: Callable[[], Awaitable[Any]]) -> Any:
        """Returns what `read` returns, or returned to a request with the same mark before. When a read fails, only the request that made it fails."""
        key = (project_id, name)
        entry = self._entries.get(key)
        if entry is not None and entry[0] == mark:
            try:
                return await asyncio.shield(entry[1])
            except Exception:  # noqa: BLE001 - it is the failure of the request that read
                return await read()
        task = asyncio.ensure_future(read())
        self._entries[key] = (mark, task)
        self._entries.move_to_end(key)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        task.add_done_callback(functools.partial(self._forget_failed, key))
        return await asyncio.shield(task)

    def _forget_failed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        """Also when the request that began the read is over."""
        kept = self._entries.get(key)
        if kept is not None and kept[1] is task and (task.cancelled() or task.exception() is not None):
            del self._entries[key]

    def note(self, project_id: str, connections: int) -> None:
        """Notes how many connections a whole read of the project had."""
        if (known := self._marks.get(project_id)) is not None:
            known.connections = connections


def _hold(connections: int) -> float:
    return 0.0 if connections < FEW else min(connections / HELD_A_SECOND, HOLD_SECONDS)
