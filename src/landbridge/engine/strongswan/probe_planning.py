"""Plans probes of IKE parameters from the orders and from the observed attempts. Pure.

An automatic probe follows only a refusal that does not show its reason, once for each configuration of the connection, and only some times
an hour. No automatic probe happens while an IKE_SA of the connection is up. An order is carried out at once (docs/decisions/0040, 0046).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import state, steps
from landbridge.engine.strongswan.ike import fingerprints, messages, probe, probe_sas
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.target import Target
from landbridge.model import negotiation, strongswan_proposals

#: Between two probes of a device. strongSwan deletes a half-open IKE_SA of a probe after 30 s.
INTERVAL = timedelta(seconds=30)
#: A device that was probed this often within an hour is not probed without an order.
AUTOMATIC_AN_HOUR = 6
#: Refusals of a first message that do not say which value is wrong.
_REFUSALS = frozenset({"NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD"})

UP = "a CHILD_SA of the connection is up: what it takes is known, and a probe could end it"
PHASE_1_UP = "phase 1 was not asked: an IKE_SA of the connection is up"
NO_PHASE_1 = "phase 2 was not asked: no IKE_SA of the connection is up"
ID_KNOWN = "the id was not asked: the device has proved it, since an IKE_SA of the connection is up"
NO_ID_IN_V1 = "the id was not asked: in IKEv1 a device names itself in aggressive mode alone"
NO_ADDRESS = "the device has no fixed address"


def plan(target: Target, current: state.GatewayState) -> Iterator[steps.AskDevice]:
    """Orders first. At most one question to a device at a time."""
    if not current.serves or target.network is None:
        return
    configs = {config.connection_id: config for config in target.configs}
    sas, secrets = ike_state.by_connection(current.ike.sas), ike_planning.by_owner(current.ike.secrets)
    places, asked_places = current.probes.places, set[str]()
    for spec in sorted(target.desired.connections, key=lambda spec: spec.probe is None):
        if places == 0 or spec.id in current.probes.asking or spec.peer_address in asked_places:
            continue
        config, own = configs.get(spec.id), (sas[spec.id], secrets[spec.id])
        step = _order(target, spec, config, *own, current) or _automatic(spec, config, *own, current)
        if step is not None:
            yield step
            places -= 1
            asked_places.add(step.peer_address)


def done(target: Target, current: state.GatewayState) -> tuple[model.ProbeResult, ...]:
    """The results that the store does not have yet."""
    probed = {spec.id: spec.probed.id if spec.probed else None for spec in target.desired.connections}
    return tuple(
        result
        for result in current.probes.results.values()
        if result.connection_id in probed and probed[result.connection_id] != result.id
    )


def not_held(target: Target, current: state.GatewayState) -> Iterator[messages.DesiredConfig]:
    """The configurations that the planner may change: all but those of connections that are probed by charon."""
    return (config for config in target.configs if config.connection_id not in current.probes.held)


def probe_names(current: state.GatewayState) -> frozenset[str]:
    """Names of connections of charon's that ask a device at this moment."""
    return frozenset(map(fingerprints.identity_probe, current.probes.held))


def _order(
    target: Target,
    spec: model.DesiredConnection,
    config: messages.DesiredConfig | None,
    sas: Sequence[ike_state.IkeSa],
    secrets: Sequence[str],
    current: state.GatewayState,
) -> steps.AskDevice | None:
    result, order = current.probes.results.get(spec.id), spec.probe
    if order is None or order.path or (result and result.id == order.id):
        return None
    if config is None:
        return _nothing(spec, order, target.refused.get(spec.id, ""))
    if spec.peer_address is None:
        return _nothing(spec, order, NO_ADDRESS)
    children = [child for sa in sas if sa.live for child in sa.children if child.live]
    if any(child.installed for child in children):
        return _nothing(spec, order, UP)
    if children or _is_too_early(spec, current):
        return None
    ask = partial(
        _ask,
        spec,
        probe_id=order.id,
        configuration=ike_state.configuration(current.ike.conns.get(spec.id, ()), secrets),
        failure=_objections(spec, order, sas),
    )
    question = probe_sas.Question(config, _pfs(spec), asks_for_selectors=target.plane == "kernel")
    if _is_up(sas):
        return ask(phase_2=question if order.phase_2 else None)
    return ask(question=_question(spec, None), identity=question if order.identity and not config.is_v1 else None)


def _objections(spec: model.DesiredConnection, order: model.ProbeOrder, sas: Sequence[ike_state.IkeSa]) -> str | None:
    is_up, is_v1 = _is_up(sas), spec.connection.ike_policy.version == "v1"
    refusals = {
        PHASE_1_UP: is_up and not order.phase_2,
        NO_PHASE_1: order.phase_2 and not is_up,
        ID_KNOWN: order.identity and is_up,
        NO_ID_IN_V1: order.identity and is_v1 and not is_up,
    }
    return "; ".join(text for text, holds in refusals.items() if holds) or None


