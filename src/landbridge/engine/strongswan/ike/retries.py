"""Remembers when each thing was tried, and when it may be tried again. The wait can double."""

import time
from dataclasses import dataclass

#: Seconds before what did not succeed is tried again, at first and at most.
RETRY = 10.0
LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class _Try:
    at: float
    wait: float


class Retries:
    """The retries of one gateway. Only the thread of its cycle uses them."""

    def __init__(self) -> None:
        self._tries: dict[str, _Try] = {}

    def note(self, name: str, *, first: float | None = None, longest: float | None = None) -> float:
        """Remembers that `name` is tried now. Returns the seconds until it may be tried again: `first` (None: RETRY) the first time, then twice
        as many as before, at most `longest` (None: RETRY).
        """
        before = self._tries.get(name)
        wait = min(2 * before.wait, longest or RETRY) if before else first or RETRY
        self._tries[name] = _Try(time.monotonic(), wait)
        return wait

    def recent(self) -> frozenset[str]:
        """The names that must not be tried again yet."""
        now = time.monotonic()
        self._tries = {
            name: attempt for name, attempt in self._tries.items() if now - attempt.at < attempt.wait + LONGEST
        }
        return frozenset(name for name, attempt in self._tries.items() if now - attempt.at < attempt.wait)

    def forget(self, *names: str) -> None:
        """The names may be tried again at once."""
        for name in names:
            self._tries.pop(name, None)
