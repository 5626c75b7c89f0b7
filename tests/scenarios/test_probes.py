"""Devices that are asked which parameters they take: real daemons, and the packets on the wire."""

import contextlib
import dataclasses
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab import cycles, demo, engine_bench, libreswan, sites, specs
from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.model import negotiation
from tests.scenarios.watching import watched

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
LAN = "192.168.45.0/24"


class Bench(engine_bench.Bench):
    def ask(
        self, *connections: model.DesiredConnection, beside: tuple[model.DesiredConnection, ...] = (), **order: bool
    ):
        """Connection -> what its device answered to an order. `beside`: connections that are not asked about."""
        ordered = [
            dataclasses.replace(spec, probe=model.ProbeOrder(id=f"order-{spec.id}", **order)) for spec in connections
        ]
        seen = cycles.until(
            self.engine, self.gateway.id, self.desired(*beside, *ordered), lambda it: len(it.probes) == len(ordered)
        )
        return {one.connection_id: one for one in seen.probes}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with engine_bench.running(Bench) as bench:
        yield bench


def tunnel(**given: Any):
    return sites.Tunnel(**({"gateway": sites.EIPS[0], "psk": specs.PSK} | given))


def chosen(version: model.IkeVersion, mode: model.NegotiationMode | None, *words: str):
    encryption, integrity, prf, group = words
    algorithms = negotiation.Proposal(
        encryption=(encryption,), integrity=(integrity,) if integrity else (), prf=(prf,), groups=(group,)
    )
    return model.ProbeAnswer(ike_version=version, mode=mode, outcome="chosen", proposal=algorithms)


def no(
    version: model.IkeVersion,
    mode: model.NegotiationMode | None = None,
    outcome: model.ProbeOutcome = "refused",
    notify: str | None = "NO_PROPOSAL_CHOSEN",
):
    return model.ProbeAnswer(ike_version=version, mode=mode, outcome=outcome, notify=notify)


def silent(version: model.IkeVersion, mode: model.NegotiationMode | None = None):
    return no(version, mode, "silent", None)


#: What the connection of a device is -> what the device answers to a connection with aes-128, sha2-256 and group15 in IKEv2.
STRONGSWAN = {
    "the same": ({}, (chosen("v2", None, "aes-128", "sha2-256", "sha2-256", "group15"),)),
    "encryption": (
        {"proposals": "aes256-sha256-modp3072"},
        (chosen("v2", None, "aes-256", "sha2-256", "sha2-256", "group15"),),
    ),
    "integrity": (
        {"proposals": "aes128-sha384-modp3072"},
        (chosen("v2", None, "aes-128", "sha2-384", "sha2-384", "group15"),),
    ),
    "group": (
        {"proposals": "aes128-sha256-ecp384"},
        (chosen("v2", None, "aes-128", "sha2-256", "sha2-256", "group20"),),
    ),
    "gcm": (
        {"proposals": "aes256gcm16-prfsha384-ecp256"},
        (chosen("v2", None, "aes-256-gcm-16", "", "sha2-384", "group19"),),
    ),
    "what the API does not have": (
        {"proposals": "camellia256-sha512-x25519"},
        (chosen("v2", None, "camellia-256", "sha2-512", "sha2-512", "group31"),),
    ),
    "version": (
        {"version": 1, "proposals": "aes256-sha1-modp2048"},
        (
            no("v2"),
            chosen("v1", "main", "aes-256", "sha1", "sha1", "group14"),
            no("v1", "aggressive", notify="AUTHENTICATION_FAILED"),
        ),
    ),
    "mode": (
        {"version": 1, "aggressive": True, "proposals": "3des-md5-modp1536"},
        (
            no("v2"),
            chosen("v1", "main", "3des", "md5", "md5", "group5"),
            chosen("v1", "aggressive", "3des", "md5", "md5", "group5"),
        ),
    ),
    "another address of ours": ({"gateway": sites.EIPS[5]}, (no("v2"), no("v1", "main"))),
}


