"""Tunnels of the kernel data plane, on a kernel that has one: seen from the hosts, from the wire, and from the device.

One gateway with a connection of each kind, to devices that differ in what they are: ESP in the kernel or in charon, IKEv1 or
IKEv2. The machine is slow, so all tests share it; each leaves it as it was.
"""

import dataclasses
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Literal

import pytest

from lab import cycles, packet_sizes, sites, specs
from landbridge import model
from landbridge.engine.strongswan.network import namespace, tunnels, xfrm
from landbridge.engine.strongswan.network import steps as network_steps
from tests.kernel import beds
from tests.kernel.beds import (
    NOBODY,
    PATIENCE,
    V1,
    V1_PROPOSAL,
    Bed,
    host,
    in_clear,
    lan,
    pinging,
    policy,
    policy_pairs,
    reached,
)

EVERYTHING = (("0.0.0.0/0", "0.0.0.0/0"),)
AGGRESSIVE = specs.ike_policy(
    version="v1",
    negotiation_mode="aggressive",
    dh_group="group14",
    local_id_type="fqdn",
    local_id="hq.example",
    peer_id_type="fqdn",
    peer_id="branch.example",
)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with beds.made() as bed:
        bed.add("static", {}, tunnel_local_address="169.254.70.1/30", tunnel_peer_address="169.254.70.2/30")
        bed.add("in-udp", {"in_kernel": False})
        bed.add("policy", {"pairs": policy_pairs(2)}, **policy(2))
        bed.add(
            "v1-policy",
            {"version": 1, "proposals": V1_PROPOSAL, "pairs": policy_pairs(3)},
            **policy(3),
            ike_policy=V1,
        )
        names_of = {"local_id": "branch.example", "remote_id": "hq.example"}
        bed.add(
            "v1-static",
            {
                "version": 1,
                "aggressive": True,
                "proposals": V1_PROPOSAL,
                "pairs": EVERYTHING,
                "if_id": 9,
                **names_of,
            },
            ike_policy=AGGRESSIVE,
        )
        _route_through(bed.devices["v1-static"], 9)
        bed.settle()
        yield bed


def _route_through(device: sites.Device, if_id: int) -> None:
    """A device that routes into its tunnel, as the gateway does: it offers everything, and IKEv1 narrows nothing."""
    for command in (f"link add t0 type xfrm if_id {if_id}", "link set t0 up", f"route add {sites.VPC} dev t0"):
        subprocess.run(["ip", "-n", device.namespace, *command.split()], check=True)


def test_the_data_plane_is_the_kernels(bed: Bed):
    assert bed.engine.describe()["data_plane"] == "kernel"
    assert {tunnel.if_id for tunnel in bed.tunnels().values()} == {spec.if_id for spec in bed.specs.values()}


@pytest.mark.parametrize("kind", ["static", "in-udp", "policy", "v1-policy", "v1-static"])
def test_a_ping_crosses_both_ways_in_esp_alone(bed: Bed, kind: str):
    number = bed.number(kind)
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert reached(bed.world.vpc_host, host(number))
        assert reached(bed.devices[kind].host, sites.VPC_HOST)
    assert not in_clear(packets)
    assert [packet for packet in packets if packet.kind == "esp"]


def test_a_second_look_finds_nothing_to_do(bed: Bed):
    assert bed.plan() == []


def test_the_tunnels_size_is_what_the_negotiated_proposal_leaves(bed: Bed):
    standing = bed.tunnels()
    assert (standing["static"].mtu, standing["in-udp"].mtu) == (1438, 1422)


