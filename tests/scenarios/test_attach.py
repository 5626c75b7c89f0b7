"""The three ways in which outer addresses reach a gateway. `routed` is what all other scenarios have."""

import dataclasses
import subprocess
from typing import Any

import pytest

from lab import sites, turns, wishes
from landbridge import model
from landbridge.engine.strongswan import firewall, names, namespace
from landbridge.engine.strongswan.engine import StrongSwan

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
        device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=wishes.PSK))
        attached = eips(attach="macvlan", prefix=24, gateway=PROVIDER, interface="up0")
        engine, gateway = StrongSwan(world.folder, site(world, attached)), wishes.gateway()
        wish = wishes.connection(device.address)
        desired = dataclasses.replace(wishes.desired(wish, network=world.network("vpc-1"), of=gateway), eips=attached)
        try:
            turns.until(engine, gateway.id, desired, turns.all_up)
            with sites.capturing(world.wan, "provider") as packets:
                assert sites.ping(world.vpc_host, HOST)
                assert sites.ping(device.host, sites.VPC_HOST)
            assert {packet.kind for packet in packets} == {"esp"}
            assert engine.plan(gateway.id, desired, engine.observe(gateway.id)) == []
            plain = dataclasses.replace(desired, eips=eips())
            turns.until(engine, gateway.id, plain, lambda seen: seen.applied_generation is not None)
            assert engine.observe(gateway.id).wan == "routed"
        finally:
            engine.stop_all()


def test_an_address_of_the_machine_itself_is_forwarded_to_the_gateway_behind_it():
    with sites.World() as world:
        for eip in sites.EIPS[:2]:
            ip(world, f"address add {eip}/32 dev lo")
        device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=wishes.PSK))
        attached = tuple(
            dataclasses.replace(eip, attach="nat", behind=f"192.0.0.{16 + at}") for at, eip in enumerate(eips())
        )
        engine, gateway = StrongSwan(world.folder, site(world, attached)), wishes.gateway()
        wish = dataclasses.replace(wishes.connection(device.address), behind=attached[0].behind)
        desired = dataclasses.replace(wishes.desired(wish, network=world.network("vpc-1"), of=gateway), eips=attached)
        try:
            [up] = turns.until(engine, gateway.id, desired, turns.all_up).connections
            assert up.local_id == sites.EIPS[0]
            with sites.capturing(world.wan, "d0") as packets:
                assert sites.ping(world.vpc_host, HOST)
                assert sites.ping(device.host, sites.VPC_HOST)
            ends = {end for packet in packets for end in (packet.source, packet.target)}
            assert ends == {sites.EIPS[0], device.address}
            assert {packet.kind for packet in packets} <= {"esp", "ike"}
            assert engine.plan(gateway.id, desired, engine.observe(gateway.id)) == []
            owner = names.short(gateway.id)
            namespace.inside(world.wan, lambda _: firewall.load(None, owner))
            assert not namespace.inside(world.wan, lambda _: firewall.look(owner))
            turns.turn(engine, gateway.id, desired)
            assert namespace.inside(world.wan, lambda _: firewall.look(owner))
        finally:
            engine.stop_all()
        assert not namespace.inside(world.wan, lambda _: firewall.stands())


def test_what_an_operator_forwards_himself_is_not_touched():
    with sites.World() as world:
        engine, gateway = StrongSwan(world.folder, site(world, eips())), wishes.gateway()
        own = ["nft", "add", "table", "ip", "mine"]
        namespace.inside(world.wan, lambda _: subprocess.run(own, check=True))
        turns.turn(engine, gateway.id, wishes.desired(network=world.network("vpc-1"), of=gateway))
        engine.stop_all()
        listed = ["nft", "list", "tables"]
        found = namespace.inside(
            world.wan, lambda _: subprocess.run(listed, capture_output=True, text=True, check=True)
        )
        assert found.stdout.split() == ["table", "ip", "mine"]
