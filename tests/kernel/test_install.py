"""A host with systemd: install, tunnel, upgrade, stop, a simulated reboot, a bad version, uninstall. One story, in this order.

Runs in a virtual machine of its own, since it installs for good:

    python -m lab.upgrade
    python -m lab.vm --systemd -- .venv/bin/python -m pytest tests/kernel/test_install.py

The first line, on the host, makes three versions as an image would have them; there is no network in the machine.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from huaweicloudsdkvpn import v5

from lab import birds, demo, installed, sites, upgrade
from lab.installed import (
    HOST,
    PATIENCE,
    Service,
    charon,
    gateway,
    nothing_lost,
    process,
    spis,
    started,
    systemctl,
    unit,
    version,
)
from landbridge import paths
from landbridge.engine.strongswan import names
from landbridge.install import files

pytestmark = pytest.mark.timeout(1200)
#: Behind the device that speaks BGP.
BGP_LAN, BGP_HOST = "192.168.45.0/24", "192.168.45.10"


def landbridge(number: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command of the version `number`, which is brought here as from an image."""
    prepared = upgrade.folder(number)
    here = Path(files.OWN.versions, prepared.name)
    if not here.exists():
        here.symlink_to(prepared)
    command = [here / "bin/landbridge", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3 * PATIENCE)
    sys.stdout.write(done.stdout + done.stderr)
    return done


@pytest.fixture(scope="module")
def world() -> Iterator[sites.World]:
    with sites.World() as world:
        yield world


@pytest.fixture(scope="module")
def service(world: sites.World) -> Service:
    """Nothing is installed yet but the operator's inventory."""
    Path(files.OWN.versions).mkdir(parents=True)
    return installed.prepare(world)


@pytest.fixture(scope="module")
def connection_id(world: sites.World, service: Service) -> str:
    done = landbridge(upgrade.NOW, "install")
    assert done.returncode == 0, done.stderr
    assert "write /etc/landbridge/site.toml" not in done.stdout
    return demo.build_tunnel(service, world, patience=PATIENCE)


@pytest.fixture(scope="module")
def speaker(world: sites.World, service: Service, connection_id: str) -> Iterator[birds.Bird]:
    """The BIRD of a device with a connection of style bgp at the same gateway. The session is established. It has no BFD: in this machine, packets of
    BFD are late by more than seconds when the host is busy.
    """
    client = service.client()
    first = client.show_vpn_connection(v5.ShowVpnConnectionRequest(vpn_connection_id=connection_id)).vpn_connection
    gateway = client.show_vgw(v5.ShowVgwRequest(vgw_id=first.vgw_id)).vpn_gateway
    device = world.add_device(lans=(BGP_LAN,), in_kernel=True)
    peer = v5.CreateCgwRequestBodyContent(name="depot", id_value=device.address, bgp_asn=65001)
    peer_id = client.create_cgw(v5.CreateCgwRequest(body=v5.CreateCgwRequestBody(customer_gateway=peer)))
    wish = v5.CreateVpnConnectionRequestBodyContent(
        vgw_id=gateway.id,
        vgw_ip=gateway.eip2.id,
        cgw_id=peer_id.customer_gateway.id,
        style="bgp",
        psk=demo.PSK,
        peer_subnets=[BGP_LAN],
    )
    body = v5.CreateVpnConnectionRequestBody(vpn_connection=wish)
    made = client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body)).vpn_connection
    for command in (
        "link add t0 type xfrm if_id 9",
        f"address add {made.tunnel_peer_address} dev t0",
        "link set t0 up",
    ):
        sites.ip(device.namespace, command)
    everything = (("0.0.0.0/0", "0.0.0.0/0"),)
    device.load(sites.Tunnel(gateway=gateway.eip2.ip_address, psk=demo.PSK, pairs=everything, if_id=9))
    ours, theirs = (each.split("/")[0] for each in (made.tunnel_local_address, made.tunnel_peer_address))
    bird = birds.Bird(
        namespace=device.namespace,
        folder=device.folder / "bgp",
        address=theirs,
        peer=ours,
        peer_asn=gateway.bgp_asn,
        routes=(BGP_LAN,),
        more="",
    )
    show = v5.ShowVpnConnectionRequest(vpn_connection_id=made.id)
    with birds.running(bird):
        demo.wait_for_status(
            "bgp connection", lambda: str(client.show_vpn_connection(show).vpn_connection.status), "ACTIVE", PATIENCE
        )
        yield bird


