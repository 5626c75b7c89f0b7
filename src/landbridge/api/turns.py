"""Requests of one access key take turns, so that a key with many clients leaves the others their share.

A long read gains nothing from another one beside it, so a key has one in work. Writes are committed in groups, so a key has as many as a
group takes. Short reads need no turn. A request that is not in work waits; one that finds too many waiting is refused as Busy: clients
of this API answer a 429 with pauses of minutes.
"""

import asyncio
from collections import deque

from landbridge import errors

READS_AT_ONCE = 1
WRITES_AT_ONCE = 16


class _Queue:
    __slots__ = ("at_once", "in_work", "waiting")

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.in_work = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turns:
    """`take`, then in any case `give_back`. On one event loop."""

    def __init__(self, waiting_per_key: int = 0) -> None:
        self._waiting_limit = waiting_per_key
        self._queues: dict[tuple[str, bool], _Queue] = {}

    async def take(self, access_key: str, *, writes: bool) -> None:
        """Returns when the request may begin. Raises Busy."""
        name = (access_key, writes)
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(WRITES_AT_ONCE if writes else READS_AT_ONCE)
        if queue.in_work < queue.at_once:
            queue.in_work += 1
            return
        if self._waiting_limit and len(queue.waiting) >= self._waiting_limit:
            raise errors.Busy(f"{len(queue.waiting)} requests of this access key wait already")
        turn = asyncio.get_running_loop().create_future()
        queue.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had come, and nobody will use it
                self.give_back(access_key, writes=writes)
            raise

    def give_back(self, access_key: str, *, writes: bool) -> None:
        """The next one that waits has the turn."""
        name = (access_key, writes)
        queue = self._queues[name]
        while queue.waiting:
            turn = queue.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        queue.in_work -= 1
        if not queue.in_work:
            del self._queues[name]
