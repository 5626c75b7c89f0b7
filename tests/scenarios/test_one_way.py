"""What passes a tunnel that is up: packets that are not answered are a warning, and an order checks which sizes pass."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lab import demo, sites, testbed, two_networks

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
#: An address behind the device whose packets vanish there, without an ICMP message.
NOBODY = "192.168.44.77"


@pytest.fixture(scope="module")
def tunnel() -> Iterator[Any]:
    """A service that looks often, and one tunnel: (world, service, connection id)."""
    with pytest.MonkeyPatch.context() as patch, sites.World() as world:
        patch.setenv("LANDBRIDGE_AGENT_TICK_SECONDS", "2")
        with two_networks.serving(world) as service:
            yield world, service, demo.build_tunnel(service, world)


def test_packets_to_a_host_that_does_not_answer_are_counted_and_told(tunnel: Any):
    world, service, connection_id = tunnel
    before = service.diagnosis(connection_id)
    assert (before["status"], before["warnings"]) == ("ACTIVE", [])
    blackhole = ["ip", "-n", world.devices[0].namespace, "route", "add", "blackhole", NOBODY]
    subprocess.run(blackhole, check=True)
    command = ["ip", "netns", "exec", world.vpc_host, "ping", "-q", "-n", "-i", "0.2", NOBODY]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as pings:
        try:
            sites.wait_for(lambda: _codes(service, connection_id) == ["nothing_comes_back"], "the warning")
        finally:
            pings.terminate()
    found = service.diagnosis(connection_id)
    assert found["status"] == "ACTIVE"
    assert "none came back; " in found["warnings"][0]
    assert sites.ping(world.vpc_host, HOST)
    sites.wait_for(lambda: _codes(service, connection_id) == [], "the end of the warning")
    [sa] = service.diagnosis(connection_id)["sas"]
    assert ["last_packet_in_at" in one for one in (*found["sas"], sa)] == [False, True]


def test_an_order_checks_the_path_with_a_host_that_was_seen(tunnel: Any):
    world, service, connection_id = tunnel
    assert sites.ping(world.vpc_host, HOST)
    api, path = (
        testbed.Api(service.credentials),
        f"/landbridge/v1/{{project}}/vpn-connections/{connection_id}/probe",
    )
    ordered = api.request("POST", path, {"probe": {"path": True}})["probe"]

    def done() -> Any:
        return next(one for one in api.get(path)["probes"] if one["id"] == ordered["id"]).get("path_answer")

    sites.wait_for(done, "the check of the path")
    found = done()
    assert (found["outcome"], found["destination"], found["passed"]) == ("passes", HOST, found["mtu"])
    assert _codes(service, connection_id) == []


def _codes(service: demo.Service, connection_id: str) -> list[str]:
    return [one["code"] for one in service.diagnosis(connection_id)["causes"]]
