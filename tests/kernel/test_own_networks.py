"""What the gateway's own networks are, on the kernel data plane: reachable whatever is behind its tunnels, and never in clear outside.

One gateway with a tunnel to an ordinary branch, one to a network that is wider than its VPC, and one to both halves of all addresses.
"""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from lab import sites, specs, wire
from tests.kernel import beds
from tests.kernel.beds import Bed, reached

HOST, WIDE_HOST, FAR_HOST = "192.168.44.10", "10.7.0.10", "172.20.0.10"
VPC_ADDRESS = sites.VPC_ADDRESS.split("/", maxsplit=1)[0]
INNER, PEERS_INNER = "169.254.70.1", "169.254.70.2"


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with beds.made() as bed:
        inner = {"tunnel_local_address": f"{INNER}/30", "tunnel_peer_address": f"{PEERS_INNER}/30"}
        _add(bed, "branch", sites.LAN, (sites.LAN, sites.VPC), (f"{PEERS_INNER}/32", f"{INNER}/32"), **inner)
        rules = (specs.policy(1, sites.VPC, "10.0.0.0/8"),)
        policy = {"style": "policy", "peer_subnets": None, "policy_rules": rules}
        _add(bed, "wide", "10.7.0.0/24", ("10.0.0.0/8", sites.VPC), **policy)
        halves = ("128.0.0.0/1", "0.0.0.0/1")
        _add(bed, "halves", "172.20.0.0/24", *((half, sites.VPC) for half in halves), peer_subnets=halves)
        branch = bed.devices["branch"]
        subprocess.run(["ip", "-n", branch.namespace, "address", "add", f"{PEERS_INNER}/32", "dev", "lo"], check=True)
        bed.settle()
        branch.swanctl("--initiate", "--child", "branch-1", "--timeout", "60")
        yield bed


def _add(bed: Bed, kind: str, lan: str, *pairs: tuple[str, str], **spec: object) -> None:
    tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, name=kind, pairs=pairs)
    bed.devices[kind] = bed.world.add_device(tunnel, lans=(lan,), in_kernel=True)
    bed.specs[kind] = specs.connection(bed.devices[kind].address, **spec)


def test_the_vpc_and_every_tunnel_are_reached(bed: Bed):
    for host in (HOST, WIDE_HOST, FAR_HOST, VPC_ADDRESS, INNER):
        assert reached(bed.world.vpc_host, host)
    for device in bed.devices.values():
        assert reached(device.host, sites.VPC_HOST)
    assert reached(bed.name, sites.VPC_HOST)


def test_the_inner_addresses_of_a_tunnel_reach_each_other(bed: Bed):
    assert reached(bed.name, PEERS_INNER)
    assert reached(bed.devices["branch"].namespace, INNER)


def test_a_second_look_finds_nothing_to_do(bed: Bed):
    assert bed.plan() == []


def test_a_rule_that_was_deleted_is_put_back(bed: Bed):
    rules = bed.ip("rule")
    subprocess.run(["ip", "-n", bed.name, "rule", "del", "to", sites.VPC], check=True)
    assert bed.ip("rule") != rules
    bed.settle()
    assert bed.ip("rule") == rules


@pytest.mark.parametrize("state", ["up", "charon is dead", "made anew"])
def test_nothing_of_the_vpc_leaves_in_clear(bed: Bed, state: str):
    mark = wire.Mark()
    sources, targets = wire.sources(bed.world, PEERS_INNER, HOST), wire.targets(bed.world, INNER, HOST)
    with (
        wire.leaving(bed.world.wan, bed.wire) as frames,
        wire.sending(bed.world.vpc_host, "eth0", wire.hardware(bed.name, "lan")) as send,
        wire.throwing(send, mark, sources, targets),
    ):
        if state == "charon is dead":
            for pid in bed.pids():
                os.kill(pid, signal.SIGKILL)
        if state == "made anew":
            wire.remove_namespace(bed.name)
            bed.settle()
        wire.throw(send, mark, sources, targets)
    assert wire.unwanted(frames, sites.EIPS[:2], mark) == []
    bed.settle()
    assert reached(bed.world.vpc_host, HOST)


def test_nothing_from_outside_comes_in(bed: Bed):
    mark = wire.Mark()
    sources = wire.sources(bed.world, PEERS_INNER, HOST)
    with (
        wire.leaving(bed.world.wan, bed.wire) as frames,
        wire.leaving(bed.world.vpc_host, "eth0") as inside,
        wire.leaving(bed.devices["branch"].host, "lan") as behind,
        wire.sending(bed.world.wan, bed.wire, wire.hardware(bed.name, "wan")) as send,
    ):
        wire.throw(send, mark, sources, (VPC_ADDRESS, INNER, PEERS_INNER, sites.VPC_HOST, HOST, WIDE_HOST))
    assert wire.unwanted(frames, sites.EIPS[:2], mark) == []
    assert not [frame for frame in (*inside, *behind) if mark.value in frame]
