"""What every engine keeps of `engine.base`, asked of each through its public methods alone.

An engine comes with a bench: a place that it works in and a peer that answers its connection.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine.simulated import Simulated, World
from landbridge.engine.strongswan.engine import StrongSwan


class Bench:
    """`fresh()` is the engine as a restarted Landbridge has it; `desired` makes a spec for the bench's one gateway."""

    def __init__(self, fresh: Callable[[], Any], network: model.Network) -> None:
        self.fresh = fresh
        self.engine = fresh()
        self.gateway = specs.gateway()
        self._network = network

    @property
    def id(self):
        return self.gateway.id

    def desired(self, *connections: model.DesiredConnection, generation: int = 1):
        return specs.desired(*connections, network=self._network, of=self.gateway, generation=generation)

    def run_cycle(self, *connections: model.DesiredConnection, generation: int = 1):
        return cycles.run_cycle(self.engine, self.id, self.desired(*connections, generation=generation))

    def up(self, *connections: model.DesiredConnection):
        return cycles.until(self.engine, self.id, self.desired(*connections), cycles.all_up)

    def plan(self, desired: model.DesiredGateway | None, engine: Any = None):
        engine = engine or self.engine
        return cycles.plan(engine, self.id, desired)


@contextlib.contextmanager
def strongswan():
    with sites.World() as world:
        world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        site = world.site("vpc-1")
        bench = Bench(lambda: StrongSwan(world.folder, site), world.network("vpc-1"))
        try:
            yield bench
        finally:
            bench.engine.stop_all()


@contextlib.contextmanager
def simulated():
    world = World()
    yield Bench(lambda: Simulated(world), model.Network(id="vpc-1"))


@pytest.fixture(
    params=[
        pytest.param(simulated, id="simulated"),
        pytest.param(strongswan, marks=pytest.mark.tunnel, id="strongswan"),
    ]
)
def bench(request: pytest.FixtureRequest):
    with request.param() as bench:
        yield bench


def test_it_says_what_it_is(bench: Bench):
    described = bench.engine.describe()
    assert described["name"] == bench.engine.name
    assert {"version", "data_plane"} <= described.keys()


def test_at_first_there_is_nothing_and_nothing_to_take_down(bench: Bench):
    assert bench.engine.gateways() == frozenset()
    assert bench.plan(None) == []
    observation = cycles.look(bench.engine, bench.id, None)
    assert not observation.exists
    assert observation.present == frozenset()
    assert observation.connections == ()


def test_what_is_not_made_is_not_reported_as_applied(bench: Bench):
    observation = cycles.look(bench.engine, bench.id, bench.desired(specs.connection()))
    assert observation.applied_generation is None
    assert [shown.applied_generation for shown in observation.connections] == [None]


def test_a_gateway_without_connections_is_made(bench: Bench):
    observation = bench.run_cycle(generation=3)
    assert observation.exists
    assert observation.applied_generation == 3
    assert bench.engine.gateways() == {bench.id}


def test_a_connection_comes_up(bench: Bench):
    spec = specs.connection(generation=5)
    [shown] = bench.up(spec).connections
    assert shown.connection_id == spec.id
    assert shown.applied_generation == 5
    assert shown.ike_established
    assert len(shown.children) == shown.expected_children == 1


def test_a_second_plan_is_empty(bench: Bench):
    spec = specs.connection()
    bench.run_cycle(spec)
    assert bench.plan(bench.desired(spec)) == []
    bench.up(spec)
    assert bench.plan(bench.desired(spec)) == []


def test_a_restarted_engine_plans_nothing(bench: Bench):
    spec = specs.connection()
    bench.up(spec)
    engine = bench.fresh()
    assert engine.gateways() == {bench.id}
    assert bench.plan(bench.desired(spec), engine) == []


def test_planning_and_reporting_change_nothing(bench: Bench):
    seen = bench.engine.observe(bench.id)
    desired = bench.desired(specs.connection())
    first = [str(step) for step in cycles.plan(bench.engine, bench.id, desired, seen)]
    assert [str(step) for step in cycles.plan(bench.engine, bench.id, desired, seen)] == first
    assert bench.engine.gateways() == frozenset()


