"""The list of devices, and what each cannot carry."""

from typing import Any

import pytest

from lab import specs
from landbridge import errors, peerconfig

ENCRYPTION = ("aes-128", "aes-192", "aes-256", "3des", "aes-128-gcm-16", "aes-256-gcm-16")
AUTHENTICATION = ("md5", "sha1", "sha2-256", "sha2-384", "sha2-512")
GROUPS = ("group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21")


def refused(device_id: str, side: peerconfig.DeviceSide):
    device = peerconfig.find(device_id)
    assert device is not None
    try:
        peerconfig.render(device, side)
    except errors.Invalid as problem:
        return {violation.field for violation in problem.violations}
    return set()


def test_every_family_of_the_issue_is_there():
    assert {device.id for device in peerconfig.devices()} == {
        "strongswan", "libreswan", "bird", "frr", "vyos", "routeros", "cisco-ios-xe", "fortigate", "pfsense", "opnsense",
        "huawei-ar",
    }  # fmt: skip


def test_each_names_its_manual_and_no_address_of_it(device: peerconfig.Device):
    assert device.source
    assert all("http" not in word for word in (device.source, device.format, *device.notes))


CANNOT = {
    "strongswan": {},
    "libreswan": {"ike_groups": {"group1", "group2"}, "pfs": {"group1", "group2"}},
    "vyos": {},
    "routeros": {"ike": {"aes-128-gcm-16", "aes-256-gcm-16"}, "esp_auth": {"sha2-384"}},
    "cisco-ios-xe": {},
    "fortigate": {},
    "pfsense": {"ike": {"3des"}, "esp": {"3des"}, "ike_auth": {"md5"}, "esp_auth": {"md5"}},
    "opnsense": {
        "ike": {"3des"},
        "esp": {"3des"},
        "ike_auth": {"md5"},
        "esp_auth": {"md5"},
        "ike_groups": {"group1", "group2", "group5"},
        "pfs": {"group1", "group2", "group5"},
    },
    "huawei-ar": {"ike": {"aes-128-gcm-16", "aes-256-gcm-16"}, "esp": {"aes-128-gcm-16", "aes-256-gcm-16"}},
}


@pytest.mark.parametrize(
    ("name", "words", "policy", "field"),
    [
        ("ike", ENCRYPTION, "ike_policy", "encryption_algorithm"),
        ("ike_auth", AUTHENTICATION, "ike_policy", "authentication_algorithm"),
        ("ike_groups", GROUPS, "ike_policy", "dh_group"),
        ("esp", ENCRYPTION, "ipsec_policy", "encryption_algorithm"),
        ("esp_auth", AUTHENTICATION, "ipsec_policy", "authentication_algorithm"),
        ("pfs", (*GROUPS, "disable"), "ipsec_policy", "pfs"),
    ],
)
def test_every_algorithm_is_written_or_refused_by_its_field(
    ike_device: peerconfig.Device, side: Any, name: str, words: tuple[str, ...], policy: str, field: str
):
    make = {"ike_policy": specs.ike_policy, "ipsec_policy": specs.ipsec_policy}[policy]
    path = f"{policy.replace('_', '')}.{field}"
    for word in words:
        expected = {path} if word in CANNOT[ike_device.id].get(name, set()) else set()
        assert refused(ike_device.id, side(**{policy: make(**{field: word})})) == expected, word


def test_gm_is_nobodys(ike_device: peerconfig.Device, side: Any, cgw: Any):
    """A GM policy has no group and no ids."""
    gm = specs.ike_policy(
        encryption_algorithm="sm4", authentication_algorithm="sm3", dh_group=None, local_id_type=None, peer_id_type=None
    )
    named = side(ike_policy=gm, peer=cgw(id_type="fqdn", id_value="branch.example"))
    assert {"ikepolicy.encryption_algorithm", "ikepolicy.dh_group"} <= refused(ike_device.id, named)


def test_gcm_in_ikev1_phase_1_is_nobodys(ike_device: peerconfig.Device, side: Any):
    policy = specs.ike_policy(version="v1", negotiation_mode="main", encryption_algorithm="aes-128-gcm-16")
    assert refused(ike_device.id, side(ike_policy=policy)) == {"ikepolicy.encryption_algorithm"}


