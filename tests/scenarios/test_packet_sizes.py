"""Packets that are larger than a tunnel takes, on the userland data plane: its TUN takes 1,400 bytes."""

from collections.abc import Iterator
from typing import Literal

import pytest

from lab import managed_gateway, packet_sizes, sites, specs

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
MTU = 1400


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(namespace, address) of a host of the VPC, and of one behind the device."""
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        managed.want(specs.connection())
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        here, there = (managed.world.vpc_host, sites.VPC_HOST), (device.host, HOST)
        assert sites.ping(here[0], there[1])
        yield here, there


@pytest.mark.parametrize("way", ["out", "in"])
@pytest.mark.parametrize(
    ("size", "dont_fragment", "answered"),
    [
        pytest.param(MTU, True, True, id="fits"),
        pytest.param(MTU + 1, True, MTU, id="a byte too big"),
        pytest.param(1500, True, MTU, id="1500"),
        *(pytest.param(size, False, True, id=f"{size} in fragments") for size in (MTU + 1, 1500, 1501, 3000, 9000)),
    ],
)
def test_an_echo_arrives_or_its_sender_is_told_the_size(
    ends: tuple[tuple[str, str], tuple[str, str]],
    way: Literal["out", "in"],
    size: int,
    dont_fragment: bool,
    answered: bool | int,
):
    (source, _), (_, target) = ends if way == "out" else reversed(ends)
    assert packet_sizes.echo(source, target, size, dont_fragment=dont_fragment) == answered


@pytest.mark.parametrize("by", ["source", "target"])
def test_tcp_sends_segments_that_fit(ends: tuple[tuple[str, str], tuple[str, str]], by: Literal["source", "target"]):
    (source, _), (there, target) = ends
    assert packet_sizes.transfer(source, there, target, count=300_000, by=by) <= MTU - 40
