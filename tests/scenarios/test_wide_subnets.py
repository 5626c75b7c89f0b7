"""Peer subnets wider than the gateway's own network: its VPC stays reachable, for it and for its other tunnels.

The userland data plane; `tests/kernel/test_own_networks.py` has the same on the kernel's.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from lab import cycles, engine_bench, sites, specs
from landbridge.engine.strongswan import names

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
WIDE_LAN, WIDE_HOST = "10.7.0.0/24", "10.7.0.10"
VPC_ADDRESS = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]


class Bench(engine_bench.Bench):
    def add(self, *peer_subnets: str, lan: str, style: str = "static") -> Any:
        """A device that has these subnets behind it, and the connection to it."""
        pairs = tuple((subnet, sites.VPC) for subnet in peer_subnets)
        tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, pairs=pairs)
        device = self.world.add_device(tunnel, lans=(lan,))
        if style == "static":
            return specs.connection(device.address, peer_subnets=peer_subnets)
        rules = (specs.policy(1, sites.VPC, *peer_subnets),)
        return specs.connection(device.address, style="policy", peer_subnets=None, policy_rules=rules)

    def up_and_settled(self, *connections: Any) -> None:
        assert not any(one.refused for one in self.up(*connections))
        assert cycles.plan(self.fresh(), self.gateway.id, self.desired(*connections)) == []


@pytest.fixture
def bench() -> Iterator[Bench]:
    with engine_bench.running(Bench) as bench:
        yield bench


@pytest.mark.parametrize("style", ["static", "policy"])
def test_a_tunnel_to_a_wider_network_takes_nothing_from_the_vpc_and_from_other_tunnels(bench: Bench, style: str):
    narrow, wide = bench.add(sites.LAN, lan=sites.LAN), bench.add("10.0.0.0/8", lan=WIDE_LAN, style=style)
    bench.up_and_settled(narrow, wide)
    for host in (HOST, WIDE_HOST, VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    for device in bench.world.devices:
        assert sites.ping(device.host, sites.VPC_HOST)
    assert sites.ping(names.namespace(bench.gateway.id), sites.VPC_HOST)


@pytest.mark.parametrize("style", ["static", "policy"])
def test_two_halves_of_all_addresses_take_nothing_from_the_vpc(bench: Bench, style: str):
    bench.up_and_settled(bench.add("0.0.0.0/1", "128.0.0.0/1", lan=WIDE_LAN, style=style))
    for host in (WIDE_HOST, VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    assert sites.ping(bench.world.devices[0].host, sites.VPC_HOST)
    assert sites.ping(names.namespace(bench.gateway.id), sites.VPC_HOST)


def test_a_narrower_network_inside_the_gateways_own_is_behind_its_tunnel(bench: Bench):
    """The gateway's network is 10.0.0.0/16, of which 10.0.0.0/24 is its local subnet and 10.0.7.0/24 is elsewhere."""
    bench.network = dataclasses.replace(bench.network, cidr="10.0.0.0/16", address=f"{VPC_ADDRESS}/16")
    bench.up_and_settled(bench.add("10.0.7.0/24", lan="10.0.7.0/24"))
    for host in ("10.0.7.10", VPC_ADDRESS):
        assert sites.ping(bench.world.vpc_host, host)
    assert sites.ping(bench.world.devices[0].host, sites.VPC_HOST)
