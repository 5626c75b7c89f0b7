"""The agent's heartbeat, which every process that answers the API can read."""

import math
import os
import struct
import time


class Heartbeat:
    """When the agent last began to look at all gateways: eight bytes of memory that the processes of one service share.

    `file` is the descriptor of that memory, inherited from the process that made it; None makes a new one.
    """

    def __init__(self, file: int | None = None) -> None:
        self.file = os.memfd_create("landbridge-heartbeat") if file is None else file

    def beat(self) -> None:
        os.pwrite(self.file, struct.pack("d", time.monotonic()), 0)

    @property
    def age(self) -> float:
        """Seconds since the last beat; infinite before the first one."""
        stored = os.pread(self.file, 8, 0)
        return time.monotonic() - float(struct.unpack("d", stored)[0]) if stored else math.inf
