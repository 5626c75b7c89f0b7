"""Plans an early rekey of each CHILD_SA of IKEv2, which proves that both sides have the same PFS. Pure.

IKEv2 negotiates the first CHILD_SA without a Diffie-Hellman exchange of its own. Different groups show only at the first rekey, up to a day
later. A rekey loses no packet, and one that is refused leaves the CHILD_SA as it is (docs/decisions/0043). A CHILD_SA that was never rekeyed is as old
as its IKE_SA.
"""

from collections.abc import Iterable, Iterator

from landbridge.engine.strongswan.ike import fingerprints, messages, state, steps

#: The age in seconds at which the first CHILD_SAs are rekeyed, and how much older a CHILD_SA may be: an older one is left alone.
EARLIEST = 5
LATEST = 60
#: Seconds for which a rekey of the same CHILD_SA is not requested again. charon repeats one that is refused, and each request for one is
#: repeated beside the others.
RETRY_AFTER = 2.0 * LATEST
#: CHILD_SAs that are rekeyed a second: what came up together is not rekeyed together.
RATE = 20


def plan(
    config: messages.DesiredConfig, position: int, sas: Iterable[state.IkeSa], recently_tried: frozenset[str]
) -> Iterator[steps.IkeStep]:
    """`position`: of the connection in its gateway."""
    for child in _unproved(config, sas):
        age = child.installed_seconds - _due_at(position)
        if 0 <= age <= LATEST and fingerprints.rekey(child.unique_id) not in recently_tried:
            yield steps.RekeyChild(config.connection_id, child.unique_id, child.name)


def due_observations(config: messages.DesiredConfig, position: int, sas: Iterable[state.IkeSa]) -> Iterator[float]:
    """Seconds until the rekeys that are still to come."""
    for child in _unproved(config, sas):
        left = _due_at(position) - child.installed_seconds
        if left > 0:
            yield left


def _due_at(position: int) -> int:
    return EARLIEST + position // RATE


def _unproved(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[state.Child]:
    for sa in sas:
        if sa.live and not sa.negotiating and not config.is_v1:
            yield from (child for child in sa.children if child.state == "INSTALLED" and _is_first(child, sa))


def _is_first(child: state.Child, sa: state.IkeSa) -> bool:
    return abs(sa.established_seconds - child.installed_seconds) <= state.ROUNDING
