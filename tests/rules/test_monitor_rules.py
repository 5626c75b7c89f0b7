"""Creating a connection monitor: which connections may have one, and what it probes."""

from dataclasses import replace
from typing import Any

import pytest

from landbridge import model
from landbridge.rules import monitor

ID = "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"


def _codes(ask_id: str | None, facts: monitor.MonitorFacts) -> list[tuple[str, str]]:
    return [(v.code, v.wrong) for v in monitor.check(model.MonitorRequest(connection_id=ask_id), facts)]


@pytest.mark.parametrize("style", ["static", "policy", "bgp"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("peer", ["ip", "fqdn"])
def test_it_probes_from_the_endpoint_to_the_customer_gateway(given: Any, style: str, number: int, peer: str):
    gateway, device = given.gateway(), given.customer_gateway(peer)
    endpoint = gateway.endpoints[number - 1]
    connection = given.made({"style": style, "vgw_ip": endpoint.eip_id}, peer=peer)
    assert _codes(ID, monitor.MonitorFacts(connection=connection)) == []
    assert monitor.monitor(connection, gateway, device) is None
    monitored = replace(connection, monitor_id="m")
    assert monitor.monitor(monitored, gateway, device) == model.ConnectionMonitor(
        id="m", connection_id=connection.id, source_ip=endpoint.address, destination_ip=device.address
    )


@pytest.mark.parametrize(
    ("ask_id", "words"),
    [
        pytest.param(None, "is mandatory", id="absent"),
        pytest.param("x", "is not an id", id="no-id"),
        pytest.param(ID, "does not exist", id="unknown"),
    ],
)
def test_it_needs_a_connection_of_the_project(ask_id: str | None, words: str):
    ((code, wrong),) = _codes(ask_id, monitor.MonitorFacts(connection=None))
    assert (code, words in wrong) == ("VPN.0001", True)


@pytest.mark.parametrize(
    ("fields", "changes", "deleting", "code", "words"),
    [
        pytest.param({}, {"monitor_id": "m"}, False, "VPN.0381", "already has connection monitor m", id="second"),
        pytest.param({"style": "policy-template"}, {}, False, "VPN.0001", "no device of its own", id="policy-template"),
        pytest.param({}, {}, True, "VPN.0001", "is being deleted", id="deleting"),
    ],
)
def test_some_connections_take_none(given: Any, fields: Any, changes: Any, deleting: bool, code: str, words: str):
    connection = replace(given.made(fields), **changes)
    ((found, wrong),) = _codes(ID, monitor.MonitorFacts(connection=connection, deleting=deleting))
    assert (found, words in wrong) == (code, True)
