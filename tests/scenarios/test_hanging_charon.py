"""A charon that takes connections and does not answer (SIGSTOP): it is replaced after a while, without a tick of the agent."""

import os
import signal
from collections.abc import Iterator

import pytest

from lab import managed_gateway, sites, specs
from landbridge.engine import base
from landbridge.engine.strongswan import daemon, names
from landbridge.engine.strongswan.ike import charon, vici_events
from landbridge.engine.strongswan.network import namespace
from tests.engine.strongswan import fault_bench

pytestmark = pytest.mark.tunnel
HOST = "192.168.44.10"


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch) -> Iterator[managed_gateway.ManagedGateway]:
    """A gateway with a tunnel that is up. Its agent looks each 30 s, and is more impatient than it is outside of tests."""
    monkeypatch.setattr(daemon, "ANSWER_TIMEOUT", 3.0)
    monkeypatch.setattr(charon, "SILENCE_LIMIT", 5.0)
    monkeypatch.setattr(vici_events, "QUESTION_PAUSE", 0.5)
    monkeypatch.setattr(vici_events, "ANSWER_TIME", 3.0)
    with managed_gateway.managed() as made:
        made.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        made.want(specs.connection())
        made.wait_for(managed_gateway.is_up, "the tunnel")
        yield made


def _stop_charon(managed: managed_gateway.ManagedGateway) -> int:
    (pid,) = fault_bench.pids(names.namespace(managed.gateway.id))
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_charon_that_hangs_is_replaced_and_its_tunnels_are_back(managed: managed_gateway.ManagedGateway):
    last, counted = managed.last, base.RESTARTS.cells[0]
    assert last is not None
    assert last.daemon_died_at is None
    hanging = _stop_charon(managed)
    managed.wait_for(lambda now: now.daemon_died_at and now.state == "up", "another charon and its tunnel")
    (pid,) = fault_bench.pids(names.namespace(managed.gateway.id))
    assert pid != hanging
    assert base.RESTARTS.cells[0] - counted == 1
    assert sites.ping(managed.world.vpc_host, HOST)


def test_a_gateway_whose_charon_hangs_can_be_deleted(managed: managed_gateway.ManagedGateway):
    _stop_charon(managed)
    managed.source.wanted = None
    managed.agent.nudge({managed.gateway.id})
    sites.wait_for(lambda: managed.source.last is not None and not managed.source.last.exists, "its end")
    assert not namespace.exists(names.namespace(managed.gateway.id))


def test_a_charon_that_hangs_in_a_lost_namespace_does_not_stay(managed: managed_gateway.ManagedGateway):
    """Nobody can reach it by the name of its namespace."""
    hanging = _stop_charon(managed)
    namespace.remove(names.namespace(managed.gateway.id))
    sites.wait_for(lambda: hanging not in charon.running(), "the end of the old one")
    sites.wait_for(lambda: sites.ping(managed.world.vpc_host, HOST), "the tunnel")
