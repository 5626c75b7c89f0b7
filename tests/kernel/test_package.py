"""The Debian package on a host with systemd and a tunnel: install, upgrade, downgrade, a bad version, remove, purge. One story, in this order.

Runs in a virtual machine of its own, since it installs for good:

    python -m lab.upgrade --packages
    python -m lab.vm --systemd -- .venv/bin/python -m pytest tests/kernel/test_package.py

The first line, on the host, builds the packages. `lab.booted` in place of `lab.vm --systemd` takes minutes, on the data plane of this machine's kernel.
"""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import demo, installed, sites, upgrade
from lab.installed import HOST, PATIENCE, Service, charon, gateway, nothing_lost, spis, systemctl, unit, version
from landbridge import paths
from landbridge.install import files

pytestmark = [pytest.mark.timeout(2400), pytest.mark.long]
#: What is older was there before the package.
STAMP = Path("/run/before-the-package")
#: Where packages and services leave files. dpkg's own notes are no part of a package.
PLACES = (
    "/etc",
    "/opt",
    "/usr/bin",
    "/usr/lib/landbridge",
    "/usr/lib/systemd",
    "/usr/lib/sysctl.d",
    "/usr/share/doc",
    "/var",
)
OF_DPKG = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/var/tmp/")


def dpkg(*words: str) -> "subprocess.CompletedProcess[str]":
    """Without waiting for a disk that is memory here, and without an index of all pages of man, which takes minutes."""
    command = ["dpkg", "--force-unsafe-io", "--no-triggers", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5 * PATIENCE)
    sys.stdout.write(done.stdout + done.stderr)
    return done


def install(number: str) -> "subprocess.CompletedProcess[str]":
    return dpkg("--install", str(upgrade.package(upgrade.PACKAGES, number)))


def state() -> str:
    """What dpkg says of the package: its state and its version, without the release of Debian."""
    command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", "landbridge"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("~")[0]


def main_process() -> str:
    return systemctl("show", "--property=MainPID", "--value", "landbridge.service")


@pytest.fixture(scope="module")
def world() -> Iterator[sites.World]:
    with sites.World() as world:
        yield world


@pytest.fixture(scope="module")
def service(world: sites.World) -> Service:
    # The machine that this one is made of may forbid packages to start services, as images of containers do.
    Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
    STAMP.touch()
    return installed.prepare(world)


@pytest.fixture(scope="module")
def connection_id(world: sites.World, service: Service) -> str:
    done = install(upgrade.NOW)
    assert done.returncode == 0, done.stderr
    return demo.build_tunnel(service, world, patience=PATIENCE)


def test_the_package_carries_a_tunnel(world: sites.World, service: Service, connection_id: str) -> None:
    del connection_id
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the first ping", seconds=PATIENCE)
    assert version(service) == upgrade.NOW
    assert systemctl("is-enabled", "landbridge.service") == "enabled"
    assert systemctl("is-active", unit(paths.CHARON_UNIT)) == "active"
    assert systemctl("show", "--property=FragmentPath", "--value", unit(paths.CHARON_UNIT)).startswith(
        ("/usr/lib/", "/lib/")
    )
    done = subprocess.run(
        ["systemctl", "is-enabled", *installed.SWITCHED_OFF], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["disabled", "disabled"]


def test_an_upgrade_of_the_package_loses_no_packet_and_keeps_the_sas(
    world: sites.World, service: Service, connection_id: str
) -> None:
    before, daemon = spis(service, connection_id), charon()
    with nothing_lost(world):
        done = install(upgrade.NEXT)
        assert done.returncode == 0, done.stderr
        assert version(service) == upgrade.NEXT
        wanted = f"the tunnel in the eyes of {upgrade.NEXT}"
        sites.wait_for(lambda: spis(service, connection_id) == before, wanted, seconds=PATIENCE)
    assert charon() == daemon


def schema() -> str:
    with contextlib.closing(sqlite3.connect(f"{paths.DATA}/{paths.DATABASE}", timeout=60)) as database:
        (number,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(number)


def set_schema(number: str) -> None:
    """The database says that a version with this schema made it."""
    with contextlib.closing(sqlite3.connect(f"{paths.DATA}/{paths.DATABASE}", timeout=60)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (number,))


def test_a_downgrade_below_the_database_is_refused_and_nothing_restarts(service: Service, connection_id: str) -> None:
    before, daemon, number = main_process(), charon(), schema()
    set_schema("9999")
    try:
        done = install(upgrade.NOW)
    finally:
        set_schema(number)
    assert done.returncode != 0
    assert "has the schema 9999 of a newer version" in done.stderr
    assert (main_process(), charon()) == (before, daemon)
    assert version(service) == upgrade.NEXT
    assert spis(service, connection_id)
    assert dpkg("--audit", "landbridge").stdout == ""


def test_a_version_that_migrates_and_does_not_start_gives_way_to_the_one_before(
    world: sites.World, service: Service, connection_id: str
) -> None:
    before, daemon, number = spis(service, connection_id), charon(), schema()
    with nothing_lost(world):
        done = install(upgrade.BROKEN)
        assert done.returncode != 0
        assert f"{upgrade.WHY}); {upgrade.NEXT}-" in done.stderr
        assert state() == f"half-configured {upgrade.BROKEN}"
        assert version(service) == upgrade.NEXT
        assert schema() == number
        done = dpkg("--configure", "landbridge")  # as each later run of apt does
        assert done.returncode != 0
        assert version(service) == upgrade.NEXT
        done = install(upgrade.NEXT)
        assert done.returncode == 0, done.stderr
        assert state() == f"installed {upgrade.NEXT}"
    assert (spis(service, connection_id), charon(), schema()) == (before, daemon, number)
    assert list(Path(paths.DATA).glob("*.before-*")) == []


def test_removing_takes_all_down_and_leaves_the_data(connection_id: str) -> None:
    del connection_id
    daemon, namespace = unit(paths.CHARON_UNIT), Path("/run/netns", f"lb-{gateway()}")
    pids = subprocess.run(
        ["ip", "netns", "pids", namespace.name], capture_output=True, text=True, check=True
    ).stdout.split()
    assert pids
    done = dpkg("--remove", "landbridge")
    assert done.returncode == 0, done.stderr
    assert not namespace.exists()
    assert [pid for pid in pids if Path("/proc", pid).exists()] == []
    state = subprocess.run(
        ["systemctl", "is-active", "landbridge", daemon], capture_output=True, text=True, check=False
    )
    assert state.stdout.split() == ["inactive", "inactive"]
    assert systemctl("is-enabled", *installed.SWITCHED_OFF).split() == ["enabled", "enabled"]
    assert not Path(files.PACKAGE.home).exists()
    assert Path(paths.DATA, paths.DATABASE).exists()
    assert Path(files.CONFIGURATION).exists()


def is_switched_on(path: str) -> bool:
    """Whether the path is a link by which systemd starts a service that the package had switched off: a removal switches it on again."""
    return Path(path).is_symlink() and Path(path).name in (*installed.SWITCHED_OFF, "strongswan-swanctl.service")


def test_purging_leaves_nothing(connection_id: str) -> None:
    del connection_id
    done = dpkg("--purge", "landbridge")
    assert done.returncode == 0, done.stderr
    places = [place for place in PLACES if Path(place).exists()]
    command = ["find", *places, "-xdev", "(", "!", "-type", "d", "-newer", STAMP, ")", "-o", "-name", "*landbridge*"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [path for path in found if not path.startswith(OF_DPKG) and not is_switched_on(path)] == []
    assert not Path(paths.RUN).exists()
