"""strongSwan's text is used as it is printed: the tunnel comes up and carries traffic, whoever starts it."""

import dataclasses
from typing import Any

import pytest

from lab import cycles, engine_bench, sites, specs
from landbridge import model, peerconfig

pytestmark = pytest.mark.tunnel

HOST, SECOND_HOST = "192.168.44.10", "192.168.45.10"
SECOND_LAN = "192.168.45.0/24"
V1_MAIN = specs.ike_policy(version="v1", negotiation_mode="main", authentication_algorithm="sha1", dh_group="group14")
NAMES = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "a@branch=1,#x"}
AGGRESSIVE = specs.ike_policy(version="v1", negotiation_mode="aggressive", dh_group="group14", **NAMES)
GCM = {
    "ike_policy": specs.ike_policy(encryption_algorithm="aes-256-gcm-16", dh_group="group20"),
    "ipsec_policy": specs.ipsec_policy(encryption_algorithm="aes-128-gcm-16", pfs="group21"),
}
RULES = (specs.policy(1, "10.0.0.0/25", sites.LAN), specs.policy(2, "10.0.0.128/25", sites.LAN, SECOND_LAN))


class Bench(engine_bench.Bench):
    """A gateway, and a device that is loaded with what is printed for it."""

    def __init__(self, world: sites.World) -> None:
        super().__init__(world)
        self.device = world.add_device(lans=(sites.LAN, SECOND_LAN))

    def printed(self, wish: model.DesiredConnection, peer: model.CustomerGateway) -> str:
        side = peerconfig.side_of(
            wish.connection, self.gateway, peer, network=self.network, plane="userland", psk=wish.psk
        )
        device = peerconfig.find("strongswan")
        assert device is not None
        return str(peerconfig.render(device, side))

    def has_one_ike_sa(self) -> bool:
        return self.device.swanctl("--list-sas").count("ESTABLISHED") == 1

    def up_as_desired(self, wish: model.DesiredConnection) -> model.ConnectionObservation:
        """Up with its present configuration."""
        [seen] = self.until(cycles.all_up_as_desired, wish)
        return seen


@pytest.fixture
def bench():
    with engine_bench.running(Bench) as bench:
        yield bench


@pytest.mark.parametrize("first", ["gateway", "device"])
@pytest.mark.parametrize(
    ("given", "children"),
    [
        pytest.param({}, 1, id="static-v2"),
        pytest.param({"psk": '0xAbcd12 #$"\\'}, 1, id="static-v2-psk-that-swanctl-would-decode"),
        pytest.param({"psk": 'Ab1 "#$\\{x} ='}, 1, id="static-v2-psk-that-swanctl-would-read-as-its-own"),
        pytest.param({"peer_subnets": (sites.LAN, SECOND_LAN)}, 2, id="static-v2-two-subnets"),
        pytest.param({"style": "policy", "policy_rules": RULES}, 3, id="policy-v2"),
        pytest.param({"style": "policy", "policy_rules": RULES, "ike_policy": V1_MAIN}, 3, id="policy-v1"),
        pytest.param({"ike_policy": V1_MAIN}, 1, id="static-v1-main"),
        pytest.param(GCM, 1, id="gcm"),
    ],
)
def test_a_device_with_an_address(bench: Bench, cgw: Any, given: dict[str, Any], children: int, first: str):
    wish = specs.connection(**given)
    text = bench.printed(wish, cgw(id_value=bench.device.address))
    if first == "device":
        bench.device.load_text(text)
    else:
        cycles.run_cycle(bench.engine, bench.gateway.id, specs.desired(wish, network=bench.network, of=bench.gateway))
        bench.device.load_text(text)
    seen = bench.up_as_desired(wish)
    assert seen.expected_children == len(seen.children) == children
    assert sites.ping(bench.world.vpc_host, HOST)
    assert sites.ping(bench.device.host, sites.VPC_HOST)
    sites.wait_for(bench.has_one_ike_sa, "one IKE SA between the two, not one for each that started")
    if SECOND_LAN in text:
        carried = "policy_rules" not in given
        assert sites.ping(bench.world.vpc_host, SECOND_HOST, wait=20 if carried else 2) == carried