def test_all_that_is_wrong_is_told_at_once(side: Any):
    policy = specs.ike_policy(encryption_algorithm="3des", dh_group="group1", authentication_algorithm="md5")
    fields = refused("opnsense", side(ike_policy=policy))
    assert fields == {f"ikepolicy.{word}" for word in ("encryption_algorithm", "dh_group", "authentication_algorithm")}


def test_libreswan_has_no_elliptic_pfs_in_ikev1(side: Any):
    ipsec, v1 = specs.ipsec_policy(pfs="group19"), specs.ike_policy(version="v1", negotiation_mode="main")
    assert refused("libreswan", side(ipsec_policy=ipsec, ike_policy=v1)) == {"ipsecpolicy.pfs"}
    assert refused("libreswan", side(ipsec_policy=ipsec)) == set()


def test_ios_xe_says_no_name_of_its_own_in_ikev1(shaped: Any):
    assert refused("cisco-ios-xe", shaped("static-v1-aggressive")) == {"ikepolicy.peer_id"}


def test_routeros_has_no_interface_for_bgp(shaped: Any):
    assert refused("routeros", shaped("bgp-standby")) == {"style"}


@pytest.mark.parametrize("device_id", ["vyos", "pfsense", "opnsense", "huawei-ar"])
def test_an_interface_of_everything_carries_no_bgp_to_a_gateway_with_pairs(device_id: str, side: Any):
    assert refused(device_id, side(style="bgp")) == {"style"}
    assert refused(device_id, side(style="bgp", plane="kernel")) == set()


@pytest.mark.parametrize("daemon", ["bird", "frr"])
def test_routing_daemons_are_for_bgp_alone(daemon: str, side: Any, cgw: Any):
    assert refused(daemon, side()) == {"style"}
    assert refused(daemon, side(style="bgp")) == set()
    assert refused(daemon, side(style="bgp", peer=cgw(bgp_asn=None))) == {"bgp_asn"}


@pytest.mark.parametrize(
    ("asn", "plane", "printed"), [(65001, "userland", True), (64512, "userland", False), (65001, "kernel", False)]
)
def test_frr_is_told_of_a_hop_only_between_two_ases(asn: int, plane: str, printed: bool, side: Any, cgw: Any):
    made = side(style="bgp", plane=plane, peer=cgw(bgp_asn=asn))
    assert ("ebgp-multihop" in str(peerconfig.render(peerconfig.find("frr"), made))) == printed


def test_nothing_to_carry_is_said(ike_device: peerconfig.Device, side: Any):
    assert refused(ike_device.id, side(peer_subnets=())) == {"peer_subnets"}


def test_a_lifetime_out_of_range_is_printed_as_near_as_it_goes_and_noted(side: Any):
    made = side(
        ike_policy=specs.ike_policy(lifetime_seconds=604800), ipsec_policy=specs.ipsec_policy(lifetime_seconds=30)
    )
    text = str(peerconfig.render(peerconfig.find("cisco-ios-xe"), made))
    assert " lifetime 86400\n" in text
    assert "Note: ikepolicy.lifetime_seconds is 604800; this device takes 120 to 86400, so the text says 86400." in text
    assert "security-association lifetime seconds 120\n" in text


@pytest.mark.parametrize(
    ("style", "version", "start"),
    [("policy", "v2", "ondemand"), ("policy", "v1", "ondemand"), ("static", "v2", "start")],
)
def test_libreswan_leaves_the_start_to_the_gateway_where_crossing_exchanges_lose_a_child(
    side: Any, style: str, version: str, start: str
):
    policy = specs.ike_policy(version=version, negotiation_mode="main" if version == "v1" else None)
    rules = (specs.policy(1, "10.0.0.0/24", "192.168.44.0/24", "192.168.45.0/24"),)
    device = peerconfig.find("libreswan")
    assert device is not None
    text = str(peerconfig.render(device, side(style=style, ike_policy=policy, policy_rules=rules)))
    assert f"auto={start}\n" in text
