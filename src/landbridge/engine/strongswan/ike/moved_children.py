"""Plans a rekey of each CHILD_SA that a reauthentication of IKEv1 moved to another IKE_SA. Pure.

Each end moves its CHILD_SAs by itself. When the device reauthenticates or rekeys at the same moment, it may leave CHILD_SAs at the
old IKE_SA, and it deletes them with the old IKE_SA. This end would send into them until their lifetime ends, and DPD asks for the
IKE_SA alone. A rekey makes a CHILD_SA that both ends have. An IKE_SA that has a CHILD_SA older than itself comes from a
reauthentication. What was installed before the old IKE_SA was deleted may be lost at the device; what was installed later is known to
both.
"""

from collections.abc import Iterable, Iterator

from landbridge.engine.strongswan.ike import fingerprints, messages, state, steps

#: The age in seconds of the IKE_SA at which its initiator rekeys what was moved, and its responder what is left then: both ends may run this program,
#: and when both rekey at once there are two new CHILD_SAs. charon deletes the old IKE_SA after 10 seconds.
INITIATOR, RESPONDER, OLD_STAYS = 15, 30, 10
#: Seconds by which the rekey may be late: what came up while Landbridge was away is left alone, so that an upgrade rekeys nothing.
LATEST = 60
#: CHILD_SAs that are rekeyed a second.
RATE = 20
#: charon counts whole seconds.
_ROUNDING = 1


def plan(
    config: messages.DesiredConfig, sas: Iterable[state.IkeSa], recently_tried: frozenset[str]
) -> Iterator[steps.IkeStep]:
    for child, left in _moved(config, sas):
        if -LATEST <= left <= 0 and fingerprints.rekey(child.unique_id) not in recently_tried:
            yield steps.RekeyChild(config.connection_id, child.unique_id, child.name)


def due_looks(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[float]:
    """Seconds until the rekeys that are still to come."""
    yield from (left for _, left in _moved(config, sas) if left > 0)


def _moved(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> Iterator[tuple[state.Child, int]]:
    """(CHILD_SA, seconds until its rekey)."""
    for sa in sas:
        if not config.is_v1 or sa.state != "ESTABLISHED" or not _is_reauthenticated(sa):
            continue
        due = INITIATOR if sa.is_initiator else RESPONDER
        doubtful = (
            child
            for child in sa.children
            if child.state == "INSTALLED" and child.installed_seconds >= sa.established_seconds - OLD_STAYS
        )
        yield from ((child, due + at // RATE - sa.established_seconds) for at, child in enumerate(doubtful))


def _is_reauthenticated(sa: state.IkeSa) -> bool:
    return any(child.live and child.installed_seconds > sa.established_seconds + _ROUNDING for child in sa.children)
