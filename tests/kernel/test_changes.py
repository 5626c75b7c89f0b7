"""What the API changes of tunnels that stand, on a kernel with ESP: resets, restarts, other EIPs, and which routes lead.

One gateway with two redundant pairs, each on both of its endpoints: static connections, a master and a slave, and policies, two
masters, the elder one in IKEv1. Each test leaves all of them up.
"""

import dataclasses
import re
import subprocess
from collections.abc import Iterator

import pytest

from lab import cycles, sites
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.ike import charon, vici_session
from landbridge.engine.strongswan.network import tunnels
from tests.kernel import beds
from tests.kernel.beds import (
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

#: What carries while all are up, and what stands by for it.
SPARE = {"static": "static-spare", "policy": "policy-spare"}


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    second = {"endpoint": 2, "gateway_endpoint": "eip-11"}
    with beds.made() as bed:
        bed.add("static", {}, tunnel_local_address="169.254.70.1/30", tunnel_peer_address="169.254.70.2/30")
        bed.add("static-spare", {}, number=0, ha_role="slave", **second)
        in_v1 = {"version": 1, "proposals": V1_PROPOSAL}
        bed.add("policy", in_v1 | {"pairs": policy_pairs(1)}, number=1, **policy(1), ike_policy=V1)
        bed.add("policy-spare", {"pairs": policy_pairs(1)}, number=1, **policy(1), **second)
        bed.settle()
        yield bed


def spis(bed: Bed) -> dict[str, set[str]]:
    """Kind -> the SPIs of its SAs, as the engine reports them."""
    return {
        bed.kinds[one.connection_id]: {spi for child in one.children for spi in (child.spi_in, child.spi_out)}
        for one in bed.look().connections
    }


def lone_spis(bed: Bed) -> dict[str, set[str]]:
    """As `spis`, when the kernel holds no other SA. Both sides may ask for a tunnel at once; the kernel drops the SPI of an
    attempt that leads to no SA after 30 seconds (net.core.xfrm_acq_expires).
    """
    found: dict[str, set[str]] = {}

    def alone() -> bool:
        found.update(spis(bed))
        return bed.installed() == set().union(*found.values())

    sites.wait_for(alone, "the kernel to hold the reported SAs alone", seconds=PATIENCE)
    return found


def settle_in_esp(bed: Bed, kind: str) -> None:
    """Whatever has to be done for it: nothing of a ping by this connection leaves in clear meanwhile."""
    with sites.capturing(bed.world.wan, bed.wire) as packets, pinging(bed.world.vpc_host, host(bed.number(kind))):
        bed.settle()
    assert not in_clear(packets)


def expect_crossing(bed: Bed, kind: str, address: str) -> None:
    """Pings of both sides cross in the SAs of this connection alone, from and to this address of the gateway."""
    with sites.capturing(bed.world.wan, bed.wire) as packets:
        assert reached(bed.world.vpc_host, host(bed.number(kind)))
        assert reached(bed.devices[kind].host, sites.VPC_HOST)
    assert not in_clear(packets)
    esp = [packet for packet in packets if packet.kind == "esp"]
    assert {frozenset((packet.source, packet.target)) for packet in esp} == {
        frozenset((address, bed.devices[kind].address))
    }
    assert {packet.spi for packet in esp} <= spis(bed)[kind]


@pytest.mark.parametrize("kind", SPARE)
def test_a_reset_makes_new_sas_for_one_connection_and_for_no_other(bed: Bed, kind: str):
    before, spec = spis(bed), bed.specs[kind]
    bed.specs[kind] = dataclasses.replace(spec, resets=spec.resets + 1, generation=spec.generation + 1)
    assert {step.connection_id for step in bed.plan()} == {spec.id}

    settle_in_esp(bed, kind)

    after = lone_spis(bed)
    assert [each for each in before if before[each] != after[each]] == [kind]
    assert after[kind].isdisjoint(before[kind])
    generations = {one.connection_id: one.applied_generation for one in bed.look().connections}
    assert generations[spec.id] == spec.generation + 1
    expect_crossing(bed, kind, sites.EIPS[0])


def test_a_restart_brings_every_tunnel_back_into_the_same_interfaces(bed: Bed):
    before, laid, links, running = spis(bed), bed.tunnels(), _links(bed), bed.pids()
    bed.restarts += 1

    settle_in_esp(bed, "static")

    after = lone_spis(bed)
    assert set(bed.pids()).isdisjoint(running)
    assert (bed.tunnels(), _links(bed)) == (laid, links)
    assert set().union(*after.values()).isdisjoint(set().union(*before.values()))
    assert bed.look().gateway.restarts == bed.restarts
    for kind in SPARE:
        expect_crossing(bed, kind, sites.EIPS[0])


def _links(bed: Bed) -> dict[str, str]:
    """Name -> number: one that was made anew has another."""
    return {name: number for number, name in re.findall(r"^(\d+): ([^:@]+)", bed.ip("-o link"), re.MULTILINE)}


def test_the_routes_that_are_told_are_those_that_lead(bed: Bed):
    carrying = {"static": {lan(0)}, "static-spare": set(), "policy": {lan(1)}, "policy-spare": set()}
    assert _told(bed, bed.look()) == carrying
    assert [_way(bed, kind) for kind in SPARE] == list(SPARE)
    for kind in SPARE:
        bed.devices[kind].load()
        bed.devices[kind].swanctl("--terminate", "--ike", kind, "--force", "--timeout", "30")
    spare = {"static": set(), "static-spare": {lan(0)}, "policy": set(), "policy-spare": {lan(1)}}
    desired = bed.desired()
    cycles.until(bed.engine, bed.gateway.id, desired, lambda seen: _told(bed, seen) == spare, seconds=PATIENCE)
    assert [_way(bed, kind) for kind in SPARE] == list(SPARE.values())
    for kind in SPARE.values():
        expect_crossing(bed, kind, sites.EIPS[1])
    for kind in SPARE:
        bed.devices[kind].load(bed.loaded[kind])
    bed.settle()
    assert _told(bed, bed.look()) == carrying
    assert [_way(bed, kind) for kind in SPARE] == list(SPARE)


def _told(bed: Bed, seen: model.Observation) -> dict[str, set[str]]:
    return {bed.kinds[one.connection_id]: set(one.routes) for one in seen.connections}


def _way(bed: Bed, kind: str) -> str | None:
    """The tunnel into which the kernel leads what a host of the VPC sends to the network of this one."""
    launch = bed.ip(f"route get {host(bed.number(kind))} from {sites.VPC_HOST} iif lan")
    kinds = {tunnels.name(spec.if_id): kind for kind, spec in bed.specs.items()}
    return next((kinds[name] for name in re.findall(r"dev (\S+)", launch) if name in kinds), None)


def test_another_eip_takes_its_connections_with_it_and_leaves_nothing_of_the_old_one(bed: Bed):
    old, new = sites.EIPS[0], sites.EIPS[2]
    before = spis(bed)
    assert old in _all_there_is(bed)
    _move(bed, new)

    settle_in_esp(bed, "static")

    after = spis(bed)
    assert [each for each in before if before[each] != after[each]] == list(SPARE)
    for kind in SPARE:
        expect_crossing(bed, kind, new)
    assert old not in _all_there_is(bed)
    assert new in _all_there_is(bed)
    assert bed.look().applied_generation == bed.desired().generation


def _move(bed: Bed, address: str) -> None:
    """Endpoint 1 gets another EIP, and the devices are told of it."""
    _, second = bed.gateway.endpoints
    first = model.Endpoint(number=1, address=address, eip_id="eip-12")
    bed.gateway = dataclasses.replace(bed.gateway, endpoints=(first, second))
    for kind in SPARE:
        spec = bed.specs[kind]
        bed.specs[kind] = dataclasses.replace(spec, local_address=address, generation=spec.generation + 1)
        bed.loaded[kind] = dataclasses.replace(bed.loaded[kind], gateway=address)
        bed.devices[kind].load(bed.loaded[kind])


def _all_there_is(bed: Bed) -> str:
    """Of the gateway: what its namespace and the underlay hold, and its charon."""
    looks = ("address", "rule", "route show table all", "xfrm state", "xfrm policy")
    found = [bed.ip(command) for command in looks]
    underlay = ["ip", "-n", bed.world.wan, "route", "show", "table", "all"]
    rules = ["ip", "netns", "exec", bed.name, "nft", "list", "ruleset"]
    found += [subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in (underlay, rules)]
    with charon.CHARON.connect(bed.world.folder / "engine" / names.short(bed.gateway.id)) as connection:
        return "\n".join([*found, str(vici_session.list_loaded(connection))])
