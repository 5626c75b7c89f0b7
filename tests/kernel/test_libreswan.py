"""Libreswan, another IKE implementation, used with the text that is printed for it: up, and traffic, on a kernel with ESP."""

import dataclasses
import functools
from typing import Any

import pytest

from lab import cycles, libreswan, sites, specs
from landbridge import model, peerconfig
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.ike import planning as ike_planning

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]

HOST = "192.168.44.10"
PATIENCE_SECONDS = 180.0
SECOND_LAN = "192.168.45.0/24"
RULES = (specs.policy(1, sites.VPC, sites.LAN, SECOND_LAN),)
V1 = specs.ike_policy(version="v1", negotiation_mode="main", dh_group="group14")
NAMES = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "branch.example"}
AGGRESSIVE = specs.ike_policy(version="v1", negotiation_mode="aggressive", dh_group="group14", **NAMES)
NAMED = specs.ike_policy(**NAMES)
NAMED_V1 = specs.ike_policy(version="v1", negotiation_mode="main", dh_group="group14", **NAMES)
GCM = {
    "ike_policy": specs.ike_policy(encryption_algorithm="aes-256-gcm-16", dh_group="group20"),
    "ipsec_policy": specs.ipsec_policy(encryption_algorithm="aes-256-gcm-16", pfs="disable"),
}


@pytest.fixture
def world():
    with sites.World() as world:
        yield world


def peer(name: str | None) -> model.CustomerGateway:
    return specs.customer_gateway(id_type="fqdn", id_value=name) if name else specs.customer_gateway()


def printed(spec: model.DesiredConnection, name: str | None, world: sites.World, plane: Any) -> dict[str, str]:
    """Contents by their file names."""
    gateway, network = specs.gateway(), world.network("vpc-1")
    side = peerconfig.side_of(spec.connection, gateway, peer(name), network=network, plane=plane, psk=spec.psk)
    device = peerconfig.find("libreswan")
    assert device is not None
    text = peerconfig.render(device, side)
    return {(part.path or "").rsplit("/", maxsplit=1)[-1]: part.content for part in text.parts}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        pytest.param({"psk": "0xAb #$'{ ;:-)"}, None, id="static-v2-odd-psk"),
        pytest.param({"style": "policy", "policy_rules": RULES}, None, id="policy-v2"),
        pytest.param({"style": "policy", "policy_rules": RULES, "ike_policy": V1}, None, id="policy-v1"),
        pytest.param({"ike_policy": V1}, None, id="static-v1", marks=pytest.mark.long),
        pytest.param({"ike_policy": AGGRESSIVE}, "branch.example", id="static-v1-aggressive"),
        pytest.param(GCM, None, id="gcm"),
        pytest.param({"style": "policy-template", "ike_policy": NAMED}, "branch.example", id="policy-template-v2"),
        pytest.param({"style": "policy-template", "ike_policy": NAMED_V1}, "branch.example", id="policy-template-v1"),
        pytest.param(
            {"style": "policy-template", "ike_policy": AGGRESSIVE},
            "branch.example",
            id="policy-template-v1-aggressive",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"style": "policy", "policy_rules": RULES, "ike_policy": AGGRESSIVE},
            "branch.example",
            id="policy-v1-aggressive",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_printed_text_brings_the_tunnel_up(world: sites.World, given: dict[str, Any], name: str | None):
    engine = StrongSwan(world.folder, world.site("vpc-1"))
    device = world.add_device(lans=(sites.LAN, SECOND_LAN), bare=True)
    pluto = libreswan.Pluto(device)
    spec = specs.connection(None if name else device.address, **given)
    gateway = specs.gateway()
    desired = specs.desired(spec, network=world.network("vpc-1"), of=gateway)
    try:
        pluto.start(printed(spec, name, world, engine.describe()["data_plane"]))
        cycles.until(engine, gateway.id, desired, cycles.all_up, seconds=PATIENCE_SECONDS)
        for target in (HOST, "192.168.45.10") if "policy_rules" in given else (HOST,):
            sites.wait_for(functools.partial(sites.ping, world.vpc_host, target), f"a ping to {target}")
        sites.wait_for(lambda: sites.ping(device.host, sites.VPC_HOST), "a ping from the device's side")
    except (TimeoutError, AssertionError) as problem:
        raise AssertionError(pluto.log()[-6000:]) from problem
    finally:
        pluto.stop()
        engine.stop_all()


@pytest.mark.parametrize(
    "policy", [pytest.param(AGGRESSIVE, id="v1-aggressive"), pytest.param(specs.ike_policy(**NAMES), id="v2")]
)
def test_a_device_that_dials_in_comes_back_after_a_reset(
    world: sites.World, policy: model.IkePolicy, monkeypatch: pytest.MonkeyPatch
):
    """Without any traffic. pluto revives the connection that has the IKE_SA at once, and the gateway asks for the other pair. In this
    slow machine pluto needs seconds for each pair, and must not be asked meanwhile.
    """
    monkeypatch.setattr(ike_planning, "SETTLING", 20)
    engine = StrongSwan(world.folder, world.site("vpc-1"))
    device = world.add_device(lans=(sites.LAN, SECOND_LAN), bare=True)
    pluto = libreswan.Pluto(device)
    spec = specs.connection(None, style="policy", policy_rules=RULES, ike_policy=policy)
    gateway = specs.gateway()

    try:
        pluto.start(printed(spec, "branch.example", world, engine.describe()["data_plane"]))
        for resets in (0, 1):
            spec = dataclasses.replace(spec, resets=resets)
            desired = specs.desired(spec, network=world.network("vpc-1"), of=gateway)
            cycles.until(engine, gateway.id, desired, cycles.all_up_as_desired, seconds=PATIENCE_SECONDS)
        for target in (HOST, "192.168.45.10"):
            sites.wait_for(functools.partial(sites.ping, world.vpc_host, target), f"a ping to {target}")
    except (TimeoutError, AssertionError) as problem:
        raise AssertionError(pluto.log()[-6000:]) from problem
    finally:
        pluto.stop()
        engine.stop_all()
