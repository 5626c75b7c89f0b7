"""The device's view is the connection's mirror image, with its effective values."""

import dataclasses
from typing import Any

import pytest

from lab import specs
from landbridge import model, peerconfig


def pairs(side: peerconfig.DeviceSide):
    return [(str(pair.device), str(pair.gateway)) for pair in side.selectors]


def test_addresses_and_subnets_change_sides(side: Any):
    made = side()
    assert (str(made.device_address), str(made.gateway_address)) == ("198.51.100.2", "203.0.113.10")
    assert (str(made.device_inner), str(made.gateway_inner)) == ("169.254.70.2/30", "169.254.70.1/30")
    assert (made.device_asn, made.gateway_asn) == (65001, 64512)
    assert pairs(made) == [("192.168.44.0/24", "10.0.0.0/24")]


def test_rules_are_one_pair_for_each_destination(shaped: Any):
    assert pairs(shaped("policy-v1")) == [
        ("192.168.44.0/24", "10.0.0.0/25"),
        ("192.168.45.0/24", "10.0.0.0/25"),
        ("192.168.44.0/24", "10.0.0.128/25"),
    ]


def test_a_probed_tunnel_has_the_inner_addresses_among_its_pairs(side: Any):
    assert pairs(side(enable_nqa=True))[-1] == ("169.254.70.2/32", "169.254.70.1/32")


@pytest.mark.parametrize(
    ("style", "plane", "routed"),
    [("static", "userland", False), ("static", "kernel", True), ("bgp", "kernel", True), ("policy", "kernel", False)],
)
def test_selectors_follow_the_gateways_data_plane(side: Any, style: str, plane: str, routed: bool):
    made = side(style=style, plane=plane, policy_rules=(specs.policy(1, "10.0.0.0/24", "192.168.44.0/24"),))
    assert pairs(made) == [("0.0.0.0/0", "0.0.0.0/0") if routed else ("192.168.44.0/24", "10.0.0.0/24")]


def test_bgp_on_the_userland_plane_has_the_subnets_and_the_ends_of_its_session(side: Any):
    made = side(style="bgp", peer_subnets=("192.168.44.0/24", "192.168.45.0/24"))
    assert pairs(made) == [
        ("192.168.44.0/24", "10.0.0.0/24"),
        ("192.168.45.0/24", "10.0.0.0/24"),
        ("169.254.70.2/32", "169.254.70.1/32"),
    ]


def test_a_policy_templates_device_has_the_pairs_of_its_own(shaped: Any):
    assert pairs(shaped("policy-template")) == [("192.168.44.0/24", "10.0.0.0/24")]


def test_ids_default_to_the_addresses_and_change_sides(side: Any, cgw: Any):
    plain = side()
    assert (plain.device_identity.text, plain.gateway_identity.text) == ("198.51.100.2", "203.0.113.10")
    policy = specs.ike_policy(peer_id_type="fqdn", peer_id="branch.example", local_id="203.0.113.99")
    named = side(ike_policy=policy, peer=cgw(id_type="fqdn", id_value="branch.example"))
    assert (named.device_identity.kind, named.device_identity.text) == ("fqdn", "branch.example")
    assert named.gateway_identity.text == "203.0.113.99"
    assert named.device_address is None


def test_an_er_gateway_stands_for_its_whole_network():
    gateway = specs.gateway(attachment_type="er", local_subnets=())
    made = peerconfig.side_of(
        specs.connection().connection,
        gateway,
        specs.customer_gateway(),
        network=model.Network(id="er-1", cidr="10.0.0.0/8"),
        plane="userland",
    )
    assert pairs(made) == [("192.168.44.0/24", "10.0.0.0/8")]
    assert made.psk is None


def test_only_the_second_tunnel_of_an_active_standby_pair_stands_by(side: Any):
    standby = dataclasses.replace(specs.gateway(), ha_mode="active-standby")
    assert side(gateway=standby, ha_role="slave").standby
    assert not side(gateway=standby, ha_role="master").standby
    assert not side(ha_role="slave").standby


@pytest.mark.parametrize("bad", ["x", "1A2B3C4D-0000-4000-8000-000000000001", "1a2b3c4d-0000-4000-8000-00000000000\n"])
def test_names_in_devices_are_made_of_nothing_but_a_uuid(side: Any, bad: str):
    with pytest.raises(ValueError, match="UUID"):
        side(id=bad)


@pytest.mark.parametrize("bad", ["10.0.0.0/24\nevil", "10.0.0.0/24 } evil {"])
def test_a_subnet_that_is_none_stops_everything(side: Any, bad: str):
    with pytest.raises(ValueError, match="not a valid netmask"):
        side(peer_subnets=(bad,))


def test_a_printed_side_shows_no_psk(side: Any):
    assert specs.PSK not in repr(side())
    assert specs.PSK not in repr(peerconfig.render(peerconfig.devices()[0], side()))


@pytest.mark.parametrize(
    ("given", "engine", "reason"),
    [
        pytest.param({"style": "bgp"}, "strongswan", "style bgp need BIRD", id="no-bird"),
        pytest.param({"peer_subnets": ("0.0.0.0/0",)}, "strongswan", "no default route", id="default route"),
        pytest.param({}, "strongswan", None, id="carried"),
        pytest.param({"style": "bgp"}, "none", None, id="an engine elsewhere"),
    ],
)
def test_the_text_begins_with_why_the_gateway_does_not_bring_it_up(
    side: Any, given: dict[str, Any], engine: str, reason: str | None
):
    device = peerconfig.find("strongswan")
    assert device is not None
    made = side(**given, abilities=model.abilities_of(engine, "userland", bgp=False))
    header = str(peerconfig.render(device, made)).split("\n\n")[0]
    assert ("# WARNING: the gateway does not bring this connection up:" in header) == (reason is not None)
    assert (reason or "") in header


def test_the_text_says_that_the_userland_plane_learns_nothing_without_declared_subnets(side: Any):
    device = peerconfig.find("bird")
    assert device is not None
    abilities = model.abilities_of("strongswan", "userland", bgp=True)
    texts = [
        str(peerconfig.render(device, side(style="bgp", peer_subnets=subnets, abilities=abilities)))
        for subnets in (None, ("192.168.44.0/24",))
    ]
    assert ["only within peer_subnets" in text for text in texts] == [True, False]
