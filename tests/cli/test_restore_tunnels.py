"""A restore under real tunnels: what the backup knows carries on, what was made later goes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkvpn import v5

from lab import demo, sites, two_networks

pytestmark = pytest.mark.tunnel
HOST = "192.168.44.10"


def _run(service: demo.Service, *words: str) -> None:
    done = subprocess.run(
        [demo.BIN / "landbridge", *words, "--data", service.data],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr


def _loaded(service: demo.Service) -> dict[str, set[str]]:
    """The names of the connections in every gateway's charon, by the gateway's folder."""
    found = {}
    for folder in (service.data / "engine").iterdir():
        said = subprocess.run(
            ["swanctl", "--list-conns", "--uri", f"unix://{folder}/charon.vici"],
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        names = [line.partition(":")[0] for line in said.stdout.splitlines() if line and not line.startswith(" ")]
        found[folder.name] = set(names)
    return found


def _spis(service: demo.Service, connection_id: str) -> set[tuple[str, str]]:
    return {(sa["spi_in"], sa["spi_out"]) for sa in service.diagnosis(connection_id)["sas"]}


def _carries(world: sites.World) -> None:
    """A single ping may come too late on a busy machine. That no tunnel was made anew is told by the SPIs."""
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "a ping to cross")


def _another_connection(client: Any) -> str:
    """On the only gateway; its device answers nobody."""
    (gateway,) = client.list_vgws(v5.ListVgwsRequest()).vpn_gateways
    peer = v5.CreateCgwRequestBodyContent(id_value="198.51.100.77")
    body = v5.CreateCgwRequestBody(customer_gateway=peer)
    wish = v5.CreateVpnConnectionRequestBodyContent(
        vgw_id=gateway.id,
        vgw_ip=gateway.eip1.id,
        cgw_id=client.create_cgw(v5.CreateCgwRequest(body=body)).customer_gateway.id,
        peer_subnets=["192.168.55.0/24"],
        psk=demo.PSK,
    )
    request = v5.CreateVpnConnectionRequest(body=v5.CreateVpnConnectionRequestBody(vpn_connection=wish))
    return str(client.create_vpn_connection(request).vpn_connection.id)


def test_a_restore_adopts_what_it_knows_and_sweeps_what_was_made_later(tmp_path: Path):
    with sites.World() as world, two_networks.serving(world, **demo.STEADY) as service:
        first = demo.build_tunnel(service, world)
        _carries(world)
        before, known = _spis(service, first), _loaded(service)
        _run(service, "backup", str(tmp_path / "b"))
        second = _another_connection(service.client())
        two_networks.make_gateway(service)
        sites.wait_for(
            lambda: any(second in name for names in _loaded(service).values() for name in names), "the second"
        )
        sites.wait_for(lambda: len(_loaded(service)) == 2, "the second gateway")
        service.stop()
        _run(service, "restore", str(tmp_path / "b"), "--force")
        service.start()
        sites.wait_for(lambda: _loaded(service) == known, "what nobody knows any more to be swept")
        sites.wait_for(lambda: service.diagnosis(first)["status"] == "ACTIVE", "the tunnel to be seen")
        assert _spis(service, first) == before
        _carries(world)
        third = _another_connection(service.client())
        sites.wait_for(lambda: any(third in name for names in _loaded(service).values() for name in names), "a new one")
        assert _spis(service, first) == before
