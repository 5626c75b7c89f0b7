"""A site file with a fault in it: what it names and the machine lacks, and what it no longer has. Traffic goes on, and it is told."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab import demo, sites

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
#: Answers that a start of the service may take on a busy machine.
PATIENCE = 60


@contextlib.contextmanager
def _serving() -> Iterator[Any]:
    """A service with one tunnel: (world, service, connection id)."""
    with sites.World() as world, demo.serving(world, **demo.STEADY) as service:
        yield world, service, demo.build_tunnel(service, world)


@pytest.fixture(scope="module")
def tunnel() -> Iterator[Any]:
    with _serving() as made:
        yield made


@contextlib.contextmanager
def _no_ping_lost(world: sites.World) -> Iterator[None]:
    command = ["ip", "netns", "exec", world.vpc_host, "ping", "-n", "-q", "-i", "0.2", "-W", "5", HOST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)  # ping says its summary
            out, _ = process.communicate(timeout=90)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", out)
    assert found is not None, out
    assert int(found[1]) > 5
    assert int(found[1]) - int(found[2]) <= 1, out  # the last one may be on its way


@contextlib.contextmanager
def _site_with(service: demo.Service, text: str) -> Iterator[None]:
    """The service started anew with another site file, and then with the present one."""
    present = service.site.read_text()
    assert text != present
    _restart(service, text)
    try:
        yield
    finally:
        _restart(service, present)


def _restart(service: demo.Service, text: str) -> None:
    service.stop()
    service.site.write_text(text)
    service.start()


def _ours(service: demo.Service, path: str) -> Any:
    known = service.credentials
    url = f"{known['endpoint']}/landbridge/v1/{known['project_id']}/{path}/diagnosis"
    return httpx.get(url, headers={"X-Auth-Token": known["token"]}, timeout=90).json()["diagnosis"]


def _readyz(service: demo.Service) -> Any:
    return httpx.get(service.credentials["endpoint"] + "/readyz", timeout=90).json()


def _gateway_of(service: demo.Service, connection_id: str) -> str:
    known = service.credentials
    url = f"{known['endpoint']}/v5/{known['project_id']}/vpn-connection/{connection_id}"
    shown = httpx.get(url, headers={"X-Auth-Token": known["token"]}, timeout=90).json()
    return f"vpn-gateways/{shown['vpn_connection']['vgw_id']}"


FAULTS = [
    pytest.param(
        'bridge = "vpc"', 'bridge = "br-vcp"', "br-vcp: no such interface", "no interface br-vcp", id="bridge"
    ),
    pytest.param(
        'bridge = "vpc"', 'bridge = "vpc-host"', "vpc-host is no bridge", "vpc-host is no bridge", id="no-bridge"
    ),
    pytest.param(
        'bridge = "vpc"', 'interface = "eth7"', "eth7: no such interface", "no interface eth7", id="interface"
    ),
    pytest.param("-wan", "-vpc", "its other end is not in", "no interface vpc", id="underlay"),
    pytest.param("[[network]]", "", "no longer has network", "left as it is", id="network-removed"),
    pytest.param("eip", "", "no longer has EIP", "left as it is", id="eips-removed"),
]


def _faulty(site: str, old: str, new: str) -> str:
    """The site file with one thing wrong. An empty `new` takes tables away and leaves another one of their kind."""
    if new:
        return site.replace(old, new)
    head, *tables = re.split(r"(?m)^(?=\[\[)", site)
    other = '[[network]]\nid = "55555555-5555-4555-8555-555555555555"\ncidr = "10.77.0.0/24"\n\n'
    return head + other + "".join(table for table in tables if not table.startswith(f"[[{old.strip('[]')}]]"))


@pytest.mark.parametrize(("old", "new", "reason", "said"), FAULTS)
def test_a_fault_in_the_site_file_cuts_nothing_and_is_told(
    tunnel: Any, old: str, new: str, reason: str, said: str
) -> None:
    world, service, connection_id = tunnel
    gateway = _gateway_of(service, connection_id)
    before = {sa["spi_in"] for sa in service.diagnosis(connection_id)["sas"]}
    with _no_ping_lost(world):
        service.log.write_text("")
        with _site_with(service, _faulty(service.site.read_text(), old, new)):
            sites.wait_for(lambda: _ours(service, gateway)["status"] == "FAULT", "the fault", seconds=PATIENCE)
            assert reason in _ours(service, gateway)["reason"]
            shown = service.diagnosis(connection_id)
            assert shown["status"] == "ACTIVE"
            assert shown["reason"].startswith("the VPN gateway is FAULT: ")
            assert reason in shown["reason"]
            assert _readyz(service)["faults"] == 1
            assert said in service.log.read_text()
        sites.wait_for(
            lambda: _ours(service, gateway)["status"] == "ACTIVE", "the gateway to be well", seconds=PATIENCE
        )
    assert "faults" not in _readyz(service)
    assert "reason" not in service.diagnosis(connection_id)
    assert {sa["spi_in"] for sa in service.diagnosis(connection_id)["sas"]} == before


def test_an_underlay_that_is_not_there_stops_a_start_and_no_tunnel(tunnel: Any) -> None:
    world, service, _ = tunnel
    present = service.site.read_text()
    with _no_ping_lost(world):
        service.stop()
        service.site.write_text(present.replace("-wan", "-vam"))
        with pytest.raises(RuntimeError, match=f"lacks the network namespace {world.prefix}-vam"):
            service.start()
        service.process = None
        service.site.write_text(present)
        service.start()


def test_what_was_deleted_goes_though_the_site_file_lost_the_gateway() -> None:
    with _serving() as (world, service, connection_id):
        _delete_without_the_gateway(world, service, connection_id)


def _delete_without_the_gateway(world: sites.World, service: demo.Service, connection_id: str) -> None:
    known = service.credentials
    with _site_with(service, _faulty(service.site.read_text(), "eip", "")):
        url = f"{service.credentials['endpoint']}/v5/{known['project_id']}/vpn-connection/{connection_id}"
        headers = {"X-Auth-Token": known["token"]}
        assert httpx.delete(url, headers=headers, timeout=90).status_code == 204
        sites.wait_for(
            lambda: httpx.get(url, headers=headers, timeout=90).status_code == 404, "its end", seconds=PATIENCE
        )
        assert not sites.ping(world.vpc_host, HOST, wait=1)