@pytest.mark.timeout(180)
def test_strongswan_names_what_differs(bench: Bench):
    """One device is all peers. Its charon asks for cookies when so many come from one address."""
    addresses = tuple(sites.peer(number) for number in range(len(STRONGSWAN)))
    peers = dict(zip(STRONGSWAN, addresses, strict=True))
    tunnels = [
        tunnel(name=f"hq{number}", address=peers[name], **given)
        for number, (name, (given, _)) in enumerate(STRONGSWAN.items())
    ]
    bench.world.add_device(*tunnels, addresses=addresses)
    bare = bench.world.add_device(bare=True)
    ends = {**peers, "nobody listens": bare.address, "no such host": "198.51.100.99"}
    specifications = {
        name: specs.connection(address, psk="Another-Horse-8", peer_subnets=(sites.lan(number),))
        for number, (name, address) in enumerate(ends.items())
    }
    found = bench.ask(*specifications.values())
    wanted = {
        **{name: answers for name, (_, answers) in STRONGSWAN.items()},
        "nobody listens": (no("v2", None, "unreachable", None),),
        "no such host": (silent("v2"), silent("v1", "main"), silent("v1", "aggressive")),
    }
    assert {name: found[spec.id].answers for name, spec in specifications.items()} == wanted
    assert all(one.failure is None for one in found.values())
    identity = found[specifications["mode"].id].peer_identity
    assert identity == negotiation.Identity(kind="ip", value=peers["mode"])


@contextlib.contextmanager
def pinging(source: str, target: str, lost: list[int]) -> Iterator[None]:
    """Fifty echoes a second as long as the block runs; how many had no answer is appended to `lost`."""
    command = ["ip", "netns", "exec", source, "ping", "-n", "-q", "-i", "0.02", "-W", "2", target]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=60)
        sent, received = re.findall(r"(\d+) packets transmitted, (\d+) received", said)[0]
        assert int(sent) > 10
        lost.append(int(sent) - int(received))


def test_a_probe_is_counted_on_the_wire_and_disturbs_no_other_tunnel(bench: Bench):
    """The device may begin in earnest right after it was asked: no half-open IKE_SA of a probe is in its way."""
    bench.world.add_device(tunnel())
    wrong = tunnel(
        name="second", version=1, aggressive=True, proposals="aes256-sha1-modp2048", pairs=((LAN, sites.VPC),)
    )
    device = bench.world.add_device(wrong, lans=(LAN,))
    up, refused = specs.connection(), specs.connection(device.address, peer_subnets=(LAN,))
    bench.run_cycle(up, refused)
    cycles.until(bench.engine, bench.gateway.id, bench.desired(up, refused), lambda seen: seen.connections[0].children)
    assert sites.ping(bench.world.vpc_host, HOST)
    lost: list[int] = []
    with (
        pinging(bench.world.vpc_host, HOST, lost),
        sites.capturing(device.namespace, "wan") as packets,
    ):
        [result] = bench.ask(refused, beside=(up,)).values()
        bench.run_cycle(up, refused)
    assert lost[0] <= 1  # the last one may be on its way
    ours = [packet for packet in packets if packet.kind == "ike" and packet.source == sites.EIPS[0]]
    assert len(ours) == result.packets == 4
    assert len([packet for packet in packets if packet.kind == "ike" and packet.target == sites.EIPS[0]]) == 4
    device.load(dataclasses.replace(tunnel(name="second"), pairs=((LAN, sites.VPC),)))
    device.swanctl("--initiate", "--child", "second-0", "--timeout", "10")


