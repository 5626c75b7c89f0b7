"""Every style on both planes with every option, for every family: what is printed, and what must be in it.

A golden file has a style's text on a plane, and for each option what it changes, as a difference. After a wanted change:
LANDBRIDGE_GOLDEN=write, and read the difference.
"""

import dataclasses
import difflib
import itertools
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lab import specs
from landbridge import errors, peerconfig
from tests.peerconfig import conftest

GOLDEN = Path(__file__).parent / "golden"
NAMES = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "branch.example"}
AGGRESSIVE = specs.ike_policy(version="v1", negotiation_mode="aggressive", **NAMES)
RULES = (specs.policy(1, "10.0.0.0/25", "192.168.44.0/24"), specs.policy(2, "10.0.0.128/25", "192.168.44.0/24"))
STYLES: dict[str, dict[str, Any]] = {
    "static": {"peer_subnets": ("192.168.44.0/24", "192.168.45.0/24"), "enable_nqa": False},
    "policy": {"style": "policy", "policy_rules": RULES, "tunnel_local_address": None, "tunnel_peer_address": None},
    "bgp": {"style": "bgp"},
    "policy-template": {"style": "policy-template", "tunnel_local_address": None, "tunnel_peer_address": None},
}
PLANES = ("kernel", "userland")
NQA = {"enable_nqa": True}
NAMED = {"peer": specs.customer_gateway(id_type="fqdn", id_value="branch.example")}
DIALS = {**NAMED, "ike_policy": specs.ike_policy(**NAMES)}
OPTIONS: dict[str, dict[str, Any]] = {
    "nqa": NQA,
    "dials": DIALS,
    "dials-nqa": DIALS | NQA,
    "v1-main": {"ike_policy": specs.ike_policy(version="v1", negotiation_mode="main")},
    "v1-dials": {**NAMED, "ike_policy": AGGRESSIVE},
    "standby": {
        "endpoint": 2,
        "ha_role": "slave",
        "gateway": dataclasses.replace(specs.gateway(), ha_mode="active-standby"),
    },
    "no-psk": {"psk": None},
}
#: How each family keeps the tunnel up where the gateway cannot dial; without an entry the device does it by itself.
KEEPS_UP = {
    "strongswan": "close_action = start",
    "libreswan": "auto=start",
    "vyos": "close-action start",
    "routeros": "/system scheduler add",
    "cisco-ios-xe": "ip sla",
    "fortigate": "set keepalive enable",
    "pfsense": r"Child SA Close Action: +Restart/Reconnect",
    "opnsense": r"Close action: +Start",
    "huawei-ar": "sa trigger-mode auto",
}
#: In these an interface with 0.0.0.0/0 keeps its tunnel up by itself.
BY_INTERFACE = ("cisco-ios-xe", "huawei-ar")
#: These would start again what the gateway deletes as a double.
ONLY_WHERE_IT_DIALS = ("strongswan", "vyos", "pfsense", "opnsense")
#: What gives each device the address that the gateway probes.
HAS_INNER = {
    "strongswan": r"ip address add 169\.254\.70\.2/30 dev lo",
    "libreswan": r"ip address add 169\.254\.70\.2/30 dev lo",
    "vyos": r"set interfaces (dummy dum\d+ address 169\.254\.70\.2/32|vti vti\d+ address 169\.254\.70\.2/30)",
    "routeros": r"/ip address add interface=lb-1a2b3c4d address=169\.254\.70\.2/32",
    "cisco-ios-xe": r" ip address 169\.254\.70\.2 255\.255\.255\.252",
    "fortigate": r"set ip 169\.254\.70\.2 255\.255\.255\.255",
    "pfsense": r"(Address: +169\.254\.70\.2/32|Local Network: +169\.254\.70\.2/30)",
    "opnsense": r"(Network / Address: +169\.254\.70\.2/32|Tunnel local address: +169\.254\.70\.2)",
    "huawei-ar": r" ip address 169\.254\.70\.2 255\.255\.255\.\d+",
}


def printed(device: peerconfig.Device, style: str, plane: str, option: str | None = None) -> str:
    given = {**STYLES[style], "plane": plane, **(OPTIONS[option] if option else {})}
    if style != "static":
        given.pop("enable_nqa", None)
    try:
        return str(peerconfig.render(device, conftest.make_side(**given)))
    except errors.Invalid as problem:
        return "".join(f"refused: {violation}\n" for violation in problem.violations)


def _changes(before: str, after: str) -> str:
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "".join(f"{line}\n" for line in itertools.islice(found, 2, None) if not line.startswith("@@")) or "nothing\n"


def _file(device: peerconfig.Device) -> str:
    parts: list[str] = []
    for style, plane in itertools.product(STYLES, PLANES):
        plain = printed(device, style, plane)
        parts.append(f"######## {style}, {plane} plane\n{plain}")
        parts += [
            f"######## {style}, {plane} plane, {option} changes\n{_changes(plain, printed(device, style, plane, option))}"
            for option in OPTIONS
            if style == "static" or "nqa" not in option
        ]
    return "\n".join(parts)


def test_every_combination_is_the_one_that_was_read_by_a_person(device: peerconfig.Device):
    found, golden = _file(device), GOLDEN / device.id / "combinations.txt"
    if os.environ.get("LANDBRIDGE_GOLDEN") == "write":
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("option", ["dials", "dials-nqa", "v1-dials"])
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("style", STYLES)
def test_a_device_keeps_the_tunnel_up_where_the_gateway_cannot_dial(
    ike_device: peerconfig.Device, style: str, plane: str, option: str
):
    text = printed(ike_device, style, plane, option)
    by_interface = ike_device.id in BY_INTERFACE and "0.0.0.0/0 on both sides" in text
    if not text.startswith("refused:") and not by_interface:
        assert re.search(KEEPS_UP[ike_device.id], text)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "policy-template"])
def test_a_device_starts_nothing_again_where_the_gateway_dials(ike_device: peerconfig.Device, style: str, plane: str):
    if ike_device.id in ONLY_WHERE_IT_DIALS:
        assert not re.search(KEEPS_UP[ike_device.id], printed(ike_device, style, plane))


@pytest.mark.parametrize("plane", PLANES)
def test_the_device_of_a_policy_template_dials_whatever_address_it_has(ike_device: peerconfig.Device, plane: str):
    text = printed(ike_device, "policy-template", plane)
    assert re.search(KEEPS_UP[ike_device.id], text)
    assert not re.search(
        r"(local_addrs|local-address|Local addresses|left=|local-gw|tunnel source).*198\.51\.100\.2", text
    )


@pytest.mark.parametrize("option", ["nqa", "dials-nqa"])
@pytest.mark.parametrize("plane", PLANES)
def test_a_device_has_the_address_that_the_gateway_probes(ike_device: peerconfig.Device, plane: str, option: str):
    text = printed(ike_device, "static", plane, option)
    assert re.search(HAS_INNER[ike_device.id], text)
