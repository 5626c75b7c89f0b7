"""What the API says while something is broken: a charon that hangs, a service that was away for an hour, a pause."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from huaweicloudsdkvpn import v5

from lab import demo, sites, two_networks
from landbridge.engine.strongswan import names
from tests.engine.strongswan import fault_bench

HOST = "192.168.44.10"
HOUR = timedelta(hours=1)


#: On a busy machine a charon hangs for longer than the 15 s after which the service replaces it.
PATIENT = """
import sys
from landbridge.cli import main
from landbridge.engine.strongswan.ike import charon
charon.SILENCE_LIMIT = 600.0
sys.exit(main.main())
"""


@pytest.fixture
def tunnel() -> Iterator[Any]:
    """A service that calls a look old after 2 s and replaces no charon that hangs, and one tunnel: (world, service, connection id)."""
    with pytest.MonkeyPatch.context() as patch, sites.World() as world:
        patch.setenv("LANDBRIDGE_AGENT_TICK_SECONDS", "0.5")
        with two_networks.serving(world, **demo.STEADY) as service:
            service.stop()
            service.program = [sys.executable, "-P", "-c", PATIENT]
            service.start()
            yield world, service, demo.build_tunnel(service, world)


def _gateway_diagnosis(service: demo.Service, gateway_id: str) -> dict[str, Any]:
    known = service.credentials
    url = f"{known['endpoint']}/landbridge/v1/{known['project_id']}/vpn-gateways/{gateway_id}/diagnosis"
    found: dict[str, Any] = httpx.get(url, headers={"X-Auth-Token": known["token"]}).json()["diagnosis"]
    return found


def _delete_gateway(service: demo.Service, gateway_id: str) -> None:
    service.client().delete_vgw(v5.DeleteVgwRequest(vgw_id=gateway_id))
    sites.wait_for(lambda: len(two_networks.gateways(service)) == 1, "the other gateway to be gone")


@pytest.mark.tunnel
def test_a_charon_that_hangs_is_out_of_sight_and_neither_down_nor_in_others_way(tunnel: Any):
    world, service, connection_id = tunnel
    (gateway,) = two_networks.gateways(service)
    before = service.diagnosis(connection_id)
    (pid,) = fault_bench.pids(names.namespace(gateway.id))
    os.kill(pid, signal.SIGSTOP)
    try:
        said = set()

        def is_lost() -> bool:
            found = service.diagnosis(connection_id)
            said.add(found["status"])
            return "not_seen_since" in found

        sites.wait_for(is_lost, "it to be said that nobody sees it")
        assert said == {"ACTIVE"}
        of_gateway = _gateway_diagnosis(service, gateway.id)
        assert (of_gateway["status"], "not_seen_since" in of_gateway) == ("ACTIVE", True)
        other = two_networks.make_gateway(service)
        sites.wait_for(lambda: _gateway_diagnosis(service, other)["status"] == "ACTIVE", "the other one")
        assert service.diagnosis(connection_id)["status"] == "ACTIVE"
    finally:
        os.kill(pid, signal.SIGCONT)
    sites.wait_for(lambda: "not_seen_since" not in service.diagnosis(connection_id), "it to be seen again")
    after = service.diagnosis(connection_id)
    assert (after["status"], after["sas"][0]["spi_in"]) == ("ACTIVE", before["sas"][0]["spi_in"])
    assert sites.ping(world.vpc_host, HOST)
    _delete_gateway(service, other)


@pytest.mark.tunnel
def test_a_pause_holds_across_a_kill_and_what_was_asked_for_is_done_after_it(tunnel: Any):
    world, service, connection_id = tunnel
    (gateway,) = two_networks.gateways(service)
    _landbridge(service, "pause", str(gateway.id))
    client = service.client()
    client.delete_vpn_connection(v5.DeleteVpnConnectionRequest(vpn_connection_id=connection_id))
    other = two_networks.make_gateway(service)
    service.stop(signal.SIGKILL)
    service.start()
    sites.wait_for(lambda: _gateway_diagnosis(service, other)["status"] == "ACTIVE", "the other gateway")
    said = service.diagnosis(connection_id)
    assert (said["status"], said["reason"][:12]) == ("PENDING_DELETE", "paused since")
    assert said["paused_since"] == _gateway_diagnosis(service, gateway.id)["paused_since"]
    assert "paused_since" not in _gateway_diagnosis(service, other)
    assert httpx.get(service.credentials["endpoint"] + "/readyz").json()["paused"] == 1
    assert sites.ping(world.vpc_host, HOST)
    _landbridge(service, "resume", str(gateway.id))
    sites.wait_for(lambda: not sites.ping(world.vpc_host, HOST, wait=1), "the tunnel to go")
    _delete_gateway(service, other)


def _landbridge(service: demo.Service, *words: str) -> None:
    subprocess.run([demo.BIN / "landbridge", *words, "--data", service.data], check=True, capture_output=True)


def test_a_service_that_was_away_for_an_hour_says_so_until_it_has_looked(start_server: Any, until: Any):
    began = datetime.now(UTC).replace(microsecond=0)
    first = start_server("data")
    gateway = _post(first, "vpn-gateways", {"vpn_gateway": {"vpc_id": demo.VPC_ID, "local_subnets": ["10.0.0.0/24"]}})[
        "vpn_gateway"
    ]
    path = f"vpn-gateways/{gateway['id']}/diagnosis"
    until(lambda: _ours(first, path)["status"] == "ACTIVE", "the gateway")
    peer = _post(first, "customer-gateways", {"customer_gateway": {"id_value": "198.51.100.9"}})["customer_gateway"]
    endpoint = _get(first, f"v5/{first.credentials['project_id']}/vpn-gateways/{gateway['id']}")["vpn_gateway"]["eip1"]
    spec = {"vgw_id": gateway["id"], "vgw_ip": endpoint["id"], "cgw_id": peer["id"], "psk": demo.PSK}
    made = _post(first, "vpn-connection", {"vpn_connection": spec | {"peer_subnets": ["192.168.44.0/24"]}})
    of_connection = f"vpn-connections/{made['vpn_connection']['id']}/diagnosis"
    until(lambda: _ours(first, of_connection)["status"] == "ACTIVE", "the connection")
    first.stop()
    stopped = datetime.now(UTC)
    _an_hour_passes(first.folder)
    blind = start_server("data", "--engine", "none")
    for found in (_ours(blind, path), _ours(blind, of_connection)):
        assert found["status"] == "ACTIVE"
        since = datetime.fromisoformat(found["not_seen_since"])
        assert began - HOUR <= since <= stopped - HOUR
    blind.stop()
    seeing = start_server("data")
    for place in (path, of_connection):
        until(lambda place=place: "not_seen_since" not in _ours(seeing, place), "a look")
    until(lambda: _ours(seeing, of_connection)["status"] == "ACTIVE", "the connection again")


def _an_hour_passes(folder: Path) -> None:
    with sqlite3.connect(folder / "landbridge.db") as database:
        text = f"UPDATE gateway_observation SET seen_at = seen_at - {HOUR // timedelta(milliseconds=1)}"  # noqa: S608
        assert database.execute(text).rowcount == 1
    database.close()


def _ours(server: Any, path: str) -> Any:
    return _get(server, f"landbridge/v1/{server.credentials['project_id']}/{path}")["diagnosis"]


def _get(server: Any, path: str) -> Any:
    known = server.credentials
    answer = httpx.get(f"{known['endpoint']}/{path}", headers={"X-Auth-Token": known["token"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _post(server: Any, path: str, body: dict[str, Any]) -> Any:
    known = server.credentials
    url = f"{known['endpoint']}/v5/{known['project_id']}/{path}"
    answer = httpx.post(url, json=body, headers={"X-Auth-Token": known["token"]})
    assert answer.status_code == 201, answer.text
    return answer.json()
