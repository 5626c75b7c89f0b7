"""Detects changes of the sessions of all gateways. BIRD notifies nobody, so each BIRD is asked each second, which takes a millisecond.

This module requests an observation, and the observation finds the change.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from landbridge.engine.strongswan import daemon, marks
from landbridge.engine.strongswan.bgp import answers, bird
from landbridge.engine.strongswan.bgp.client import Client

log = logging.getLogger(__name__)

#: Seconds.
PERIOD = 1.0
#: Seconds. The BIRDs are asked one after another, so that one that hangs delays the others.
ANSWER_TIMEOUT = 0.3


class Watcher:
    """`engine`: the folder with the gateways' folders. `changed` is called with a gateway's id."""

    def __init__(self, engine: Path, changed: Callable[[str], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._seen: dict[Path, object] = {}

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(PERIOD):
            try:
                self._observe_all()
            except Exception:
                log.exception("BGP sessions could not be watched; the next attempt is in a second")

    def _observe_all(self) -> None:
        folders = {path.parent for path in self._engine.glob(f"*/{bird.BIRD.socket_file}")}
        for folder in folders | self._seen.keys():
            before, now = self._seen.get(folder), _summary(folder)
            if now is None:
                self._seen.pop(folder, None)
            else:
                self._seen[folder] = now
            if now != before:
                with contextlib.suppress(OSError):
                    if gateway_id := marks.read(folder):
                        self._changed(gateway_id)


def _summary(folder: Path) -> object:
    """The parts of the sessions whose change needs an observation; None without a BIRD."""
    try:
        with Client(bird.BIRD.connect(folder), timeout=ANSWER_TIMEOUT) as client:
            protocols = answers.protocols(client.ask("show protocols all"))
            bfd = answers.bfd_sessions(client.ask("show bfd sessions"))
    except daemon.NOT_LISTENING:
        return None
    except OSError:
        return "no answer"
    return [
        (protocol.name, protocol.state, protocol.info, *map(protocol.details.get, answers.COUNTED))
        for protocol in protocols
    ], bfd
