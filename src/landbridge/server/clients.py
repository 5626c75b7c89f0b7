"""Limits the number of connections, in total and of each client address.

A connection counts from its accept on, so a TLS handshake counts too. An IPv6 client is its /64: one network has as many addresses as
it likes.
"""

import ipaddress
import resource
from dataclasses import dataclass

from landbridge import config


@dataclass(slots=True)
class _Count:
    open: int = 0
    unfinished: int = 0


class Clients:
    """Counts the connections of one process. A connection is unfinished until its first request has come."""

    def __init__(self, bounds: config.Http) -> None:
        self._limit = bounds.connections or resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self._per_address = bounds.connections_per_address or self._limit
        self._unfinished_per_address = bounds.unfinished_per_address or self._limit
        self._open = 0
        self._counts: dict[str, _Count] = {}
        self._refused = 0
        self._reason = ""

    def admit(self, address: str) -> str | None:
        """Counts one more connection and returns the client's name for `release`; None when there are too many."""
        name = _name(address)
        count = self._counts.get(name) or _Count()
        reason = self._too_many(name, count)
        if reason:
            self._refused, self._reason = self._refused + 1, reason
            return None
        self._counts[name] = count
        self._open += 1
        count.open += 1
        count.unfinished += 1
        return name

    def _too_many(self, name: str, count: _Count) -> str:
        if self._open >= self._limit:
            return f"{self._open} connections are open ([http] connections)"
        if count.open >= self._per_address:
            return f"{name} has {count.open} ([http] connections_per_address)"
        if count.unfinished >= self._unfinished_per_address:
            return f"{name} has {count.unfinished} without a request ([http] unfinished_per_address)"
        return ""

    def count_request(self, name: str) -> None:
        """The first request of a connection has come."""
        self._counts[name].unfinished -= 1

    def release(self, name: str, *, had_request: bool) -> None:
        """A connection is closed."""
        count = self._counts[name]
        self._open -= 1
        count.open -= 1
        if not had_request:
            count.unfinished -= 1
        if not count.open:
            del self._counts[name]

    def refusals(self) -> str:
        """Returns how many connections were refused since the last call, as a sentence; empty when none was."""
        text = f"{self._refused} connections were refused, the last one since {self._reason}" if self._refused else ""
        self._refused, self._reason = 0, ""
        return text


def _name(address: str) -> str:
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
