"""Measures how long a charon has not answered. It judges nothing."""

import math
import time


class Silence:
    """The silence of one charon, from the first unanswered question. Any thread may call. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._since = math.inf

    def begin(self, asked_at: float) -> None:
        """Begins a silence: the question that was sent at this time is not answered yet."""
        self._since = min(self._since, asked_at)

    def end(self) -> None:
        """Ends the silence after an answer."""
        self._since = math.inf

    def seconds(self) -> float:
        """0 for a charon that has answered every question."""
        return max(0.0, time.monotonic() - self._since)
