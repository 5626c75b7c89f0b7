"""Observes what the BIRD of a gateway runs and knows. It changes nothing."""

from datetime import UTC, datetime
from pathlib import Path

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.bgp import answers, bird, faults
from landbridge.engine.strongswan.bgp.client import Client
from landbridge.engine.strongswan.bgp.state import BgpState


def observe(folder: Path) -> BgpState:
    """Raises nothing for a BIRD that is alive and does not answer: the rest of the observation goes on, since tunnels do not need BIRD."""
    started = bird.was_started(folder)
    try:
        return _ask(folder, started=started)
    except daemon.NOT_LISTENING:
        return BgpState(started=started)
    except OSError:
        return BgpState(alive=True, started=started, answers=False)


def _ask(folder: Path, *, started: bool) -> BgpState:
    with Client(bird.BIRD.connect(folder)) as client:
        # Routes come before sessions: a session that closes in between keeps its routes, which would otherwise look withdrawn by the device.
        routes = answers.routes(client.ask("show route all where source = RTS_BGP"))
        protocols = answers.protocols(client.ask("show protocols all"))
        bfd = answers.bfd_sessions(client.ask("show bfd sessions"))
    notifications, now = faults.notifications(bird.log(folder)), datetime.now(UTC)
    sessions = {
        protocol.name: answers.session(protocol, bfd=bfd, notification=notifications.get(protocol.name), now=now)
        for protocol in protocols
        if protocol.kind == "BGP"
    }
    return BgpState(
        alive=True,
        started=started,
        fingerprint=answers.fingerprint(protocols),
        sessions=sessions,
        routes=routes,
    )
