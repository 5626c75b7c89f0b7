"""The causes that one attempt shows, the likeliest first: an ordered list of rules from facts to causes. Pure.

The first rule that finds a cause decides, so that a cause comes before its consequences. A rule compares no attempts, except for what the
device named or accepted before. The inferences were tested with strongSwan and Libreswan as devices (`make diagnose-bench`).
"""

from collections.abc import Callable, Iterator

from landbridge import model
from landbridge.model import allowed_values, negotiation
from landbridge.model.negotiation import Identity
from landbridge.status import proposals, refusal_causes, rule_context, silence_causes
from landbridge.status.rule_context import NEVER, AttemptView, Context

#: Types of ids that a connection can have.
SETTABLE = frozenset(allowed_values.ID_TYPES.values)
_OTHER_MODE = {"main": "aggressive", "aggressive": "main"}

Rule = Callable[[Context, AttemptView], Iterator[model.Cause]]


def find(context: Context, view: AttemptView) -> tuple[model.Cause, ...]:
    """The causes that the attempt shows, the likeliest first; empty when it shows none."""
    for rule in RULES:
        causes = tuple(rule(context, view))
        if causes:
            return causes
    return ()


# -- what this side refused -------------------------------------------------------------------------------------------


def _data_plane(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.DataPlaneFailure)[-1:]:
        yield rule_context.cause("data_plane_failure", context, view, fact)


def _method(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.MethodMismatch)[-1:]:
        yield rule_context.cause(
            "authentication_method_mismatch", context, view, fact, ours="pre-shared key", theirs=fact.method
        )


def _key(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.KeyMismatch)[-1:]:
        if fact.problem == "differs":
            yield rule_context.cause("psk_mismatch", context, view, fact)


def _mode(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.NoConnection):
        if fact.reason == "mode":
            ours = context.connection.ike_policy.negotiation_mode or "main"
            theirs = view.attempt.mode or _OTHER_MODE[ours]
            yield rule_context.cause("ike_mode_mismatch", context, view, fact, ours=ours, theirs=theirs)
            return