@pytest.mark.parametrize(("kind", "mtu"), [("static", 1438), ("in-udp", 1422)])
@pytest.mark.parametrize(
    ("more", "dont_fragment"),
    [(0, True), (1, True), (1, False), (9000, False)],
    ids=["fits", "too big", "split", "9000"],
)
def test_an_echo_arrives_or_its_sender_is_told_the_size(bed: Bed, kind: str, mtu: int, more: int, dont_fragment: bool):
    answered = mtu if more and dont_fragment else True
    target, size = host(bed.number(kind)), mtu + more if more < 9000 else 9000
    assert packet_sizes.echo(bed.world.vpc_host, target, size, dont_fragment=dont_fragment) == answered
    if not dont_fragment:
        assert packet_sizes.echo(bed.devices[kind].host, sites.VPC_HOST, size, dont_fragment=False) is True


@pytest.mark.parametrize("kind", ["policy", "in-udp"])
@pytest.mark.parametrize("by", ["source", "target"])
def test_tcp_agrees_on_segments_that_fit_in_both_directions(bed: Bed, kind: str, by: Literal["source", "target"]):
    target, there = host(bed.number(kind)), bed.devices[kind].host
    mss = packet_sizes.transfer(bed.world.vpc_host, there, target, count=200_000, by=by)
    assert mss <= bed.tunnels()[kind].mtu - 40


def test_a_path_that_has_become_narrow_narrows_the_tunnel(bed: Bed):
    """The router in front of the device says so when the first large packet comes."""
    end = f"d{bed.number('static')}"
    _set_mtu(bed.world.wan, end, 1400)
    try:
        for _ in range(3):
            packet_sizes.echo(bed.world.vpc_host, host(bed.number("static")), 1428, dont_fragment=True)
        bed.settle()
        assert bed.tunnels()["static"].mtu == 1326
    finally:
        _set_mtu(bed.world.wan, end, 1500)
        subprocess.run(["ip", "-n", bed.name, "route", "flush", "cache"], check=True)
    bed.settle()
    assert bed.tunnels()["static"].mtu == 1438


def _set_mtu(name: str, link: str, mtu: int) -> None:
    namespace.inside(name, lambda ip: ip.link("set", index=namespace.index(ip, link), mtu=mtu))


def test_nothing_leaves_in_clear_while_a_tunnel_is_down(bed: Bed):
    down = specs.connection(NOBODY, peer_subnets=("192.168.99.0/24",))
    cycles.run_cycle(bed.engine, bed.gateway.id, bed.desired(down))
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert not sites.ping(bed.world.vpc_host, "192.168.99.10", wait=1)
    assert not in_clear(packets)
    bed.settle()
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert not sites.ping(bed.world.vpc_host, "192.168.99.10", wait=1)
    assert not in_clear(packets)


def test_nothing_leaves_in_clear_while_charon_is_dead_and_no_second_later(bed: Bed):
    target = host(bed.number("policy"))
    with sites.capturing(bed.world.wan, bed.wire) as packets, pinging(bed.world.vpc_host, target):
        _kill_charon(bed)
        bed.settle()
        assert reached(bed.world.vpc_host, target)
    assert not in_clear(packets)


def _kill_charon(bed: Bed) -> None:
    """Returns when the processes have ended: a look at one that is ending would fail."""
    ended = [os.pidfd_open(pid) for pid in bed.pids()]
    for process in ended:
        signal.pidfd_send_signal(process, signal.SIGKILL)
    for process in ended:
        select.select([process], [], [], 10)
        os.close(process)


def test_after_a_killed_charon_no_sa_of_it_is_left(bed: Bed):
    _kill_charon(bed)
    seen = bed.settle()
    wanted = {spi for one in seen.values() for child in one.children for spi in (child.spi_in, child.spi_out)}
    installed = bed.installed()
    assert wanted <= installed
    assert len(installed) <= len(wanted) + 4  # a device may have made a second pair of its own


def test_a_restarted_landbridge_adopts_every_tunnel(bed: Bed):
    before = {one.connection_id: one.children for one in bed.settle().values()}
    bed.engine = bed.fresh()
    after = {one.connection_id: one.children for one in bed.settle().values()}
    for connection_id, children in before.items():
        assert {child.spi_in for child in children} == {child.spi_in for child in after[connection_id]}


