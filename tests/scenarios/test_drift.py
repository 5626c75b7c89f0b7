"""Somebody changes what we made, behind our back, while the agent runs: it is repaired at the next tick, or at once where charon
tells of it. What does not touch the other connection leaves its tunnel as it was.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import vici

from lab import cycles, sites
from landbridge import model
from landbridge.agent import loop
from landbridge.engine import base
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.ike import charon
from tests.engine.strongswan import fault_bench
from tests.engine.strongswan.fault_bench import Bench, State

pytestmark = pytest.mark.tunnel

TICK_SECONDS = 1.0
FOREIGN = "99999999-0000-4000-8000-000000000000"


@dataclass
class Source:
    """One gateway whose spec does not change."""

    desired_gateway: model.DesiredGateway
    seen: list[model.Observation] = field(default_factory=list)

    def gateways(self) -> frozenset[str]:
        return frozenset({self.desired_gateway.id})

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        return self.desired_gateway if gateway_id == self.desired_gateway.id else None

    def paused(self) -> frozenset[str | None]:
        return frozenset()

    def beat(self) -> None:
        """Nobody asks whether the agent lives."""

    def report(self, seen: model.Observation) -> None:
        self.seen.append(seen)


@dataclass
class Running:
    """A bench whose agent runs, and the state of its gateway when nothing is wrong."""

    bench: Bench
    source: Source
    sound: State

    def is_sound(self) -> bool:
        """False while it cannot be looked at either: the agent may be stopping a charon just now."""
        with contextlib.suppress(base.StepFailed):
            return State.of(self.bench.fresh().observe(self.bench.id)) == self.sound
        return False


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with fault_bench.bench() as bench:
        desired = bench.desired(bench.main, bench.other)
        source = Source(desired)
        agent = loop.Agent(source, bench.fresh(), loop.Timing(tick=TICK_SECONDS))
        agent.start()
        try:
            sites.wait_for(lambda: source.seen and cycles.all_up(source.seen[-1]), "the tunnels")
            yield Running(bench, source, State.of(bench.fresh().observe(bench.id)))
        finally:
            agent.stop()


def _session(bench: Bench, work: Callable[[Any], object]) -> None:
    with charon.CHARON.connect(bench.folder) as socket:
        work(vici.Session(socket))


def _unload_conn(bench: Bench) -> None:
    _session(bench, lambda session: session.unload_conn({"name": bench.main.id}))


def _unload_secret(bench: Bench) -> None:
    def unload(session: Any) -> None:
        (mine,) = [key for key in session.get_shared()["keys"] if key.decode().startswith(bench.main.id)]
        session.unload_shared({"id": mine.decode()})

    _session(bench, unload)


def _load_foreign(bench: Bench) -> None:
    """Into our own charon: nobody else has a business there."""

    def load(session: Any) -> None:
        session.load_shared({"id": f"{FOREIGN}.0123456789ab", "type": "IKE", "data": "x", "owners": ["203.0.113.99"]})
        session.load_conn({FOREIGN: {"version": "2", "remote_addrs": ["203.0.113.99"], "local": {}, "remote": {}}})

    _session(bench, load)


def _terminate(level: str) -> Callable[[Bench], None]:
    return lambda bench: _session(bench, lambda session: list(session.terminate({level: _of(bench, level)})))


def _of(bench: Bench, level: str) -> str:
    (child,) = bench.loaded()
    return child if level == "child" else bench.main.id


def _ip(command: str, *, inside: bool = False) -> Callable[[Bench], None]:
    """`ip` in the underlay or in the gateway's namespace; `{id}` is in the names of our links."""

    def run(bench: Bench) -> None:
        words = command.format(id=names.short(bench.id), eip=sites.EIPS[0], vpc_address=sites.VPC_ADDRESS).split()
        where = bench.namespace if inside else bench.world.wan
        subprocess.run(["ip", "-n", where, *words], check=True, capture_output=True)

    return run


def _lose_namespace(bench: Bench) -> None:
    subprocess.run(["ip", "netns", "delete", bench.namespace], check=True)


def _lose_configuration(bench: Bench) -> None:
    (bench.folder / "strongswan.conf").unlink()


def _lose_socket(bench: Bench) -> None:
    charon.CHARON.socket_path(bench.folder).unlink()


#: What is done, and whether the other connection's SAs outlive it.
HARMS: dict[str, tuple[Callable[[Bench], object], bool]] = {
    "a connection unloaded": (_unload_conn, True),
    "a secret unloaded": (_unload_secret, True),
    "a foreign connection loaded": (_load_foreign, True),
    "an IKE_SA terminated": (_terminate("ike"), True),
    "a CHILD_SA terminated": (_terminate("child"), True),
    "the uplink deleted": (_ip("link delete wan", inside=True), True),
    "the uplink's peer deleted": (_ip("link delete lw{id}"), True),
    "the uplink down": (_ip("link set wan down", inside=True), True),
    "the VPC link deleted": (_ip("link delete lan", inside=True), True),
    "the VPC link unplugged": (_ip("link set ll{id} nomaster"), True),
    "the VPC link's peer down": (_ip("link set ll{id} down"), True),
    "the underlay's route deleted": (_ip("route delete {eip}"), True),
    "the underlay's route turned": (_ip("route replace blackhole {eip}"), True),
    "an outer address deleted": (_ip("address delete {eip}/32 dev wan", inside=True), True),
    "the inner address deleted": (_ip("address delete {vpc_address} dev lan", inside=True), True),
    "an address added": (_ip("address add 10.0.0.77/32 dev lan", inside=True), True),
    "the default route deleted": (_ip("route delete default table 195", inside=True), True),
    "the guarding rule deleted": (_ip("rule delete priority 210", inside=True), True),
    "charon's configuration deleted": (_lose_configuration, True),
    "charon killed": (Bench.kill, False),
    "the namespace's name deleted": (_lose_namespace, True),
    "charon's socket deleted": (_lose_socket, False),
}


@pytest.mark.parametrize("name", HARMS)
def test_what_was_changed_behind_our_back_is_repaired(running: Running, name: str):
    harm, spares = HARMS[name]
    bench = running.bench
    kept = bench.spis(bench.other)
    harm(bench)
    sites.wait_for(running.is_sound, f"the repair after {name}")
    bench.carries()
    bench.carries(fault_bench.OTHER_HOST)
    if spares:
        assert bench.spis(bench.other) == kept
    assert len(fault_bench.pids(bench.namespace)) == 1
