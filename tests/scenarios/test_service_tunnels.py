"""The whole service with real tunnels: HTTP to ESP, and what outlives what."""

import contextlib
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from huaweicloudsdkvpn import v5
from prometheus_client.parser import text_string_to_metric_families

from lab import demo, sites
from landbridge.store import vault

pytestmark = pytest.mark.tunnel
HOST = "192.168.44.10"


@dataclass
class Lab:
    """A world, a service and one tunnel, made anew when a test left it other than whole."""

    world: sites.World
    service: demo.Service
    connection_id: str
    made: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def build(cls) -> "Lab":
        with contextlib.ExitStack() as stack:
            world = stack.enter_context(sites.World())
            service = stack.enter_context(demo.serving(world, **demo.STEADY, LANDBRIDGE_PROCESSES="2"))
            return cls(world, service, demo.build_tunnel(service, world), stack.pop_all())

    def is_whole(self) -> bool:
        """The service runs, the device has its own PSK, the tunnel is up and carries."""
        process = self.service.process
        return (
            process is not None
            and process.poll() is None
            and demo.PSK in (self.world.devices[0].folder / "swanctl.conf").read_text()
            and _active(self.service, self.connection_id)
            and sites.ping(self.world.vpc_host, HOST)
        )


@pytest.fixture(scope="module")
def labs() -> Iterator[list[Lab]]:
    """The lab of the test before, if it is still there."""
    there: list[Lab] = []
    yield there
    for lab in there:
        lab.made.close()


@pytest.fixture
def tunnel(labs: list[Lab]) -> Any:
    """A service with one tunnel that is up: (world, service, connection id)."""
    if labs and not _is_whole(labs[0]):
        labs.pop().made.close()
    if not labs:
        labs.append(Lab.build())
    return labs[0].world, labs[0].service, labs[0].connection_id


def _is_whole(lab: Lab) -> bool:
    try:
        return lab.is_whole()
    except OSError:  # it does not answer, or answers 404 of a connection that was deleted
        return False


Spis = set[tuple[str, str]]


def _spis(service: demo.Service, connection_id: str) -> Spis:
    return {(sa["spi_in"], sa["spi_out"]) for sa in service.diagnosis(connection_id)["sas"]}


def _active(service: demo.Service, connection_id: str) -> bool:
    return bool(service.diagnosis(connection_id)["status"] == "ACTIVE")


def _wait_for_new_sas(service: demo.Service, connection_id: str, before: Spis, after: str) -> Spis:
    """Status and SAs of one answer: two answers may be of two looks."""
    found: list[Spis] = []

    def are_new() -> bool:
        diagnosis = service.diagnosis(connection_id)
        found.append({(sa["spi_in"], sa["spi_out"]) for sa in diagnosis["sas"]})
        return diagnosis["status"] == "ACTIVE" and bool(found[-1]) and found[-1].isdisjoint(before)

    sites.wait_for(are_new, f"new SAs after {after}")
    return found[-1]


def test_a_ping_crosses_and_only_esp_is_on_the_wire(tunnel: Any) -> None:
    world, _, _ = tunnel
    demo.prove(world)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_tunnel_outlives_the_service_and_is_adopted_by_the_next(tunnel: Any, number: signal.Signals) -> None:
    world, service, connection_id = tunnel
    before = _spis(service, connection_id)
    service.stop(number)
    assert sites.ping(world.vpc_host, HOST)
    service.start()
    sites.wait_for(lambda: _active(service, connection_id), "the tunnel to be seen again")
    assert sites.ping(world.vpc_host, HOST)
    assert _spis(service, connection_id) == before


def test_a_killed_charon_comes_back_with_its_tunnel(tunnel: Any) -> None:
    world, service, connection_id = tunnel
    before = _spis(service, connection_id)
    pids = subprocess.run(
        ["ip", "netns", "pids", _gateway_namespace(service)], capture_output=True, text=True, check=True
    )
    subprocess.run(["kill", "-9", *pids.stdout.split()], check=True)
    sites.wait_for(lambda: _spis(service, connection_id) not in ({*()}, before), "new SAs")
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the ping to cross again")
    assert "its charon died or did not answer, and was started again" in service.log.read_text()