def test_a_change_of_one_connection_leaves_the_others_and_their_tunnels_alone(bed: Bed):
    before = {one.connection_id: one.children for one in bed.settle().values()}
    spec = bed.specs["static"]
    bed.specs["static"] = specs.changed(spec, peer_subnets=(*(spec.connection.peer_subnets or ()), "192.168.98.0/24"))
    try:
        plan = bed.plan()
        assert {step.connection_id for step in plan if not isinstance(step, network_steps.EnsureFilterTable)} == {
            spec.id
        }
        after = {one.connection_id: one.children for one in bed.settle().values()}
    finally:
        bed.specs["static"] = spec
    bed.settle()
    same = [one for one in before if {c.spi_in for c in before[one]} == {c.spi_in for c in after[one]}]
    assert len(same) == len(before)  # a route needs no new SA


@pytest.mark.parametrize(
    "harm",
    [
        "link del {tunnel}",
        "link set {tunnel} down",
        "route flush dev {tunnel} proto 195",
        "rule del priority 100",
        "rule del priority 210",
    ],
)
def test_drift_is_repaired(bed: Bed, harm: str):
    tunnel = tunnels.name(bed.specs["policy"].if_id)
    subprocess.run(["ip", "-n", bed.name, *harm.format(tunnel=tunnel).split()], check=True)
    assert bed.plan()
    bed.settle()
    assert reached(bed.world.vpc_host, host(bed.number("policy")))


def test_a_firewall_that_was_flushed_is_put_up_again(bed: Bed):
    namespace.inside(bed.name, lambda _: subprocess.run(["nft", "flush", "ruleset"], check=True))
    assert [type(step) for step in bed.plan()] == [network_steps.EnsureFilterTable]
    bed.settle()


def test_a_device_cannot_speak_for_another_ones_network(bed: Bed):
    """What comes out of the static tunnel with the source of the policy tunnel's network reaches nobody."""
    device, foreign = bed.devices["static"], host(bed.number("policy"))
    load = [
        dataclasses.replace(_tunnel_of(bed, "static"), pairs=((sites_pair, sites.VPC),)) for sites_pair in (lan(0),)
    ]
    device.load(*[dataclasses.replace(one, pairs=(*one.pairs, (lan(bed.number("policy")), sites.VPC))) for one in load])
    try:
        subprocess.run(["ip", "-n", device.namespace, "address", "add", f"{foreign}/32", "dev", "lan"], check=True)
        device.swanctl("--initiate", "--child", "static-1", "--timeout", "60")
        with sites.capturing(bed.world.vpc_host, "eth0") as packets:
            command = ["ip", "netns", "exec", device.namespace, "ping", "-n", "-c", "3", "-W", "2", "-I", foreign]
            subprocess.run([*command, sites.VPC_HOST], capture_output=True, check=False)
        assert not [packet for packet in packets if packet.source == foreign]
    finally:
        subprocess.run(["ip", "-n", device.namespace, "address", "del", f"{foreign}/32", "dev", "lan"], check=True)
        device.load(*load)
        device.swanctl("--terminate", "--child", "static-1", "--timeout", "30")
    bed.settle()
    assert reached(bed.world.vpc_host, host(0))


def _tunnel_of(bed: Bed, kind: str) -> sites.Tunnel:
    return sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, name=kind, pairs=((lan(bed.number(kind)), sites.VPC),))


def test_an_outer_address_answers_nobody_inside(bed: Bed):
    """Its answer would leave by the uplink, in clear."""
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert not sites.ping(bed.world.vpc_host, sites.EIPS[0], wait=2)
    assert not in_clear(packets)