@pytest.mark.parametrize(
    "policy", [pytest.param(AGGRESSIVE, id="v1-aggressive"), pytest.param(specs.ike_policy(**NAMES), id="v2")]
)
def test_a_device_without_an_address_that_has_a_name(bench: Bench, cgw: Any, policy: model.IkePolicy):
    wish = specs.connection(None, ike_policy=policy)
    bench.device.load_text(bench.printed(wish, cgw(id_type="fqdn", id_value="a@branch=1,#x")))
    seen = bench.up_as_desired(wish)
    assert seen.peer_id == "a@branch=1,#x"
    assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.parametrize(
    "policy", [pytest.param(AGGRESSIVE, id="v1-aggressive"), pytest.param(specs.ike_policy(**NAMES), id="v2")]
)
def test_the_device_of_a_policy_template(bench: Bench, cgw: Any, policy: model.IkePolicy):
    """Its customer gateway has an address, and the device another one. It asks for both pairs, and again after a reset."""
    wish = specs.connection(None, style="policy-template", ike_policy=policy, peer_subnets=(sites.LAN, SECOND_LAN))
    bench.device.load_text(bench.printed(wish, cgw(id_value="203.0.113.99")))
    for resets in (0, 1):
        wish = dataclasses.replace(wish, resets=resets)
        sites.wait_for(lambda wish=wish: len(bench.up_as_desired(wish).children) == 2, "both pairs")
    for host in (HOST, SECOND_HOST):
        assert sites.ping(bench.world.vpc_host, host)


@pytest.mark.parametrize(
    "policy", [pytest.param(AGGRESSIVE, id="v1-aggressive"), pytest.param(specs.ike_policy(**NAMES), id="v2")]
)
def test_a_device_without_an_address_comes_back_after_every_reset(bench: Bench, cgw: Any, policy: model.IkePolicy):
    """Without any traffic: nothing but the gateway's DELETE tells it."""
    wish = specs.connection(None, ike_policy=policy, peer_subnets=(sites.LAN, SECOND_LAN))
    bench.device.load_text(bench.printed(wish, cgw(id_type="fqdn", id_value="a@branch=1,#x")))
    bench.up_as_desired(wish)
    for resets in (1, 2, 3):
        wish = dataclasses.replace(wish, resets=resets)
        seen = bench.up_as_desired(wish)
        assert len(seen.children) == 2
    sites.wait_for(bench.has_one_ike_sa, "one IKE SA, not one for each reset")
    assert sites.ping(bench.world.vpc_host, SECOND_HOST)


def test_a_device_without_an_address_comes_back_after_an_engine_stop(bench: Bench, cgw: Any):
    """It asks for an IKE_SA while nobody is there, and asks again."""
    wish = specs.connection(None, ike_policy=specs.ike_policy(**NAMES))
    bench.device.load_text(bench.printed(wish, cgw(id_type="fqdn", id_value="a@branch=1,#x")))
    bench.up_as_desired(wish)
    bench.engine.stop_all()
    sites.wait_for(lambda: "retransmit 1 of request" in bench.device.log(), "the device to ask again")
    assert len(bench.up_as_desired(wish).children) == 1


def test_the_inner_addresses_answer_a_probe(bench: Bench, cgw: Any):
    inner = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
    device = bench.world.add_device(inner="169.254.70.2/30")
    wish = specs.connection(device.address, enable_nqa=True, **inner)
    device.load_text(bench.printed(wish, cgw(id_value=device.address)))
    assert bench.up_as_desired(wish).expected_children == 2


def test_without_the_psk_the_device_has_none(bench: Bench, cgw: Any):
    wish = specs.connection(psk=None)
    bench.device.load_text(bench.printed(wish, cgw(id_value=bench.device.address)))
    assert "lb-" in bench.device.swanctl("--list-conns")
    wish = specs.connection(psk=peerconfig.PLACEHOLDER)
    cycles.run_cycle(bench.engine, bench.gateway.id, specs.desired(wish, network=bench.network, of=bench.gateway))
    sites.wait_for(lambda: "no shared key found" in bench.device.log(), "the device to have no key")