def test_no_step_prints_a_secret(bench: Bench):
    for step in bench.plan(bench.desired(specs.connection())):
        assert specs.PSK not in f"{step} {step!r}"


def test_each_step_says_whom_it_concerns(bench: Bench):
    spec = specs.connection()
    concerned = [step.connection_id for step in bench.plan(bench.desired(spec))]
    assert set(concerned) == {None, spec.id}
    assert concerned == sorted(concerned, key=lambda connection_id: connection_id is not None)


def test_a_plan_broken_off_anywhere_is_finished_by_the_next(bench: Bench):
    spec = specs.connection()
    while steps := bench.plan(bench.desired(spec)):
        bench.engine.apply(bench.id, steps[0])
    assert cycles.until(bench.engine, bench.id, bench.desired(spec), cycles.all_up)


def test_a_changed_connection_is_applied_in_its_new_generation(bench: Bench):
    spec = specs.connection()
    bench.up(spec)
    after = specs.changed(spec, ipsec_policy=specs.ipsec_policy(lifetime_seconds=7200))
    assert bench.up(after).connections[0].applied_generation == spec.generation + 1


def test_a_restart_is_done_once_and_tunnels_come_back(bench: Bench):
    spec = specs.connection()
    before = bench.up(spec)
    asked = dataclasses.replace(bench.desired(spec), restarts=before.gateway.restarts + 1)
    after = cycles.until(bench.engine, bench.id, asked, cycles.all_up)
    assert after.gateway.restarts == asked.restarts
    assert after.gateway.restarted_at is not None
    assert after.connections[0].children[0].spi_in != before.connections[0].children[0].spi_in
    assert bench.plan(asked) == bench.plan(asked, bench.fresh()) == []


def test_a_tunnel_that_is_up_says_what_it_leads_to(bench: Bench):
    spec = specs.connection()
    [shown] = bench.up(spec).connections
    assert set(spec.connection.peer_subnets or ()) <= set(shown.routes)


def test_a_removed_connection_is_no_longer_present(bench: Bench):
    spec = specs.connection()
    assert bench.up(spec).present == {spec.id}
    assert bench.run_cycle().present == frozenset()


def test_a_failure_is_reported_where_it_belongs(bench: Bench):
    spec = specs.connection()
    bench.up(spec)
    observation = cycles.look(bench.engine, bench.id, bench.desired(spec), {spec.id: "no", None: "broken"})
    assert observation.failure == "broken"
    assert observation.applied_generation is None
    assert observation.connections[0].failure == "no"
    assert observation.connections[0].applied_generation is None


def test_what_fails_for_the_gateway_fails_for_each_connection(bench: Bench):
    desired = bench.desired(specs.connection())
    observation = cycles.look(bench.engine, bench.id, desired, {None: "start charon: no room"})
    assert observation.failure == "start charon: no room"
    assert observation.connections[0].failure == "start charon: no room"
    assert observation.connections[0].applied_generation is None


def test_a_gateway_that_is_not_wanted_goes_wholly(bench: Bench):
    bench.up(specs.connection())
    observation = cycles.run_cycle(bench.engine, bench.id, None)
    assert not observation.exists
    assert bench.engine.gateways() == frozenset()
    assert bench.plan(None) == []


def test_a_report_names_its_gateway_and_time(bench: Bench):
    observation = cycles.look(bench.engine, bench.id, None)
    assert isinstance(observation, model.Observation)
    assert observation.gateway_id == bench.id
    assert observation.seen_at.tzinfo is not None


def test_it_tells_when_something_happens_by_itself_and_stops_when_asked(bench: Bench):
    changes, stop = [], threading.Event()
    watcher = threading.Thread(target=bench.engine.watch, args=(changes.append, stop))
    watcher.start()
    try:
        bench.run_cycle(specs.connection())
        sites.wait_for(lambda: bench.id in changes, "news of the tunnel")
    finally:
        stop.set()
        watcher.join(timeout=60)
    assert not watcher.is_alive()
