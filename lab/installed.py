"""An installation on a host with systemd, for the tests in virtual machines: its service, its daemons, and a tunnel under pings."""

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx

from lab import demo, pinging, sites
from landbridge import paths
from landbridge.install import files

#: Behind the device.
HOST = "192.168.44.10"
#: Seconds. Such a machine is a tenth as fast as it claims to be.
PATIENCE = 300
#: Seconds that `systemctl` gets. A restart takes as long as the unit of the service lets it: 30 s to stop and 300 s to start.
SYSTEMCTL_SECONDS = 2 * PATIENCE
#: Units of other packages that an installation switches off.
SWITCHED_OFF = ("strongswan.service", "bird.service")


class Service(demo.Service):
    """The service of this host. What is done to a process elsewhere is done by systemd here."""

    def start(self) -> None:
        systemctl("start", "landbridge")

    def stop(self, number: object = None) -> None:
        del number
        systemctl("stop", "landbridge")


def prepare(world: sites.World) -> Service:
    """Writes the operator's inventory and settings; nothing is installed yet. SAs stay what they are until something ends them: the service does
    not ask for a second one (`prove_pfs`).
    """
    eips = "".join(demo.EIP.format(id=uuid.uuid4(), address=address) for address in sites.EIPS[:4])
    site = Path(files.SITE)
    site.parent.mkdir()
    site.write_text(demo.SITE_FILE.format(underlay=world.wan, vpc=demo.VPC_ID, eips=eips))
    initial = files.INITIAL_FILES[files.CONFIGURATION]
    Path(files.CONFIGURATION).write_text(initial.replace("[engine]\n", "[engine]\nprove_pfs = false\n"))
    return Service(Path(paths.DATA), site, Path("/dev/null"))


def systemctl(*words: str) -> str:
    command = ["systemctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SYSTEMCTL_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def gateway() -> str:
    """The 12 hex digits of the only one."""
    (folder,) = Path(paths.DATA, "engine").iterdir()
    return folder.name


def unit(kind: str) -> str:
    """The only one of a kind of daemons."""
    return f"{kind}{gateway()}.service"


def process(kind: str) -> str:
    """The process of the only unit of this kind, and when it started."""
    return systemctl("show", "--property=MainPID,ExecMainStartTimestampMonotonic", unit(kind))


def started(kind: str) -> int:
    """When the only unit of this kind started its process: microseconds of the monotonic clock."""
    return int(systemctl("show", "--property=ExecMainStartTimestampMonotonic", "--value", unit(kind)))


def charon() -> str:
    return process(paths.CHARON_UNIT)


def spis(service: Service, connection_id: str) -> set[tuple[str, str]]:
    return {(sa["spi_in"], sa["spi_out"]) for sa in service.diagnosis(connection_id)["sas"]}


def version(service: Service) -> str:
    answer = httpx.get(service.credentials["endpoint"] + "/openapi.json", timeout=60)
    return str(answer.json()["info"]["version"])


@contextlib.contextmanager
def nothing_lost(world: sites.World, host: str = HOST) -> Iterator[None]:
    """Pings cross before, during and after the block, and not one is lost."""
    with pinging.pinging(world.vpc_host, host) as pings:
        pings.wait_for_more(pinging.RATE, seconds=PATIENCE)
        yield
        pings.wait_for_more(2 * pinging.RATE, seconds=PATIENCE)
        sys.stdout.write(f"pings: {len(pings.answered)} answered, {len(pings.lost)} lost\n")
        assert not pings.lost
