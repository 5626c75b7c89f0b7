"""The configuration of a gateway's BIRD, as text."""

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import specs
from landbridge import model, paths
from landbridge.engine.strongswan.bgp import configuration

GATEWAY = specs.gateway(id="11111111-0000-4000-8000-000000000000", bgp_asn=4200000000, ha_mode="active-standby")
GOLDEN = Path(__file__).parent


def bgp(number: int = 12, asn: int = 65001, **given: Any) -> model.DesiredConnection:
    inner = {
        "tunnel_local_address": f"169.254.{number}.1/30",
        "tunnel_peer_address": f"169.254.{number}.2/30",
    }
    spec = specs.connection(style="bgp", **inner | given)
    return dataclasses.replace(spec, if_id=number, peer_asn=asn)


def made(
    *specs_: model.DesiredConnection, plane: model.Plane = "kernel", **given: Any
) -> configuration.BgpConfiguration:
    network = given.pop("network", None)
    gateway = dataclasses.replace(GATEWAY, **given)
    desired = specs.desired(*specs_, of=gateway, network=network)
    found = configuration.desired_configuration(desired, {spec.id for spec in specs_}, plane)
    assert found is not None
    return found


def block(of: configuration.BgpConfiguration, name: str) -> str:
    """The text of one session: its filters and its protocol."""
    return of.text.partition(f"filter from_{name} ")[2].partition("filter from_")[0]


@pytest.mark.parametrize("plane", ["kernel", "userland"])
def test_the_text_is_that_of_the_reviewed_file(plane: model.Plane):
    text = made(bgp(asn=4200000001), plane=plane).text
    assert text == (GOLDEN / f"{plane}.conf").read_text()


@pytest.mark.process
@pytest.mark.parametrize("plane", ["kernel", "userland"])
def test_bird_takes_the_text(plane: model.Plane, tmp_path: Path):
    of = made(bgp(), bgp(13, ha_role="slave", peer_subnets=("0.0.0.0/0", "192.168.0.0/16")), plane=plane)
    path = tmp_path / "bird.conf"
    path.write_text(of.text.replace(configuration.FOLDER, str(tmp_path)))
    done = subprocess.run([paths.BIRD, "-p", "-c", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_gateway_without_a_carried_bgp_connection_needs_no_bird():
    desired = specs.desired(specs.connection(), bgp())
    assert configuration.desired_configuration(desired, {desired.connections[0].id}, "kernel") is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"ha_role": "master"}, "bgp_local_pref = 100;", id="master"),
        pytest.param({"ha_role": "slave"}, "bgp_local_pref = 50;", id="slave"),
        pytest.param({"ha_role": "slave"}, "bgp_med = 100;", id="slave-tells-the-device"),
        pytest.param({"peer_subnets": ("192.168.0.0/16",)}, "net ~ [ 0.0.0.0/0,", id="no-default-route"),
    ],
)
def test_a_field_of_the_connection_is_in_the_text(given: dict[str, Any], said: str):
    assert said in block(made(bgp(**given)), "c12")


def test_a_slave_of_an_active_active_gateway_is_as_good_as_a_master():
    text = block(made(bgp(ha_role="slave"), ha_mode="active-active"), "c12")
    assert "bgp_local_pref = 100;" in text
    assert "bgp_med" not in text


@pytest.mark.parametrize(
    ("given", "unsaid"),
    [
        pytest.param({"peer_subnets": ("0.0.0.0/0",)}, " 0.0.0.0/0,", id="a-default-route-that-is-a-peer-subnet"),
        pytest.param({"ha_role": "master"}, "bgp_med", id="master-tells-nothing"),
        pytest.param({"peer_subnets": ("192.168.0.0/16",)}, "192.168", id="other-prefixes-than-the-peer-subnets"),
    ],
)
def test_a_field_of_the_connection_is_not_in_the_text(given: dict[str, Any], unsaid: str):
    assert unsaid not in block(made(bgp(**given)), "c12")


def test_what_is_the_gateways_own_is_announced_and_never_learned():
    network = model.Network(id="vpc-1", bridge="br0", address="10.1.0.1/16")
    of = made(bgp(), network=network, local_subnets=("10.1.4.0/24", "10.9.0.0/24"))
    assert [line.strip() for line in of.text.splitlines() if " blackhole" in line] == [
        "route 10.1.4.0/24 blackhole;",
        "route 10.9.0.0/24 blackhole;",
    ]
    assert "10.1.0.0/16+, 10.1.4.0/24+, 10.9.0.0/24+ ]" in block(of, "c12")


def test_the_network_of_an_er_is_announced_as_the_site_file_says():
    network = model.Network(id="er-1", cidr="10.8.0.0/16")
    of = made(bgp(peer_subnets=None), network=network, attachment_type="er", er_id="er-1", local_subnets=())
    assert "route 10.8.0.0/16 blackhole;" in of.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((bgp(),), (bgp(), bgp(13)), id="another-one-comes"),
        pytest.param((bgp(), bgp(13)), (bgp(),), id="another-one-goes"),
        pytest.param((bgp(), bgp(13)), (bgp(), bgp(13, asn=65099)), id="another-ones-asn"),
        pytest.param((bgp(), bgp(11)), (bgp(),), id="the-eldest-goes"),
    ],
)
def test_a_change_of_one_connection_changes_the_text_of_no_other(
    before: tuple[model.DesiredConnection, ...], after: tuple[model.DesiredConnection, ...]
):
    one, other = made(*before), made(*after)
    assert one.fingerprint != other.fingerprint
    assert block(one, "c12") == block(other, "c12")
    assert one.text.partition("filter ")[0].replace(one.fingerprint, "") == other.text.partition("filter ")[0].replace(
        other.fingerprint, ""
    )


def test_gateways_have_router_ids_of_their_own():
    ids = {configuration.router_id(specs.gateway().id) for _ in range(100)}
    assert len(ids) == 100
    assert all(map(int, ids))
