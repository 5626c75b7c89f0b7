"""Compares proposals, with the names of the API. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from landbridge import model
from landbridge.model import allowed_values
from landbridge.model.negotiation import Phase, Proposal

Kind = Literal["encryption", "integrity", "prf", "groups"]
KINDS: tuple[Kind, ...] = ("encryption", "integrity", "prf", "groups")
_SETTINGS = {"encryption": "encryption_algorithm", "integrity": "authentication_algorithm", "prf": "prf"}
_GROUP_SETTING = {1: "dh_group", 2: "pfs"}
_POLICY = {1: "ikepolicy", 2: "ipsecpolicy"}
#: All that a policy of phase 1 can have. Phase 2 has the same.
_CONFIGURABLE = frozenset(
    (
        *allowed_values.IKE.encryption_algorithm.values,
        *allowed_values.IKE.authentication_algorithm.values,
        *allowed_values.GROUPS,
    )
)


class Comparison(NamedTuple):
    """`differs`: the settings of the API that differ; empty when the proposals match. `only_device`: the API does not have an algorithm of the
    device, so only the device can change. `remedy`: what to change; None when nothing differs.
    """

    ours: str
    theirs: str
    differs: tuple[str, ...]
    only_device: bool
    remedy: str | None


def of_phase(connection: model.Connection, phase: Phase) -> Proposal:
    """The proposal of the connection."""
    policy = connection.ike_policy if phase == 1 else connection.ipsec_policy
    authentication = (policy.authentication_algorithm,)
    group = connection.ike_policy.dh_group if phase == 1 else connection.ipsec_policy.pfs
    return Proposal(
        encryption=(policy.encryption_algorithm,),
        integrity=() if policy.is_gcm else authentication,
        prf=authentication if phase == 1 else (),
        groups=(group,) if group in allowed_values.GROUPS else (),
    )


def compare(ours: Proposal, offered: Sequence[Proposal], phase: Phase, *, without_groups: bool = False) -> Comparison:
    """Compares our proposal with the proposal of the device that differs least. `without_groups`: leaves out the groups, since the first
    CHILD_SA of IKEv2 has no group.
    """
    if without_groups:
        ours, offered = _without_groups(ours), [_without_groups(proposal) for proposal in offered]
    theirs = min(offered, key=lambda proposal: len(_differing(ours, proposal)), default=Proposal())
    kinds = _differing(ours, theirs) if offered else ()
    has_prf_only = not ours.integrity and phase == 1
    settings = {_setting(kind, phase, has_prf_only=has_prf_only): kind for kind in kinds}
    only_device = "prf" in settings or any(_is_foreign(theirs, kind) for kind in kinds)
    our_change, their_change = _changes(settings, theirs), _changes(settings, ours)
    remedy = f"on the device, set {their_change}"
    if not only_device:
        remedy = f"on this connection, set {our_change} ({_POLICY[phase]}); or {remedy}"
    return Comparison(
        ours=text(ours, phase, with_groups=not without_groups),
        theirs=text(theirs, phase, with_groups=not without_groups),
        differs=tuple(settings),
        only_device=only_device,
        remedy=remedy if settings else None,
    )


def _setting(kind: Kind, phase: Phase, *, has_prf_only: bool) -> str:
    """The API's name of a setting. With a GCM cipher, the API's authentication algorithm is the PRF."""
    if kind == "groups":
        return _GROUP_SETTING[phase]
    return "authentication_algorithm" if kind == "prf" and has_prf_only else _SETTINGS[kind]


def _changes(settings: Mapping[str, Kind], target: Proposal) -> str:
    """`encryption_algorithm to aes-256 and pfs to disable`; the first of several values."""
    return " and ".join(
        f"{setting} to {next((value for value in getattr(target, kind) if value != 'none'), 'disable')}"
        for setting, kind in settings.items()
    )


def _without_groups(proposal: Proposal) -> Proposal:
    return Proposal(encryption=proposal.encryption, integrity=proposal.integrity, prf=proposal.prf)


def _values(proposal: Proposal, kind: Kind) -> frozenset[str]:
    values: tuple[str, ...] = getattr(proposal, kind)
    return frozenset(values) - {"none"}


def _differing(ours: Proposal, theirs: Proposal) -> tuple[Kind, ...]:
    """The kinds without a common algorithm. A GCM cipher has no integrity algorithm, and a PRF that follows the integrity algorithm is no
    difference of its own.
    """
    kinds = [kind for kind in KINDS if not _fit(_values(ours, kind), _values(theirs, kind))]
    if "encryption" in kinds and not (ours.integrity and theirs.integrity):
        kinds = [kind for kind in kinds if kind != "integrity"]
    if "integrity" in kinds and all(
        _values(proposal, "integrity") == _values(proposal, "prf") for proposal in (ours, theirs)
    ):
        kinds = [kind for kind in kinds if kind != "prf"]
    return tuple(kinds)


def _fit(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return bool(ours & theirs) or not (ours or theirs)


def _is_foreign(theirs: Proposal, kind: Kind) -> bool:
    """Whether the device wants something that the API does not have."""
    values = _values(theirs, kind)
    return bool(values) and not values & _CONFIGURABLE


def text(proposal: Proposal, phase: Phase, *, with_groups: bool = True) -> str:
    """`aes-128 / sha2-256 / group15`. A PRF is included when it differs from the integrity algorithm."""
    prf = f"prf {' or '.join(proposal.prf)}" if proposal.prf and proposal.prf != proposal.integrity else ""
    groups = " or ".join(group for group in proposal.groups if group != "none")
    if with_groups and phase == 2 and not groups:
        groups = "pfs disable"
    parts = (" or ".join(proposal.encryption), " or ".join(proposal.integrity), prf, groups if with_groups else "")
    return " / ".join(part for part in parts if part)