def established() -> datetime | None:
    """Since when the only BGP session is established, in the words of the gateway's BIRD. BIRD computes the milliseconds anew each time. None: it is not."""
    command = ["birdc", "-s", f"{paths.RUN}/{gateway()}.ctl", "show", "protocols"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    sys.stdout.write(said)
    (words,) = (line.split() for line in said.splitlines() if " BGP " in line)
    return datetime.fromisoformat(" ".join(words[4:6])) if words[6:] == ["Established"] else None


def learned_routes() -> str:
    """In the kernel, as BIRD put them there."""
    command = ["ip", "-n", f"lb-{gateway()}", "route", "show", "table", str(names.LEARNED_TABLE)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def pids_of_the_gateway() -> list[int]:
    """Of the processes in its namespace."""
    command = ["ip", "netns", "pids", f"lb-{gateway()}"]
    return [int(pid) for pid in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


def wait_for_a_look(service: Service, connection_id: str) -> None:
    before = service.diagnosis(connection_id)["seen_at"]
    sites.wait_for(lambda: service.diagnosis(connection_id)["seen_at"] != before, "a look", seconds=PATIENCE)


def test_an_installed_service_carries_a_tunnel_in_units_of_its_own(world: sites.World, connection_id: str) -> None:
    del connection_id
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the first ping", seconds=PATIENCE)
    assert systemctl("is-active", f"{paths.CHARON_UNIT}{gateway()}.service") == "active"
    assert Path(paths.RUN, f"{gateway()}.vici").is_socket()
    inside = systemctl("show", "--property=ControlGroup", "--value", "landbridge.service")
    processes = Path(f"/sys/fs/cgroup{inside}/cgroup.procs").read_text().split()  # a look's `nft` may be among them
    assert systemctl("show", "--property=MainPID", "--value", "landbridge.service") in processes
    charon = systemctl("show", "--property=MainPID", "--value", f"{paths.CHARON_UNIT}{gateway()}.service")
    assert charon not in processes


def test_systemd_finds_nothing_wrong_with_the_installed_units() -> None:
    units = [files.SERVICE, *(f"{kind}0123456789ab.service" for kind in (paths.CHARON_UNIT, paths.BIRD_UNIT))]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "landbridge" in line]) == (0, [])


@pytest.mark.long
def test_a_bgp_session_comes_up_with_a_bird_in_a_unit_of_its_own(world: sites.World, speaker: birds.Bird) -> None:
    assert systemctl("is-active", unit(paths.BIRD_UNIT)) == "active"
    assert Path(paths.RUN, f"{gateway()}.ctl").is_socket()
    assert speaker.learned() == {sites.VPC}
    sites.wait_for(lambda: sites.ping(world.vpc_host, BGP_HOST), "a ping by a learned route", seconds=PATIENCE)


@pytest.mark.long
def test_a_bird_sees_the_folder_of_its_gateway_alone(speaker: birds.Bird) -> None:
    del speaker
    pid = systemctl("show", "--property=MainPID", "--value", unit(paths.BIRD_UNIT))
    found = [path for path in Path(f"/proc/{pid}/root{paths.DATA}").rglob("*") if path.is_file()]
    assert found
    assert {path.parent.name for path in found} == {gateway()}
    assert not any(Path(f"/proc/{pid}/root{files.ETC}").iterdir())


@pytest.mark.long
def test_a_restart_of_the_service_touches_no_bgp_session(
    world: sites.World, service: Service, connection_id: str, speaker: birds.Bird
) -> None:
    daemon, since, routes = process(paths.BIRD_UNIT), established(), learned_routes()
    assert since is not None
    assert f"{BGP_LAN} " in routes
    with nothing_lost(world, BGP_HOST):
        systemctl("restart", "landbridge")
        wait_for_a_look(service, connection_id)
    after = established()
    assert after is not None
    assert abs(after - since) < timedelta(seconds=1)
    assert (process(paths.BIRD_UNIT), learned_routes()) == (daemon, routes)
    assert speaker.learned() == {sites.VPC}


def test_the_packaged_daemons_are_switched_off(connection_id: str) -> None:
    del connection_id
    done = subprocess.run(
        ["systemctl", "is-enabled", *installed.SWITCHED_OFF], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["disabled", "disabled"]
    assert tuple(Path(files.OWN.switched_off).read_text().split()) == installed.SWITCHED_OFF


def test_an_upgrade_loses_no_packet_and_keeps_the_sas(world: sites.World, service: Service, connection_id: str) -> None:
    before, daemon = spis(service, connection_id), charon()
    with nothing_lost(world):
        done = landbridge(upgrade.NEXT, "install")
        assert done.returncode == 0, done.stderr
        assert version(service) == upgrade.NEXT
        wanted = f"the tunnel in the eyes of {upgrade.NEXT}"
        sites.wait_for(lambda: spis(service, connection_id) == before, wanted, seconds=PATIENCE)
    assert charon() == daemon


def test_a_version_that_does_not_start_gives_way_to_the_one_before(
    world: sites.World, service: Service, connection_id: str
) -> None:
    before, daemon = spis(service, connection_id), charon()
    with nothing_lost(world):
        done = landbridge(upgrade.BROKEN, "install")
        assert done.returncode == 1
        assert f"{upgrade.WHY}); {upgrade.NEXT}-" in done.stderr
        assert version(service) == upgrade.NEXT
    assert (spis(service, connection_id), charon()) == (before, daemon)


def test_stopping_the_service_stops_no_tunnel(world: sites.World, service: Service, connection_id: str) -> None:
    before, daemon = spis(service, connection_id), charon()
    with nothing_lost(world):
        service.stop()
        assert charon() == daemon
        assert Path(paths.RUN, f"{gateway()}.vici").is_socket()
        service.start()
        sites.wait_for(lambda: spis(service, connection_id) == before, "the tunnel to be seen", seconds=PATIENCE)


def test_a_charon_that_takes_too_much_memory_is_ended_and_started_anew(
    world: sites.World, service: Service, connection_id: str
) -> None:
    before, daemon = spis(service, connection_id), charon()
    cgroup = systemctl("show", "--property=ControlGroup", "--value", unit(paths.CHARON_UNIT))
    group = Path(f"/sys/fs/cgroup{cgroup}")
    bounds = {name: (group / name).read_text().strip() for name in ("memory.max", "memory.high", "pids.max")}
    assert bounds == {"memory.max": str(1 << 30), "memory.high": str(768 << 20), "pids.max": "128"}
    (group / "memory.max").write_text("2M")
    sites.wait_for(lambda: charon() != daemon, "the kernel to end it", seconds=PATIENCE)
    sites.wait_for(lambda: spis(service, connection_id) not in (set(), before), "new SAs", seconds=PATIENCE)
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the ping to cross again", seconds=PATIENCE)
    assert (group / "memory.max").read_text().strip() == str(1 << 30)


def test_after_all_that_a_reboot_takes_everything_comes_back(
    world: sites.World, service: Service, connection_id: str
) -> None:
    before = spis(service, connection_id)
    service.stop()
    for pid in pids_of_the_gateway():
        with contextlib.suppress(ProcessLookupError):  # it ended with another one
            os.kill(pid, signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", f"lb-{gateway()}"], check=True)
    subprocess.run(["rm", "-r", paths.RUN], check=True)
    service.start()
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the ping to cross again", seconds=PATIENCE)
    # until the agent has looked, what is told is what was seen last
    sites.wait_for(lambda: spis(service, connection_id) not in (set(), before), "new SAs", seconds=PATIENCE)
    assert systemctl("is-active", f"{paths.CHARON_UNIT}{gateway()}.service") == "active"


@pytest.mark.long
def test_after_a_reboot_the_bgp_session_comes_back(world: sites.World, speaker: birds.Bird) -> None:
    sites.wait_for(lambda: sites.ping(world.vpc_host, BGP_HOST), "a ping by a learned route", seconds=PATIENCE)
    sites.wait_for(established, "the BGP session", seconds=PATIENCE)
    sites.wait_for(lambda: speaker.learned() == {sites.VPC}, "the announced network", seconds=PATIENCE)
    assert systemctl("is-active", unit(paths.BIRD_UNIT)) == "active"
    assert started(paths.BIRD_UNIT) > started(paths.CHARON_UNIT)


def test_uninstalling_takes_all_down_and_leaves_the_data(connection_id: str) -> None:
    """After a test of BGP, a BIRD runs too."""
    del connection_id
    daemons, namespace = (
        [unit(kind) for kind in (paths.CHARON_UNIT, paths.BIRD_UNIT)],
        Path("/run/netns", f"lb-{gateway()}"),
    )
    pids = pids_of_the_gateway()
    assert pids
    done = landbridge(upgrade.NEXT, "uninstall")
    assert done.returncode == 0, done.stderr
    left = [
        path
        for path in (*files.managed(files.OWN), files.OWN.command, files.OWN.home, paths.RUN)
        if Path(path).exists()
    ]
    assert left == []
    assert not namespace.exists()
    state = subprocess.run(["systemctl", "is-active", *daemons], capture_output=True, text=True, check=False)
    assert state.stdout.split() == ["inactive", "inactive"]
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert systemctl("is-enabled", *installed.SWITCHED_OFF).split() == ["enabled", "enabled"]
    assert Path(paths.DATA, "landbridge.db").exists()
    assert Path(files.CONFIGURATION).exists()