def _metrics(service: demo.Service) -> dict[str, float]:
    """The series of the only connection, without their labels."""
    known = service.credentials
    answer = httpx.get(f"{known['endpoint']}/metrics", headers={"Authorization": f"Bearer {known['token']}"})
    families = text_string_to_metric_families(answer.text)
    samples = [one for family in families for one in family.samples if "connection_id" in one.labels]
    return {one.name.removeprefix("landbridge_connection_"): one.value for one in samples}


def _carry(world: sites.World, service: demo.Service) -> None:
    """A ping, and all that must count for it."""
    before = _metrics(service)
    assert sites.ping(world.vpc_host, HOST)
    sites.wait_for(
        lambda: _metrics(service)["received_packets_total"] > before["received_packets_total"], "the ping to count"
    )
    found = _metrics(service)
    for name in ("received_bytes_total", "sent_bytes_total", "sent_packets_total"):
        assert found[name] > before[name], name
    assert abs(found["received_timestamp_seconds"] - time.time()) < 120


def test_what_a_tunnel_carries_is_counted_on_after_a_rekey(tunnel: Any) -> None:
    world, service, _ = tunnel
    _carry(world, service)
    before = _metrics(service)
    world.devices[0].swanctl("--rekey", "--child", f"{sites.Tunnel.name}-0")
    sites.wait_for(lambda: _metrics(service)["rekeys_total"] > before["rekeys_total"], "the rekey to count")
    assert _metrics(service)["received_bytes_total"] >= before["received_bytes_total"]
    _carry(world, service)


def test_the_samples_of_a_tunnel_have_the_bytes_that_it_carried(tunnel: Any) -> None:
    """400 echoes of 1,000 bytes, each 1,028 bytes with its headers (RFC 791, RFC 792). Samples are written once a minute."""
    world, service, connection_id = tunnel
    assert sites.ping(world.vpc_host, HOST)

    def series(last: str) -> dict[str, Any]:
        found: dict[str, Any] = service.ours(f"vpn-connections/{connection_id}/traffic?last={last}")["traffic"]
        return found

    def carried(last: str) -> int:
        return sum(each["bytes_in"] for each in series(last)["samples"])

    wanted, before = 400 * 1028, {last: carried(last) for last in ("hour", "day", "month")}
    flood = ["ip", "netns", "exec", world.vpc_host, "ping", "-n", "-q", "-c", "400", "-i", "0.01", "-s", "1000", HOST]
    done = subprocess.run(flood, capture_output=True, text=True, check=True)
    assert " 400 received" in done.stdout
    sites.wait_for(lambda: carried("hour") - before["hour"] > 0.97 * wanted, "the samples to be written", seconds=100)
    for last, first in before.items():
        assert carried(last) - first == pytest.approx(wanted, rel=0.03), last
    newest = series("hour")["samples"][-1]
    assert newest["bits_per_second_in"] == pytest.approx(8 * newest["bytes_in"] / newest["observed_seconds"], abs=1)
    assert 0 < newest["up_seconds"] <= newest["observed_seconds"] <= 60


def _gateway_namespace(service: demo.Service) -> str:
    (folder,) = (service.data / "engine").iterdir()
    return f"lb-{folder.name}"


def test_the_psk_is_in_no_file_of_the_service_but_the_master_key_opens_it(tunnel: Any) -> None:
    _, service, connection_id = tunnel
    needle = demo.PSK.encode()
    files = [path for path in [*service.data.rglob("*"), service.log] if path.is_file()]
    assert [path for path in files if needle in path.read_bytes()] == []
    with contextlib.closing(sqlite3.connect(service.data / "landbridge.db")) as database:
        ((sealed,),) = database.execute("SELECT psk FROM connection WHERE id = ?", (connection_id,)).fetchall()
    key = vault.read_key(service.data / "master.key")
    assert vault.Vault(key).open(sealed, connection_id) == needle


def _check_timeline(timeline: list[Any]) -> None:
    """The device dialled, the messages of both sides are listed, and a line of charon shows why it was refused."""
    refused = next(
        entry for entry in timeline if entry["kind"] == "attempt" and entry.get("outcome") == "refused_by_us"
    )
    assert (refused["began_by"], refused["ike_version"]) == ("device", "v2")
    facts = refused["facts"]
    assert {("device", "IKE_SA_INIT"), ("us", "IKE_SA_INIT"), ("device", "IKE_AUTH")} <= {
        (one["sender"], one["text"].split()[0]) for one in facts if one["kind"] == "message"
    }
    (why,) = [one for one in facts if one["kind"] == "key_mismatch"]
    assert "MAC mismatched" in why["line"]
    assert {"change", "status"} <= {entry["kind"] for entry in timeline}


