"""Plans the ordered steps from what a gateway's BIRD runs to what it must run. Pure."""

from collections.abc import Iterator
from datetime import datetime

from landbridge import model
from landbridge.engine.strongswan.bgp import steps
from landbridge.engine.strongswan.bgp.configuration import BgpConfiguration, Session
from landbridge.engine.strongswan.bgp.state import BgpState

#: Seconds that a session stays closed after its device announced too many prefixes.
CLOSED_FOR = 300


def plan_sessions(desired: BgpConfiguration, current: BgpState, at: datetime) -> Iterator[steps.BgpStep]:
    """`at`: the time of the observation. A new configuration also opens closed sessions."""
    if not current.alive or not current.answers:
        yield steps.StartBird(desired, died=current.started)
    elif current.fingerprint != desired.fingerprint:
        yield steps.ConfigureBird(desired)
    else:
        yield from (
            steps.OpenSession(session.connection_id, session.name)
            for session, left in _closed(desired, current, at)
            if left <= 0
        )


def plan_stop(current: BgpState) -> Iterator[steps.BgpStep]:
    if current.alive or current.started:
        yield steps.StopBird()


def due_observations(desired: BgpConfiguration, current: BgpState, at: datetime) -> Iterator[float]:
    """Seconds after which an observation is due because of the time."""
    yield from (left for _, left in _closed(desired, current, at) if left > 0)


def _closed(desired: BgpConfiguration, current: BgpState, at: datetime) -> Iterator[tuple[Session, float]]:
    """The closed sessions, and the seconds for which they stay closed."""
    for session in desired.sessions:
        observed = current.sessions.get(session.name)
        if observed is not None and _is_closed(observed) and observed.since is not None:
            yield session, CLOSED_FOR - (at - observed.since).total_seconds()


def _is_closed(session: model.BgpSession) -> bool:
    return session.state == "down" and session.fault is not None and session.fault.code == "route_limit"
