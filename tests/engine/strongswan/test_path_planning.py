"""When the path through a tunnel is checked, with which addresses, and what is reported of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import path_planning, planning, state, steps, target
from landbridge.engine.strongswan.ike import state as ike_state
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
INNER = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
SPEC = specs.connection(**INNER)
NETWORK = model.Network(id="vpc-1", cidr="10.0.0.0/24", bridge="br1", address="10.0.0.1/24")
ORDER = model.ProbeOrder(id="order-1", path=True)
OURS, HOST = "10.0.0.1", "192.168.44.10"
LINK = f"x{SPEC.if_id}"
SEEN = ((LINK, HOST),)
PASSES = model.ProbePath(outcome="passes", mtu=1438, source=OURS, destination=HOST, passed=1438)
HOLED = replace(PASSES, outcome="black_hole", passed=1117, lost=1128)


def child(**given: Any) -> ike_state.Child:
    values: dict[str, Any] = {"state": "INSTALLED", "local_ts": ("0.0.0.0/0",), "remote_ts": ("0.0.0.0/0",)}
    return ike_state.Child(name="child", unique_id="2", **(values | {"silent_seconds": 5, "unused_seconds": 5} | given))


def sa(*children: ike_state.Child, seconds: int = 3600) -> ike_state.IkeSa:
    return ike_state.IkeSa(
        name=SPEC.id, unique_id="1", state="ESTABLISHED", established_seconds=seconds, children=children
    )


def result(path: model.ProbePath | None = PASSES, minutes: float = 1, **given: Any) -> model.ProbeResult:
    values: dict[str, Any] = {"id": "check-1", "reason": "automatic", "configuration": "now"}
    return model.ProbeResult(
        connection_id=SPEC.id,
        at=AT - timedelta(minutes=minutes),
        local_address="203.0.113.10",
        peer_address="198.51.100.2",
        path=path,
        **(values | given),
    )


def standing(
    spec: model.DesiredConnection, *, plane: model.Plane = "kernel", seen: Any = SEEN, sas: Any = None, **paths: Any
) -> tuple[target.Target, state.GatewayState]:
    """A gateway whose network stands, and whose tunnel is up with traffic."""
    desired, current = specs.desired(spec, network=NETWORK), state.GatewayState(at=AT, plane=plane)
    for _ in range(4):
        for step in small_world.plan(desired, current):
            if not isinstance(step, steps.AskDevice | steps.CheckPaths):
                current = small_world.applied(current, step)
    values: dict[str, Any] = {"interval": INTERVAL}
    found = (sa(child()),) if sas is None else sas
    return target.prepare(desired, plane), small_world.put(
        current, seen=seen, sas=found, paths=state.PathState(**(values | paths))
    )


def plan(spec: model.DesiredConnection = SPEC, **given: Any) -> list[steps.PathCheck]:
    found = list(path_planning.plan(*standing(spec, **given)))
    return [check for step in found for check in step.checks]


def test_a_tunnel_with_traffic_is_checked_with_a_host_that_sent_some():
    [check] = plan()
    assert (check.device, check.probe_id, check.failure) == (LINK, None, None)
    assert check.targets == ((OURS, HOST),)


def test_the_device_s_tunnel_address_is_asked_when_it_was_seen():
    assert [one for one, _ in plan(seen=((LINK, "169.254.70.2"), *SEEN))[0].targets] == ["169.254.70.1", OURS]


def checked(minutes: float, **given: Any) -> model.DesiredConnection:
    return replace(
        SPEC, path_checked=model.LastProbe(id="old", at=AT - timedelta(minutes=minutes), configuration="now", **given)
    )


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        pytest.param(SPEC, {"interval": None}, id="switched off"),
        pytest.param(SPEC, {"checking": True}, id="one is running"),
        pytest.param(SPEC, {"seen": ()}, id="no host was seen"),
        pytest.param(SPEC, {"seen": (("x999", HOST),)}, id="a host behind another tunnel"),
        pytest.param(SPEC, {"sas": ()}, id="down"),
        pytest.param(SPEC, {"sas": (sa(child(), seconds=9),)}, id="just up"),
        pytest.param(SPEC, {"sas": (sa(child(silent_seconds=None)),)}, id="nothing came"),
        pytest.param(SPEC, {"sas": (sa(child(silent_seconds=61)),)}, id="nothing came in the last minute"),
        pytest.param(SPEC, {"sas": (sa(child(unused_seconds=61)),)}, id="nothing went in the last minute"),
        pytest.param(SPEC, {"sas": (sa(child(remote_ts=("192.168.45.0/24",))),)}, id="no CHILD_SA carries the echo"),
        pytest.param(SPEC, {"sas": (sa(child(remote_ts=("192.168.44.10[tcp]",))),)}, id="a CHILD_SA of TCP alone"),
        pytest.param(SPEC, {"results": {SPEC.id: result(minutes=4)}}, id="checked four minutes ago"),
        pytest.param(checked(4), {}, id="checked four minutes ago, before a restart"),
    ],
)
def test_a_tunnel_is_left_alone(spec: model.DesiredConnection, given: dict[str, Any]):
    assert plan(spec, **given) == []


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        pytest.param(SPEC, {"results": {SPEC.id: result(minutes=6)}}, id="after the interval"),
        pytest.param(checked(6), {}, id="after the interval, and a restart"),
        pytest.param(
            SPEC,
            {"results": {SPEC.id: result(minutes=4)}, "sas": (sa(child(), seconds=60),)},
            id="the tunnel came up since",
        ),
    ],
)
def test_a_tunnel_is_checked_again(spec: model.DesiredConnection, given: dict[str, Any]):
    assert len(plan(spec, **given)) == 1


@pytest.mark.parametrize(
    ("given", "targets", "failure"),
    [
        pytest.param({}, 2, None, id="up"),
        pytest.param({"interval": None}, 2, None, id="where nothing is checked by itself"),
        pytest.param({"results": {SPEC.id: result()}}, 2, None, id="checked a minute ago"),
        pytest.param({"seen": (), "sas": (sa(child(silent_seconds=None)),)}, 1, None, id="without traffic"),
        pytest.param({"sas": ()}, 0, path_planning.DOWN, id="down"),
        pytest.param(
            {"sas": (sa(child(remote_ts=("192.168.45.0/24",))),)}, 0, path_planning.NOBODY, id="nobody to ask"
        ),
    ],
)
def test_an_order_is_carried_out_or_answered(given: dict[str, Any], targets: int, failure: str | None):
    [check] = plan(replace(SPEC, probe=ORDER), **given)
    assert check.probe_id == ORDER.id
    assert (len(check.targets), check.failure) == (targets, failure)


def test_an_order_that_is_done_is_not_carried_out_again():
    assert plan(replace(SPEC, probe=ORDER), results={SPEC.id: result(id=ORDER.id, reason="order")}) == []


def test_an_order_of_the_path_asks_nothing_of_ike():
    ordered, current = standing(replace(SPEC, probe=ORDER), sas=())
    assert [type(step).__name__ for step in planning.plan(ordered, current)][-1] == "CheckPaths"
    assert not any(isinstance(step, steps.AskDevice) for step in planning.plan(ordered, current))


def test_on_the_userland_data_plane_the_selectors_say_which_addresses_are_carried():
    narrow = sa(child(local_ts=("10.0.0.0/24",), remote_ts=("192.168.44.0/24",)))
    [check] = plan(plane="userland", seen=(("ipsec0", HOST), ("ipsec0", "192.168.99.1")), sas=(narrow,))
    assert (check.device, check.targets) == ("ipsec0", ((OURS, HOST),))


def test_of_many_hosts_others_are_asked_each_minute():
    hosts = tuple((LINK, f"192.168.44.{number}") for number in range(1, 21))
    ready, current = standing(SPEC, seen=hosts)
    asked = []
    for minute in range(20):
        later = replace(current, at=AT + timedelta(minutes=minute))
        [step] = path_planning.plan(ready, later)
        assert len(step.checks[0].targets) == path_planning.ASKED
        asked += [host for _, host in step.checks[0].targets]
    assert set(asked) == {host for _, host in hosts}


def test_nothing_is_planned_while_a_check_runs():
    ready, current = standing(SPEC)
    [step] = path_planning.plan(ready, current)
    assert list(path_planning.plan(ready, small_world.applied(current, step))) == []


@pytest.mark.parametrize(
    ("last", "found", "is_news"),
    [
        pytest.param(None, result(), True, id="the first"),
        pytest.param(None, result(PASSES, id="order-1", reason="order"), True, id="of an order"),
        pytest.param(None, result(replace(PASSES, outcome="unanswered")), False, id="nobody answered"),
        pytest.param(None, result(None, failure="no such interface"), False, id="it failed"),
        pytest.param(None, result(None, reason="order", failure="down"), True, id="an order that failed"),
        pytest.param(checked(6, finding=PASSES.finding), result(), False, id="the same finding"),
        pytest.param(checked(6, finding=PASSES.finding), result(HOLED), True, id="another finding"),
        pytest.param(
            checked(6, finding=PASSES.finding), result(configuration="later"), True, id="another configuration"
        ),
        pytest.param(checked(90, finding=PASSES.finding), result(), True, id="the tunnel came up since"),
        pytest.param(
            replace(SPEC, path_checked=model.LastProbe(id="check-1", at=AT, configuration="now", finding="passes")),
            result(HOLED),
            False,
            id="known already",
        ),
    ],
)
def test_what_a_check_finds_is_reported_when_it_is_news(
    last: model.DesiredConnection | None, found: model.ProbeResult, is_news: bool
):
    ready, current = standing(last or SPEC, results={SPEC.id: found})
    assert path_planning.done(ready, current) == ((found,) if is_news else ())
