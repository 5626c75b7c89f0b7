"""A new PSK is proved at once: nothing is lost when both sides have it, and the tunnel goes on when the device has another. So is PFS."""

import contextlib
import dataclasses

import pytest

from lab import managed_gateway, pinging, sites, specs
from landbridge import model
from landbridge.status import causes, rule_context, warnings

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
NEW = "Another-Horse-8"
POLICIES = {
    "v2": specs.ike_policy(),
    "v1-main": specs.ike_policy(version="v1", negotiation_mode="main"),
    "v1-aggressive": specs.ike_policy(version="v1", negotiation_mode="aggressive"),
}


def _pinging(world: sites.World) -> contextlib.AbstractContextManager[pinging.Pings]:
    """A hundred pings a second from the VPC to the host behind the device."""
    return pinging.pinging(world.vpc_host, HOST, 100)


def _tunnel(policy: model.IkePolicy, psk: str = specs.PSK) -> sites.Tunnel:
    version, aggressive = int(policy.version[1]), policy.negotiation_mode == "aggressive"
    return sites.Tunnel(gateway=sites.EIPS[0], psk=psk, version=version, aggressive=aggressive)


def _is_proved(seen: model.ConnectionObservation) -> bool:
    return managed_gateway.is_up(seen) and not seen.is_key_unproved and seen.applied_generation == 2


def _warnings(spec: model.DesiredConnection, seen: model.ConnectionObservation) -> list[str]:
    assert managed_gateway.is_up(seen)
    return [cause.code for cause in warnings.find(rule_context.Context(connection=spec.connection, seen=seen))]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_new_key_on_both_sides_loses_no_packet(policy: model.IkePolicy):
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(_tunnel(policy))
        spec = specs.connection(ike_policy=policy)
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        assert sites.ping(managed.world.vpc_host, HOST)
        device.load(_tunnel(policy, NEW))
        with _pinging(managed.world) as pings:
            managed.want(specs.changed(spec, psk=NEW))
            managed.wait_for(_is_proved, "the key to be proved")
            pings.wait_for_more(50)  # through what came of it
        assert not pings.lost


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_key_that_the_device_has_not_leaves_the_tunnel_up_until_it_has(policy: model.IkePolicy):
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(_tunnel(policy))
        spec = specs.connection(ike_policy=policy)
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        assert sites.ping(managed.world.vpc_host, HOST)
        with _pinging(managed.world) as pings:
            managed.want(specs.changed(spec, psk=NEW))
            managed.wait_for(lambda seen: _warnings(spec, seen) == ["new_psk_refused"], "the key to be refused")
            device.load(_tunnel(policy, NEW))
            managed.wait_for(_is_proved, "the key to be proved")
            assert _warnings(spec, managed.last) == []
            pings.wait_for_more(50)
        assert not pings.lost


@pytest.mark.parametrize(
    ("theirs", "codes"),
    [
        pytest.param("aes128-sha256-modp3072", [], id="the same"),
        pytest.param("aes128-sha256-modp2048", ["esp_proposal_mismatch"], id="another group"),
    ],
)
def test_pfs_is_proved_while_the_tunnel_carries(theirs: str, codes: list[str]):
    with managed_gateway.managed(prove_pfs=True) as managed:
        managed.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, esp_proposals=theirs))
        spec = specs.connection()
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        with _pinging(managed.world) as pings:

            def is_proved(seen: model.ConnectionObservation) -> bool:
                found = [
                    one.code for one in causes.warnings(rule_context.Context(connection=spec.connection, seen=seen))
                ]
                return set(codes) <= set(found) if codes else "MODP_3072" in seen.children[0].proposal

            managed.wait_for(is_proved, "the rekey")
            pings.wait_for_more(50)
        assert not pings.lost


def test_pfs_is_proved_again_when_the_tunnel_comes_up_anew():
    """With the group that the device has by then."""
    with managed_gateway.managed(prove_pfs=True) as managed:
        tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, esp_proposals="aes128-sha256-modp3072")
        device = managed.world.add_device(tunnel)
        spec = specs.connection()
        managed.want(spec)
        managed.wait_for(lambda seen: seen.children and "MODP_3072" in seen.children[0].proposal, "the first rekey")
        device.load(dataclasses.replace(tunnel, esp_proposals="aes128-sha256-modp2048"))
        device.swanctl("--terminate", "--ike", "hq", "--force")

        def is_refused(seen: model.ConnectionObservation) -> bool:
            found = causes.warnings(rule_context.Context(connection=spec.connection, seen=seen))
            return managed_gateway.is_up(seen) and "esp_proposal_mismatch" in [one.code for one in found]

        managed.wait_for(is_refused, "the second rekey")