def _pfs(spec: model.DesiredConnection) -> str:
    pfs = spec.connection.ipsec_policy.pfs or ""
    return pfs if pfs in strongswan_proposals.GROUPS else "none"


def _nothing(spec: model.DesiredConnection, order: model.ProbeOrder, failure: str) -> steps.AskDevice:
    return _ask(spec, probe_id=order.id, configuration="", failure=failure)


def _automatic(
    spec: model.DesiredConnection,
    config: messages.DesiredConfig | None,
    sas: Sequence[ike_state.IkeSa],
    secrets: Sequence[str],
    current: state.GatewayState,
) -> steps.AskDevice | None:
    if not current.probes.automatic or config is None or spec.peer_address is None or _is_up(sas):
        return None
    configuration = ike_state.configuration(current.ike.conns.get(spec.id, ()), secrets)
    result = current.probes.results.get(spec.id)
    known = {probed.configuration for probed in (result, spec.probed) if probed is not None}
    is_loaded = current.ike.conns.get(spec.id) == frozenset(config.children)
    if not is_loaded or configuration in known or _is_too_early(spec, current):
        return None
    if len(current.probes.asked_at.get(spec.peer_address, ())) >= AUTOMATIC_AN_HOUR:
        return None
    attempts = [attempt for attempt in current.ike.attempts.get(spec.id, ()) if attempt.configuration == configuration]
    first = _asks_first(spec, attempts)
    return _ask(spec, configuration=configuration, question=_question(spec, first)) if first else None


def _ask(spec: model.DesiredConnection, *, configuration: str, **given: Any) -> steps.AskDevice:
    return steps.AskDevice(
        connection_id=spec.id,
        configuration=configuration,
        local_address=spec.local_address,
        peer_address=spec.peer_address or "",
        **given,
    )


def _question(spec: model.DesiredConnection, first: model.IkeVersion | None) -> probe.Question | None:
    policy = spec.connection.ike_policy
    if spec.peer_address is None or policy.dh_group is None:
        return None
    return probe.Question(
        local_address=spec.behind or spec.local_address,
        peer_address=spec.peer_address,
        first=first or policy.version,
        group=int(policy.dh_group.removeprefix("group")),
        identity=negotiation.Identity(kind=policy.local_id_type or "ip", value=policy.local_id or spec.local_address),
    )


def _is_up(sas: Sequence[ike_state.IkeSa]) -> bool:
    return any(sa.live and not sa.negotiating for sa in sas)


def _is_too_early(spec: model.DesiredConnection, current: state.GatewayState) -> bool:
    stored = (spec.probed.at,) if spec.probed else ()
    return any(
        current.at < at + INTERVAL for at in (*current.probes.asked_at.get(spec.peer_address or "", ()), *stored)
    )


def _asks_first(spec: model.DesiredConnection, attempts: Sequence[model.Attempt]) -> model.IkeVersion | None:
    """The version that an automatic probe begins with; None: no probe is due. An attempt that shows the device's proposal is better than a
    probe. A device that refused is asked in our own version. A device that did not answer is asked when it sent something else. In IKEv1 it
    is asked in the other version, since Libreswan does not answer in a version or mode that it does not have.
    """
    ours = [attempt for attempt in attempts if attempt.began_by == "us" and not attempt.within_sa]
    if not ours or any(_is_exact(fact) for attempt in attempts for fact in attempt.facts):
        return None
    version: model.IkeVersion = spec.connection.ike_policy.version
    last = next((attempt for attempt in reversed(ours) if attempt.outcome is not None), ours[-1])
    if any(
        isinstance(fact, negotiation.Refusal)
        and fact.sender == "device"
        and fact.phase == 1
        and (fact.notify in _REFUSALS or (fact.notify == "AUTHENTICATION_FAILED" and _is_main_mode(spec)))
        for fact in last.facts
    ):
        return version
    if not _is_unanswered(last):
        return None
    if version == "v1":
        return "v2"
    return version if any(_is_heard(attempt) for attempt in attempts) else None


def _is_main_mode(spec: model.DesiredConnection) -> bool:
    """There strongSwan refuses the mode with AUTHENTICATION_FAILED, as it does an id."""
    policy = spec.connection.ike_policy
    return policy.version == "v1" and policy.negotiation_mode == "main"


_EXACT = (
    negotiation.ProposalMismatch,
    negotiation.NoConnection,
    negotiation.KeyMismatch,
    negotiation.MethodMismatch,
)


def _is_exact(fact: negotiation.Fact) -> bool:
    if isinstance(fact, negotiation.PeerIdentity):
        return fact.wanted is not None
    return isinstance(fact, _EXACT)


def _is_unanswered(attempt: model.Attempt) -> bool:
    retransmits = any(isinstance(fact, negotiation.Retransmits) and fact.sender == "us" for fact in attempt.facts)
    return (retransmits or attempt.outcome == "no_answer") and not _is_heard(attempt)


def _is_heard(attempt: model.Attempt) -> bool:
    return any(getattr(fact, "sender", None) == "device" for fact in attempt.facts)
