"""Derives from facts who began an attempt, how it ended, and whether an observation is due. Pure."""

from collections.abc import Iterable

from landbridge.engine.strongswan.ike import error_notifies
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact

#: Up to this count, a retransmit is reported at once.
REPEATS_REPORTED = 3
_REFUSED_BY_US = (
    negotiation.NoConnection,
    negotiation.KeyMismatch,
    negotiation.MethodMismatch,
    negotiation.SelectorsRefused,
    negotiation.ProposalMismatch,
    negotiation.DataPlaneFailure,
)
#: Notifies after which the negotiation goes on.
_TRANSIENT = frozenset({"INVALID_KE_PAYLOAD", "TEMPORARY_FAILURE"})


def initiator(facts: Iterable[Fact]) -> negotiation.Party | None:
    """Who began the attempt, by its facts; None when no fact shows it."""
    return next((party for fact in facts if (party := initiator_of(fact))), None)


def initiator_of(fact: Fact) -> negotiation.Party | None:
    """Who began the exchange of the fact; None when the fact does not show it."""
    match fact:
        case negotiation.Message(sender=sender, is_request=is_request):
            return sender if is_request else _other(sender)
        case negotiation.Refusal(sender=sender):
            return _other(sender)
        case negotiation.Deleted(sender=sender):
            return sender
        case negotiation.RekeyFailed():
            return "us"
    return None


def _other(party: negotiation.Party) -> negotiation.Party:
    return "device" if party == "us" else "us"


def is_our_request(fact: Fact) -> bool:
    return isinstance(fact, negotiation.Message) and fact.sender == "us" and fact.is_request


def completes(fact: Fact, ended_as: negotiation.Outcome | None, newest_first: Iterable[Fact]) -> bool:
    """Whether the fact still belongs to an attempt that has ended: our last message of the exchange, a further DELETE, or that our rekey failed
    because of the refusal. `newest_first`: the facts of the attempt.
    """
    if isinstance(fact, negotiation.Deleted):
        return ended_as == "deleted"
    if isinstance(fact, negotiation.RekeyFailed):
        return ended_as == "refused_by_device"
    if not isinstance(fact, negotiation.Message) or fact.sender != "us":
        return False
    last = next((message for message in newest_first if isinstance(message, negotiation.Message)), None)
    if last is None or (last.exchange, last.id) != (fact.exchange, fact.id):
        return False
    return not fact.is_request or fact.exchange == "QUICK_MODE"


def outcome(fact: Fact, *, is_up: bool) -> negotiation.Outcome | None:
    """The outcome of an attempt that the fact ends; None when the attempt continues. `is_up`: the IKE_SA is up."""
    match fact:
        case negotiation.Established(phase=2) | negotiation.Established(again=True):
            return "up"
        case negotiation.Refusal(notify=notify, sender=sender) if notify not in _TRANSIENT:
            return "refused_by_device" if sender == "device" else "refused_by_us"
        case negotiation.Message(sender="us") if error_notifies.error_of(fact) not in (None, *_TRANSIENT):
            return "refused_by_us"
        case negotiation.DataPlaneFailure():
            return "refused_by_us"
        case negotiation.Retransmits(gave_up=True):
            return "no_answer"
        case negotiation.Deleted():
            return "deleted" if is_up else "refused_by_device" if fact.sender == "device" else "stopped"
        case negotiation.Replaced():
            return "replaced"
    return None


def outcome_without_end(facts: Iterable[Fact]) -> negotiation.Outcome:
    """The outcome of an attempt whose IKE_SA is gone, when no fact has ended the attempt."""
    return "refused_by_us" if any(_refuses(fact) for fact in facts) else "stopped"


def _refuses(fact: Fact) -> bool:
    """Whether the fact is a refusal of ours."""
    match fact:
        case negotiation.PeerIdentity(wanted=wanted):
            return wanted is not None
        case negotiation.Refusal(sender=sender):
            return sender == "us"
    return isinstance(fact, _REFUSED_BY_US)


def decides(fact: Fact, *, was_up: bool) -> bool:
    """Whether the fact can decide a diagnosis. A retransmit of ours to a peer that is up cannot: `unanswered_requests` counts the time."""
    match fact:
        case negotiation.Retransmits(sender=sender, count=count, gave_up=gave_up):
            return gave_up or (count <= REPEATS_REPORTED and (sender == "device" or not was_up))
        case negotiation.PeerIdentity(wanted=None):
            return False
        case negotiation.Unknown(is_refusal=is_refusal):
            return is_refusal
        case negotiation.Refusal() | negotiation.Deleted() | negotiation.RekeyFailed() | negotiation.Replaced():
            return True
    return isinstance(fact, (*_REFUSED_BY_US, negotiation.PeerIdentity, negotiation.NotSent))
