"""Plans a rekey of each CHILD_SA of IKEv1 that was moved to another IKE_SA. Pure.

charon moves CHILD_SAs when an IKE_SA is reauthenticated, and when both ends dial in the same moment and it sees two IKE_SAs. Each end moves its
CHILD_SAs by itself. It may leave some at the old IKE_SA that the other end has moved, and they are deleted with the old IKE_SA. This end would send into
them until their lifetime ends, and DPD asks for the IKE_SA alone. A rekey makes a CHILD_SA that both ends have.

- An IKE_SA that has a CHILD_SA older than itself comes from a reauthentication. What was installed before the old IKE_SA was deleted may be lost
  at the device. What was installed later is known to both.
- Two young IKE_SAs with other CHILD_SAs come from both ends that dial. What the fuller one had when it was established may have been moved. Nothing shows
  that any more when the other one is deleted, so the rekey comes before.
"""

from collections.abc import Iterable, Iterator

from landbridge.engine.strongswan.ike import fingerprints, messages, state, steps

#: The age in seconds of the IKE_SA at which its initiator rekeys what was moved, and its responder what is left then: both ends may run this program,
#: and when both rekey at once there are two new CHILD_SAs. charon deletes the old IKE_SA after 10 seconds.
INITIATOR, RESPONDER, OLD_STAYS = 15, 30, 10
#: The same where both ends have dialled.
DIALLED_INITIATOR, DIALLED_RESPONDER = 3, 6
#: Seconds by which the rekey may be late: what came up while Landbridge was away is left alone, so that an upgrade rekeys nothing.
LATEST = 60
#: CHILD_SAs that are rekeyed a second.
RATE = 20


def plan(
    config: messages.DesiredConfig, sas: Iterable[state.IkeSa], recently_tried: frozenset[str]
) -> Iterator[steps.IkeStep]:
    for child, left in _moved(config, sas):
        if -LATEST <= left <= 0 and fingerprints.rekey(child.unique_id) not in recently_tried:
            yield steps.RekeyChild(config.connection_id, child.unique_id, child.name)


def due_observations(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[float]:
    """Seconds until the rekeys that are still to come."""
    yield from (left for _, left in _moved(config, sas) if left > 0)


def _moved(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[tuple[state.Child, int]]:
    """(CHILD_SA, seconds until its rekey)."""
    established = [sa for sa in sas if sa.state == "ESTABLISHED"] if config.is_v1 else []
    adopter = _adopter(established)
    for sa in established:
        if sa.reauthenticated:
            due, oldest = INITIATOR if sa.is_initiator else RESPONDER, sa.established_seconds - OLD_STAYS
        elif sa is adopter:
            due, oldest = (
                DIALLED_INITIATOR if sa.is_initiator else DIALLED_RESPONDER,
                sa.established_seconds - state.ROUNDING,
            )
        else:
            continue
        doubtful = (child for child in sa.children if child.state == "INSTALLED" and child.installed_seconds >= oldest)
        yield from ((child, due + at // RATE - sa.established_seconds) for at, child in enumerate(doubtful))


def _adopter(sas: list[state.IkeSa]) -> state.IkeSa | None:
    """The fuller one of young IKE_SAs. None where all have the same CHILD_SAs, since nothing was moved then."""
    young = [sa for sa in sas if sa.established_seconds < OLD_STAYS]
    names = [{child.name for child in sa.children if child.live} for sa in young]
    return (
        max(young, key=lambda sa: len(sa.children)) if any(names_of_sa != names[0] for names_of_sa in names) else None
    )
