"""What this engine does not carry, and that it says so before anything is loaded."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan.ike import selectors, unsupported

POLICY = {"style": "policy", "peer_subnets": None}


def _refusals(desired: model.DesiredGateway, plane: model.Plane, *, bgp: bool = True) -> dict[str, str]:
    return unsupported.refusals(desired, plane, selectors.pairs_of(desired, plane), bgp=bgp)


def bgp(number: int = 70, asn: int | None = 65001, **given: Any) -> model.DesiredConnection:
    values = {
        "tunnel_local_address": f"169.254.{number}.1/30",
        "tunnel_peer_address": f"169.254.{number}.2/30",
        "peer_subnets": (f"192.168.{number}.0/24",),
    }
    spec = specs.connection(f"198.51.100.{number}", style="bgp", **values | given)
    return dataclasses.replace(spec, peer_asn=asn)


@pytest.mark.parametrize("plane", ["kernel", "userland"])
def test_bgp_is_refused_alone_where_there_is_no_bird(plane: model.Plane):
    spec, other = bgp(), specs.connection()
    refused = _refusals(specs.desired(spec, other), plane, bgp=False)
    assert refused == {spec.id: model.NO_BIRD}
    assert _refusals(specs.desired(spec, other), plane) == {}


def test_bgp_needs_the_asn_of_the_device():
    spec = bgp(asn=None)
    assert _refusals(specs.desired(spec), "kernel") == {spec.id: unsupported.NO_ASN}


def test_the_userland_data_plane_carries_one_session_and_the_kernel_several():
    elder, younger = bgp(), specs.later(bgp(71), 1)
    desired = specs.desired(younger, elder)
    assert _refusals(desired, "kernel") == {}
    assert _refusals(desired, "userland") == {younger.id: unsupported.ONE_SESSION.format(elder.id)}


def test_the_userland_data_plane_needs_to_know_what_may_be_learned():
    spec = bgp(peer_subnets=None)
    assert _refusals(specs.desired(spec), "kernel") == {}
    assert _refusals(specs.desired(spec), "userland") == {spec.id: model.NO_DECLARED_SUBNETS}


def test_a_gm_gateway_has_no_data_plane():
    spec = specs.connection(ike_policy=specs.ike_policy(dh_group=None, authentication_method="digital-envelope-v2"))
    desired = specs.desired(spec, of=specs.gateway(flavor="GM"))
    assert _refusals(desired, "userland") == {spec.id: model.NO_GM}


def test_without_a_psk_nothing_is_loaded():
    spec = specs.connection(psk=None)
    assert _refusals(specs.desired(spec), "userland") == {spec.id: unsupported.NO_PSK}


def test_a_connection_without_an_interface_id_is_refused_alone():
    last, beyond = (
        dataclasses.replace(specs.connection(f"198.51.100.{number}"), if_id=model.IF_ID_END - number)
        for number in (1, 0)
    )
    refused = _refusals(specs.desired(last, beyond), "kernel")
    assert refused == {beyond.id: unsupported.NO_INTERFACE_ID}


@pytest.mark.parametrize(
    "given",
    [
        {"peer_subnets": ("0.0.0.0/0",)},
        {**POLICY, "policy_rules": (specs.policy(1, "10.0.0.0/24", "192.168.44.0/24", "0.0.0.0/0"),)},
        {**POLICY, "policy_rules": (specs.policy(1, "0.0.0.0/0", "192.168.44.0/24"),)},
    ],
    ids=["static", "policy-destination", "policy-source"],
)
def test_a_default_route_is_refused(given: dict[str, Any]):
    spec = specs.connection(**given)
    assert _refusals(specs.desired(spec), "userland") == {spec.id: model.NO_DEFAULT_ROUTE}


NETWORK = model.Network(id="vpc-1", bridge="vpc", address=sites.VPC_ADDRESS)


@pytest.mark.parametrize(
    ("local", "network", "full"),
    [
        ("10.0.0.10/32", NETWORK, True),
        ("10.0.0.10/31", NETWORK, True),
        ("10.0.0.10/32", model.Network(id="vpc-1"), True),
        ("10.0.0.1/32", model.Network(id="vpc-1", address=sites.VPC_ADDRESS), True),
        ("10.0.0.1/32", NETWORK, False),
        ("10.0.0.0/31", NETWORK, False),
        ("10.0.0.8/30", NETWORK, False),
        ("169.254.70.1/32", NETWORK, False),
    ],
    ids=[
        "a host",
        "two hosts",
        "a host, and no link",
        "an address of a link without a parent",
        "the gateway itself",
        "the gateway and a host",
        "a subnet",
        "the inner tunnel address",
    ],
)
@pytest.mark.parametrize("style", ["static", "policy"])
def test_a_local_selector_of_hosts_alone_is_refused(style: str, local: str, network: model.Network, full: bool):
    inner = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
    rules = (specs.policy(1, local, sites.LAN),)
    spec = specs.connection(**inner, **({**POLICY, "policy_rules": rules} if style == "policy" else {}))
    desired = specs.desired(spec, network=network, of=specs.gateway(local_subnets=(local,)))
    assert _refusals(desired, "userland") == ({spec.id: unsupported.NO_ROOM.format(local)} if full else {})


@pytest.mark.parametrize("given", [{"peer_subnets": ()}, {"peer_subnets": None}, POLICY])
def test_a_connection_without_selectors_is_refused(given: dict[str, Any]):
    spec = specs.connection(**given)
    assert _refusals(specs.desired(spec), "userland") == {spec.id: unsupported.NO_SUBNETS}


@pytest.mark.parametrize(
    "subnet", ["192.168.44.0/24", "192.168.0.0/16", "192.168.44.128/25"], ids=["equal", "around", "within"]
)
def test_of_two_that_cannot_be_told_apart_the_older_is_carried(subnet: str):
    older = specs.connection(peer_subnets=("192.168.44.0/24",))
    younger = specs.later(specs.connection(peer_subnets=(subnet,)), 1)
    reason = f"the userland data plane cannot tell it apart from connection {older.id}"
    assert _refusals(specs.desired(younger, older), "userland") == {younger.id: reason}


def test_the_same_peer_subnet_from_different_sources_is_carried():
    rules = [(specs.policy(1, source, "192.168.44.0/24"),) for source in ("10.0.0.0/25", "10.0.0.128/25")]
    both = [specs.connection(f"198.51.100.{at}", **POLICY, policy_rules=rule) for at, rule in enumerate(rules)]
    assert _refusals(specs.desired(*both), "userland") == {}


def test_a_refused_connection_stands_in_nobodys_way():
    refused = specs.connection(psk=None)
    carried = specs.later(specs.connection(), 1)
    assert list(_refusals(specs.desired(refused, carried), "userland")) == [refused.id]


def test_two_connections_between_the_same_identities_would_end_each_other():
    named = specs.ike_policy(local_id_type="fqdn", local_id="hq", peer_id_type="fqdn", peer_id="branch")
    older = specs.connection("198.51.100.2", ike_policy=named, peer_subnets=("192.168.1.0/24",))
    younger = specs.later(specs.connection("198.51.100.6", ike_policy=named, peer_subnets=("192.168.2.0/24",)), 1)
    reason = f"IKE cannot tell it apart from connection {older.id}: both have local id hq and peer id branch"
    assert _refusals(specs.desired(older, younger), "userland") == {younger.id: reason}


subnets = st.builds(lambda low, length: f"10.{low}.0.0/{length}", st.integers(0, 7), st.integers(12, 18))


@given(st.lists(st.lists(subnets, min_size=1, max_size=3, unique=True), max_size=6))
def test_no_two_carried_connections_overlap_and_every_refused_one_does(peers: list[list[str]]):
    desired = specs.desired(
        *(
            specs.later(specs.connection(f"198.51.100.{at}", peer_subnets=tuple(each)), at)
            for at, each in enumerate(peers)
        ),
        of=specs.gateway(local_subnets=("172.16.0.0/24",)),
    )
    refused = _refusals(desired, "userland")
    carried = []
    for spec in desired.connections:
        mine = selectors.pairs(desired, spec, "userland")
        clash = any(pair.overlaps(other) for pair in mine for other in carried)
        assert clash == (spec.id in refused)
        if not clash:
            carried += mine


@pytest.mark.parametrize(
    "given",
    [
        {"peer_subnets": ("0.0.0.0/0",)},
        {**POLICY, "policy_rules": (specs.policy(1, "10.0.0.10/32", "0.0.0.0/0"),)},
    ],
    ids=["default-route", "host-as-source"],
)
def test_the_kernel_data_plane_carries_what_the_userland_one_cannot(given: dict[str, Any]):
    redundant = [specs.connection(f"198.51.100.{at}", **given) for at in (2, 6)]
    assert _refusals(specs.desired(*redundant), "kernel") == {}
    assert len(_refusals(specs.desired(*redundant), "userland")) == 2


def test_two_connections_between_the_same_identities_would_end_each_other_in_the_kernel_too():
    both = [specs.connection("198.51.100.2") for _ in range(2)]
    assert len(_refusals(specs.desired(*both), "kernel")) == 1
