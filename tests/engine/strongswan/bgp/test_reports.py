"""The sessions of a gateway in a report, and the steps of a plan for them."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import reports, state, target
from landbridge.engine.strongswan.bgp import planning as bgp_planning
from landbridge.engine.strongswan.bgp import state as bgp_state
from landbridge.engine.strongswan.bgp import steps as bgp_steps
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import steps as network_steps
from tests.engine.strongswan import small_world

GATEWAY = specs.gateway()


def bgp(number: int = 70, **given: Any) -> model.DesiredConnection:
    inner = {
        "tunnel_local_address": f"169.254.{number}.1/30",
        "tunnel_peer_address": f"169.254.{number}.2/30",
    }
    spec = specs.connection(f"198.51.100.{number}", style="bgp", **inner | given)
    return dataclasses.replace(spec, peer_asn=65001, if_id=number)


def carried(*connections: model.DesiredConnection) -> tuple[model.DesiredGateway, state.GatewayState]:
    """A gateway on the kernel's data plane on which nothing is left to do."""
    desired = specs.desired(*connections, of=GATEWAY)
    current = state.GatewayState(at=specs.START, plane="kernel")
    for _ in range(4):
        for step in small_world.plan(desired, current):
            current = small_world.applied(current, step)
    assert small_world.plan(desired, current) == []
    return desired, current


def told(desired: model.DesiredGateway, current: state.GatewayState, **failures: str) -> model.ConnectionObservation:
    """Of the first connection."""
    prepared = target.prepare(desired, current.plane)
    return reports.report(desired.id, prepared, current, dict(failures)).connections[0]


def test_a_session_that_is_up_is_reported_with_its_routes():
    desired, current = carried(bgp())
    seen = told(desired, current)
    assert seen.bgp is not None
    assert seen.bgp.state == "established"
    assert [route.prefix for route in seen.bgp.routes] == list(seen.routes) == ["172.16.70.0/24"]
    assert seen.applied_generation == desired.connections[0].generation


def test_a_report_has_a_bounded_number_of_routes():
    desired, current = carried(bgp())
    many = tuple(model.BgpRoute(prefix=f"10.{at >> 8}.{at & 255}.0/24", next_hop="") for at in range(2000))
    current = small_world.put(
        current, bird_routes={"c70": many}, learned_routes=frozenset(("x70", each.prefix) for each in many)
    )
    seen = told(desired, current)
    assert seen.bgp is not None
    assert (len(seen.bgp.routes), len(seen.routes)) == (1000, 1000)


@pytest.mark.parametrize(
    ("static", "leads"),
    [
        pytest.param("172.16.70.0/24", False, id="the-same"),
        pytest.param("172.16.0.0/16", False, id="a-wider-one"),
        pytest.param("172.16.70.0/25", True, id="a-narrower-one"),
        pytest.param("172.16.71.0/24", True, id="another-one"),
    ],
)
def test_a_static_route_leads_before_a_learned_one(static: str, leads: bool):
    desired, current = carried(bgp(), specs.connection(peer_subnets=(static,)))
    assert told(desired, current).routes == (("172.16.70.0/24",) if leads else ())


def test_a_bird_that_died_means_a_configuration_that_is_not_there():
    desired, current = carried(bgp(), specs.connection())
    dead = dataclasses.replace(current, bgp=bgp_state.BgpState(started=True))
    seen = told(desired, dead)
    assert (seen.applied_generation, seen.bgp) == (None, model.BgpSession(state="down"))
    other = reports.report(desired.id, target.prepare(desired, "kernel"), dead, {}).connections[1]
    assert other.applied_generation == desired.connections[1].generation
    plan = small_world.plan(desired, dead)
    assert [type(step) for step in plan] == [bgp_steps.StartBird]
    assert plan[0].died


def test_a_bird_that_hangs_is_replaced_and_the_tunnels_are_left_alone():
    desired, current = carried(bgp(), specs.connection())
    hangs = dataclasses.replace(current, bgp=bgp_state.BgpState(alive=True, started=True, answers=False))
    assert [type(step) for step in small_world.plan(desired, hangs)] == [bgp_steps.StartBird]