@pytest.mark.parametrize(
    ("given", "policy", "answers"),
    [
        pytest.param(
            {"proposals": "aes256-sha384-ecp384"},
            specs.ike_policy(),
            (chosen("v2", None, "aes-256", "sha2-384", "sha2-384", "group20"),),
            id="algorithms",
        ),
        pytest.param(
            {"proposals": "aes128-sha256-modp3072"},
            specs.ike_policy(version="v1", negotiation_mode="main"),
            (no("v1", "main"), chosen("v2", None, "aes-128", "sha2-256", "sha2-256", "group15")),
            id="version",
        ),
    ],
)
def test_a_device_that_refuses_is_asked_once_by_itself(
    bench: Bench, given: dict[str, Any], policy: model.IkePolicy, answers: tuple[model.ProbeAnswer, ...]
):
    """Then the store knows, and a restarted engine asks no more."""
    device = bench.world.add_device(tunnel(**given))
    refused = specs.connection(ike_policy=policy)
    desired, counted = bench.desired(refused), sum(base.PROBES.cells)
    with watched(bench.engine):
        seen = cycles.until(bench.engine, bench.gateway.id, desired, lambda it: it.probes)
    [result] = seen.probes
    assert sum(base.PROBES.cells) == counted + 1
    assert (result.reason, result.answers, result.failure) == ("automatic", answers, None)
    assert result.configuration == seen.connections[0].configuration
    known = dataclasses.replace(
        refused, probed=model.LastProbe(id=result.id, at=result.at, configuration=result.configuration)
    )
    fresh = StrongSwan(bench.world.folder, bench.world.site("vpc-1"))
    with watched(fresh), sites.capturing(device.namespace, "wan") as packets:
        after = cycles.until(fresh, bench.gateway.id, bench.desired(known), lambda it: it.connections[0].attempts)
        for _ in range(3):
            after = cycles.run_cycle(fresh, bench.gateway.id, bench.desired(known))
    assert after.probes == ()
    assert packets


def test_a_device_that_refuses_is_left_alone_where_that_is_wished(bench: Bench):
    bench.world.add_device(tunnel(proposals="aes256-sha384-ecp384"))
    engine = StrongSwan(bench.world.folder, bench.world.site("vpc-1"), automatic_probes=False)
    desired = bench.desired(specs.connection())
    with watched(engine):
        cycles.until(engine, bench.gateway.id, desired, lambda it: it.connections and it.connections[0].attempts)
        for _ in range(3):
            seen = cycles.run_cycle(engine, bench.gateway.id, desired)
            time.sleep(0.2)
    assert seen.probes == ()
    assert any(fact.kind == "refusal" for one in seen.connections[0].attempts for fact in one.facts)


def test_a_device_is_asked_from_behind_an_address_that_is_forwarded():
    with sites.World() as world:
        subprocess.run(["ip", "-n", world.wan, "address", "add", f"{sites.EIPS[0]}/32", "dev", "lo"], check=True)
        device = world.add_device(tunnel(proposals="aes256-sha384-ecp384"))
        eips = (
            model.Eip(id="eip-10", address=sites.EIPS[0], attach="nat", behind="192.0.0.16"),
            model.Eip(id="eip-11", address="192.0.2.1"),
        )
        ends = tuple(model.Endpoint(number=number, address=eip.address) for number, eip in enumerate(eips, 1))
        site = dataclasses.replace(world.site("vpc-1"), eips=eips)
        engine, gateway = StrongSwan(world.folder, site), specs.gateway(endpoints=ends)
        order = model.ProbeOrder(id="order")
        spec = dataclasses.replace(specs.connection(device.address), behind=eips[0].behind, probe=order)
        desired = dataclasses.replace(specs.desired(spec, network=world.network("vpc-1"), of=gateway), eips=eips)
        try:
            [result] = cycles.until(engine, gateway.id, desired, lambda seen: seen.probes).probes
        finally:
            engine.stop_all()
    assert result.answers == (chosen("v2", None, "aes-256", "sha2-384", "sha2-384", "group20"),)
    assert result.local_address == sites.EIPS[0]


