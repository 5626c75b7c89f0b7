"""Which echoes a gateway needs, and what their answers do to the routes of its tunnels."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import state, target
from landbridge.engine.strongswan.echo.state import Echoes, EchoState
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.engine.strongswan.network import tunnels
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
INNER = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
EVERYTHING = (("0.0.0.0/0",), ("0.0.0.0/0",))
INNER_PAIR = (("169.254.70.1/32",), ("169.254.70.2/32",))
SUBNETS = (("10.0.0.0/24",), ("192.168.44.0/24",))


def look(
    spec: model.DesiredConnection, *pairs: tuple[tuple[str, ...], tuple[str, ...]], plane: model.Plane = "kernel"
) -> state.GatewayState:
    """A gateway whose charon has an SA with a child for each of these pairs."""
    children = tuple(
        ike_state.Child(f"{spec.id}.0.{at:012}.{at:012}", str(at), "INSTALLED", *pair) for at, pair in enumerate(pairs)
    )
    sa = ike_state.IkeSa(spec.id, "1", "ESTABLISHED", children=children, peer_address="198.51.100.7")
    nothing = state.GatewayState(at=AT, plane=plane, folder=True)
    return small_world.put(nothing, namespace=True, alive=True, sas=(sa,) if pairs else ())


def wanted(spec: model.DesiredConnection, current: state.GatewayState) -> tuple[Echoes, ...]:
    return target.desired_echoes(target.prepare(specs.desired(spec), current.plane), current)


NQA = specs.connection(enable_nqa=True, **INNER)
MONITORED = specs.connection(monitor_id="m")


@pytest.mark.parametrize(
    ("spec", "pairs", "plane", "device"),
    [
        pytest.param(NQA, [EVERYTHING], "kernel", f"x{NQA.if_id}", id="kernel"),
        pytest.param(NQA, [SUBNETS, INNER_PAIR], "userland", "ipsec0", id="userland"),
        pytest.param(NQA, [SUBNETS], "userland", None, id="userland-without-a-child-for-it"),
        pytest.param(NQA, [], "kernel", None, id="no-sa"),
        pytest.param(specs.connection(**INNER), [EVERYTHING], "kernel", None, id="not-asked-for"),
        pytest.param(specs.connection(enable_nqa=True), [EVERYTHING], "kernel", None, id="no-inner-addresses"),
    ],
)
def test_a_tunnel_is_probed_inside_of_itself_while_an_sa_carries_it(
    spec: model.DesiredConnection, pairs: list[tuple[tuple[str, ...], tuple[str, ...]]], plane: model.Plane, device: str
):
    echoes = Echoes(connection_id=spec.id, kind="nqa", source="169.254.70.1", destination="169.254.70.2", device=device)
    assert wanted(spec, look(spec, *pairs, plane=plane)) == ((echoes,) if device else ())


@pytest.mark.parametrize(
    ("changes", "has_sa", "ends"),
    [
        pytest.param({}, False, ("203.0.113.10", "198.51.100.2"), id="whether-the-tunnel-is-up-or-not"),
        pytest.param({"behind": "192.0.0.16"}, True, ("192.0.0.16", "198.51.100.2"), id="behind-the-machine"),
        pytest.param({"peer_address": None}, True, ("203.0.113.10", "198.51.100.7"), id="a-device-that-dialled-in"),
        pytest.param({"peer_address": None}, False, None, id="a-device-that-has-not"),
    ],
)
def test_a_monitor_goes_from_the_endpoint_to_the_device(
    changes: dict[str, str | None], has_sa: bool, ends: tuple[str, str] | None
):
    spec = dataclasses.replace(MONITORED, **changes)
    found = [
        (one.kind, one.source, one.destination, one.device) for one in wanted(spec, look(spec, *[EVERYTHING] * has_sa))
    ]
    assert found == ([("monitor", *ends, None)] if ends else [])


@pytest.mark.parametrize("missing", ["namespace", "alive"])
def test_nothing_is_sent_where_no_charon_serves(missing: str):
    assert wanted(MONITORED, small_world.put(look(MONITORED, EVERYTHING), **{missing: False})) == ()


def test_nothing_is_sent_for_a_connection_that_is_refused():
    spec = dataclasses.replace(MONITORED, psk=None)
    assert wanted(spec, look(spec)) == ()


def said(answer: str | None) -> EchoState:
    """What the echoes of NQA say. `unknown` and None are the same: nothing is known."""
    if answer is None:
        return EchoState()
    one = model.Reachability(source="169.254.70.1", destination="169.254.70.2", state=answer)  # type: ignore[arg-type]
    return EchoState(nqa={NQA.id: one})


def metric(*, down: bool, current: state.GatewayState) -> state.GatewayState:
    """The same look, with the tunnel as it stands."""
    routes = frozenset({("192.168.44.0/24", tunnels.RouteMetric(if_id=NQA.if_id, down=down).pack())})
    standing = tunnels.Tunnel(NQA.id, NQA.if_id, 1400, "169.254.70.1/30", routes)
    return small_world.put(current, tunnels={tunnels.name(NQA.if_id): standing})


@pytest.mark.parametrize(
    ("answer", "has_sa", "was_down", "is_down"),
    [
        pytest.param("up", True, True, False, id="answered"),
        pytest.param("down", True, False, True, id="not-answered"),
        pytest.param("unknown", True, False, False, id="nothing-known-and-leading"),
        pytest.param("unknown", True, True, True, id="nothing-known-and-ranked-down"),
        pytest.param(None, True, False, False, id="not-probed-yet-and-leading"),
        pytest.param(None, True, True, True, id="not-probed-yet-and-ranked-down"),
        pytest.param("up", False, False, True, id="no-sa"),
    ],
)
def test_the_routes_follow_the_echoes_and_stay_while_those_say_nothing(
    answer: str | None, has_sa: bool, was_down: bool, is_down: bool
):
    current = dataclasses.replace(metric(down=was_down, current=look(NQA, *[EVERYTHING] * has_sa)), echo=said(answer))
    found = target.desired_tunnels(target.prepare(specs.desired(NQA), "kernel"), current)[NQA.id]
    assert tunnels.is_ranked_down(found) is is_down


def test_without_nqa_an_installed_sa_is_enough():
    spec = specs.connection(**INNER)
    current = dataclasses.replace(look(spec, EVERYTHING), echo=EchoState(nqa=said("down").nqa))
    found = target.desired_tunnels(target.prepare(specs.desired(spec), "kernel"), current)[spec.id]
    assert not tunnels.is_ranked_down(found)


@given(st.lists(st.sampled_from(["up", "down", "unknown", None])))
def test_a_plan_for_what_the_echoes_say_changes_routes_alone_and_only_once(answers: list[str | None]):
    """A restart of Landbridge is an `unknown` between two of them."""
    current, desired = look(NQA, EVERYTHING), specs.desired(NQA)
    for step in small_world.plan(desired, small_world.put(current, namespace=True)):
        if isinstance(step, network_steps.EnsureTunnel):
            current = small_world.applied(current, step)
    leads = not tunnels.is_ranked_down(current.network.tunnels[tunnels.name(NQA.if_id)])
    for answer in answers:
        current = dataclasses.replace(current, echo=said(answer))
        steps = [one for one in small_world.plan(desired, current) if isinstance(one, network_steps.EnsureTunnel)]
        leads = {"up": True, "down": False}.get(answer or "", leads)
        for step in steps:
            current = small_world.applied(current, step)
        standing = current.network.tunnels[tunnels.name(NQA.if_id)]
        assert (tunnels.is_ranked_down(standing), len(standing.routes)) == (not leads, 1)
        assert not any(isinstance(one, network_steps.EnsureTunnel) for one in small_world.plan(desired, current))
