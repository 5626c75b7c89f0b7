"""A real tunnel by the command line alone: from nothing to a ping, and the cause when the device has another PSK."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab import demo, sites
from tests.conftest import LANDBRIDGE

pytestmark = pytest.mark.tunnel


def test_from_nothing_to_a_ping_and_to_the_cause_of_a_fault(tmp_path: Path):
    (tmp_path / "psk").write_text(demo.PSK + "\n")
    with sites.World() as world, demo.serving(world) as service:

        def landbridge(*words: str, ends: int = 0) -> subprocess.CompletedProcess[str]:
            environment = os.environ | {"LANDBRIDGE_DATA": str(service.data)}
            command = [LANDBRIDGE, *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
            assert done.returncode == ends, done.stderr
            return done

        landbridge("gateway", "create", "--name", "hq", "--vpc", demo.VPC_ID, "--local-subnet", sites.VPC, "--wait")
        shown = json.loads(landbridge("gateway", "show", "hq", "-o", "json").stdout)["vpn_gateway"]
        tunnel = sites.Tunnel(gateway=shown["eip1"]["ip_address"], psk=demo.PSK)
        device = world.add_device(tunnel)
        landbridge("customer-gateway", "create", "--name", "branch", "--address", device.address)
        words = ("--gateway", "hq", "--customer-gateway", "branch", "--peer-subnet", sites.LAN, "--psk-file", "psk")
        made = landbridge("connection", "create", "--name", "hq-branch", *words, "--wait")
        assert "landbridge: hq-branch: ACTIVE after" in made.stderr
        demo.prove(world)
        device.load(sites.Tunnel(gateway=tunnel.gateway, psk="Another-Horse-8"))
        waited = landbridge("connection", "reset", "hq-branch", "--wait", "--timeout", "20", ends=6)
        *_, look, last = waited.stderr.splitlines()
        assert look.startswith(
            "landbridge: hq-branch: DOWN: "
        )  # the initiator learns no more than that the device refuses
        assert look.endswith("; remedy: compare psk, local_id and peer_id on both sides")
        assert last == "landbridge: hq-branch is not ready after 20 s; it is DOWN"
        assert "problem\tconnection\thq-branch\thq\tDOWN\t" in landbridge("status").stdout
