"""What the engine makes of a policy-template: one child for any request, SAs that fit are kept, and what was negotiated becomes routes."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import reports, state, target
from landbridge.engine.strongswan.ike import messages, selectors
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import tunnels
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
GATEWAY = specs.gateway(local_subnets=("10.0.0.0/24", "10.0.1.0/24"))
SUBNETS = ("192.168.0.0/16", "10.0.0.0/8")


def _spec(*subnets: str, **given: Any) -> model.DesiredConnection:
    return specs.connection(None, style="policy-template", peer_subnets=subnets or SUBNETS, **given)


def _config(spec: model.DesiredConnection, plane: model.Plane = "kernel") -> messages.DesiredConfig:
    desired = specs.desired(spec, of=GATEWAY)
    [config] = messages.desired_configs(desired, {}, selectors.pairs_of(desired, plane))
    return config


@pytest.mark.parametrize("plane", ["kernel", "userland"])
def test_one_child_waits_for_any_request_inside_the_subnets(plane: model.Plane):
    config = _config(_spec(), plane)
    [child] = config.conn["children"].values()
    assert (child["local_ts"], child["remote_ts"]) == (list(GATEWAY.local_subnets), list(SUBNETS))
    assert (child["start_action"], child["dpd_action"], config.conn["unique"]) == ("none", "clear", "replace")
    assert (config.conn["remote_addrs"], config.initiates, config.initiated) == (["%any"], False, ())


@pytest.mark.parametrize(
    ("selector", "nets"),
    [
        pytest.param("10.1.0.0/24", ("10.1.0.0/24",), id="network"),
        pytest.param("10.1.0.7/32[tcp/80]", ("10.1.0.7/32",), id="port"),
        pytest.param("10.1.0.0..10.1.0.2", ("10.1.0.0/31", "10.1.0.2/32"), id="range"),
        pytest.param("10.1.0.0..10.1.0.1[udp]", ("10.1.0.0/31",), id="range-and-protocol"),
    ],
)
def test_a_selector_is_read_as_charon_writes_it(selector: str, nets: tuple[str, ...]):
    assert tuple(map(str, selectors.nets(selector))) == nets


def _child(config: messages.DesiredConfig, local: str, remote: str, number: int = 1) -> ike_state.Child:
    [name] = config.children
    return ike_state.Child(name, str(number), "INSTALLED", local_ts=(local,), remote_ts=(remote,))


@pytest.mark.parametrize(
    ("change", "local", "remote", "kept"),
    [
        pytest.param({}, "10.0.0.0/24", "192.168.44.0/24", True, id="nothing"),
        pytest.param({"peer_subnets": ("192.168.44.0/23",)}, "10.0.0.0/24", "192.168.44.0/24", True, id="fits"),
        pytest.param({"peer_subnets": ("192.168.44.0/25",)}, "10.0.0.0/24", "192.168.44.0/24", False, id="too-wide"),
        pytest.param({"peer_subnets": ("172.16.0.0/16",)}, "10.0.0.0/24", "192.168.44.0/24", False, id="outside"),
        pytest.param({}, "10.0.2.0/24", "192.168.44.0/24", False, id="local-outside"),
        pytest.param({}, "10.0.0.9/32[tcp/80]", "192.168.44.9/32[tcp]", True, id="ports"),
        pytest.param(
            {"ipsec_policy": specs.ipsec_policy(pfs="group20")}, "10.0.0.0/24", "192.168.44.0/24", False, id="pfs"
        ),
        pytest.param(
            {"ike_policy": specs.ike_policy(dh_group="group20")}, "10.0.0.0/24", "192.168.44.0/24", False, id="ike"
        ),
    ],
)
def test_an_sa_is_kept_while_its_parameters_are_the_desired_ones_and_its_selectors_fit(
    change: dict[str, Any], local: str, remote: str, *, kept: bool
):
    spec = _spec()
    assert _config(specs.changed(spec, **change)).keeps(_child(_config(spec), local, remote)) is kept


def _up(spec: model.DesiredConnection, *asked: tuple[str, str]) -> state.GatewayState:
    config = _config(spec)
    children = tuple(_child(config, *pair, number) for number, pair in enumerate(asked, 1))
    sas = (ike_state.IkeSa(spec.id, "1", "ESTABLISHED", children=children),) if asked else ()
    return small_world.put(state.GatewayState(at=AT, plane="kernel"), sas=sas)


@pytest.mark.parametrize(
    ("asked", "up"),
    [
        pytest.param((), set(), id="nobody"),
        pytest.param(("192.168.44.0/24",), {"192.168.44.0/24"}, id="a-part"),
        pytest.param(("192.168.44.0/24", "10.9.0.0/16"), {"192.168.44.0/24", "10.9.0.0/16"}, id="two-parts"),
        pytest.param(("192.168.0.0/16",), {"192.168.0.0/16"}, id="all-of-one"),
        pytest.param(("192.168.44.7/32[tcp/80]",), {"192.168.44.7/32"}, id="a-port"),
        pytest.param(("10.0.0.128/25",), set(), id="the-gateway-s-own"),
        pytest.param(("172.16.0.0/16",), set(), id="outside-since-an-update"),
    ],
)
def test_what_was_negotiated_leads_and_the_rest_of_the_subnets_waits(asked: tuple[str, ...], up: set[str]):
    spec = _spec()
    current = _up(spec, *(("10.0.0.0/24", remote) for remote in asked))
    prepared = target.prepare(specs.desired(spec, of=GATEWAY), "kernel")
    [laid] = target.desired_tunnels(prepared, current).values()
    ranks = {net: tunnels.RouteMetric.unpack(metric).down for net, metric in laid.routes}
    assert {net for net, down in ranks.items() if not down} == up
    assert ranks.keys() == up | set(SUBNETS)


def test_two_devices_with_one_network_do_not_share_it():
    """They have policies in place of routes. The older connection leads."""
    both = [dataclasses.replace(_spec(), peer_address=None) for _ in range(2)]
    both = [specs.changed(spec, ike_policy=specs.ike_policy(peer_id=f"198.51.100.{n}")) for n, spec in enumerate(both)]
    sas = [sa for spec in both for sa in _up(spec, ("10.0.0.0/24", "192.168.44.0/24")).ike.sas]
    current = small_world.put(state.GatewayState(at=AT, plane="kernel"), sas=tuple(sas))
    prepared = target.prepare(specs.desired(*both, of=GATEWAY), "kernel")
    laid = target.desired_tunnels(prepared, current)
    first = tunnels.preferred_priorities(laid.values())
    assert target.desired_shared_routes(prepared, laid) == frozenset()
    assert [tunnels.destinations_carried(laid[spec.id], first) for spec in both] == [{"192.168.44.0/24"}, set()]


def test_each_sa_that_a_device_asked_for_is_reported_and_a_rekeyed_one_once():
    spec = _spec()
    asked = [("10.0.0.0/24", "192.168.44.0/24"), ("10.0.0.0/24", "192.168.45.0/24"), ("10.0.0.0/24", "192.168.44.0/24")]
    current = dataclasses.replace(_up(spec, *asked), at=AT + timedelta(seconds=1))
    prepared = target.prepare(specs.desired(spec, of=GATEWAY), "userland")
    [seen] = reports.report(GATEWAY.id, prepared, current, {}).connections
    assert [child.remote_ts for child in seen.children] == [("192.168.44.0/24",), ("192.168.45.0/24",)]
    assert {child.rule for child in seen.children} == {"0"}
    assert (seen.expected_children, seen.missing_pairs) == (2, ())
    assert seen.routes == ("192.168.44.0/24", "192.168.45.0/24")
