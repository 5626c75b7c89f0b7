"""Looks at a gateway's outer wire while packets of every protocol are sent to the gateway, from its VPC and from outside.

This is done with the tunnel up, with it down, with charon dead, and while the namespace is made anew. Nothing may leave in clear, and
nothing may come in.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab import cycles, sites, specs, wire
from lab.attack.base import Result
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan

HOST = "192.168.44.10"
INNER, PEERS_INNER = "169.254.70.1", "169.254.70.2"
VPC_ADDRESS = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]


def run(folder: Path) -> Iterator[Result]:
    del folder  # a world has one of its own, with a path that is short enough for sockets
    with sites.World() as world:
        attack = _Attack(world)
        try:
            attack.up()
            yield from attack.both("the tunnel is up", lambda: None)
            yield from attack.both("the namespace is made anew", attack.make_anew)
            yield from attack.both("charon is dead", attack.kill)
            attack.up()
            yield from attack.both("the tunnel is down", attack.take_down)
        finally:
            attack.engine.stop_all()


class _Attack:
    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.gateway = specs.gateway()
        self.engine = StrongSwan(world.folder, world.site("vpc-1"))
        pairs = ((sites.LAN, sites.VPC), (f"{PEERS_INNER}/32", f"{INNER}/32"))
        tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, pairs=pairs)
        self.device = world.add_device(tunnel, inner=f"{PEERS_INNER}/32")
        inner: dict[str, Any] = {"tunnel_local_address": f"{INNER}/30", "tunnel_peer_address": f"{PEERS_INNER}/30"}
        spec = specs.connection(self.device.address, enable_nqa=True, **inner)
        self.desired = specs.desired(spec, network=world.network("vpc-1"), of=self.gateway)
        self.name, self.outer = names.namespace(self.gateway.id), names.uplink_peer(self.gateway.id)

    def up(self) -> None:
        cycles.until(self.engine, self.gateway.id, self.desired, cycles.all_up, seconds=60)

    def make_anew(self) -> None:
        wire.remove_namespace(self.name)
        self.up()

    def kill(self) -> None:
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        for pid in map(int, listed.stdout.split()):
            os.kill(pid, signal.SIGKILL)

    def take_down(self) -> None:
        self.device.load(sites.Tunnel(gateway=sites.EIPS[0], psk="Some-Other-9"))
        self.device.swanctl("--terminate", "--ike", "hq", "--force")
        cycles.run_cycle(self.engine, self.gateway.id, self.desired)

    def both(self, state: str, happens: Callable[[], object]) -> Iterator[Result]:
        """`happens` while the VPC throws; the outside throws afterwards."""
        yield self._from_vpc(state, happens)
        yield self._from_outside(state)

    def _from_vpc(self, state: str, happens: Callable[[], object]) -> Result:
        mark = wire.Mark()
        sources = wire.sources(self.world, PEERS_INNER, HOST)
        targets = wire.targets(self.world, INNER, HOST)
        with (
            wire.leaving(self.world.wan, self.outer) as frames,
            wire.sending(self.world.vpc_host, "eth0", wire.hardware(self.name, "lan")) as send,
        ):
            with wire.throwing(send, mark, sources, targets):
                happens()
            sent = wire.throw(send, mark, sources, targets)
        return self._result(f"from the VPC, {state}", wire.unwanted(frames, sites.EIPS[:2], mark), sent, len(frames))

    def _from_outside(self, state: str) -> Result:
        mark = wire.Mark()
        sources = (*wire.sources(self.world, PEERS_INNER, HOST), "169.254.195.1")
        targets = (VPC_ADDRESS, INNER, PEERS_INNER, sites.VPC_HOST, HOST, "10.0.0.255", "255.255.255.255")
        with (
            wire.leaving(self.world.wan, self.outer) as frames,
            wire.leaving(self.world.vpc_host, "eth0") as inside,
            wire.leaving(self.device.host, "lan") as behind,
            wire.sending(self.world.wan, self.outer, wire.hardware(self.name, "wan")) as send,
        ):
            sent = wire.throw(send, mark, sources, targets)
        faults = wire.unwanted(frames, sites.EIPS[:2], mark)
        faults += ["it came in" for frame in (*inside, *behind) if mark.value in frame]
        return self._result(f"from outside, {state}", faults, sent, len(frames))

    @staticmethod
    def _result(what: str, faults: list[Any], sent: int, left: int) -> Result:
        figures = f"{sent} packets of 17 kinds thrown, {left} frames left, {len(faults)} of them wrong"
        return Result(what, not faults, "; ".join([figures, *faults[:3]]))
