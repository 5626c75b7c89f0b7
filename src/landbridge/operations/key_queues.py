"""A queue of requests for each access key, so that a key with many clients leaves the others their share.

Two long reads of one key run no faster side by side, so one runs at a time. Writes are committed in groups, so as many writes of a
key run as a group takes. Short reads do not queue. A request that finds the queue full is refused as Busy (503): clients of this API
answer a 429 with pauses of minutes.
"""

import asyncio
from collections import deque

from landbridge import errors

READS_AT_ONCE = 1
WRITES_AT_ONCE = 16


class _Queue:
    __slots__ = ("limit", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class KeyQueues:
    """The queues of all access keys, on one event loop. Who acquires must release, whatever happens.

    `waiting_per_key`: requests of one key that may wait; 0 is any number.
    """

    def __init__(self, waiting_per_key: int = 0) -> None:
        self._waiting_limit = waiting_per_key
        self._queues: dict[tuple[str, bool], _Queue] = {}

    async def acquire(self, access_key: str, *, writes: bool) -> None:
        """Returns when the request may begin. Raises Busy when too many wait."""
        name = (access_key, writes)
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(WRITES_AT_ONCE if writes else READS_AT_ONCE)
        if queue.running < queue.limit:
            queue.running += 1
            return
        if self._waiting_limit and len(queue.waiting) >= self._waiting_limit:
            raise errors.Busy(f"{len(queue.waiting)} requests of this access key wait already")
        admitted = asyncio.get_running_loop().create_future()
        queue.waiting.append(admitted)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():  # the place was given to a request that no longer wants it
                self.release(access_key, writes=writes)
            raise

    def release(self, access_key: str, *, writes: bool) -> None:
        """Gives the place to the request that waits longest."""
        name = (access_key, writes)
        queue = self._queues[name]
        while queue.waiting:
            admitted = queue.waiting.popleft()
            if not admitted.done():
                admitted.set_result(None)
                return
        queue.running -= 1
        if not queue.running:
            del self._queues[name]
