"""When things that may fail were tried last: each is tried again after a while, those that cost the device something ever later."""

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
    """Of one gateway. Looked at only by the one thread that works on it."""

    def __init__(self) -> None:
        self._tries: dict[str, _Try] = {}

    def note(self, name: str, *, first: float | None = None, longest: float | None = None) -> float:
        """It is tried now. Returns the seconds until it may be tried again: `first` (None: RETRY) at first, and then twice as many as
        before, at most `longest` (None: RETRY).
        """
        before = self._tries.get(name)
        wait = min(2 * before.wait, longest or RETRY) if before else first or RETRY
        self._tries[name] = _Try(time.monotonic(), wait)
        return wait

    def recent(self) -> frozenset[str]:
        """What was tried moments ago and must wait."""
        now = time.monotonic()
        self._tries = {name: one for name, one in self._tries.items() if now - one.at < one.wait + LONGEST}
        return frozenset(name for name, one in self._tries.items() if now - one.at < one.wait)

    def forget(self, *names: str) -> None:
        """They may be tried at once."""
        for name in names:
            self._tries.pop(name, None)
