"""The outer wire of a gateway, while its VPC, its tunnels and the outside throw packets of every protocol at it: nothing leaves in clear.

A tunnel that is up, one that is down, a charon that is dead, a namespace that is made anew.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from lab import engine_bench, processes, sites, specs, wire
from landbridge.engine.strongswan import names

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
INNER, PEERS_INNER = "169.254.70.1", "169.254.70.2"
ENDPOINTS = sites.EIPS[:2]


class Bench(engine_bench.Bench):
    """A gateway with one tunnel whose ends have inner addresses."""

    def __init__(self, world: sites.World) -> None:
        super().__init__(world)
        pairs = ((sites.LAN, sites.VPC), (f"{PEERS_INNER}/32", f"{INNER}/32"))
        self.tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, pairs=pairs)
        self.device = world.add_device(self.tunnel, inner=f"{PEERS_INNER}/32")
        inner = {"tunnel_local_address": f"{INNER}/30", "tunnel_peer_address": f"{PEERS_INNER}/30"}
        self.spec = specs.connection(enable_nqa=True, **inner)

    @property
    def outer(self) -> str:
        return names.uplink_peer(self.gateway.id)

    def kill(self) -> None:
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        pids = [int(pid) for pid in listed.stdout.split()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        sites.wait_for(lambda: not any(map(processes.is_there, pids)), "the killed processes to be gone")

    def take_down(self) -> None:
        """The device has another key now."""
        self.device.load(sites.Tunnel(gateway=sites.EIPS[0], psk="Some-Other-9"))
        self.device.swanctl("--terminate", "--ike", "hq", "--force")
        self.run_cycle(self.spec)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with engine_bench.running(Bench) as bench:
        bench.up(bench.spec)
        yield bench


STATES: dict[str, Callable[[Bench], object]] = {
    "the tunnel is up": lambda _: None,
    "the tunnel is down": Bench.take_down,
    "charon is dead": Bench.kill,
}


@pytest.mark.parametrize("state", STATES)
def test_nothing_of_the_vpc_leaves_in_clear(bench: Bench, state: str):
    STATES[state](bench)
    mark = wire.Mark()
    sources = wire.sources(bench.world, PEERS_INNER, HOST)
    targets = wire.targets(bench.world, INNER, HOST)
    lan = wire.hardware(bench.name, "lan")
    with (
        wire.leaving(bench.world.wan, bench.outer) as frames,
        wire.sending(bench.world.vpc_host, "eth0", lan) as send,
    ):
        assert wire.throw(send, mark, sources, targets) > 1000
    assert wire.unwanted(frames, ENDPOINTS, mark) == []


def test_nothing_of_the_vpc_leaves_in_clear_while_a_namespace_is_made_anew(bench: Bench):
    mark = wire.Mark()
    sources = wire.sources(bench.world, PEERS_INNER, HOST)
    targets = wire.targets(bench.world, INNER, HOST)
    lan = wire.hardware(bench.name, "lan")
    with (
        wire.leaving(bench.world.wan, bench.outer) as frames,
        wire.sending(bench.world.vpc_host, "eth0", lan) as send,
        wire.throwing(send, mark, sources, targets),
    ):
        for _ in range(2):
            bench.kill()  # while its charon runs, a namespace gets its name back instead
            wire.remove_namespace(bench.name)
            bench.up(bench.spec)
    assert wire.hardware(bench.name, "lan") == lan
    assert wire.unwanted(frames, ENDPOINTS, mark) == []
    assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.parametrize("state", STATES)
def test_nothing_from_outside_comes_in_and_no_inner_address_answers_there(bench: Bench, state: str):
    STATES[state](bench)
    mark = wire.Mark()
    sources = (*wire.sources(bench.world, PEERS_INNER, HOST), "169.254.195.1")
    vpc_address = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]
    targets = (vpc_address, INNER, PEERS_INNER, sites.VPC_HOST, HOST, "10.0.0.255", "255.255.255.255")
    with (
        wire.leaving(bench.world.wan, bench.outer) as frames,
        wire.leaving(bench.world.vpc_host, "eth0") as inside,
        wire.leaving(bench.device.host, "lan") as behind,
        wire.sending(bench.world.wan, bench.outer, wire.hardware(bench.name, "wan")) as send,
    ):
        wire.throw(send, mark, sources, targets)
    assert wire.unwanted(frames, ENDPOINTS, mark) == []
    assert not [frame for frame in (*inside, *behind) if mark.value in frame]


def test_the_gateways_inner_addresses_answer_the_vpc_and_the_branch(bench: Bench):
    vpc_address = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]
    with wire.leaving(bench.world.wan, bench.outer) as frames:
        assert sites.ping(bench.world.vpc_host, vpc_address)
        assert sites.ping(bench.world.vpc_host, INNER)
        assert sites.ping(bench.device.host, vpc_address)
        assert sites.ping(bench.name, PEERS_INNER)
        assert sites.ping(bench.world.wan, sites.EIPS[0])
    assert wire.unwanted(frames, ENDPOINTS, wire.Mark()) == []


@pytest.mark.parametrize("link", ["wan", "lan"])
def test_a_link_tells_nobody_who_has_the_other_links_address(bench: Bench, link: str):
    there = (bench.world.wan, bench.outer) if link == "wan" else (bench.world.vpc_host, "eth0")
    inner, outer = sites.VPC_ADDRESS.split("/", maxsplit=1)[0], sites.EIPS[0]
    own, other = (outer, inner) if link == "wan" else (inner, outer)
    assert wire.who_has(*there, own) == {wire.hardware(bench.name, link)}
    assert wire.who_has(*there, other) == set()
