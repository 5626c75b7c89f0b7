"""The three ways in which outer addresses reach a gateway. `routed` is what all other scenarios have."""

import dataclasses
import subprocess
from typing import Any

import pytest

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.network import namespace, nftables

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
PROVIDER = "203.0.113.1"


def eips(**how: Any) -> tuple[model.Eip, ...]:
    return tuple(model.Eip(id=f"eip-{at}", address=sites.EIPS[at], **how) for at in range(2))


def site(world: sites.World, all_eips: tuple[model.Eip, ...]) -> model.Site:
    return dataclasses.replace(world.site("vpc-1"), eips=all_eips)


def ip(world: sites.World, command: str) -> None:
    subprocess.run(["ip", "-n", world.wan, *command.split()], check=True)


def test_an_address_of_the_providers_network_is_attached_by_macvlan():
    """The provider's router and our network card are the two ends of one wire."""
    with sites.World() as world:
        ip(world, "link add up0 type veth peer name provider")
        for link in ("up0", "provider"):
            ip(world, f"link set {link} up")
        ip(world, f"address add {PROVIDER}/24 dev provider")
        device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        attached = eips(attach="macvlan", prefix=24, gateway=PROVIDER, interface="up0")
        engine, gateway = StrongSwan(world.folder, site(world, attached)), specs.gateway()
        spec = specs.connection(device.address)
        desired = dataclasses.replace(specs.desired(spec, network=world.network("vpc-1"), of=gateway), eips=attached)
        try:
            cycles.until(engine, gateway.id, desired, cycles.all_up)
            with sites.capturing(world.wan, "provider") as packets:
                assert sites.ping(world.vpc_host, HOST)
                assert sites.ping(device.host, sites.VPC_HOST)
            assert {packet.kind for packet in packets} == {"esp"}
            assert cycles.plan(engine, gateway.id, desired) == []
            plain = dataclasses.replace(desired, eips=eips())
            cycles.until(engine, gateway.id, plain, lambda seen: seen.applied_generation is not None)
            assert engine.observe(gateway.id).network.uplink == "routed"
        finally:
            engine.stop_all()


def test_an_address_of_the_machine_itself_is_forwarded_to_the_gateway_behind_it():
    with sites.World() as world:
        ip(world, f"address add {sites.EIPS[0]}/32 dev lo")
        device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        first, second = eips()
        nobodys = dataclasses.replace(second, address="192.0.2.1")
        attached = (dataclasses.replace(first, attach="nat", behind="192.0.0.16"), nobodys)
        both = (model.Endpoint(number=1, address=first.address), model.Endpoint(number=2, address=nobodys.address))
        engine, gateway = StrongSwan(world.folder, site(world, attached)), specs.gateway(endpoints=both)
        spec = dataclasses.replace(specs.connection(device.address), behind=attached[0].behind)
        desired = dataclasses.replace(specs.desired(spec, network=world.network("vpc-1"), of=gateway), eips=attached)
        try:
            [up] = cycles.until(engine, gateway.id, desired, cycles.all_up).connections
            assert up.local_id == sites.EIPS[0]
            with sites.capturing(world.wan, "d0") as packets:
                assert sites.ping(world.vpc_host, HOST)
                assert sites.ping(device.host, sites.VPC_HOST)
            ends = {end for packet in packets for end in (packet.source, packet.target)}
            assert ends == {sites.EIPS[0], device.address}
            assert {packet.kind for packet in packets} <= {"esp", "ike"}
            assert cycles.plan(engine, gateway.id, desired) == []
            owner = names.short(gateway.id)
            namespace.inside(world.wan, lambda _: nftables.load(None, owner))
            assert not namespace.inside(world.wan, lambda _: nftables.summary(owner))
            cycles.run_cycle(engine, gateway.id, desired)
            assert namespace.inside(world.wan, lambda _: nftables.summary(owner))
        finally:
            engine.stop_all()
        assert not namespace.inside(world.wan, lambda _: nftables.stands())


def test_what_an_operator_forwards_himself_is_not_touched():
    with sites.World() as world:
        engine, gateway = StrongSwan(world.folder, site(world, eips())), specs.gateway()
        own = ["nft", "add", "table", "ip", "mine"]
        namespace.inside(world.wan, lambda _: subprocess.run(own, check=True))
        cycles.run_cycle(engine, gateway.id, specs.desired(network=world.network("vpc-1"), of=gateway))
        engine.stop_all()
        listed = ["nft", "list", "tables"]
        found = namespace.inside(
            world.wan, lambda _: subprocess.run(listed, capture_output=True, text=True, check=True)
        )
        assert found.stdout.split() == ["table", "ip", "mine"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("address add {eip}/32 dev lo", "is this machine's own address", id="own"),
        pytest.param("route add {eip}/32 via 198.51.100.2", "that Landbridge did not set", id="routed-elsewhere"),
        pytest.param("route add 192.0.2.0/24 via {eip} dev d0 onlink", "is a router of this machine", id="router"),
    ],
)
def test_an_address_that_the_machine_has_another_use_for_gets_no_route(command: str, said: str):
    with sites.World() as world:
        world.add_device(bare=True)
        ip(world, command.format(eip=sites.EIPS[0]))
        before = routes(world)
        engine, gateway = StrongSwan(world.folder, site(world, eips())), specs.gateway()
        desired = specs.desired(network=world.network("vpc-1"), of=gateway)
        try:
            found = cycles.run_cycle(engine, gateway.id, desired)
            assert said in (found.failure or "")
            assert routes(world) >= before
            assert not [route for route in routes(world) - before if route.startswith(sites.EIPS[0])]
        finally:
            engine.stop_all()
        assert routes(world) == before


def routes(world: sites.World) -> set[str]:
    command = ["ip", "-n", world.wan, "-4", "route", "show", "table", "all"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {route.strip() for route in found}


def test_an_address_of_a_request_is_not_answered_for_in_the_vpc():
    """The userland data plane needs an address in each local subnet; a host of the VPC may have the very same."""
    with sites.World() as world:
        device = world.add_device(
            sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, pairs=((sites.LAN, "10.0.0.64/29"),))
        )
        engine = StrongSwan(world.folder, site(world, eips()))
        gateway = dataclasses.replace(specs.gateway(), local_subnets=("10.0.0.64/29",))
        desired = specs.desired(specs.connection(device.address), network=world.network("vpc-1"), of=gateway)
        try:
            cycles.until(engine, gateway.id, desired, cycles.all_up)
            assert ("lo", "10.0.0.64/32") in engine.observe(gateway.id).network.addresses
            assert sites.ping(world.vpc_host, sites.VPC_ADDRESS.split("/")[0])
            assert not sites.ping(world.vpc_host, "10.0.0.64", wait=2)
            asked = ["ip", "-n", world.vpc_host, "neighbour", "show", "to", "10.0.0.64"]
            found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            assert "10.0.0.64" in found
            assert "lladdr" not in found
        finally:
            engine.stop_all()
