"""Since when a charon has not answered. It judges nothing."""

import math
import time


class Silence:
    """The silence of one charon, from the first unanswered question. Any thread may call. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._since = math.inf

    def begin(self, asked: float) -> None:
        """A question that was asked then has no answer yet."""
        self._since = min(self._since, asked)

    def end(self) -> None:
        """It answered."""
        self._since = math.inf

    def seconds(self) -> float:
        """0 for a charon that has answered every question."""
        return max(0.0, time.monotonic() - self._since)
