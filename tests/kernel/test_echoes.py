"""A path that is cut: NQA finds it, the standby carries, and the master has its traffic back when its path was stable for a while.

The agent is at work, as in the service. `test_failover` measures the same with other detectors, and with both endpoints in use.
"""

import contextlib
import dataclasses
import itertools
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lab import cycles, managed_gateway, sites, specs
from landbridge import model
from landbridge.engine.strongswan.echo import window
from landbridge.engine.strongswan.engine import StrongSwan
from tests.kernel.beds import PATIENCE, in_clear

HOST = "192.168.44.10"
EVERYTHING = (("0.0.0.0/0", "0.0.0.0/0"),)
IF_ID = 9
#: Seconds between two pings.
EVERY = 0.05
#: Seconds without traffic that are allowed: the machine is slow, and the figure is printed.
GENEROUS = 20.0


@dataclass
class Pair:
    """A master and a standby to one network, each with a device of its own, which has the same host behind it."""

    managed: managed_gateway.ManagedGateway
    devices: list[sites.Device] = field(default_factory=list)
    specs: list[model.DesiredConnection] = field(default_factory=list)

    def add(self, role: model.HaRole) -> None:
        number = len(self.devices)
        ours, theirs = (f"169.254.70.{4 * number + end}/30" for end in (1, 2))
        tunnel = sites.Tunnel(gateway=sites.EIPS[number], psk=specs.PSK, pairs=EVERYTHING, if_id=IF_ID)
        device = self.managed.world.add_device(tunnel, in_kernel=True)
        for command in (
            f"link add t0 type xfrm if_id {IF_ID}",
            f"address add {theirs} dev t0",
            "link set t0 up",
            f"route add {sites.VPC} dev t0",
        ):
            subprocess.run(["ip", "-n", device.namespace, *command.split()], check=True)
        self.devices.append(device)
        inner = {"tunnel_local_address": ours, "tunnel_peer_address": theirs, "enable_nqa": True, "monitor_id": role}
        self.specs.append(specs.connection(device.address, ha_role=role, endpoint=number + 1, **inner))

    def seen(self) -> list[model.ConnectionObservation]:
        """The last report of master and standby."""
        last = self.managed.source.last
        found = {one.connection_id: one for one in last.connections} if last else {}
        return [found.get(spec.id, model.ConnectionObservation(connection_id=spec.id)) for spec in self.specs]

    def carries(self) -> list[bool]:
        """Whether the routes lead into the master's tunnel, and into the standby's."""
        return [bool(one.routes) for one in self.seen()]

    def wait_for(self, carries: list[bool], states: list[str], what: str) -> None:
        def found() -> bool:
            return (self.carries(), [one.state for one in self.seen()]) == (carries, states)

        try:
            sites.wait_for(found, what, seconds=PATIENCE)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the last report: {self.seen()}") from None


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with managed_gateway.managed() as managed:
        managed.gateway = dataclasses.replace(managed.gateway, ha_mode="active-standby")
        pair = Pair(managed)
        pair.add("master")
        pair.add("slave")
        managed.want(*pair.specs)
        pair.wait_for([True, False], ["up", "up"], "both tunnels")
        sites.wait_for(lambda: _states(pair, "nqa") == ["up", "up"], "answers through both tunnels", seconds=PATIENCE)
        yield pair


def _states(pair: Pair, kind: str) -> list[str]:
    said = (getattr(one, kind) for one in pair.seen())
    return [one.state if one else "" for one in said]


@contextlib.contextmanager
def _pinging(source: str, target: str) -> Iterator[list[float]]:
    """Pings all the time. After the block, the times of the answers."""
    times: list[float] = []
    command = ["ip", "netns", "exec", source, "ping", "-D", "-n", "-i", str(EVERY), target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield times
        finally:
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=30)
            times += map(float, re.findall(r"^\[(\d+\.\d+)\] \d+ bytes from", text, re.MULTILINE))


def _went_down(changes: list[tuple[float, model.Observation]], connection_id: str) -> Iterator[float]:
    """When its path went down, in seconds since 1970."""
    for _, seen in changes:
        for one in seen.connections:
            if one.connection_id == connection_id and one.nqa and one.nqa.state == "down" and one.nqa.since:
                yield one.nqa.since.timestamp()


def _longest_gap(times: list[float], since: float, until: float) -> float:
    within = [each for each in times if since - 1 <= each <= until + 1]
    return max(after - before for before, after in itertools.pairwise(within))


def test_the_standby_carries_while_the_master_s_path_is_cut_and_gives_it_back(pair: Pair) -> None:
    world = pair.managed.world
    assert sites.ping(world.vpc_host, HOST, wait=PATIENCE)
    for device, ours in zip(pair.devices, ("169.254.70.1", "169.254.70.5"), strict=True):
        assert sites.ping(device.namespace, ours, wait=PATIENCE), "the device's own probe"
    with _pinging(world.vpc_host, HOST) as answers, sites.capturing(world.wan, "d1") as packets:
        time.sleep(2)
        world.cut(pair.devices[0].address)
        cut = time.time()
        pair.wait_for([False, True], ["down", "up"], "the standby to carry")
        assert sites.ping(world.vpc_host, HOST, wait=PATIENCE)
        restarted = StrongSwan(world.folder, world.site("vpc-1"))
        assert cycles.plan(restarted, pair.managed.gateway.id, pair.managed.source.wanted) == []
        mended = time.time()
        world.mend()
        pair.wait_for([True, False], ["up", "up"], "the master to carry again")
        back = time.time()
        time.sleep(1)
    assert not in_clear(packets)
    [down] = [at for at in _went_down(pair.managed.source.changes, pair.specs[0].id) if cut - EVERY <= at <= mended][:1]
    lost, returned = _longest_gap(answers, cut, mended), _longest_gap(answers, mended, back)
    said = f"down after {down - cut:.2f} s, {lost - EVERY:.2f} s without traffic; back {back - mended:.1f} s after the path was whole, {returned - EVERY:.2f} s without traffic"
    print(f"\nfail-over by NQA: {said}")  # noqa: T201  a figure, which the log of `make test-kernel` has
    assert lost < GENEROUS
    assert back - mended >= window.TIMINGS["nqa"].stable


def test_a_monitor_is_answered_outside_of_the_tunnel_and_says_so_when_it_is_not(pair: Pair) -> None:
    sites.wait_for(lambda: _states(pair, "monitor") == ["up", "up"], "answers to the monitors", seconds=PATIENCE)
    [monitor] = [one.monitor for one in pair.seen()[1:]]
    assert monitor is not None
    assert (monitor.source, monitor.destination) == (sites.EIPS[1], pair.devices[1].address)
    pair.managed.world.cut(pair.devices[1].address)
    sites.wait_for(lambda: _states(pair, "monitor") == ["up", "down"], "a silent device", seconds=PATIENCE)
    pair.managed.world.mend()
