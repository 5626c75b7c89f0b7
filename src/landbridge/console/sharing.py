"""What visits to the pages of a project share: reads that cost much, and what was rendered of them.

A share belongs to a change mark, so a page that a person opens shows everything that was written before. Refreshes of open pages may use a mark that is
a little old in a large project, so that many changes cost one read in this time, for any number of viewers. The shares belong to the
event loop; only the reads run elsewhere.
"""

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

#: Shares that are kept, the newest: a whole project of 10,000 connections takes some megabytes.
KEPT = 16
#: A project with fewer connections is read at once, whenever it changed.
FEW = 1000
#: Refreshes use a mark for a second for so many connections, and at most for so many seconds.
HELD_A_SECOND, HOLD_SECONDS = 4000, 5.0
Mark = tuple[int, ...]


@dataclass
class _Held:
    """`taken`: when the mark was read, as `time.monotonic`. `connections`: how many the last whole read had."""

    mark: Mark
    taken: float
    connections: int = 0


class Shares:
    """The shares of all projects, in this process."""

    def __init__(self) -> None:
        self._shares: OrderedDict[Hashable, tuple[Mark, asyncio.Task[Any]]] = OrderedDict()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def mark(self, project_id: str, read: Callable[[], Mark], *, is_refresh: bool) -> Mark:
        """The change mark that a visit shows. `read`: reads the present one."""
        held = self._held.get(project_id)
        if is_refresh and held is not None and time.monotonic() < held.taken + _hold(held.connections):
            return held.mark
        mark = read()
        if held is not None and held.mark == mark:
            held.taken = time.monotonic()
        else:
            self._held[project_id] = _Held(mark, time.monotonic(), held.connections if held is not None else 0)
            self._held.move_to_end(project_id)
        while len(self._held) > KEPT:
            self._held.popitem(last=False)
        return mark

    async def get(self, project_id: str, mark: Mark, name: Hashable, read: Callable[[], Awaitable[Any]]) -> Any:
        """What `read` returns, or returned to a visit with the same mark before. When a read fails, only the visit that made it fails."""
        key = (project_id, name)
        known = self._shares.get(key)
        if known is not None and known[0] == mark:
            try:
                return await asyncio.shield(known[1])
            except Exception:  # noqa: BLE001 - it is the failure of the visit that read
                return await read()
        task = asyncio.ensure_future(read())
        self._shares[key] = (mark, task)
        self._shares.move_to_end(key)
        while len(self._shares) > KEPT:
            self._shares.popitem(last=False)
        task.add_done_callback(functools.partial(self._forget_failed, key))
        return await asyncio.shield(task)

    def _forget_failed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        """Also when the visit that began the read is over."""
        kept = self._shares.get(key)
        if kept is not None and kept[1] is task and (task.cancelled() or task.exception() is not None):
            del self._shares[key]

    def note(self, project_id: str, connections: int) -> None:
        """Notes how many connections a whole read of the project had."""
        if (held := self._held.get(project_id)) is not None:
            held.connections = connections


def _hold(connections: int) -> float:
    return 0.0 if connections < FEW else min(connections / HELD_A_SECOND, HOLD_SECONDS)
