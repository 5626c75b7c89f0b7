"""A side to print for: a branch's device at 198.51.100.2, made the way the service makes it, from resources."""

import dataclasses
from typing import Any

import pytest

from lab import specs
from landbridge import model, peerconfig

ID = "1a2b3c4d-0000-4000-8000-000000000001"
INNER = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}


def make_side(
    *,
    psk: str | None = specs.PSK,
    peer: model.CustomerGateway | None = None,
    gateway: model.VpnGateway | None = None,
    plane: model.Plane = "userland",
    abilities: model.Abilities | None = None,
    **given: Any,
) -> peerconfig.DeviceSide:
    """`given` are fields of the connection; the ids default to the addresses, as the rules have it."""
    given = {"id": ID, **INNER, **given}
    connection = specs.connection(**given).connection
    return peerconfig.side_of(
        connection,
        gateway or specs.gateway(),
        peer or specs.customer_gateway(),
        network=model.Network(id="vpc-1"),
        plane=plane,
        psk=model.Secret(psk) if psk is not None else None,
        abilities=abilities,
    )


@pytest.fixture
def side():
    return make_side


@pytest.fixture
def cgw():
    return specs.customer_gateway


SHAPES: dict[str, Any] = {
    "static": {},
    "static-kernel": {"plane": "kernel", "peer_subnets": ("192.168.44.0/24", "192.168.45.0/24"), "enable_nqa": True},
    "static-v1-aggressive": {
        "ike_policy": specs.ike_policy(
            version="v1",
            negotiation_mode="aggressive",
            local_id_type="fqdn",
            local_id="hq.example",
            peer_id_type="fqdn",
            peer_id="branch.example",
        ),
        "peer": specs.customer_gateway(id_type="fqdn", id_value="branch.example"),
    },
    "policy-v1": {
        "style": "policy",
        "ike_policy": specs.ike_policy(version="v1", negotiation_mode="main"),
        "policy_rules": (
            specs.policy(1, "10.0.0.0/25", "192.168.44.0/24", "192.168.45.0/24"),
            specs.policy(2, "10.0.0.128/25", "192.168.44.0/24"),
        ),
    },
    "gcm": {
        "ike_policy": specs.ike_policy(encryption_algorithm="aes-256-gcm-16", dh_group="group20"),
        "ipsec_policy": specs.ipsec_policy(encryption_algorithm="aes-256-gcm-16", pfs="disable"),
    },
    "gcm-esp": {"ipsec_policy": specs.ipsec_policy(encryption_algorithm="aes-128-gcm-16", pfs="group14")},
    "bgp-userland": {"style": "bgp", "peer_subnets": ("192.168.44.0/24", "192.168.45.0/24")},
    "bgp-standby": {
        "style": "bgp",
        "plane": "kernel",
        "endpoint": 2,
        "ha_role": "slave",
        "gateway": dataclasses.replace(specs.gateway(), ha_mode="active-standby"),
    },
    "policy-template": {
        "style": "policy-template",
        "tunnel_local_address": None,
        "tunnel_peer_address": None,
        "psk": None,
    },
}


@pytest.fixture
def shaped():
    """A side by the name of its shape."""
    return lambda name: make_side(**SHAPES[name])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shape" in metafunc.fixturenames:
        metafunc.parametrize("shape", SHAPES)
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", peerconfig.devices(), ids=lambda device: device.id)
    if "ike_device" in metafunc.fixturenames:
        found = [device for device in peerconfig.devices() if device.kind != "routing daemon"]
        metafunc.parametrize("ike_device", found, ids=lambda device: device.id)
