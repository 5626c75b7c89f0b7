"""The simulated engine: from any state to any state, wishes, and what it tells by itself."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import cycles, specs
from landbridge import model
from landbridge.engine import base
from landbridge.engine.simulated import Simulated, script
from landbridge.engine.simulated import engine as simulated

IKE = specs.ike_policy(local_id="203.0.113.1", peer_id="198.51.100.2")


def _connection(name: str, generation: int = 1, wish: str | None = None, **words: Any) -> model.DesiredConnection:
    sound = specs.connection(id=name, generation=generation, ike_policy=IKE)
    return replace(sound, simulate=wish, **words)


def _gateway(*connections: model.DesiredConnection) -> Any:
    """Only what the engine reads of a gateway."""
    return model.DesiredGateway(
        gateway=None,  # type: ignore[arg-type]
        generation=1,
        network=model.Network(id="n"),
        connections=connections,
        fingerprint_key=b"k",
    )


def _make(engine: Simulated, desired: Any, steps: int | None = None) -> list[simulated.Step]:
    """Plans and applies (only the first `steps`), and gives the plan."""
    plan = cycles.plan(engine, "g", desired)
    for step in plan[:steps]:
        engine.apply("g", step)
    return plan


def _seen(engine: Simulated, desired: Any) -> model.Observation:
    return cycles.look(engine, "g", desired)


def _settled(engine: Simulated, desired: Any, found: Callable[[model.Observation], Any]) -> model.Observation:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found(seen := _seen(engine, desired)):
            return seen
        time.sleep(0.01)
    raise AssertionError("never settled")


WISHES = ("active", *script.FAILURES, "down:bgp", "error")
CONNECTIONS = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(1, 3), st.sampled_from([None, *WISHES])), max_size=6
).map(lambda made: _gateway(*(_connection(name, *words) for name, words in made.items())))
STATES = st.none() | CONNECTIONS


@given(before=STATES, after=STATES)
def test_any_state_becomes_any_other_and_a_second_plan_is_empty(before: Any, after: Any):
    engine = Simulated()
    _make(engine, before)
    _make(engine, after)
    assert cycles.plan(engine, "g", after) == []
    present = _seen(engine, after).present
    assert present == (frozenset() if after is None else {each.id for each in after.connections})
    assert engine.gateways() == (frozenset() if after is None else {"g"})


@given(before=STATES, after=STATES, done=st.integers(0, 6))
def test_an_interrupted_plan_is_finished_by_the_next_one(before: Any, after: Any, done: int):
    engine = Simulated()
    _make(engine, before)
    _make(engine, after, done)
    _make(engine, after)
    assert cycles.plan(engine, "g", after) == []


@given(before=CONNECTIONS, after=CONNECTIONS)
def test_connections_that_do_not_change_keep_their_sas(before: Any, after: Any):
    engine = Simulated()
    _make(engine, before)
    spis = {name: tunnel.spi for name, tunnel in engine.observe("g").tunnels.items()}
    _make(engine, after)
    old = {each.id: each for each in before.connections}
    for each in after.connections:
        if old.get(each.id) == each:
            assert engine.observe("g").tunnels[each.id].spi == spis[each.id]


def test_what_is_added_comes_before_what_is_removed():
    engine = Simulated()
    _make(engine, _gateway(_connection("a")))
    plan = _make(engine, _gateway(_connection("b")))
    assert [str(step) for step in plan] == ["load b", "unload a"]


def test_a_plan_changes_nothing_by_itself():
    engine = Simulated()
    cycles.plan(engine, "g", _gateway(_connection("a")))
    assert (engine.gateways(), engine.observe("g").exists) == (frozenset(), False)


def test_a_step_for_a_gateway_that_is_not_there_fails():
    with pytest.raises(base.StepFailed):
        Simulated().apply("g", simulated.Step(verb="load", connection_id="a", generation=1))


def test_a_tunnel_negotiates_and_comes_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(script, "NEGOTIATION_SECONDS", 3600.0)
    engine, desired = Simulated(), _gateway(_connection("a"))
    _make(engine, desired)
    first = _seen(engine, desired).connections[0]
    assert (first.applied_generation, first.children) == (1, ())
    monkeypatch.undo()
    up = _settled(engine, desired, lambda seen: seen.connections[0].children).connections[0]
    assert (up.ike_established, up.peer_address, len(up.children)) == (True, "198.51.100.2", up.expected_children)
    assert up.children[0].remote_ts == ("192.168.44.0/24",)


@pytest.mark.parametrize("wish", sorted(script.FAILURES))
def test_a_tunnel_that_is_wished_down_has_a_line_that_says_why(wish: str):
    engine, desired = Simulated(), _gateway(_connection("a", wish=wish))
    _make(engine, desired)
    time.sleep(2 * script.NEGOTIATION_SECONDS)
    (one,) = _seen(engine, desired).connections
    assert (one.children, one.ike_established) == ((), wish == "down:selectors")
    assert [each.outcome for each in one.attempts] == [script.FAILURES[wish]]
    assert {each.configuration for each in one.attempts} == {one.configuration}


BGP: dict[str, Any] = {
    "style": "bgp",
    "tunnel_local_address": "169.254.70.1/30",
    "tunnel_peer_address": "169.254.70.2/30",
    "peer_subnets": ("192.168.44.0/24", "10.9.0.0/16"),
}


def _bgp(wish: str | None = None, peer_asn: int | None = 65000) -> Any:
    sound = specs.connection(id="a", ike_policy=IKE, **BGP)
    return _gateway(replace(sound, simulate=wish, peer_asn=peer_asn))


def test_a_bgp_connection_learns_its_peer_subnets():
    engine, desired = Simulated(), _bgp()
    _make(engine, desired)
    up = _settled(engine, desired, lambda seen: seen.connections[0].children).connections[0]
    assert up.bgp is not None
    assert (up.state, up.bgp.state, up.bgp.received, up.bgp.accepted) == ("up", "established", 2, 2)
    assert up.bgp.routes == (
        model.BgpRoute(prefix="10.9.0.0/16", next_hop="169.254.70.2", as_path=(65000,), origin="igp"),
        model.BgpRoute(prefix="192.168.44.0/24", next_hop="169.254.70.2", as_path=(65000,), origin="igp"),
    )


@pytest.mark.parametrize(("peer_asn", "other"), [(65000, 65010), (4294967295, 4294967285)])
def test_a_bgp_session_that_is_wished_down_has_another_asn_in_a_tunnel_that_is_up(peer_asn: int, other: int):
    engine, desired = Simulated(), _bgp("down:bgp", peer_asn)
    _make(engine, desired)
    seen = _settled(engine, desired, lambda seen: seen.connections[0].children).connections[0]
    assert seen.bgp is not None
    assert seen.bgp.fault is not None
    assert (seen.state, seen.bgp.state, seen.bgp.fault.asn) == ("down", "idle", other)


def test_a_bgp_connection_to_a_customer_gateway_without_an_asn_is_refused():
    engine, desired = Simulated(), _bgp(peer_asn=None)
    _make(engine, desired)
    assert _seen(engine, desired).connections[0].refused == "the customer gateway has no bgp_asn"


def test_a_refused_connection_says_so():
    engine, desired = Simulated(), _gateway(_connection("a", wish="error"))
    _make(engine, desired)
    assert "asked to refuse" in _seen(engine, desired).connections[0].refused


def test_a_gm_connection_is_refused():
    gm = replace(IKE, authentication_method="digital-envelope-v2", local_id=None, peer_id=None)
    one = _connection("a")
    desired = _gateway(replace(one, connection=replace(one.connection, ike_policy=gm)))
    engine = Simulated()
    _make(engine, desired)
    assert "SM2" in _seen(engine, desired).connections[0].refused


def test_a_device_without_an_address_is_waited_for():
    engine, desired = Simulated(), _gateway(_connection("a", peer_address=None))
    _make(engine, desired)
    time.sleep(2 * script.NEGOTIATION_SECONDS)
    (one,) = _seen(engine, desired).connections
    assert (one.waits_for_peer, one.children) == (True, ())
    begun = _gateway(_connection("a", wish="active", peer_address=None))
    (one,) = _seen(engine, begun).connections
    assert (one.waits_for_peer, one.peer_address, len(one.children)) == (False, script.ROAMING_PEER, 1)


def test_an_old_generation_is_not_reported_as_applied():
    engine = Simulated()
    _make(engine, _gateway(_connection("a", 1)))
    (one,) = _seen(engine, _gateway(_connection("a", 2))).connections
    assert one.applied_generation is None


def test_it_tells_when_a_negotiation_is_over():
    engine, desired, told, stop = Simulated(), _gateway(_connection("a")), [], threading.Event()
    watcher = threading.Thread(target=engine.watch, args=(told.append, stop))
    watcher.start()
    _make(engine, desired)
    _settled(engine, desired, lambda seen: seen.connections[0].children and told)
    stop.set()
    watcher.join(60)
    assert not watcher.is_alive()
    assert set(told) == {"g"}


def test_it_says_that_it_carries_no_traffic():
    said = Simulated().describe()
    assert (said["name"], said["data_plane"]) == ("simulated", "none")
