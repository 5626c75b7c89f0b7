"""What a Landbridge finds when it starts: tunnels that it made, things that it made by half, what is nobody's any more, and what
is somebody else's. Unchanged tunnels keep their SPIs and lose no ping.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from huaweicloudsdkvpn import v5

from lab import cycles, demo, pinging, sites, two_networks
from landbridge.engine import base
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.network import namespace
from tests.engine.strongswan import fault_bench
from tests.engine.strongswan.fault_bench import Bench

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
SECOND_LAN, SECOND_HOST = "192.168.45.0/24", "192.168.45.10"


# -- the engine -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fault_bench.bench() as made:
        yield made


def _half_bound(bench: Bench) -> None:
    """`ip netns add` made the file and died before the mount."""
    namespace.RUN.mkdir(exist_ok=True)
    (namespace.RUN / bench.namespace).touch()


@pytest.fixture
def half_made(bench: Bench) -> Bench:
    """The folder is marked, the namespace half made."""
    bench.settle(None)
    engine = bench.fresh()
    engine.apply(bench.id, cycles.plan(engine, bench.id, bench.desired())[0])
    assert (bench.folder / "gateway").exists()
    _half_bound(bench)
    return bench


def test_a_namespace_that_was_half_made_is_made_whole(half_made: Bench):
    half_made.settle(half_made.desired(half_made.main, half_made.other))
    half_made.carries()


def test_a_namespace_that_was_half_made_for_nobody_is_swept(half_made: Bench):
    assert half_made.fresh().gateways() == {half_made.id}
    half_made.settle(None)
    assert not half_made.folder.exists()
    assert not (namespace.RUN / half_made.namespace).exists()


def test_a_folder_whose_mark_was_half_written_is_finished(bench: Bench):
    bench.settle(None)
    bench.folder.mkdir()
    (bench.folder / "gateway.new").write_text(bench.id[:5])
    assert bench.fresh().gateways() == frozenset()
    bench.settle(bench.desired(bench.main, bench.other))
    assert bench.fresh().gateways() == {bench.id}


@contextlib.contextmanager
def _foreign(bench: Bench) -> Iterator[None]:
    """Somebody's namespace with the name of the gateway's, in which nothing changes."""
    subprocess.run(["ip", "netns", "add", bench.namespace], check=True)
    try:
        subprocess.run(["ip", "-n", bench.namespace, "address", "add", "10.99.0.1/32", "dev", "lo"], check=True)
        before = _inside(bench)
        yield
        assert _inside(bench) == before
    finally:
        subprocess.run(["ip", "netns", "delete", bench.namespace], check=True)


def _inside(bench: Bench) -> str:
    listed = ("address", "route show table all", "rule", "link")
    return "".join(_text("ip", "-n", bench.namespace, *what.split()) for what in listed) + _text(
        "ip", "netns", "exec", bench.namespace, "nft", "list", "ruleset"
    )


def _is_refused(bench: Bench) -> None:
    """The failure says whose turn it is."""
    failure = cycles.run_cycle(bench.fresh(), bench.id, bench.desired(bench.main)).failure
    assert f"the network namespace {bench.namespace} is there and not ours, and left alone" in str(failure)
    assert "delete it or give it another name" in str(failure)


def test_a_namespace_that_is_not_ours_is_not_touched(bench: Bench):
    """It has the name that ours would have, and no folder says that it is ours."""
    bench.settle(None)
    with _foreign(bench):
        _is_refused(bench)
        assert not cycles.run_cycle(bench.fresh(), bench.id, None).exists
    bench.settle(bench.desired(bench.main, bench.other))


def test_a_namespace_that_took_the_name_after_a_boot_is_not_touched(bench: Bench):
    """The folder is there, and says nothing about that namespace."""
    bench.settle(bench.desired(bench.main))
    bench.kill()
    namespace.remove(bench.namespace)
    with _foreign(bench):
        _is_refused(bench)
    bench.settle(bench.desired(bench.main, bench.other))
    bench.carries()


def test_a_gateway_goes_and_leaves_the_namespace_that_took_its_name(bench: Bench):
    bench.settle(bench.desired(bench.main))
    bench.kill()
    namespace.remove(bench.namespace)
    with _foreign(bench):
        assert not cycles.run_cycle(bench.fresh(), bench.id, None).exists
        assert not bench.folder.exists()
    assert names.short(bench.id) not in _text("ip", "-n", bench.world.wan, "-br", "link")


def test_what_is_left_of_a_gateway_goes_and_the_namespace_that_took_its_name_stays(bench: Bench):
    bench.settle(bench.desired(bench.main))
    namespace.remove(bench.namespace)
    shutil.rmtree(bench.folder)
    with _foreign(bench):
        assert [bool(one.charons) for one in bench.fresh().orphans()] == [True]
        bench.fresh().stop_all()
        assert bench.fresh().orphans() == []


def test_a_tunnel_carries_on_while_a_foreign_namespace_has_the_name_of_its_own(bench: Bench):
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    namespace.remove(bench.namespace)
    with _foreign(bench):
        _is_refused(bench)
        bench.carries()
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)


def test_a_copy_of_a_data_folder_touches_nothing_of_the_gateways_that_it_has_marks_of(bench: Bench):
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    copied = bench.world.folder / "copy/engine" / bench.folder.name
    shutil.copytree(bench.folder, copied, ignore=shutil.ignore_patterns("*.vici"))
    (copied / "charon.vici").symlink_to(bench.folder / "charon.vici")  # as the folder of an installed service has it
    copy = StrongSwan(copied.parents[1], bench.world.site("vpc-1"))
    with pinging.pinging(bench.world.vpc_host, HOST, 20) as pings:
        failure = cycles.run_cycle(copy, bench.id, both).failure
        assert f"is of another data folder, {bench.world.folder}, and left alone" in str(failure)
        copy.stop_all()
        assert not copied.exists()
        pings.wait_for_more(20)
        assert not pings.lost
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)


def test_a_namespace_that_names_a_folder_that_is_gone_belongs_to_the_folder_that_was_moved(bench: Bench):
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    alias = f"landbridge /gone/engine/{bench.folder.name}"
    subprocess.run(["ip", "-n", bench.namespace, "link", "set", "lo", "alias", alias], check=True)
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)


def test_a_namespace_of_an_earlier_version_says_nothing_and_is_ours(bench: Bench):
    both = bench.desired(bench.main, bench.other)
    end = bench.settle(both)
    subprocess.run(["ip", "-n", bench.namespace, "link", "set", "lo", "alias", ""], check=True)
    assert bench.settle(both) == end
    bench.kill()
    assert bench.settle(both) == end


def test_a_namespace_that_nobody_had_time_to_sign_is_ours(bench: Bench):
    bench.settle(None)
    engine = bench.fresh()
    engine.apply(bench.id, cycles.plan(engine, bench.id, bench.desired())[0])
    subprocess.run(["ip", "netns", "add", bench.namespace], check=True)
    bench.settle(bench.desired(bench.main))
    bench.carries()


@pytest.mark.parametrize("rest", ["", "-4\x00", "-4aaa-9999-000000000000"])
def test_an_id_that_begins_alike_sees_nothing_and_takes_nothing_down(bench: Bench, rest: str):
    """What is left of an id that was cut, and a whole one: all have the name of the gateway that carries."""
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    alike = bench.id[:13] + rest
    assert names.namespace(alike) == bench.namespace
    assert not cycles.run_cycle(bench.fresh(), alike, None).exists
    refused = cycles.run_cycle(bench.fresh(), alike, bench.desired(bench.main))
    assert f"is the folder of another gateway, {bench.id}" in str(refused.failure)
    assert bench.fresh().gateways() == {bench.id}
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)
    bench.carries()


def test_links_and_routes_of_others_in_the_underlay_stay(bench: Bench):
    """Whatever they are called: a gateway is made beside them and goes again."""
    bench.settle(None)
    wan = bench.world.wan
    for command in ("link add lw0123456789ab type bridge", "route add blackhole 203.0.113.200/32"):
        subprocess.run(["ip", "-n", wan, *command.split()], check=True)
    before = _text("ip", "-n", wan, "route"), _text("ip", "-n", wan, "-br", "link")
    bench.settle(bench.desired(bench.main, bench.other))
    bench.settle(None)
    assert (_text("ip", "-n", wan, "route"), _text("ip", "-n", wan, "-br", "link")) == before


def _text(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_killed_charon_is_back_with_all_its_tunnels(bench: Bench):
    both = bench.desired(bench.main, bench.other)
    end = bench.settle(both)
    bench.kill()
    assert bench.settle(both) == end
    bench.carries()
    bench.carries(fault_bench.OTHER_HOST)


def test_a_charon_that_hangs_when_we_start_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    (pid,) = fault_bench.pids(bench.namespace)
    os.kill(pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr("landbridge.engine.strongswan.daemon.ANSWER_TIMEOUT", 0.2)
            with pytest.raises(base.StepFailed, match="charon does not answer"):
                cycles.run_cycle(bench.fresh(), bench.id, both)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)


# -- the service ------------------------------------------------------------------------------------------------------


@dataclass
class Lab:
    """A service with one tunnel that is up, which no test changes; its SPIs, and pings that never end."""

    world: sites.World
    service: demo.Service
    connection_id: str

    @property
    def client(self) -> Any:
        return self.service.client()

    def spis(self) -> set[tuple[str, str]]:
        return {(sa["spi_in"], sa["spi_out"]) for sa in self.service.diagnosis(self.connection_id)["sas"]}

    def gateway(self) -> Any:
        """The one with the tunnel."""
        return two_networks.gateways(self.service)[0]

    def connect(self, lan: str, address: str) -> str:
        """A second connection, to a device at `address`; its id."""
        client, gateway = self.client, self.gateway()
        known = client.list_cgws(v5.ListCgwsRequest()).customer_gateways
        peer = next((one.id for one in known if one.id_value == address), None) or _customer(client, address)
        wish = v5.CreateVpnConnectionRequestBodyContent(
            vgw_id=gateway.id, vgw_ip=gateway.eip1.id, cgw_id=peer, peer_subnets=[lan], psk=demo.PSK
        )
        body = v5.CreateVpnConnectionRequestBody(vpn_connection=wish)
        return str(client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body)).vpn_connection.id)

    def delete(self, connection_id: str) -> None:
        self.client.delete_vpn_connection(v5.DeleteVpnConnectionRequest(vpn_connection_id=connection_id))

    def connections(self) -> dict[str, str]:
        found = self.client.list_vpn_connections(v5.ListVpnConnectionsRequest()).vpn_connections
        return {str(one.id): str(one.status) for one in found}

    def loaded(self) -> set[str]:
        """What charon itself says that it holds."""
        socket = self.service.data / "engine" / names.short(str(self.gateway().id)) / "charon.vici"
        listed = _text("swanctl", "--list-conns", "--uri", f"unix://{socket}")
        return set(re.findall(r"^([0-9a-f-]{36}): ", listed, re.MULTILINE))


def _customer(client: Any, address: str) -> str:
    wish = v5.CreateCgwRequestBodyContent(name=f"branch-{address.replace('.', '-')}", id_value=address)
    made = client.create_cgw(v5.CreateCgwRequest(body=v5.CreateCgwRequestBody(customer_gateway=wish)))
    return str(made.customer_gateway.id)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with sites.World() as world, two_networks.serving(world, **demo.STEADY) as service:
        made = Lab(world, service, demo.build_tunnel(service, world))
        eip = str(made.gateway().eip1.ip_address)
        world.add_device(sites.Tunnel(gateway=eip, psk=demo.PSK, pairs=((SECOND_LAN, sites.VPC),)), lans=(SECOND_LAN,))
        yield made


@contextlib.contextmanager
def _unharmed(lab: Lab) -> Iterator[None]:
    """Twenty pings a second cross the tunnel all the while and none is lost; in the end it has the SPIs that it had."""
    sites.wait_for(lambda: sites.ping(lab.world.vpc_host, HOST), "the tunnel to carry")
    before = lab.spis()
    with pinging.pinging(lab.world.vpc_host, HOST, 20) as pings:
        yield
    assert len(pings.answered) > 20
    assert not pings.lost
    sites.wait_for(lambda: lab.spis() == before, "the SPIs to be those from before")


def _is_settled(lab: Lab, wanted: dict[str, str]) -> bool:
    return lab.connections() == wanted and lab.loaded() == set(wanted)


def test_killed_again_and_again_amid_changes_it_ends_with_what_was_asked_for(lab: Lab):
    chance = random.Random(4)
    with _unharmed(lab):
        second = None
        for number in range(70, 76):
            second = lab.delete(second) if second else lab.connect(f"192.168.{number}.0/24", f"198.51.100.{number}")
            time.sleep(chance.uniform(0, 0.15))
            lab.service.stop(signal.SIGKILL)
            lab.service.start()
        assert second is None
        sites.wait_for(lambda: _is_settled(lab, {lab.connection_id: "ACTIVE"}), "the last wish")


def test_what_changed_while_it_was_away_is_made_so_and_nothing_else(lab: Lab):
    device = lab.world.devices[1].address
    old = lab.connect("192.168.66.0/24", "198.51.100.66")
    sites.wait_for(lambda: lab.loaded() == {lab.connection_id, old}, "the connection to be loaded")
    with _unharmed(lab):
        lab.service.stop(signal.SIGKILL)
        with _without_agent(lab.service):
            lab.delete(old)
            new = lab.connect(SECOND_LAN, device)
            assert lab.connections() == {lab.connection_id: "ACTIVE", old: "PENDING_DELETE", new: "PENDING_CREATE"}
        lab.service.start()
        wanted = {lab.connection_id: "ACTIVE", new: "ACTIVE"}
        sites.wait_for(lambda: _is_settled(lab, wanted), "the changes to be made")
        assert sites.ping(lab.world.vpc_host, SECOND_HOST)
        lab.delete(new)
        sites.wait_for(lambda: _is_settled(lab, {lab.connection_id: "ACTIVE"}), "it to be gone")


@contextlib.contextmanager
def _without_agent(service: demo.Service) -> Iterator[None]:
    """The API alone on the same data."""
    words = ["serve", "--data", service.data, "--site", service.site, "--listen", "127.0.0.1:0", "--engine", "none"]
    before = service.credentials["endpoint"]
    with (
        service.log.open("ab") as out,
        subprocess.Popen([demo.BIN / "landbridge", *words], stdout=out, stderr=out) as api,
    ):
        try:
            sites.wait_for(lambda: service.credentials["endpoint"] != before and _is_ready(service), "the API")
            yield
        finally:
            api.terminate()


def _is_ready(service: demo.Service) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(service.credentials["endpoint"] + "/readyz").status_code == 200
    return False


def test_gateways_that_nobody_knows_any_more_are_swept_and_foreign_namespaces_stay(lab: Lab, tmp_path: Path):
    """The database is put back to what it was before the second gateway."""
    with _unharmed(lab):
        lab.service.stop(signal.SIGTERM)
        shutil.copytree(lab.service.data, tmp_path / "before", ignore=shutil.ignore_patterns("engine"))
        lab.service.start()
        orphan = _second_gateway(lab)
        foreign = f"lb-{lab.world.prefix[1:]:f<12}"
        subprocess.run(["ip", "netns", "add", foreign], check=True)
        try:
            lab.service.stop(signal.SIGKILL)
            for path in lab.service.data.glob("landbridge.db*"):
                path.unlink()
            for path in (tmp_path / "before").glob("landbridge.db*"):
                shutil.copy(path, lab.service.data)
            lab.service.start()
            folder = lab.service.data / "engine" / names.short(orphan)
            sites.wait_for(lambda: not folder.exists(), "the orphan to be swept")
            assert not namespace.exists(names.namespace(orphan))
            assert namespace.exists(foreign)
        finally:
            subprocess.run(["ip", "netns", "delete", foreign], check=True)


def test_a_gateway_whose_name_a_foreign_namespace_has_is_made_when_that_is_gone(lab: Lab):
    """The status says which namespace, and another gateway loses nothing."""
    with _unharmed(lab):
        lab.service.stop(signal.SIGTERM)
        with _without_agent(lab.service):
            second = two_networks.make_gateway(lab.service)
        name = names.namespace(second)
        subprocess.run(["ip", "netns", "add", name], check=True)
        try:
            lab.service.start()
            show = v5.ShowVgwRequest(vgw_id=second)
            sites.wait_for(lambda: lab.client.show_vgw(show).vpn_gateway.status == "FAULT", "the status")
            reason = lab.service.ours(f"vpn-gateways/{second}/diagnosis")["diagnosis"]["reason"]
            assert f"the network namespace {name} is there and not ours" in reason
        finally:
            subprocess.run(["ip", "netns", "delete", name], check=True)
        sites.wait_for(lambda: lab.client.show_vgw(show).vpn_gateway.status == "ACTIVE", "the second gateway")


def _second_gateway(lab: Lab) -> str:
    made = two_networks.make_gateway(lab.service)
    show = v5.ShowVgwRequest(vgw_id=made)
    sites.wait_for(lambda: lab.client.show_vgw(show).vpn_gateway.status == "ACTIVE", "the second gateway")
    return made
