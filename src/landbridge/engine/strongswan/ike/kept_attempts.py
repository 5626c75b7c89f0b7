"""Keeps the attempts of one gateway: by connection, or by their ends while charon has no name for their IKE_SA."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping

from landbridge.engine.strongswan.ike import state
from landbridge.engine.strongswan.ike.open_attempt import OpenAttempt
from landbridge.model import negotiation

#: Attempts that are kept of a connection, of an address whose SAs have no name, and of all addresses that no connection has. The agent
#: reports them within a tick, and the store keeps more. A thousand connections that fail again and again need 60 MB.
KEPT = 8
KEPT_UNNAMED = 5
KEPT_OF_STRANGERS = 20


class KeptAttempts:
    """The attempts of the connections of a gateway, and of strangers."""

    def __init__(self, configuration_at: Callable[[str, int], str]) -> None:
        """`configuration_at`: the configuration of a connection that was loaded when the attempt with this number began."""
        self._configuration_at = configuration_at
        self._named: defaultdict[str, deque[OpenAttempt]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._unnamed: OrderedDict[tuple[str, str], deque[OpenAttempt]] = OrderedDict()
        self._peers: dict[tuple[str, str], frozenset[str]] = {}
        self._views: dict[str, tuple[negotiation.Attempt, ...]] = {}

    def set_peers(self, peers: Mapping[str, state.Ends]) -> bool:
        """The ends of the connections that are loaded. The attempts of all other connections are forgotten. Returns whether the ends changed."""
        now = _by_ends(peers)
        if now == self._peers:
            return False
        self._peers = now
        self._views.clear()
        for connection_id in self._named.keys() - peers.keys():
            del self._named[connection_id]
        return True

    def is_of_stranger(self, attempt: OpenAttempt) -> bool:
        """Whether no connection has exactly the ends of the attempt."""
        return attempt.ends not in self._peers

    def put(self, attempt: OpenAttempt) -> None:
        if attempt.connection_id is not None:
            self._named[attempt.connection_id].append(attempt)
        elif all(attempt.ends):
            self._unnamed.setdefault(attempt.ends, deque(maxlen=KEPT_UNNAMED)).append(attempt)
            self._unnamed.move_to_end(attempt.ends)
            self._forget_strangers()
        self.changed(attempt)

    def remove(self, attempt: OpenAttempt) -> None:
        self.changed(attempt)
        if attempt.connection_id is not None:
            _discard(self._named[attempt.connection_id], attempt)
        elif kept := self._unnamed.get(attempt.ends):
            _discard(kept, attempt)
            if not kept:
                del self._unnamed[attempt.ends]

    def take_from_others(self, attempt: OpenAttempt) -> None:
        """The device has come up as this connection. What it said before without a name does not concern others that wait."""
        if attempt.connection_id is None or attempt.ends in self._peers:
            return
        for unnamed in self._unnamed.pop(attempt.ends, ()):
            self.changed(unnamed)
            unnamed.connection_id = attempt.connection_id

    def drop_renewal(self, attempt: OpenAttempt) -> None:
        """Only the last successful rekey or additional child of a tunnel is kept."""
        kept = self._named[attempt.connection_id] if attempt.connection_id else deque[OpenAttempt]()
        if len(kept) > 1 and kept[-1] is attempt and attempt.is_renewal and kept[-2].is_renewal:
            del kept[-2]

    def _forget_strangers(self) -> None:
        strangers = [ends for ends in self._unnamed if ends not in self._peers]
        for ends in strangers[:-KEPT_OF_STRANGERS]:
            del self._unnamed[ends]

    def changed(self, attempt: OpenAttempt) -> None:
        """The values that were made of the attempt are outdated."""
        attempt.shown.clear()
        owners = {attempt.connection_id} if attempt.connection_id is not None else self._owners(*attempt.ends)
        for connection_id in owners:
            self.outdate(connection_id)

    def outdate(self, connection_id: str) -> None:
        """Something that the attempts of the connection show has changed."""
        self._views.pop(connection_id, None)

    def _owners(self, local: str, peer: str) -> frozenset[str]:
        return self._peers.get((local, peer)) or self._peers.get((local, state.ANY), frozenset())

    def by_connection(self) -> dict[str, tuple[negotiation.Attempt, ...]]:
        """Connection -> its attempts, oldest first. A connection without attempts is missing."""
        unnamed: defaultdict[str, list[OpenAttempt]] = defaultdict(list)
        for (local, peer), attempts in self._unnamed.items():
            for connection_id in self._owners(local, peer):
                unnamed[connection_id].extend(attempts)
        for connection_id in {*self._named, *unnamed} - self._views.keys():
            self._views[connection_id] = self._view(connection_id, unnamed[connection_id])
        return {connection_id: view for connection_id, view in self._views.items() if view}

    def _view(self, connection_id: str, unnamed: Iterable[OpenAttempt]) -> tuple[negotiation.Attempt, ...]:
        attempts = sorted((*self._named.get(connection_id, ()), *unnamed), key=lambda attempt: attempt.number)
        return tuple(
            attempt.show(self._configuration_at(connection_id, attempt.number)) for attempt in attempts[-KEPT:]
        )

    def of_strangers(self) -> tuple[negotiation.Attempt, ...]:
        """The last attempts from addresses that no connection of their endpoint has, oldest first."""
        attempts = [attempt for ends, kept in self._unnamed.items() if ends not in self._peers for attempt in kept]
        attempts.sort(key=lambda attempt: attempt.number)
        return tuple(attempt.show("") for attempt in attempts[-KEPT_OF_STRANGERS:])


def _by_ends(peers: Mapping[str, state.Ends]) -> dict[tuple[str, str], frozenset[str]]:
    """(our address, the address of the peer) -> the connections that have them."""
    by_ends: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for connection_id, (locals_, remotes) in peers.items():
        for local in locals_:
            for remote in remotes:
                by_ends[local, remote].add(connection_id)
    return {ends: frozenset(ids) for ends, ids in by_ends.items()}


def _discard(kept: deque[OpenAttempt], attempt: OpenAttempt) -> None:
    if attempt in kept:
        kept.remove(attempt)