def ipsec_d(device: sites.Device, **given: str):
    words = {
        "left": device.address,
        "right": sites.EIPS[0],
        "leftsubnet": sites.LAN,
        "rightsubnet": sites.VPC,
        "authby": "secret",
        "auto": "add",
        **given,
    }
    lines = "\n".join(f"    {name}={value}" for name, value in words.items())
    return {"hq.conf": f"conn hq\n{lines}\n", "hq.secrets": f': PSK "{specs.PSK}"\n'}


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        pytest.param(
            {"ikev2": "insist", "ike": "aes256-sha2_512-dh20"},
            (chosen("v2", None, "aes-256", "sha2-512", "sha2-512", "group20"),),
            id="algorithms",
        ),
        pytest.param(
            {"ikev2": "no", "ike": "aes256-sha1-modp2048"},
            (
                no("v2"),
                chosen("v1", "main", "aes-256", "sha1", "sha1", "group14"),
                silent("v1", "aggressive"),
            ),
            id="version",
        ),
        pytest.param(
            {"ikev2": "no", "aggressive": "yes", "ike": "aes128-sha1-modp1536"},
            (
                no("v2"),
                silent("v1", "main"),
                chosen("v1", "aggressive", "aes-128", "sha1", "sha1", "group5"),
            ),
            id="mode",
        ),
    ],
)
def test_libreswan_names_what_differs(bench: Bench, given: dict[str, str], answers: tuple[model.ProbeAnswer, ...]):
    device = bench.world.add_device(bare=True)
    pluto = libreswan.Pluto(device)
    pluto.start(ipsec_d(device, **given))
    try:
        [result] = bench.ask(specs.connection(device.address)).values()
    finally:
        pluto.stop()
    assert result.answers == answers


def took(encryption: str, integrity: str | None, pfs: str):
    """As a device answers that takes phase 2, with the selectors of the connection."""
    return model.ProbePhase2(
        outcome="chosen",
        proposal=negotiation.Proposal(
            encryption=(encryption,), integrity=(integrity,) if integrity else (), groups=(pfs,)
        ),
    )


V1 = specs.ike_policy(version="v1", negotiation_mode="main")


@pytest.mark.parametrize(
    ("given", "policy", "answer"),
    [
        pytest.param(
            {"esp_proposals": "aes256-sha512-modp2048"},
            specs.ike_policy(),
            took("aes-256", "sha2-512", "group14"),
            id="algorithms",
        ),
        pytest.param(
            {"esp_proposals": "aes256gcm16"}, specs.ike_policy(), took("aes-256-gcm-16", None, "none"), id="gcm"
        ),
        pytest.param(
            {"version": 1, "esp_proposals": "aes256-sha1-ecp256"}, V1, took("aes-256", "sha1", "group19"), id="IKEv1"
        ),
        pytest.param(
            {"pairs": (("192.168.99.0/24", sites.VPC),)},
            specs.ike_policy(),
            model.ProbePhase2(outcome="refused", notify="TS_UNACCEPTABLE"),
            id="selectors",
        ),
    ],
)
def test_phase_2_is_asked_on_the_ike_sa_that_is_up(
    bench: Bench, given: dict[str, Any], policy: model.IkePolicy, answer: model.ProbePhase2
):
    """The IKE_SA stays, nothing of the question does, and the device's next attempt with the right values is up."""
    device = bench.world.add_device(tunnel(**given))
    refused = specs.connection(ike_policy=policy)
    desired = bench.desired(refused)
    with watched(bench.engine):
        cycles.until(
            bench.engine, bench.gateway.id, desired, lambda it: it.connections and it.connections[0].ike_established
        )
        [result] = bench.ask(refused, phase_2=True).values()
        assert (result.phase_2, result.failure, result.answers) == (answer, None, ())
        seen = bench.run_cycle(refused)
        assert seen.connections[0].ike_established
        assert seen.connections[0].applied_generation
        assert bench.plan(refused) == []
        mine = [one for one in seen.connections[0].attempts if one.configuration == seen.connections[0].configuration]
        assert mine
        assert not [fact for one in mine for fact in one.facts if fact.kind == "established" and fact.phase == 2]
        device.load(tunnel(version=given.get("version", 2)))
        bench.up(refused)
        assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        pytest.param(
            {"local_id": "branch.example"},
            model.ProbeIdentity(accepted=True, identity=negotiation.Identity(kind="fqdn", value="branch.example")),
            id="another id",
        ),
        pytest.param(
            {"psk": "Some-Other-9"}, model.ProbeIdentity(accepted=False, notify="AUTHENTICATION_FAILED"), id="psk"
        ),
        pytest.param(
            {"remote_id": "hq.example"},
            model.ProbeIdentity(accepted=False, notify="AUTHENTICATION_FAILED"),
            id="our id",
        ),
    ],
)
def test_the_id_of_a_device_is_asked_by_an_order(bench: Bench, given: dict[str, Any], answer: model.ProbeIdentity):
    bench.world.add_device(tunnel(**given))
    refused = specs.connection()
    with watched(bench.engine):
        cycles.until(bench.engine, bench.gateway.id, bench.desired(refused), lambda it: it.connections[0].attempts)
        [result] = bench.ask(refused, identity=True).values()
        assert (result.identity, result.failure) == (answer, None)
        seen = bench.run_cycle(refused)
        assert not seen.connections[0].ike_established
        assert seen.connections[0].applied_generation
        assert seen.present == {refused.id}