def test_a_failed_step_of_bird_affects_its_connections_alone():
    first, second = bgp(), bgp(71)
    desired, _ = carried(first, second)
    step = bgp_steps.ConfigureBird(_configuration(desired))
    assert set(bgp_steps.concerned(step)) == {first.id, second.id}
    assert bgp_steps.concerned(bgp_steps.StopBird()) == ()


def _configuration(desired: model.DesiredGateway) -> Any:
    return target.prepare(desired, "kernel").bgp


def test_a_session_is_left_before_its_tunnel_goes_and_found_after_its_tunnel_came():
    _, current = carried(bgp())
    other = specs.desired(bgp(71), of=GATEWAY)
    kinds = [type(step) for step in small_world.plan(other, current)]
    assert kinds.index(network_steps.EnsureTunnel) < kinds.index(bgp_steps.ConfigureBird)
    assert kinds.index(bgp_steps.ConfigureBird) < kinds.index(network_steps.DeleteTunnel)


def test_bird_stops_before_the_tunnels_of_a_deleted_gateway_go():
    _, current = carried(bgp())
    kinds = [type(step) for step in small_world.plan(None, current)]
    assert kinds.index(bgp_steps.StopBird) < kinds.index(ike_steps.StopCharon)


def test_the_routes_of_a_bird_that_died_go_with_the_last_session():
    _, current = carried(bgp())
    dead = dataclasses.replace(current, bgp=bgp_state.BgpState(started=True))
    plan = small_world.plan(specs.desired(of=GATEWAY), dead)
    assert bgp_steps.StopBird() in plan
    assert network_steps.DeleteLearnedRoutes() in plan


def test_a_closed_session_is_opened_again_when_its_time_is_over():
    desired, current = carried(bgp())
    closed = dataclasses.replace(small_world.CLOSED, since=current.at)
    current = small_world.put(current, bird_sessions={"c70": closed})
    assert small_world.plan(desired, current) == []
    configuration = _configuration(desired)
    assert list(bgp_planning.due_observations(configuration, current.bgp, current.at)) == [bgp_planning.CLOSED_FOR]
    later = dataclasses.replace(current, at=current.at + timedelta(seconds=bgp_planning.CLOSED_FOR))
    assert small_world.plan(desired, later) == [bgp_steps.OpenSession(desired.connections[0].id, "c70")]


def test_a_prefix_that_is_announced_passes_without_another_table():
    desired, current = carried(bgp())
    more = (*current.bgp.routes["c70"], model.BgpRoute(prefix="10.77.0.0/16", next_hop=""))
    plan = small_world.plan(desired, small_world.put(current, bird_routes={"c70": more}))
    assert [type(step) for step in plan] == [network_steps.EnsureLearnedSources]
    assert plan[0].learned == {("x70", "172.16.70.0/24"), ("x70", "10.77.0.0/16")}


@pytest.mark.parametrize(
    ("session", "stays"),
    [
        pytest.param(model.BgpSession(state="down"), True, id="down"),
        pytest.param(model.BgpSession(state="active"), True, id="the device does not answer"),
        pytest.param(model.BgpSession(state="established", since=specs.START), True, id="came back a moment ago"),
        pytest.param(
            model.BgpSession(state="established", since=specs.START - target.ANNOUNCED),
            False,
            id="announces it no more",
        ),
    ],
)
def test_what_was_announced_passes_at_once_when_the_session_is_back(session: model.BgpSession, stays: bool):
    """BIRD moves traffic of the other tunnel into this one as soon as the session is back."""
    desired, current = carried(bgp(70), bgp(71))
    closed = dataclasses.replace(session, since=session.since or current.at)
    gone = small_world.put(
        current,
        bird_routes={"c71": current.bgp.routes["c71"]},
        bird_sessions={**current.bgp.sessions, "c70": closed},
        learned_routes=frozenset(each for each in current.network.learned_routes if each[0] == "x71"),
    )
    kept = {("x70", "172.16.70.0/24")} if stays else set()
    assert target.learned_sources(target.prepare(desired, "kernel"), gone) == {("x71", "172.16.71.0/24")} | kept
    assert [type(step) for step in small_world.plan(desired, gone)] == (
        [] if stays else [network_steps.EnsureLearnedSources]
    )
