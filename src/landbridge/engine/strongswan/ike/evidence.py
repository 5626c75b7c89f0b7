"""What charon said about each connection: its log lines, kept for a while in memory.

This module decides which connection a line belongs to, and which lines are noise. It does not decide what a line means. The
engine plans nothing from these lines, and they are empty after a restart of Landbridge.

A responder calls an SA `(unnamed)` until a configuration is picked by identity, and a negotiation that fails before never
gets a name. Its lines go to every connection with that peer's address.
"""

import re
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime

from landbridge import model
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import state as ike_state

KEPT = 50
#: What charon says all the time while nothing happens.
NOISE = ("sending packet", "received packet", "generating ", "parsed ", "sending keep alive", "sending DPD request")
#: Unnamed SAs whose peer is remembered at most.
_UNNAMED_KEPT = 1000

_ADDRESS = re.compile(r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")


class EvidenceLog:
    """The last lines of every connection of one gateway. Any thread may read while one writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: defaultdict[str, deque[model.Evidence]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._peers: dict[str, frozenset[str]] = {}
        self._address_of: dict[str, str] = {}

    def set_peers(self, peers: Mapping[str, frozenset[str]]) -> None:
        """`peers`: connection -> addresses of its peer, for each loaded connection. Lines of other connections are forgotten."""
        with self._lock:
            self._peers = dict(peers)
            for gone in self._kept.keys() - self._peers.keys():
                del self._kept[gone]

    def add(self, at: datetime, sa_name: str | None, unique_id: str | None, line: str) -> None:
        if line.startswith(NOISE):
            return
        with self._lock:
            for connection_id in self._owners(sa_name, unique_id, line):
                self._kept[connection_id].append(model.Evidence(at=at, line=line))

    def _owners(self, sa_name: str | None, unique_id: str | None, line: str) -> list[str]:
        if sa_name and sa_name != ike_state.UNNAMED:
            return [fingerprints.owner(sa_name)]
        address = self._peer(unique_id, line)
        return [connection_id for connection_id, addresses in self._peers.items() if address in addresses]

    def _peer(self, unique_id: str | None, line: str) -> str | None:
        """The peer's address, from the line or from an earlier line of the same SA (`A is initiating an IKE_SA`)."""
        known = {address for addresses in self._peers.values() for address in addresses}
        for address in _ADDRESS.findall(line):
            if address in known:
                if unique_id:
                    self._remember(unique_id, address)
                return str(address)
        return self._address_of.get(unique_id or "")

    def _remember(self, unique_id: str, address: str) -> None:
        if len(self._address_of) >= _UNNAMED_KEPT:
            self._address_of.clear()
        self._address_of[unique_id] = address

    def all(self) -> dict[str, tuple[model.Evidence, ...]]:
        with self._lock:
            return {connection_id: tuple(lines) for connection_id, lines in self._kept.items()}