def test_the_id_of_a_libreswan_is_asked_by_an_order(bench: Bench):
    device = bench.world.add_device(bare=True)
    pluto = libreswan.Pluto(device)
    pluto.start(ipsec_d(device, ikev2="insist", ike="aes128-sha2_256-dh15", leftid="@branch.example"))
    try:
        [result] = bench.ask(specs.connection(device.address), identity=True).values()
    finally:
        pluto.stop()
    branch = negotiation.Identity(kind="fqdn", value="branch.example")
    assert (result.identity, result.failure) == (model.ProbeIdentity(accepted=True, identity=branch), None)


def test_a_device_whose_tunnel_is_up_is_not_asked(bench: Bench):
    device = bench.world.add_device(tunnel())
    up = specs.connection()
    bench.up(up)
    with sites.capturing(device.namespace, "wan") as packets:
        [result] = bench.ask(up, phase_2=True, identity=True).values()
    assert (result.packets, result.answers, result.phase_2, result.identity) == (0, (), None, None)
    assert result.failure is not None
    assert result.failure.startswith("a CHILD_SA of the connection is up")
    assert [packet for packet in packets if packet.kind == "ike"] == []


def test_an_order_tells_the_diagnosis_the_values_of_the_device():
    """Through the whole service: the device takes another phase 2, refuses, and is asked."""
    with sites.World() as world, demo.serving(world) as service:
        connection_id = demo.build_tunnel(service, world)
        device = world.devices[0]
        device.load(sites.Tunnel(gateway=sites.EIPS[0], psk=demo.PSK, esp_proposals="aes256-sha512"))
        device.swanctl("--terminate", "--ike", "hq", "--force")
        sites.wait_for(lambda: _says(service, connection_id, "esp_proposal_mismatch"), "the device to refuse")
        assert "theirs" not in service.diagnosis(connection_id)["causes"][0]
        _order(service, connection_id, phase_2=True)
        sites.wait_for(lambda: "theirs" in service.diagnosis(connection_id)["causes"][0], "the answer")
        cause = service.diagnosis(connection_id)["causes"][0]
        probe, *_ = service.ours(f"vpn-connections/{connection_id}/probe")["probes"]
        log = service.log.read_text()
    assert cause["code"] == "esp_proposal_mismatch"
    assert (cause["theirs"], cause["differs"]) == (
        "aes-256 / sha2-512 / pfs disable",
        ["encryption_algorithm", "authentication_algorithm", "pfs"],
    )
    assert probe["phase_2_answer"]["outcome"] == "chosen"
    assert f"connection {connection_id}: probe of {device.address}" in log


def _says(service: demo.Service, connection_id: str, code: str) -> bool:
    found = service.diagnosis(connection_id)
    return found["status"] == "DOWN" and found["causes"][0]["code"] == code


def _order(service: demo.Service, connection_id: str, **order: bool) -> None:
    known = service.credentials
    url = f"{known['endpoint']}/landbridge/v1/{known['project_id']}/vpn-connections/{connection_id}/probe"
    answer = httpx.post(url, json={"probe": order}, headers={"X-Auth-Token": known["token"]})
    assert answer.status_code == 202, answer.text
