"""Peer subnets wider than the gateway's own network: its VPC stays reachable, for it and for its other tunnels.

The userland data plane; `tests/kernel/test_own_networks.py` has the same on the kernel's.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from lab import cycles, sites, specs
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
WIDE_LAN, WIDE_HOST = "10.7.0.0/24", "10.7.0.10"
VPC_ADDRESS = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]


class Bench:
    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.network = world.network("vpc-1")
        self.gateway = specs.gateway()
        self.engine = StrongSwan(world.folder, world.site("vpc-1"))

    def add(self, *peer_subnets: str, lan: str, style: str = "static") -> Any:
        """A device that has these subnets behind it, and the connection to it."""
        pairs = tuple((subnet, sites.VPC) for subnet in peer_subnets)
        tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, pairs=pairs)
        device = self.world.add_device(tunnel, lans=(lan,))
        if style == "static":
            return specs.connection(device.address, peer_subnets=peer_subnets)
        rules = (specs.policy(1, sites.VPC, *peer_subnets),)
        return specs.connection(device.address, style="policy", peer_subnets=None, policy_rules=rules)

    def up(self, *connections: Any) -> None:
        desired = specs.desired(*connections, network=self.network, of=self.gateway)
        shown = cycles.until(self.engine, self.gateway.id, desired, cycles.all_up, seconds=60).connections
        assert [one.refused for one in shown] == [None] * len(shown)
        engine = StrongSwan(self.world.folder, self.world.site("vpc-1"))
        assert cycles.plan(engine, self.gateway.id, desired) == []


@pytest.fixture
def bench() -> Iterator[Bench]:
    with sites.World() as world:
        bench = Bench(world)
        try:
            yield bench
        finally:
            bench.engine.stop_all()


@pytest.mark.parametrize("style", ["static", "policy"])
def test_a_tunnel_to_a_wider_network_takes_nothing_from_the_vpc_and_from_other_tunnels(bench: Bench, style: str):
    narrow, wide = bench.add(sites.LAN, lan=sites.LAN), bench.add("10.0.0.0/8", lan=WIDE_LAN, style=style)
    bench.up(narrow, wide)
    for host in (HOST, WIDE_HOST, VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    for device in bench.world.devices:
        assert sites.ping(device.host, sites.VPC_HOST)
    assert sites.ping(names.namespace(bench.gateway.id), sites.VPC_HOST)


@pytest.mark.parametrize("style", ["static", "policy"])
def test_two_halves_of_all_addresses_take_nothing_from_the_vpc(bench: Bench, style: str):
    bench.up(bench.add("0.0.0.0/1", "128.0.0.0/1", lan=WIDE_LAN, style=style))
    for host in (WIDE_HOST, VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    assert sites.ping(bench.world.devices[0].host, sites.VPC_HOST)
    assert sites.ping(names.namespace(bench.gateway.id), sites.VPC_HOST)


def test_a_narrower_network_inside_the_gateways_own_is_behind_its_tunnel(bench: Bench):
    """The gateway's network is 10.0.0.0/16, of which 10.0.0.0/24 is its local subnet and 10.0.7.0/24 is elsewhere."""
    bench.network = dataclasses.replace(bench.network, cidr="10.0.0.0/16", address=f"{VPC_ADDRESS}/16")
    bench.up(bench.add("10.0.7.0/24", lan="10.0.7.0/24"))
    for host in ("10.0.7.10", VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    assert sites.ping(bench.world.devices[0].host, sites.VPC_HOST)
