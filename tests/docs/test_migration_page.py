"""The how-to on a hand-written swanctl.conf: its file carries on an old gateway, and its commands make the connection that takes over."""

import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import demo, pinging, sites
from landbridge.model import strongswan_proposals
from tests.docs import pages

NAME = "migrate-from-swanctl"
LANS = ("192.168.44.0/24", "192.168.45.0/24")
HOSTS = ("192.168.44.10", "192.168.45.10")
PUBLIC = "203.0.113.10"


def test_the_words_of_proposals_are_those_of_the_engine():
    """The tables have each algorithm of the engine, with its name in Landbridge."""
    rows = re.findall(
        r"^\| (`(?:aes128`|aes128gcm16|md5|modp768|ecp256).*?) \| (.*?)(?:\. Then.*)? \|$",
        pages.page(NAME),
        re.MULTILINE,
    )
    found = {}
    for theirs, ours in rows:
        found |= dict(zip(ours.split(", "), re.findall(r"`(\w+)`", theirs), strict=True))
    table = strongswan_proposals
    assert found == table.ENCRYPTION | table.AUTHENTICATION | table.GROUPS


@dataclass
class Move:
    """An old gateway at the public address with the page's file, a branch with its mirror image, and a service that has no gateway yet."""

    world: sites.World
    old: sites.Device
    branch: sites.Device
    service: demo.Service
    folder: Path

    def stop_old(self) -> str:
        """Commands that do what `systemctl stop strongswan` and the router do."""
        assert self.old.process is not None
        wan, pid = self.world.wan, self.old.process.pid
        return f"kill {pid}; ip -n {wan} route delete {PUBLIC}; ip -n {wan} link delete old-lan"


@pytest.fixture
def move() -> Iterator[Move]:
    with sites.World() as world, tempfile.TemporaryDirectory(prefix="lb-page-") as name:
        folder = Path(name)
        (text,) = pages.blocks(NAME, "conf")
        old = _old_gateway(world, text)
        branch = world.add_device(lans=LANS)
        branch.load_text(text.replace("local", "\0").replace("remote", "local").replace("\0", "remote"))
        (site,) = pages.blocks(NAME, "toml")
        (folder / "site.toml").write_text(
            f'[[node]]\nid = "n"\nunderlay = "{world.wan}"\n{site.replace("br-vpc", "vpc")}'
        )
        service = demo.Service(folder / "data", folder / "site.toml", folder / "service.log")
        try:
            service.start()
            yield Move(world, old, branch, service, folder)
        finally:
            service.stop()
            service.stop_engine()


def _old_gateway(world: sites.World, text: str) -> sites.Device:
    """A plain strongSwan at the public address and at 10.0.0.1 in the VPC."""
    old = sites.Device(f"{world.prefix}-old", world.vpc_host, PUBLIC, world.folder / "old")
    world._add_namespace(old.namespace)
    world._join(old.namespace, "wan", "100.64.0.2/30", world.wan, "old", "100.64.0.1/30")
    world._join(old.namespace, "lan", sites.VPC_ADDRESS, world.wan, "old-lan", None)
    sites.ip(world.wan, "link set old-lan master vpc")
    sites.ip(world.wan, f"route add {PUBLIC}/32 via 100.64.0.2")
    sites.ip(old.namespace, f"address add {PUBLIC}/32 dev lo")
    sites.ip(old.namespace, "route add default via 100.64.0.1")
    world._undo.callback(old.stop)
    old.start()
    old.load_text(text)
    return old


def _landbridge_carries(move: Move) -> bool:
    return all(sites.ping(move.world.vpc_host, host) for host in HOSTS)


@pytest.mark.tunnel
def test_a_hand_written_file_is_moved_and_its_device_notices_only_a_new_negotiation(move: Move):
    move.old.swanctl("--initiate", "--child", "office")
    move.old.swanctl("--initiate", "--child", "cameras")
    assert _landbridge_carries(move)
    before = (move.branch.folder / "swanctl.conf").read_text()
    bin_folder = move.folder / "bin"
    bin_folder.mkdir()
    systemctl = bin_folder / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$*" = "stop strongswan" ] || exit 1\n{move.stop_old()}\n')
    systemctl.chmod(systemctl.stat().st_mode | stat.S_IXUSR)
    with pinging.pinging(move.world.vpc_host, HOSTS[0]) as pings:
        sites.wait_for(lambda: pings.answered, "the old tunnel to carry")
        printed = pages.run(
            NAME,
            move.folder,
            replaced={"/etc/landbridge/site.toml": str(move.service.site)},
            PATH=f"{bin_folder}:{pages.PATH}",
            LANDBRIDGE_DATA=str(move.service.data),
        )
        sites.wait_for(lambda: _landbridge_carries(move), "the new tunnel to carry")
        sites.wait_for(lambda: pings.lost, "an echo after the break")
        print(f"{len(pings.lost) / pinging.RATE:.1f} s without echoes")  # noqa: T201 - for a run with -s
    assert 'id = "fqdn:branch.example"' in printed
    assert "proposals = aes256-sha384-ecp384" in printed
    assert "landbridge: branch: ACTIVE after" in printed
    assert {line.split("\t")[1] for line in printed.splitlines() if line.startswith("10.0.0.0/24\t")} == set(LANS)
    assert (move.branch.folder / "swanctl.conf").read_text() == before
