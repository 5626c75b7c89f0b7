"""Remembers which configuration of each connection of a gateway was loaded, and when."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from landbridge.engine.strongswan.ike import state

#: Configurations of a connection that are kept, to assign attempts to them.
LOADS_KEPT = 4


@dataclass(slots=True)
class LoadedConfiguration:
    """The loaded children and secrets of a connection. `since`: (number of an attempt, configuration that is loaded from it on)."""

    children: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    since: list[tuple[int, str]] = field(default_factory=list)


class LoadedConfigurations:
    """The configurations of the connections of a gateway."""

    def __init__(self, next_number: Callable[[datetime], int]) -> None:
        """`next_number`: the number of an attempt that begins at this time."""
        self._of: dict[str, LoadedConfiguration] = {}
        self._next_number = next_number

    def get(self, connection_id: str) -> LoadedConfiguration:
        return self._of.get(connection_id, LoadedConfiguration())

    def note(self, connection_id: str, children: Collection[str], secrets: frozenset[str], *, is_new: bool) -> bool:
        """Returns whether the configuration differs. One that is first found by an observation was loaded before all attempts."""
        known = self._of.setdefault(connection_id, LoadedConfiguration())
        if known.since and (known.children, known.secrets) == (children, secrets):
            return False
        known.children, known.secrets = frozenset(children), secrets
        configuration = state.configuration(children, secrets)
        if known.since and known.since[-1][1] == configuration:
            return False
        number = self._next_number(datetime.now(UTC)) if is_new or known.since else 0
        known.since = [*known.since, (number, configuration)][-LOADS_KEPT:]
        return True

    def at(self, connection_id: str, number: int) -> str:
        """The configuration that was loaded when the attempt with this number began."""
        since = self.get(connection_id).since
        return next((configuration for begun, configuration in reversed(since) if begun <= number), "")

    def keep(self, connection_ids: Collection[str]) -> None:
        """Forgets all other connections."""
        for connection_id in self._of.keys() - connection_ids:
            del self._of[connection_id]
