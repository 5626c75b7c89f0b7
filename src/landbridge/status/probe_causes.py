"""The causes that the answers to a probe show, in place of a cause that is one of several. Pure.

A device does not authenticate its answers. The reason of such a cause says so, and no configuration is changed because of an answer.
"""

from collections.abc import Iterator

from landbridge import model
from landbridge.model.negotiation import Phase, Proposal
from landbridge.status import cause_texts, proposals, rule_context
from landbridge.status.rule_context import Context

_FIRST_MESSAGE = frozenset({"ike_proposal_mismatch", "ike_version_mismatch", "ike_mode_mismatch", "no_answer"})
_AUTHENTICATION = frozenset({"identity_or_psk_refused", "psk_mismatch", "local_id_mismatch", "peer_id_mismatch"})
_PHASE_2 = frozenset({"esp_proposal_mismatch", "selectors_mismatch"})
SOURCE = "something at the device's address answered so to a probe"


def refine(context: Context, causes: tuple[model.Cause, ...]) -> tuple[model.Cause, ...]:
    """The causes that the last probe shows. If there is no probe, or it shows nothing about these causes: the same causes."""
    probe = _last(context)
    if probe is None or (causes[0].is_certain and causes[0].theirs is not None):
        return causes
    code = causes[0].code
    if (
        not causes[0].is_certain
        and "ike_mode_mismatch" in {cause.code for cause in causes}
        and _takes_aggressive(context, probe)
    ):
        line = "answered in aggressive mode"
        causes_found: tuple[model.Cause, ...] = (
            _cause("ike_mode_mismatch", context, probe, line, ours="main", theirs="aggressive"),
        )
    elif code in _FIRST_MESSAGE:
        causes_found = tuple(_of_first_message(context, probe))
    elif code == "device_disabled" and all(probe.at > line.at for line in causes[0].evidence[:1]):
        causes_found = tuple(cause for cause in _of_first_message(context, probe) if cause.theirs is not None)
    elif code in _AUTHENTICATION and not causes[0].is_certain:
        causes_found = tuple(_of_identity(context, probe))
    elif code in _PHASE_2:
        causes_found = tuple(_of_phase_2(context, probe))
    else:
        causes_found = ()
    return causes_found or causes


def _takes_aggressive(context: Context, probe: model.ProbeResult) -> bool:
    """Whether the device accepts aggressive mode in place of main mode. strongSwan also accepts the first message of main mode, and refuses
    a later one.
    """
    policy = context.connection.ike_policy
    took = any(answer.mode == "aggressive" and answer.outcome == "chosen" for answer in probe.answers)
    return took and policy.version == "v1" and policy.negotiation_mode == "main"


def _last(context: Context) -> model.ProbeResult | None:
    """The last probe of the present configuration since the tunnel was last up."""
    up_at = rule_context.last_up(context, 2)
    fitting = [
        result
        for result in context.related.probes
        if result.configuration == context.seen.configuration and result.at > up_at and result.path is None
    ]
    return fitting[-1] if fitting else None


def _cause(code: str, context: Context, probe: model.ProbeResult, line: str, **given: object) -> model.Cause:
    evidence = (model.Evidence(at=probe.at, line=f"probe {probe.id}: {line}"),)
    return cause_texts.cause(code, placeholders=context.placeholders, detail=SOURCE, evidence=evidence, **given)  # type: ignore[arg-type]


def _of_first_message(context: Context, probe: model.ProbeResult) -> Iterator[model.Cause]:
    policy = context.connection.ike_policy
    mode = policy.negotiation_mode if policy.version == "v1" else None
    chosen = {(answer.ike_version, answer.mode): answer for answer in probe.answers if answer.outcome == "chosen"}
    ours = chosen.get((policy.version, mode))
    if ours is not None and ours.proposal is not None:
        yield from _compared(context, probe, 1, ours.proposal)
    elif any(version == policy.version for version, _ in chosen):
        theirs = next(other for version, other in chosen if version == policy.version)
        yield _cause("ike_mode_mismatch", context, probe, f"answered in {theirs} mode", ours=mode, theirs=theirs)
    elif chosen:
        version, _ = next(iter(chosen))
        line = f"answered as IKE{version}"
        yield _cause("ike_version_mismatch", context, probe, line, ours=policy.version, theirs=version)
    elif any(answer.outcome == "refused" for answer in probe.answers):
        line = "refused every version, mode and proposal"
        in_v1 = policy.version == "v1"  # where Libreswan refuses also without a key for us
        yield _cause("no_connection_on_device", context, probe, line, is_certain=not in_v1)
        if in_v1:
            yield _cause("psk_missing_on_device", context, probe, line, is_certain=False)


def _compared(context: Context, probe: model.ProbeResult, phase: Phase, theirs: Proposal) -> Iterator[model.Cause]:
    difference = proposals.compare(proposals.of_phase(context.connection, phase), [theirs], phase)
    if difference.differs:
        yield _cause(
            "ike_proposal_mismatch" if phase == 1 else "esp_proposal_mismatch",
            context,
            probe,
            f"took {difference.theirs}",
            ours=difference.ours,
            theirs=difference.theirs,
            differs=difference.differs,
            side="device" if difference.only_device else "either",
            remedy=difference.remedy,
        )


def _of_identity(context: Context, probe: model.ProbeResult) -> Iterator[model.Cause]:
    """A device that accepts our id and the key sends its own id. charon logs the text of that id without its type."""
    received, expected = probe.identity.identity if probe.identity is not None else probe.peer_identity, context.peer_id
    if received is not None and (
        received.value != expected.value or (probe.identity is None and received.kind != expected.kind)
    ):
        ours, theirs = str(context.peer_id), str(received)
        yield _cause("peer_id_mismatch", context, probe, f"identified itself as {theirs}", ours=ours, theirs=theirs)
    elif probe.identity is not None and not probe.identity.accepted:
        line = f"refused our id or the key, whatever its own id is ({probe.identity.notify})"
        yield _cause("psk_mismatch", context, probe, line, is_certain=False)
        yield _cause("local_id_mismatch", context, probe, line, is_certain=False, ours=str(context.local_id))


def _of_phase_2(context: Context, probe: model.ProbeResult) -> Iterator[model.Cause]:
    answer = probe.phase_2
    if answer is None or answer.outcome != "chosen":
        return
    if answer.proposal is not None:
        yield from _compared(context, probe, 2, answer.proposal)
    if answer.selectors is not None:
        theirs = str(answer.selectors)
        if theirs not in {f"{local} - {other}" for local, other in context.related.pairs}:
            yield _cause(
                "selectors_mismatch", context, probe, f"took {theirs}", ours=rule_context.pairs(context), theirs=theirs
            )
