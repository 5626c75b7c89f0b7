"""Compares the settings of both sides of a connection, as far as the device has shown its side. Pure.

Our side is the connection. The side of the device is read from its last negotiation with the present configuration, or from the tunnel that is up.
A setting that the device has not shown is unknown, and never taken for equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from landbridge import model
from landbridge.model import negotiation

Verdict = Literal["differs", "fits", "unknown"]
#: Settings of the API in the words of this table: phase, and setting.
IKE, IPSEC = "Phase 1 (IKE)", "Phase 2 (IPsec)"
#: Codes of causes about phase 2. All other causes with settings are about phase 1.
_PHASE_2 = ("esp_proposal_mismatch", "rekey_refused", "selectors_mismatch", "selectors_narrowed", "selectors_partly")
#: Codes of causes that are about one setting as a whole.
_WHOLE = {
    "psk_mismatch": "pre-shared key",
    "psk_missing_on_device": "pre-shared key",
    "new_psk_refused": "pre-shared key",
    "selectors_mismatch": "subnets",
    "selectors_narrowed": "subnets",
    "selectors_partly": "subnets",
}
_WORDS = {
    "encryption_algorithm": "encryption",
    "authentication_algorithm": "authentication",
    "dh_group": "DH group",
    "pfs": "PFS",
    "ike_version": "IKE version",
    "phase1_negotiation_mode": "mode",
    "local_id": "id of the gateway",
    "peer_id": "id of the device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSetting:
    setting: str
    ours: str
    theirs: str
    verdict: Verdict


def compare(connection: model.Connection, status: model.ConnectionStatus) -> dict[str, list[ComparedSetting]]:
    """The rows of each phase."""
    observation = status.observation
    attempts = (
        [attempt for attempt in observation.attempts if attempt.configuration == observation.configuration]
        if observation
        else []
    )
    theirs = _shown(attempts)
    differs = _differing(status.causes)
    return {
        phase: [_row(name, value, theirs.get((phase, name)), is_wrong=(phase, name) in differs) for name, value in rows]
        for phase, rows in _ours(connection).items()
    }


def _row(name: str, ours: str, theirs: Sequence[str] | None, *, is_wrong: bool) -> ComparedSetting:
    fits = theirs is not None and ours in theirs
    verdict: Verdict = "differs" if is_wrong or (theirs is not None and not fits) else "fits" if fits else "unknown"
    return ComparedSetting(setting=name, ours=ours, theirs=" or ".join(theirs) if theirs else "", verdict=verdict)


def _ours(connection: model.Connection) -> dict[str, list[tuple[str, str]]]:
    ike, ipsec = connection.ike_policy, connection.ipsec_policy
    key = "set" if ike.authentication_method == "pre-share" else ike.authentication_method
    return {
        IKE: [
            ("IKE version", ike.version),
            *([("mode", ike.negotiation_mode)] if ike.version == "v1" and ike.negotiation_mode else []),
            ("encryption", ike.encryption_algorithm),
            ("authentication", ike.authentication_algorithm),
            ("DH group", ike.dh_group or "none"),
            ("pre-shared key", key),
            ("id of the gateway", ike.local_id or ""),
            ("id of the device", ike.peer_id or "any"),
        ],
        IPSEC: [
            ("encryption", ipsec.encryption_algorithm),
            ("authentication", ipsec.authentication_algorithm),
            ("PFS", ipsec.pfs or "none"),
            ("subnets", _subnets(connection)),
        ],
    }


def _subnets(connection: model.Connection) -> str:
    if connection.policy_rules:
        return "; ".join(f"{rule.source} - {', '.join(rule.destinations)}" for rule in connection.policy_rules)
    return ", ".join(connection.peer_subnets or ()) or "any"


def _shown(attempts: Iterable[negotiation.Attempt]) -> Mapping[tuple[str, str], Sequence[str]]:
    """(phase, setting) -> the values that the device has shown; a later attempt wins."""
    values: dict[tuple[str, str], Sequence[str]] = {}
    for attempt in attempts:
        if attempt.ike_version and attempt.began_by == "device":
            values[IKE, "IKE version"] = (attempt.ike_version,)
        for fact in attempt.facts:
            values |= _of_fact(fact)
            if isinstance(fact, negotiation.ProposalChosen) and fact.phase == 1 and attempt.ike_version:
                values[IKE, "IKE version"] = (attempt.ike_version,)
    return values


def _of_fact(fact: negotiation.Fact) -> Mapping[tuple[str, str], Sequence[str]]:
    match fact:
        case negotiation.ProposalMismatch():
            return _algorithms(fact.phase, fact.offered)
        case negotiation.ProposalChosen():
            return _algorithms(fact.phase, (fact.proposal,))
        case negotiation.PeerIdentity():
            return {(IKE, "id of the device"): (fact.got.value,)}
        case negotiation.KeyMismatch(problem="differs"):
            return {(IKE, "pre-shared key"): ("another one",)}
        case negotiation.Established(phase=1):
            return {(IKE, "pre-shared key"): ("set",)}
        case negotiation.SelectorsRefused():
            return {(IPSEC, "subnets"): tuple(", ".join(selectors.remote) for selectors in fact.asked)}
        case negotiation.NoConnection(reason="ids"):
            ids = (("id of the gateway", fact.local), ("id of the device", fact.peer))
            return {(IKE, name): (identity.value,) for name, identity in ids if identity is not None}
        case _:
            return {}


def _algorithms(
    phase: negotiation.Phase, proposals: Iterable[negotiation.Proposal]
) -> Mapping[tuple[str, str], Sequence[str]]:
    place, group = (IKE, "DH group") if phase == 1 else (IPSEC, "PFS")
    offered = tuple(proposals)
    kinds = (
        ("encryption", [value for proposal in offered for value in proposal.encryption]),
        ("authentication", [value for proposal in offered for value in proposal.integrity]),
        (group, [value for proposal in offered for value in proposal.groups if value != "none"]),
    )
    return {(place, name): tuple(dict.fromkeys(values)) for name, values in kinds if values}


def _differing(causes: Iterable[model.Cause]) -> set[tuple[str, str]]:
    """The settings that the first cause is about."""
    first = next(iter(causes), None)
    if first is None:
        return set()
    phase = IPSEC if first.code in _PHASE_2 or "pfs" in first.differs else IKE
    differing = {(phase, _WORDS[name]) for name in first.differs if name in _WORDS}
    return differing | ({(phase, _WHOLE[first.code])} if first.code in _WHOLE else set())
