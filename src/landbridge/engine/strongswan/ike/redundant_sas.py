"""Finds the SAs of a connection that exist twice, and plans the steps that end one of them. Pure.

When both ends begin or rekey a tunnel at once, neither sees the SA of the other in time, so that charon's `unique` ends none. Both SAs are then
rekeyed for ever. A DELETE ends one of them without a loss, since the other one carries already.

Both ends may run this program, so both must end the same SA. It is the SA with fewer children or, of two with as many, the one with the lower SPIs,
which both ends know. An SA counts when a device without it would be dead by the timers of DPD (docs/decisions/0042). So an SA that only one end
has never replaces an SA that both have.

In IKEv1 the ends do not agree which CHILD_SA a rekey has replaced, so charon ends a redundant CHILD_SA in place of its rekey. They do agree to which
IKE_SA a CHILD_SA belongs, unless a reauthentication has moved it (docs/decisions/0070).
"""

from collections.abc import Iterable, Iterator

from landbridge.engine.strongswan.ike import messages, state, steps

#: Seconds that may pass between the last packet and the observation that finds the dead device, beside the timers.
_LATE = 5

_Identity = tuple[str, tuple[str, ...], tuple[str, ...]]


def plan(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[steps.IkeStep]:
    """Plans the end of a redundant SA. It plans nothing while an SA is young or being negotiated. In IKEv1 it ends whole IKE_SAs only."""
    live = _live(config, sas)
    if not live or _seconds_left(config, live) > 0 or any(sa.state != "ESTABLISHED" for sa in live):
        return
    kept: set[_Identity] = set()
    for at, sa in enumerate(sorted(live, key=lambda sa: (len(_children(sa)), sa.spis), reverse=True)):
        if at and _identities(sa) <= kept:
            yield steps.TerminateIke(config.connection_id, sa.unique_id)
            continue
        for child in sorted(_children(sa), key=lambda child: sorted((child.spi_in, child.spi_out)), reverse=True):
            if _identity(child) in kept and not config.is_v1:
                yield steps.TerminateChild(config.connection_id, child.unique_id, child.name)
            kept.add(_identity(child))


def due_observations(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[float]:
    """Seconds until the SAs of a connection that has some of them twice are old enough."""
    live = _live(config, sas)
    children = [_identity(child) for sa in live for child in _children(sa)]
    left = _seconds_left(config, live)
    if left > 0 and (len(live) > 1 or len(set(children)) < len(children)):
        yield left


def _live(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> list[state.IkeSa]:
    live = [sa for sa in sas if sa.live]
    return [] if config.is_v1 and any(sa.reauthenticated for sa in live) else live


def _children(sa: state.IkeSa) -> list[state.Child]:
    """The CHILD_SAs that no rekey has replaced."""
    return [child for child in sa.children if child.live and child.state != "REKEYED"]


def _seconds_left(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> float:
    ages = [
        age for sa in sas for age in (sa.established_seconds, *(child.installed_seconds for child in _children(sa)))
    ]
    return config.dpd_interval + config.answer_within + _LATE - min(ages, default=0)


def _identities(sa: state.IkeSa) -> set[_Identity]:
    return {_identity(child) for child in _children(sa)}


def _identity(child: state.Child) -> _Identity:
    """The device of a policy-template may have several CHILD_SAs of one name, with other selectors."""
    return child.name, child.local_ts, child.remote_ts
