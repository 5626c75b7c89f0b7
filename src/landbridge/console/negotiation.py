"""Draws a negotiation as a sequence diagram: messages between two sides, and facts of each side. Pure.

Each fact of an attempt is a step with a sentence. A message is an arrow; any other fact stands at the side that found it. The step at which the
negotiation failed is marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from landbridge.model import negotiation
from landbridge.model.negotiation import Attempt, Fact, Party
from landbridge.wire import attempts

#: Pixels of the drawing: the height of a step and of the head. The template has the width and the two lines of the sides.
STEP, HEAD = 34, 34
#: Characters of a label in the drawing. The list has the whole text.
LABEL = 52
#: Steps of a drawing, the last ones.
STEPS = 24

_OUTCOMES = {
    "up": "The tunnel came up.",
    "refused_by_us": "The VPN gateway refused.",
    "refused_by_device": "The device refused.",
    "no_answer": "The device did not answer.",
    "deleted": "A side ended the tunnel.",
    "replaced": "Another IKE_SA replaced this one.",
    "stopped": "A changed configuration or the end of the daemon ended it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`sender`: who sent a message; None for a fact that is no message, which stands at `side`. `line`: what the daemon said."""

    at: datetime
    text: str
    sender: Party | None
    side: Party
    failed: bool
    line: str

    @property
    def label(self) -> str:
        return self.text if len(self.text) <= LABEL else self.text[: LABEL - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """`omitted`: earlier steps that are not here."""

    attempt: Attempt
    steps: Sequence[Step]
    omitted: int
    outcome: str

    @property
    def height(self) -> int:
        return HEAD + STEP * len(self.steps) + 14

    def y(self, number: int) -> int:
        """Returns where a step stands in the drawing."""
        return HEAD + STEP * number + 24


def draw(attempt: Attempt) -> Drawing:
    steps = _marked(attempt)
    return Drawing(
        attempt=attempt,
        steps=steps[-STEPS:],
        omitted=max(0, len(steps) - STEPS),
        outcome=_OUTCOMES[attempt.outcome] if attempt.outcome else "The negotiation goes on.",
    )


def shown(attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that a page draws: the newest one that is not an event of a tunnel that was up, or else the newest."""
    return next(
        (attempt for attempt in reversed(attempts) if not attempt.within_sa), attempts[-1] if attempts else None
    )


def _marked(attempt: Attempt) -> list[Step]:
    """The steps. Where the attempt failed, the last fact that is a failure is marked; without such a fact, the last step."""
    facts = [fact for fact in attempt.facts if not isinstance(fact, negotiation.Packet)]
    is_bad = attempt.outcome not in (None, "up", "replaced", "stopped")
    bad = [n for n, fact in enumerate(facts) if _is_failure(fact)]
    failed = (bad[-1] if bad else len(facts) - 1) if is_bad else None
    return [_step(fact, failed=n == failed) for n, fact in enumerate(facts)]


def _is_failure(fact: Fact) -> bool:
    match fact:
        case negotiation.Retransmits():
            return fact.gave_up
        case negotiation.PeerIdentity():
            return fact.wanted is not None
        case negotiation.Unknown():
            return fact.is_refusal
        case _:
            return isinstance(fact, _FAILURES)


_FAILURES = (
    negotiation.ProposalMismatch,
    negotiation.Refusal,
    negotiation.NoConnection,
    negotiation.KeyMismatch,
    negotiation.MethodMismatch,
    negotiation.SelectorsRefused,
    negotiation.RekeyFailed,
    negotiation.DataPlaneFailure,
    negotiation.NotSent,
)


def _step(fact: Fact, *, failed: bool) -> Step:
    sender = fact.sender if isinstance(fact, negotiation.Message) else None
    side: Party = getattr(fact, "sender", None) or getattr(fact, "side", None) or "us"
    return Step(at=fact.at, text=attempts.text(fact), sender=sender, side=side, failed=failed, line=fact.line)