def _ids(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """At least one id of the device's message belongs to no connection. When the texts of both ids are ours, a type differs: charon logs
    the text of an id without its type.
    """
    for fact in view.facts_of(negotiation.NoConnection)[-1:]:
        if fact.reason != "ids":
            continue
        local_fits = fact.local is None or fact.local.value == context.local_id.value
        if fact.local is not None and not local_fits:
            yield _wrong_local_id(context, view, fact, fact.local)
        if fact.peer is not None and (local_fits or fact.peer.value != context.peer_id.value):
            yield _wrong_peer_id(context, view, fact, fact.peer)


def _identity(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.PeerIdentity)[-1:]:
        if fact.wanted is not None:
            yield _wrong_peer_id(context, view, fact, fact.got)


def _differs(name: str, received: Identity, expected: Identity) -> tuple[str, ...]:
    """The settings that differ: the type alone when the texts are the same."""
    return (f"{name}_type",) if received.value == expected.value else (name,)


def _id_remedy(name: str, theirs: Identity, end: str, ours: Identity) -> str:
    remedy_there = f"on the device, set the {end} id to {ours}"
    if theirs.kind not in SETTABLE:
        return remedy_there
    return f"on this connection, set {name}_type to {theirs.kind} and {name} to {theirs.value} (ikepolicy); or {remedy_there}"


def _wrong_local_id(context: Context, view: AttemptView, fact: negotiation.Fact, expected: Identity) -> model.Cause:
    differs = _differs("local_id", expected, context.local_id)
    return rule_context.cause(
        "local_id_mismatch",
        context,
        view,
        fact,
        ours=str(context.local_id),
        theirs=str(expected),
        differs=differs,
        side="either" if expected.kind in SETTABLE else "device",
        remedy=_id_remedy("local_id", expected, "remote", context.local_id),
    )


def _wrong_peer_id(context: Context, view: AttemptView, fact: negotiation.Fact, received: Identity) -> model.Cause:
    is_dial_in = context.seen.waits_for_peer and not view.attempt.is_named
    of_another_type = (received.kind, received.value) == (context.peer_id.kind, context.peer_id.value)
    return rule_context.cause(
        "dial_in_id_mismatch" if is_dial_in else "peer_id_mismatch",
        context,
        view,
        fact,
        is_certain=not is_dial_in,
        ours=str(context.peer_id),
        theirs=f"another type than {received.kind}, with the text {received.value}"
        if of_another_type
        else str(received),
        differs=_differs("peer_id", received, context.peer_id),
        side="either" if received.kind in SETTABLE else "device",
        remedy=None if of_another_type else _id_remedy("peer_id", received, "local", context.peer_id),
        detail=f"from {view.attempt.peer_address}" if is_dial_in else None,
    )


def _address(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """No connection of ours has these addresses and this IKE version."""
    attempt, policy = view.attempt, context.connection.ike_policy
    for fact in view.facts_of(negotiation.NoConnection)[-1:]:
        if fact.reason != "address":
            continue
        if attempt.local_address and context.local_address and attempt.local_address != context.local_address:
            yield wrong_endpoint(context, view)
        elif attempt.peer_address and context.peer_address and attempt.peer_address != context.peer_address:
            yield unknown_peer(context, view)
        else:
            theirs = attempt.ike_version or refusal_causes.OTHER_VERSION[policy.version]
            if theirs != policy.version:
                yield refusal_causes.version_mismatch(context, view, fact, theirs)


def wrong_endpoint(context: Context, view: AttemptView, *, is_certain: bool = True) -> model.Cause:
    ours, theirs = context.local_address, view.attempt.local_address
    return rule_context.cause("wrong_endpoint", context, view, is_certain=is_certain, ours=ours, theirs=theirs)


def unknown_peer(context: Context, view: AttemptView) -> model.Cause:
    ours, theirs = context.peer_address or str(context.peer_id), view.attempt.peer_address
    return rule_context.cause("unknown_peer", context, view, is_certain=False, ours=ours, theirs=theirs)


def _proposal(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.ProposalMismatch)[-1:]:
        ours = proposals.of_phase(context.connection, fact.phase)
        difference = proposals.compare(ours, fact.offered, fact.phase)
        if _names_no_groups(view, fact) and not (view.attempt.within_sa and difference.differs == ("pfs",)):
            difference = proposals.compare(ours, fact.offered, fact.phase, without_groups=True)
        yield rule_context.cause(
            "ike_proposal_mismatch" if fact.phase == 1 else "esp_proposal_mismatch",
            context,
            view,
            fact,
            ours=difference.ours,
            theirs=difference.theirs or None,
            differs=difference.differs,
            side="device" if difference.only_device else "either",
            remedy=difference.remedy,
            detail=refusal_causes.OLD_KEYS
            if fact.phase == 2 and view.attempt.within_sa and context.seen.children
            else None,
        )


def _names_no_groups(view: AttemptView, fact: negotiation.ProposalMismatch) -> bool:
    """Whether the offer cannot have a PFS group: the first CHILD_SA of IKEv2 is negotiated without one."""
    return fact.phase == 2 and not view.is_v1 and not any(proposal.groups for proposal in fact.offered)


def _selectors(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.SelectorsRefused)[-1:]:
        selectors = "; ".join(map(str, fact.asked))
        yield rule_context.cause(
            "selectors_mismatch", context, view, fact, ours=rule_context.pairs(context), theirs=selectors or None
        )


def _no_key(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """We have keys for all ids of our connections, so one of the ids in the device's message is not among them."""
    for fact in view.facts_of(negotiation.KeyMismatch)[-1:]:
        if fact.problem == "absent":
            yield rule_context.cause(
                "peer_id_mismatch", context, view, fact, is_certain=False, ours=str(context.peer_id)
            )
            yield rule_context.cause(
                "local_id_mismatch", context, view, fact, is_certain=False, ours=str(context.local_id)
            )


def _undecryptable(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    """IKEv1 main mode. The first encrypted message of the device shows that its key is another one. A Libreswan that expects another id of
    us answers our message in the same way, and it also repeats its message 4. strongSwan does not repeat that message.
    """
    for fact in view.facts_of(negotiation.KeyMismatch)[-1:]:
        if fact.problem != "undecryptable":
            continue
        repeats = [
            retransmits for retransmits in view.facts_of(negotiation.Retransmits) if retransmits.sender == "device"
        ]
        is_key = view.by_device or not repeats
        yield rule_context.cause("psk_mismatch", context, view, fact, is_certain=is_key)
        if not is_key:
            yield rule_context.cause(
                "local_id_mismatch", context, view, fact, is_certain=False, ours=str(context.local_id)
            )


# -- SAs that were up and ended ---------------------------------------------------------------------------------------


def _ended_at_once(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.Deleted)[-1:]:
        if fact.sender != "device" or view.up_at == NEVER or fact.at - view.up_at > refusal_causes.AT_ONCE:
            continue
        phases = {established.phase for established in view.all_facts_of(negotiation.Established)}
        if view.is_v1 and phases == {1} and view.by_device:
            yield rule_context.cause("local_id_mismatch", context, view, fact, ours=str(context.local_id))
        else:
            yield rule_context.cause("device_disconnects", context, view, fact)


def _deleted(context: Context, view: AttemptView) -> Iterator[model.Cause]:
    for fact in view.facts_of(negotiation.Deleted)[-1:]:
        if fact.sender == "device":
            yield rule_context.cause(
                "device_deleted", context, view, fact, detail=f"at {fact.at:%Y-%m-%d %H:%M:%S} UTC"
            )


RULES: tuple[Rule, ...] = (
    _data_plane,
    _method,
    _key,
    _mode,
    _ids,
    _identity,
    _address,
    _proposal,
    _selectors,
    _no_key,
    _undecryptable,
    refusal_causes.refused,
    refusal_causes.rekey,
    _ended_at_once,
    silence_causes.not_sent,
    silence_causes.device_repeats,
    silence_causes.we_repeat,
    silence_causes.device_went_silent,
    refusal_causes.unread,
    _deleted,
)
