"""Another version takes over while packets cross, without systemd: charons are children that outlive the service."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import demo, pinging, sites, upgrade

pytestmark = pytest.mark.tunnel
HOST = "192.168.44.10"


@pytest.fixture
def tunnel() -> Iterator[Any]:
    """A service with one tunnel that is up: (world, service, connection id)."""
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(sites.World())
        service = stack.enter_context(demo.serving(world, **demo.STEADY))
        connection_id = demo.build_tunnel(service, world)
        sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the first ping")
        yield world, service, connection_id


def _version(service: demo.Service) -> str:
    answer = httpx.get(service.credentials["endpoint"] + "/openapi.json", timeout=60)
    return str(answer.json()["info"]["version"])


def _spis(service: demo.Service, connection_id: str) -> set[tuple[str, str]]:
    return {(sa["spi_in"], sa["spi_out"]) for sa in service.diagnosis(connection_id)["sas"]}


def test_an_upgrade_loses_no_packet_and_keeps_the_sas(
    tunnel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, service, connection_id = tunnel
    before = _spis(service, connection_id)
    with pinging.pinging(world.vpc_host, HOST) as pings:
        pings.wait_for_more(pinging.RATE)
        service.stop()
        monkeypatch.setenv("PYTHONPATH", str(upgrade.another_version(tmp_path, "98.0.0")))
        service.start()
        assert _version(service) == "98.0.0"
        sites.wait_for(lambda: _spis(service, connection_id) == before, "the tunnel to be seen by the new version")
        pings.wait_for_more(3 * pinging.RATE)
        assert not pings.lost
    assert _spis(service, connection_id) == before
