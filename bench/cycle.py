"""One turn of the agent's loop on a data folder, in a process that knows nothing yet, as after a restart; then another one. The
process is tuned as that of the service.

`python -m bench.cycle DATA SITE GATEWAY` prints JSON: the seconds from the turn's beginning to the end of its last step, and the steps
and VICI commands of the second turn.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from vici.protocol import Packet, Transport

from lab import cycles
from landbridge import bootstrap, config, data_folder, site_file
from landbridge.agent import loop
from landbridge.engine import base, local
from landbridge.operations import nodes
from landbridge.server import heartbeat, serve


class _Watched:
    """An engine that notes when it looks: the look after the steps is their end."""

    def __init__(self, engine: base.Engine[Any, Any, Any]) -> None:
        self._engine = engine
        self.looks: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def observe(self, gateway_id: str) -> Any:
        self.looks.append(time.perf_counter())
        return self._engine.observe(gateway_id)


@contextlib.contextmanager
def opened(data: str, site_path: str) -> Iterator[tuple[nodes.StoreSource, base.Engine[Any, Any, Any]]]:
    settings = config.load({"data": data, "site": site_path, "engine": "strongswan"}, {})
    site = site_file.find(settings)
    with data_folder.open_data(settings) as found:
        engine = local.make(settings, site)
        assert engine is not None
        yield bootstrap.make_source(found, site, heartbeat.Heartbeat()), engine


@contextlib.contextmanager
def _commands() -> Iterator[list[str]]:
    """The names of all VICI commands that this process sends meanwhile."""
    sent: list[str] = []
    plain = Transport.send

    def send(self: Any, packet: bytes) -> None:
        if packet[0] == Packet.CMD_REQUEST:
            sent.append(packet[2 : 2 + packet[1]].decode())
        plain(self, packet)

    Transport.send = send
    try:
        yield sent
    finally:
        Transport.send = plain


def main(data: str, site_file: str, gateway_id: str) -> None:
    with opened(data, site_file) as (source, engine):
        serve.tune_process()
        first = _Watched(engine)
        started = time.perf_counter()
        assert loop.cycle(source, first, gateway_id)
        planned = cycles.plan(engine, gateway_id, source.desired(gateway_id))
        with _commands() as sent:
            assert loop.cycle(source, engine, gateway_id)
    print(json.dumps({"seconds": first.looks[1] - started, "steps": len(planned), "commands": sent}))


if __name__ == "__main__":
    main(*sys.argv[1:])
