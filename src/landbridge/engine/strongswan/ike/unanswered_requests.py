"""The requests that devices have not answered, with the times at which they were sent, from charon's log lines.

The first message of a negotiation does not count: a device that has not answered it has no state to forget. In IKEv2 its number is 0, as is that
of our first request in an IKE_SA that the device began, or that a rekey made (RFC 7296, 2.2). IKEv1 does not repeat its DPD requests: there charon
counts the time itself (`dpd_timeout`). The times are kept in memory. After a restart of Landbridge, the next retransmit gives the time again,
possibly a little too late.
"""

import re
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

from landbridge.engine.strongswan.ike import charon

_SENT_AGAIN = re.compile(
    r"retransmit (?P<count>\d+) of request with message ID (?P<id>\d+)$"
    r"|sending retransmit (?P<count_v1>\d+) of request message ID (?P<id_v1>(?!0, seq 1$)\d+, seq \d+)$"
)
#: The message ID of IKE_SA_INIT.
_FIRST = "0"
_HEARD = re.compile(r"parsed \w+ (?:request|response) \d+")
#: IKE_SAs that are remembered at most. A line tells of one, and nothing tells that an IKE_SA of which no more is said is gone.
_KEPT = 10_000


@dataclass(slots=True)
class _Request:
    """`sent`: the time of the first sending, by the monotonic clock."""

    id: str
    sent: float


class UnansweredRequests:
    """The requests of the IKE_SAs of one gateway. Any thread may read while one writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[str, _Request] = {}

    def add(self, unique_id: str | None, line: str) -> bool:
        """Whether the line tells that a request has just been sent again for the first time."""
        if unique_id is None:
            return False
        if again := _SENT_AGAIN.match(line):
            count, request = again["count"] or again["count_v1"], again["id"] or again["id_v1"]
            return self._sent_again(unique_id, int(count), request)
        if unique_id in self._requests and _HEARD.match(line):
            with self._lock:
                self._requests.pop(unique_id, None)
        return False

    def _sent_again(self, unique_id: str, count: int, message_id: str) -> bool:
        """A request whose first sending nobody saw was sent at least so many waits ago: each is as long as the first, or longer."""
        with self._lock:
            known = self._requests.get(unique_id)
            if known is not None and known.id == message_id:
                return False
            if len(self._requests) >= _KEPT:
                self._requests.clear()
            sent = time.monotonic() - count * charon.FIRST_RETRANSMIT
            self._requests[unique_id] = _Request(message_id, sent)
            return True

    def is_waiting(self, unique_id: str) -> bool:
        """Cheap: it is asked for every line that charon says."""
        return unique_id in self._requests

    def seconds(self, negotiating: Collection[str]) -> dict[str, float]:
        """Unique id of an IKE_SA -> seconds since the request that is not answered was sent first. `negotiating`: the IKE_SAs that are not
        established yet.
        """
        now = time.monotonic()
        with self._lock:
            return {
                unique_id: now - request.sent
                for unique_id, request in self._requests.items()
                if request.id != _FIRST or unique_id not in negotiating
            }

    def keep(self, unique_ids: frozenset[str]) -> None:
        """Forgets all other IKE_SAs: they are gone."""
        with self._lock:
            for unique_id in self._requests.keys() - unique_ids:
                del self._requests[unique_id]
