"""What the device's answers to a probe say about a cause that is one of several: pure.

Nothing of an answer is authenticated, so that the reason says where it comes from, and nobody adopts it.
"""

from collections.abc import Iterator

from landbridge import model
from landbridge.model.negotiation import Phase, Proposal
from landbridge.status import case as known
from landbridge.status import cause_texts, proposals
from landbridge.status.attempt_causes import pairs
from landbridge.status.case import Case, show

_FIRST_MESSAGE = frozenset({"ike_proposal_mismatch", "ike_version_mismatch", "ike_mode_mismatch", "no_answer"})
_AUTHENTICATION = frozenset({"identity_or_psk_refused", "psk_mismatch", "local_id_mismatch", "peer_id_mismatch"})
_PHASE_2 = frozenset({"esp_proposal_mismatch", "selectors_mismatch"})
SAID = "so something at the device's address answered when it was asked"


def refine(case: Case, causes: tuple[model.Cause, ...]) -> tuple[model.Cause, ...]:
    """The causes as the last probe leaves them; the same ones where there is none, or where it says nothing about them."""
    probe = _last(case)
    if probe is None or (causes[0].is_certain and causes[0].theirs is not None):
        return causes
    code = causes[0].code
    if (
        not causes[0].is_certain
        and "ike_mode_mismatch" in {one.code for one in causes}
        and _takes_aggressive(case, probe)
    ):
        line = "answered in aggressive mode"
        found: tuple[model.Cause, ...] = (
            _cause("ike_mode_mismatch", case, probe, line, ours="main", theirs="aggressive"),
        )
    elif code in _FIRST_MESSAGE:
        found = tuple(_of_first_message(case, probe))
    elif code in _AUTHENTICATION and not causes[0].is_certain:
        found = tuple(_of_identity(case, probe))
    elif code in _PHASE_2:
        found = tuple(_of_phase_2(case, probe))
    else:
        found = ()
    return found or causes


def _takes_aggressive(case: Case, probe: model.ProbeResult) -> bool:
    """In place of main mode. A strongSwan takes the first message of main mode all the same, and refuses later."""
    policy = case.connection.ike_policy
    took = any(one.mode == "aggressive" and one.outcome == "chosen" for one in probe.answers)
    return took and policy.version == "v1" and policy.negotiation_mode == "main"


def _last(case: Case) -> model.ProbeResult | None:
    """The last probe of the present configuration, since the tunnel was last up."""
    up_at = known.last_up(case, 2)
    fitting = [one for one in case.heard.probes if one.configuration == case.seen.configuration and one.at > up_at]
    return fitting[-1] if fitting else None


def _cause(code: str, case: Case, probe: model.ProbeResult, line: str, **given: object) -> model.Cause:
    evidence = (model.Evidence(at=probe.at, line=f"probe {probe.id}: {line}"),)
    return cause_texts.cause(code, words=case.words, detail=SAID, evidence=evidence, **given)  # type: ignore[arg-type]


def _of_first_message(case: Case, probe: model.ProbeResult) -> Iterator[model.Cause]:
    policy = case.connection.ike_policy
    mode = policy.negotiation_mode if policy.version == "v1" else None
    chosen = {(one.ike_version, one.mode): one for one in probe.answers if one.outcome == "chosen"}
    ours = chosen.get((policy.version, mode))
    if ours is not None and ours.proposal is not None:
        yield from _compared(case, probe, 1, ours.proposal)
    elif any(version == policy.version for version, _ in chosen):
        theirs = next(other for version, other in chosen if version == policy.version)
        yield _cause("ike_mode_mismatch", case, probe, f"answered in {theirs} mode", ours=mode, theirs=theirs)
    elif chosen:
        version, _ = next(iter(chosen))
        yield _cause(
            "ike_version_mismatch", case, probe, f"answered as IKE{version}", ours=policy.version, theirs=version
        )
    elif any(one.outcome == "refused" for one in probe.answers):
        line = "refused every version, mode and proposal"
        in_v1 = policy.version == "v1"  # where Libreswan refuses also without a key for us
        yield _cause("no_connection_on_device", case, probe, line, is_certain=not in_v1)
        if in_v1:
            yield _cause("psk_missing_on_device", case, probe, line, is_certain=False)


def _compared(case: Case, probe: model.ProbeResult, phase: Phase, theirs: Proposal) -> Iterator[model.Cause]:
    found = proposals.compare(proposals.of_phase(case.connection, phase), [theirs], phase)
    if found.differs:
        yield _cause(
            "ike_proposal_mismatch" if phase == 1 else "esp_proposal_mismatch",
            case,
            probe,
            f"took {found.theirs}",
            ours=found.ours,
            theirs=found.theirs,
            differs=found.differs,
            side="device" if found.only_device else "either",
            remedy=found.remedy,
        )


def _of_identity(case: Case, probe: model.ProbeResult) -> Iterator[model.Cause]:
    """The device names itself where it is asked without a wish for its id, if our id and the key are right. charon tells the text of an
    id and no type.
    """
    told, wanted = probe.identity.identity if probe.identity is not None else probe.peer_identity, case.peer_id
    if told is not None and (told.value != wanted.value or (probe.identity is None and told.kind != wanted.kind)):
        ours, theirs = show(case.peer_id), show(told)
        yield _cause("peer_id_mismatch", case, probe, f"called itself {theirs}", ours=ours, theirs=theirs)
    elif probe.identity is not None and not probe.identity.accepted:
        line = f"refused our id or the key, whatever its own id is ({probe.identity.notify})"
        yield _cause("psk_mismatch", case, probe, line, is_certain=False)
        yield _cause("local_id_mismatch", case, probe, line, is_certain=False, ours=show(case.local_id))


def _of_phase_2(case: Case, probe: model.ProbeResult) -> Iterator[model.Cause]:
    found = probe.phase_2
    if found is None or found.outcome != "chosen":
        return
    if found.proposal is not None:
        yield from _compared(case, probe, 2, found.proposal)
    if found.selectors is not None:
        theirs = f"{', '.join(found.selectors.local)} - {', '.join(found.selectors.remote)}"
        if theirs not in {f"{one} - {other}" for one, other in case.heard.pairs}:
            yield _cause("selectors_mismatch", case, probe, f"took {theirs}", ours=pairs(case), theirs=theirs)
