"""NQA and a monitor through the whole service, on the data plane of this machine: answered, cut, and back."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab import faults, sites, testbed

pytestmark = pytest.mark.tunnel
SETTINGS = {"LANDBRIDGE_ECHO_STABLE_SECONDS": "1.5", "LANDBRIDGE_AGENT_TICK_SECONDS": "30"}
INNER = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}


@pytest.fixture(scope="module")
def place() -> Iterator[testbed.Testbed]:
    with testbed.testbeds(1, **SETTINGS) as [place]:
        yield place


def _create(one: testbed.RunningCase) -> None:
    """A device that has the inner address, and a connection with NQA and a monitor."""
    testbed_, api = one.testbed, one.testbed.api
    faults.has_the_inner_address(one)
    pairs = ((testbed_.lan, testbed_.vpc), (faults.INNER[1], faults.INNER[0]))
    tunnel = sites.Tunnel(gateway=testbed_.endpoints[0], psk=testbed.PSK, pairs=pairs, address=one.address)
    one.device.start()
    one.device.load(tunnel)
    peer = {"customer_gateway": {"name": "branch", "id_value": one.address}}
    one.customer_gateway_id = api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]["id"]
    wish = {
        "vgw_id": testbed_.gateway["id"],
        "vgw_ip": testbed_.gateway["eip1"]["id"],
        "cgw_id": one.customer_gateway_id,
        "peer_subnets": [testbed_.lan],
        "psk": testbed.PSK,
        "enable_nqa": True,
        "enable_health_check": True,
        **INNER,
    }
    body = {"vpn_connection": wish}
    one.connection_id = api.request("POST", "/v5/{project}/vpn-connection", body)["vpn_connection"]["id"]


def _said(one: testbed.RunningCase, kind: str) -> str:
    found: Any = one.diagnosis().get(kind, {})
    return str(found.get("state"))


def test_a_path_is_probed_cut_and_back_and_its_connection_says_so(place: testbed.Testbed):
    with testbed.running_case(place) as one:
        _create(one)
        one.wait_up()
        sites.wait_for(lambda: (_said(one, "nqa"), _said(one, "monitor")) == ("up", "up"), "answers")
        assert sites.ping(place.vpc_host, place.lan_host)
        assert sites.ping(one.device.namespace, "169.254.70.1"), "the device's own probe is answered"
        [monitor] = place.api.get("/v5/{project}/connection-monitors")["connection_monitors"]
        assert (monitor["status"], monitor["destination_ip"]) == ("ACTIVE", one.address)
        place.world.cut(one.address)
        sites.wait_for(lambda: one.diagnosis()["status"] == "DOWN", "the path to be down")
        found = one.diagnosis()
        assert found["ike_established"]
        assert found["causes"][0]["code"] == "nqa_no_answer"
        assert found["nqa"]["lost"] > 0
        assert place.diagnosis(place.neighbour_id)["status"] == "ACTIVE"
        place.world.mend()
        one.wait_up()
        sites.wait_for(lambda: (_said(one, "nqa"), _said(one, "monitor")) == ("up", "up"), "answers again")
        assert sites.ping(place.vpc_host, place.lan_host)
        assert "DOWN: nqa_no_answer" in place.service.log.read_text()


def test_a_monitor_begins_and_ends_without_a_change_of_its_tunnel(place: testbed.Testbed):
    with testbed.running_case(place) as one:
        _create(one)
        one.wait_up()
        before = one.diagnosis()["sas"][0]["spi_in"]
        [monitor] = place.api.get("/v5/{project}/connection-monitors")["connection_monitors"]
        place.api.request("DELETE", f"/v5/{{project}}/connection-monitors/{monitor['id']}")
        sites.wait_for(lambda: "monitor" not in one.diagnosis(), "the echoes to end")
        body = {"connection_monitor": {"vpn_connection_id": one.connection_id}}
        made = place.api.request("POST", "/v5/{project}/connection-monitors", body)["connection_monitor"]
        path = f"/v5/{{project}}/connection-monitors/{made['id']}"
        sites.wait_for(lambda: place.api.get(path)["connection_monitor"]["status"] == "ACTIVE", "the echoes to begin")
        sites.wait_for(lambda: _said(one, "monitor") == "up", "an answer")
        assert one.diagnosis()["sas"][0]["spi_in"] == before
        assert one.is_up()
