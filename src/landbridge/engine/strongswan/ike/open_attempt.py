"""An attempt that still changes, and the value that it is at any time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from landbridge.engine.strongswan.ike import outcomes
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact

#: The first and the last facts that are kept of an attempt.
FIRST, LAST = 12, 20


@dataclass(eq=False, slots=True)
class OpenAttempt:
    """An attempt that still changes. `connection_id` is None as long as charon has no name for it."""

    number: int
    began_at: datetime
    connection_id: str | None
    within_sa: bool
    began_by: negotiation.Party | None = None
    peer_address: str | None = None
    local_address: str | None = None
    version: Any = None
    mode: Any = None
    outcome: negotiation.Outcome | None = None
    ended_at: datetime | None = None
    first: list[Fact] = field(default_factory=list)
    last: deque[Fact] = field(default_factory=lambda: deque(maxlen=LAST))
    shown: dict[str, negotiation.Attempt] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[str, str]:
        """Our address and the address of the peer; empty as long as they are not known."""
        return self.local_address or "", self.peer_address or ""

    @property
    def newest_first(self) -> Iterator[Fact]:
        return reversed((*self.first, *self.last))

    @property
    def is_renewal(self) -> bool:
        """A successful rekey or additional child of a tunnel."""
        return self.within_sa and self.outcome == "up"

    def add(self, fact: Fact) -> None:
        """Adds a fact. A retransmit replaces the retransmit before it."""
        before = self.last[-1] if self.last else self.first[-1] if self.first else None
        if _repeats(fact, before):
            (self.last or self.first)[-1] = fact
        elif len(self.first) < FIRST:
            self.first.append(fact)
        else:
            self.last.append(fact)

    def end(self, at: datetime, outcome: negotiation.Outcome) -> None:
        """Ends the attempt. Only the first outcome counts, except that every outcome replaces `stopped`."""
        if self.outcome in (None, "stopped"):
            self.outcome, self.ended_at = outcome, at

    def show(self, configuration: str) -> negotiation.Attempt:
        """The attempt as a value: the same object as long as the attempt does not change."""
        if configuration not in self.shown:
            self.shown[configuration] = negotiation.Attempt(
                id=str(self.number),
                configuration=configuration,
                began_at=self.began_at,
                ended_at=self.ended_at,
                began_by=self.began_by or outcomes.initiator(self.first) or "device",
                peer_address=self.peer_address,
                local_address=self.local_address,
                ike_version=self.version,
                mode=self.mode,
                is_named=self.connection_id is not None,
                within_sa=self.within_sa,
                outcome=self.outcome,
                facts=(*self.first, *self.last),
            )
        return self.shown[configuration]


def _repeats(fact: Fact, before: Fact | None) -> bool:
    return (
        isinstance(fact, negotiation.Retransmits)
        and isinstance(before, negotiation.Retransmits)
        and (fact.sender, fact.message, fact.gave_up) == (before.sender, before.message, before.gave_up)
    )
