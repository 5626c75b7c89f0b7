"""Devices that dial in on the kernel data plane: two connections with the same wide subnets, of which each device asks for a part."""

import dataclasses
import re
import subprocess
from collections.abc import Iterator

import pytest

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine.strongswan.network import tunnels
from tests.kernel import beds
from tests.kernel.beds import PATIENCE, Bed, host, in_clear, lan, reached

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]

WIDE = "192.168.0.0/16"
KINDS = ("first", "second")


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """Nobody has dialled in yet."""
    with beds.made() as bed:
        for kind in KINDS:
            ids = specs.ike_policy(peer_id_type="fqdn", peer_id=f"{kind}.example")
            bed.add(
                kind, {"local_id": f"{kind}.example"}, style="policy-template", peer_subnets=(WIDE,), ike_policy=ids
            )
            bed.specs[kind] = dataclasses.replace(bed.specs[kind], peer_address=None)
        cycles.run_cycle(bed.engine, bed.gateway.id, bed.desired())
        yield bed


def _dial(bed: Bed, *kinds: str) -> dict[str, model.ConnectionObservation]:
    for kind in kinds:
        bed.devices[kind].swanctl("--initiate", "--child", f"{kind}-0")
    desired = bed.desired()
    seen = cycles.until(
        bed.engine,
        bed.gateway.id,
        desired,
        lambda seen: all(one.children and one.routes for one in seen.connections) and not bed.plan(),
        seconds=PATIENCE,
    )
    return {bed.kinds[one.connection_id]: one for one in seen.connections}


def test_nothing_leaves_in_clear_while_no_device_is_there(bed: Bed):
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert not sites.ping(bed.world.vpc_host, host(0), wait=2)
    assert packets == []
    assert {kind: _routes(one, up=False) for kind, one in bed.tunnels().items()} == {kind: {WIDE} for kind in KINDS}


def _routes(tunnel: tunnels.Tunnel, *, up: bool) -> set[str]:
    return {net for net, metric in tunnel.routes if tunnels.RouteMetric.unpack(metric).down != up}


def test_what_each_device_asks_for_leads_to_it_in_esp_alone(bed: Bed):
    seen = _dial(bed, *KINDS)
    assert {kind: one.routes for kind, one in seen.items()} == {"first": (lan(0),), "second": (lan(1),)}
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        for number, kind in enumerate(KINDS):
            assert reached(bed.world.vpc_host, host(number))
            assert reached(bed.devices[kind].host, sites.VPC_HOST)
    assert not in_clear(packets)
    carried = {packet.spi for packet in packets if packet.kind == "esp"}
    assert carried == {spi for one in seen.values() for child in one.children for spi in (child.spi_in, child.spi_out)}


def test_a_device_speaks_for_nothing_that_it_has_not_negotiated(bed: Bed):
    """The first device puts a packet from the second one's LAN into its own SA. The wide subnets of its connection have that LAN too."""
    device, stolen = bed.devices["first"], host(1)
    state = _ip(device, "xfrm state")
    source, target = device.address, sites.EIPS[0]
    reqid = re.search(rf"src {source} dst {target}\n\s+proto esp spi \S+ reqid (\d+)", state)
    assert reqid, state
    _ip(device, f"address add {stolen}/32 dev lo")
    _ip(
        device,
        f"xfrm policy add src {stolen}/32 dst {sites.VPC} dir out priority 1"
        f" tmpl src {source} dst {target} proto esp reqid {reqid[1]} mode tunnel",
    )
    with sites.capturing(bed.world.wan, bed.wire) as wire, sites.capturing(bed.world.vpc_host, "eth0") as inside:
        command = ["ip", "netns", "exec", device.namespace, "ping", "-n", "-q", "-c", "3", "-i", "0.2", "-w", "3"]
        done = subprocess.run([*command, "-I", stolen, sites.VPC_HOST], capture_output=True, text=True, check=False)
    assert ", 0 received" in done.stdout
    assert [packet for packet in wire if packet.kind == "esp" and packet.source == source]
    assert [packet for packet in inside if packet.source == stolen] == []


def _ip(device: sites.Device, command: str) -> str:
    done = subprocess.run(["ip", "-n", device.namespace, *command.split()], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_device_that_has_gone_leaves_no_way_in_clear(bed: Bed):
    bed.devices["second"].swanctl("--terminate", "--ike", "second")

    def gone(seen: model.Observation) -> bool:
        return not seen.connections[1].children and not bed.plan()

    seen = cycles.until(bed.engine, bed.gateway.id, bed.desired(), gone, seconds=PATIENCE)
    assert [one.routes for one in seen.connections] == [(lan(0),), ()]
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert not sites.ping(bed.world.vpc_host, host(1), wait=2)
        assert reached(bed.world.vpc_host, host(0))
    assert not in_clear(packets)
