"""Waits until the service has carried out an accepted request, and prints each status meanwhile."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from landbridge.client import failures, output
from landbridge.client.api import Api

#: Seconds between two polls.
_PERIOD = 0.5
#: Statuses that no waiting changes.
_BROKEN = ("ERROR", "FAULT")


@dataclass(frozen=True, slots=True)
class Poll:
    """The result of one poll. `why`: the reason and the remedy, if there are any. `broken`: waiting longer will not help."""

    status: str
    why: str = ""
    done: bool = False
    broken: bool = False

    def __str__(self) -> str:
        return f"{self.status}: {self.why}" if self.why else self.status


def until(name: str, poll: Callable[[], Poll], timeout: float) -> None:
    """Polls until it is done. Raises TimedOut after `timeout` seconds and Failure when it cannot be done, with what the
    last poll found. The reason of a poll is printed once. While the service does not answer, it waits on.
    """
    started = time.monotonic()
    last = Poll("not seen yet")
    while True:
        try:
            state = poll()
        except failures.Unreachable as error:
            state = Poll("no answer", str(error))
        seconds = time.monotonic() - started
        if state.done:
            output.say(f"{name}: {state.status} after {seconds:.0f} s")
            return
        if state.broken:
            raise failures.Failure(f"{name} is {state}")
        if state != last:
            output.say(f"{name}: {state}")
            last = state
        if seconds + _PERIOD > timeout:
            raise failures.TimedOut(f"{name} is not ready after {timeout:g} s; it is {state.status}")
        time.sleep(_PERIOD)


def for_active(api: Api, name: str, kind_path: str, resource_id: str, timeout: float) -> None:
    """Waits until a gateway or a connection is ACTIVE. `kind_path`: the path of its kind below /landbridge/v1."""

    def poll() -> Poll:
        return diagnosed(api.get(api.ours(kind_path, resource_id, "diagnosis"))["diagnosis"], "ACTIVE")

    until(name, poll, timeout)


def diagnosed(diagnosis: Mapping[str, Any], expected: str) -> Poll:
    """The diagnosis of a resource as the result of a poll that waits for the status `expected`."""
    status = diagnosis["status"]
    labels = (("reason", ""), ("remedy", "remedy: "))
    why = "; ".join(f"{label}{diagnosis[key]}" for key, label in labels if diagnosis.get(key))
    return Poll(status, why, done=status == expected, broken=status in _BROKEN)


def for_end(api: Api, name: str, path: str, timeout: float) -> None:
    """Waits until a resource is gone."""

    def poll() -> Poll:
        try:
            (resource,) = (value for value in api.get(path).values() if isinstance(value, dict))
        except failures.NotFound:
            return Poll("gone", done=True)
        return Poll(str(resource.get("status", "still there")))

    until(name, poll, timeout)