def test_of_a_redundant_pair_the_second_takes_over(bed: Bed):
    """Both lead to one network, and whichever the other side sends by, it is heard; then the first one's device vanishes."""
    both = "192.168.97.0/24"
    for kind in ("static", "in-udp"):
        number = bed.number(kind)
        device = bed.devices[kind]
        subprocess.run(["ip", "-n", device.namespace, "address", "add", "192.168.97.1/24", "dev", "lan"], check=True)
        subprocess.run(["ip", "-n", device.host, "address", "add", "192.168.97.10/24", "dev", "lan"], check=True)
        device.load(
            sites.Tunnel(
                gateway=sites.EIPS[0], psk=specs.PSK, name=kind, pairs=((lan(number), sites.VPC), (both, sites.VPC))
            )
        )
    kept = dict(bed.specs)
    for kind, role in (("static", "master"), ("in-udp", "slave")):
        spec = bed.specs[kind]
        subnets = (*(spec.connection.peer_subnets or ()), both)
        bed.specs[kind] = specs.changed(spec, peer_subnets=subnets, ha_role=role)
    try:
        bed.settle()
        for kind in ("static", "in-udp"):
            bed.devices[kind].swanctl("--initiate", "--child", f"{kind}-1", "--timeout", "60")
        assert reached(bed.world.vpc_host, "192.168.97.10")
        assert _carrier(bed, both) == "static"
        with sites.capturing(bed.world.vpc_host, "eth0") as packets:
            reached(bed.devices["in-udp"].host, sites.VPC_HOST)
            command = [
                "ip",
                "netns",
                "exec",
                bed.devices["in-udp"].host,
                "ping",
                "-n",
                "-c",
                "3",
                "-W",
                "2",
                "-I",
                "192.168.97.10",
            ]
            subprocess.run([*command, sites.VPC_HOST], capture_output=True, check=False)
        assert "192.168.97.10" in {packet.source for packet in packets}
        bed.specs["static"] = dataclasses.replace(bed.specs["static"], psk=model.Secret("Wrong-Key-1"))
        bed.devices["static"].swanctl("--terminate", "--ike", "static", "--force", "--timeout", "30")
        cycles.until(
            bed.engine,
            bed.gateway.id,
            bed.desired(),
            lambda _: _carrier(bed, both) == "in-udp",
            seconds=PATIENCE,
        )
        assert reached(bed.world.vpc_host, "192.168.97.10")
    finally:
        bed.specs = kept
    bed.settle()


def _carrier(bed: Bed, net: str) -> str:
    metrics = {kind: metric for kind, one in bed.tunnels().items() for each, metric in one.routes if each == net}
    return min(metrics, key=lambda kind: metrics[kind])


def test_a_removed_connection_leaves_nothing_behind(bed: Bed):
    spec = specs.connection(NOBODY, **policy(50))
    cycles.run_cycle(bed.engine, bed.gateway.id, bed.desired(spec))
    assert tunnels.name(spec.if_id) in namespace.read(bed.name, lambda read: xfrm.read_tunnels(read.snapshot()))
    bed.settle()
    assert tunnels.name(spec.if_id) not in namespace.read(bed.name, lambda read: xfrm.read_tunnels(read.snapshot()))
    rules = namespace.inside(bed.name, lambda ip: [rule.get("table") for rule in ip.get_rules(family=socket.AF_INET)])
    assert tunnels.TABLE + spec.if_id not in rules


def test_the_reserved_part_of_a_wide_network_is_never_routed(bed: Bed):
    spec = specs.connection(NOBODY, peer_subnets=("0.0.0.0/0",))
    cycles.run_cycle(bed.engine, bed.gateway.id, bed.desired(spec))

    def launch(address: str) -> str:
        command = ["ip", "-n", bed.name, "route", "get", address, "from", sites.VPC_HOST, "iif", "lan"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    try:
        assert f"dev {tunnels.name(spec.if_id)}" in launch("8.8.8.8")
        assert "No route to host" in launch("100.64.1.1")
        assert reached(bed.world.vpc_host, host(0))
    finally:
        bed.settle()