def test_a_wrong_psk_is_diagnosed_by_name_until_a_tunnel_was_up_again(tunnel: Any) -> None:
    world, service, connection_id = tunnel
    device = world.devices[0]
    (gateway,) = service.client().list_vgws(v5.ListVgwsRequest()).vpn_gateways
    wrong = sites.Tunnel(gateway=gateway.eip1.ip_address, psk="Quite-Another-1")
    device.load(wrong)
    device.swanctl("--terminate", "--ike", wrong.name, "--force")
    with pytest.raises(RuntimeError):
        device.swanctl("--initiate", "--child", f"{wrong.name}-0", "--timeout", "3")
    sites.wait_for(lambda: "pre-shared key" in service.diagnosis(connection_id).get("reason", ""), "the diagnosis")
    (listed,) = service.ours("vpn-connections?status=DOWN&cause=psk_mismatch")["vpn_connections"]
    assert listed["id"] == connection_id
    _check_timeline(service.ours(f"vpn-connections/{connection_id}/timeline")["timeline"])
    device.load(sites.Tunnel(gateway=gateway.eip1.ip_address, psk=demo.PSK))
    sites.wait_for(lambda: _active(service, connection_id), "the tunnel to come back")
    device.stop(kill=True)
    reset = v5.ResetVpnConnectionRequest(connection_id)
    service.client().reset_vpn_connection(reset)
    sites.wait_for(lambda: "does not answer" in service.diagnosis(connection_id).get("reason", ""), "another diagnosis")


def test_a_reset_and_an_update_make_new_sas_and_a_new_name_does_not(tunnel: Any) -> None:
    world, service, connection_id = tunnel

    def change(**words: Any) -> None:
        body = v5.UpdateVpnConnectionRequestBody(v5.UpdateVpnConnectionRequestBodyContent(**words))
        service.client().update_vpn_connection(v5.UpdateVpnConnectionRequest(connection_id, body=body))

    first = _spis(service, connection_id)
    service.client().reset_vpn_connection(v5.ResetVpnConnectionRequest(connection_id))
    second = _wait_for_new_sas(service, connection_id, first, "the reset")
    change(name="renamed")
    service.stop()
    service.start()
    sites.wait_for(lambda: _active(service, connection_id), "the tunnel to be seen again")
    assert _spis(service, connection_id) == second, service.log.read_text()[-2000:]
    change(ipsecpolicy=v5.UpdateIpsecPolicy(lifetime_seconds=1800))
    _wait_for_new_sas(service, connection_id, second, "the update")
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the ping to cross")
    client = service.client()
    [sa] = client.list_connection_ipsec_sa(v5.ListConnectionIpsecSaRequest(connection_id)).sa_infos
    assert sa.dest_ip_cidr == "192.168.44.0/24"

    def told() -> bool:
        """A line that comes after the look is in the next one's report, a tick later at most."""
        lines = client.show_vpn_connection_log(v5.ShowVpnConnectionLogRequest(connection_id)).logs
        return any("established" in line.raw_message for line in lines)

    sites.wait_for(told, "the log to tell of it")


def test_deleting_takes_the_tunnel_down_and_then_the_gateway(tunnel: Any) -> None:
    world, service, connection_id = tunnel
    client = service.client()
    client.delete_vpn_connection(v5.DeleteVpnConnectionRequest(vpn_connection_id=connection_id))
    sites.wait_for(lambda: not client.list_vpn_connections(v5.ListVpnConnectionsRequest()).vpn_connections, "404")
    assert not sites.ping(world.vpc_host, HOST, wait=2)
    (gateway,) = client.list_vgws(v5.ListVgwsRequest()).vpn_gateways
    client.delete_vgw(v5.DeleteVgwRequest(vgw_id=gateway.id))
    sites.wait_for(lambda: not client.list_vgws(v5.ListVgwsRequest()).vpn_gateways, "the gateway to be gone")
    assert list((service.data / "engine").iterdir()) == []
