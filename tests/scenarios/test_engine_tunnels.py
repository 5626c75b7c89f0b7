"""Real tunnels to a hand-written strongSwan, straight through the engine: SA state, a ping, and ESP on the wire."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import cycles, engine_bench, pinging, processes, sites, specs
from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import daemon, names, state
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.ike import charon
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import namespace
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.model import negotiation
from tests.scenarios.watching import watched

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
SECOND_LAN = "192.168.45.0/24"
SECOND_HOST = "192.168.45.10"
ENDPOINTS = tuple(model.Endpoint(number=number, address=sites.EIPS[number + 1]) for number in (1, 2))


class Bench(engine_bench.Bench):
    def load(self, *connections: model.DesiredConnection):
        """All that a cycle does but for initiating."""
        plan = cycles.plan(self.engine, self.gateway.id, self.desired(*connections))
        self.engine.carry_out(self.gateway.id, [step for step in plan if not isinstance(step, ike_steps.Initiate)])

    def plan(self, *connections: model.DesiredConnection):
        """The plan of a restarted Landbridge."""
        return cycles.plan(self.fresh(), self.gateway.id, self.desired(*connections))


@pytest.fixture
def bench():
    with engine_bench.running(Bench, watched=True) as bench:
        yield bench


def tunnel(**given: Any):
    return sites.Tunnel(**({"gateway": sites.EIPS[0], "psk": specs.PSK} | given))


def pids(gateway_id: str):
    """Of the processes in a gateway's namespace: its charon alone, if all is well."""
    command = ["ip", "netns", "pids", names.namespace(gateway_id)]
    return [int(pid) for pid in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


def links(bench: Bench):
    """The links' peers in the underlay."""
    command = ["ip", "-n", bench.world.wan, "-o", "link"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return [line for line in lines if names.short(bench.gateway.id) in line]


@contextlib.contextmanager
def hanging(gateway_id: str):
    """The gateway's charon stands still while the block runs."""
    [pid] = pids(gateway_id)
    os.kill(pid, signal.SIGSTOP)
    try:
        sites.wait_for(lambda: _stands_still(pid), "the last thread to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    """A thread that runs on another processor stops a moment after the signal."""
    states = [path.read_text().rpartition(") ")[2][0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def spis(connection: model.ConnectionObservation):
    return [(child.spi_in, child.spi_out) for child in connection.children]


def test_a_static_ikev2_tunnel_carries_traffic_in_esp_alone(bench: Bench):
    device = bench.world.add_device(tunnel())
    [up] = bench.up(specs.connection())
    assert up.ike_established
    assert up.children[0].local_ts == ("10.0.0.0/24",)
    assert up.children[0].remote_ts == ("192.168.44.0/24",)
    with sites.capturing(bench.world.wan, "d0") as packets:
        assert sites.ping(bench.world.vpc_host, HOST)
        assert sites.ping(device.host, sites.VPC_HOST)
    seen = {(packet.kind, packet.spi) for packet in packets if packet.kind != "ike"}
    assert seen == {("esp", up.children[0].spi_in), ("esp", up.children[0].spi_out)}


def test_no_clear_text_leaves_while_the_tunnel_is_down(bench: Bench):
    bench.world.add_device(tunnel(psk="Some-Other-9"))
    bench.run_cycle(specs.connection())
    with sites.capturing(bench.world.wan, names.uplink_peer(bench.gateway.id)) as packets:
        assert not sites.ping(bench.world.vpc_host, HOST, wait=1)
    assert {packet.kind for packet in packets} <= {"ike"}


def test_clear_text_from_the_underlay_that_claims_to_come_from_the_vpc_enters_no_tunnel(bench: Bench):
    device = bench.world.add_device(tunnel())
    bench.up(specs.connection())
    name, end = names.namespace(bench.gateway.id), names.uplink_peer(bench.gateway.id)
    wan = namespace.inside(name, lambda ip: ip.link("get", ifname="wan")[0].get("address"))
    with sites.capturing(device.host, "lan") as packets:
        for _ in range(5):
            sites.inject(bench.world.wan, end, wan, sites.VPC_HOST, HOST)
        assert sites.ping(bench.world.vpc_host, HOST)
    assert {packet.kind for packet in packets if packet.source == sites.VPC_HOST} == {"icmp"}


@pytest.mark.parametrize("is_older", [False, True], ids=["by this version", "by an earlier one"])
def test_what_charon_says_is_heard_once_however_it_was_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, is_older: bool
):
    if is_older:
        text = re.sub(r".*(ike_name|time_add_ms) = yes\n", "", charon._CONFIGURATION)
        monkeypatch.setattr(charon, "_CONFIGURATION", text)
    bench.world.add_device(tunnel(psk="Some-Other-9"))
    refused = "received AUTHENTICATION_FAILED notify error"
    [down] = bench.until(lambda seen: refused in cycles.lines(seen.connections[0]), specs.connection())
    first = down.attempts[0]
    exchanged = [message.exchange for message in first.facts if isinstance(message, negotiation.Message)]
    every = ["IKE_SA_INIT", "IKE_SA_INIT", "IKE_AUTH", "IKE_AUTH"]
    assert exchanged in (every, every[1:])  # charon may have sent the first message before anybody listened
    assert [said.line for said in negotiation.lines(first.facts)].count(refused) == 1
    assert first.outcome == "refused_by_device"


def test_a_policy_ikev1_tunnel_has_a_child_per_destination(bench: Bench):
    pairs = ((sites.LAN, sites.VPC), (SECOND_LAN, sites.VPC))
    bench.world.add_device(tunnel(version=1, pairs=pairs), lans=(sites.LAN, SECOND_LAN))
    rules = (specs.policy(1, sites.VPC, sites.LAN, SECOND_LAN),)
    ike = specs.ike_policy(version="v1", negotiation_mode="main")
    [up] = bench.up(specs.connection(style="policy", peer_subnets=None, policy_rules=rules, ike_policy=ike))
    assert [child.remote_ts for child in up.children] == [(sites.LAN,), (SECOND_LAN,)]
    for host in (HOST, SECOND_HOST):
        sites.wait_for(functools.partial(sites.ping, bench.world.vpc_host, host), f"a ping to {host}")


def test_an_aggressive_ikev1_tunnel_with_names_comes_up(bench: Bench):
    bench.world.add_device(tunnel(version=1, aggressive=True, local_id="branch.example", remote_id="hq.example"))
    ike = specs.ike_policy(
        version="v1",
        negotiation_mode="aggressive",
        local_id_type="fqdn",
        local_id="hq.example",
        peer_id_type="fqdn",
        peer_id="branch.example",
    )
    [up] = bench.up(specs.connection(ike_policy=ike))
    assert (up.local_id, up.peer_id) == ("hq.example", "branch.example")
    sites.wait_for(lambda: sites.ping(bench.world.vpc_host, HOST), "a ping")


def test_a_peer_without_address_is_waited_for_and_answered(bench: Bench):
    device = bench.world.add_device(tunnel(local_id="branch.example"))
    spec = specs.connection(None, ike_policy=specs.ike_policy(peer_id_type="fqdn", peer_id="branch.example"))
    assert bench.run_cycle(spec).connections[0].waits_for_peer
    device.swanctl("--initiate", "--child", "hq-0")
    [up] = bench.up(spec)
    assert up.peer_address == device.address
    assert sites.ping(bench.world.vpc_host, HOST)


def test_devices_without_addresses_in_main_mode_come_up_with_one_psk(bench: Bench):
    """Main mode picks the key by the addresses, before an id is known: with two keys the API refuses the second connection."""
    its = [
        tunnel(version=1, local_id=f"branch-{number}.example", pairs=((lan, sites.VPC),))
        for number, lan in enumerate((sites.LAN, SECOND_LAN))
    ]
    devices = [bench.world.add_device(each, lans=(each.pairs[0][0],)) for each in its]
    wished = [
        specs.connection(
            None,
            peer_subnets=(each.pairs[0][0],),
            ike_policy=specs.ike_policy(
                version="v1", negotiation_mode="main", peer_id_type="fqdn", peer_id=each.local_id
            ),
        )
        for each in its
    ]
    bench.run_cycle(*wished)
    for device in devices:
        device.swanctl("--initiate", "--child", "hq-0")
    assert [up.peer_address for up in bench.up(*wished)] == [device.address for device in devices]


#: A device without an address, in either IKE version: what we want, and what it has.
DIALS_IN = {
    "v2": ({}, {"version": 2}),
    "v1": ({"version": "v1", "negotiation_mode": "aggressive"}, {"version": 1, "aggressive": True}),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Our strongSwan bears it that both ends ask at nearly the same time. A lost quick mode comes again after 4 seconds."""
    monkeypatch.setattr(ike_planning, "SETTLING", 5)


def dials_in(version: str, **device: Any):
    """The connection, and the tunnel as the device has it."""
    given, its = DIALS_IN[version]
    names = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "branch.example"}
    spec = specs.connection(None, peer_subnets=(sites.LAN, SECOND_LAN), ike_policy=specs.ike_policy(**names, **given))
    return spec, tunnel(local_id="branch.example", remote_id="hq.example", **its, **device)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("version", DIALS_IN)
def test_a_device_that_dials_in_and_asks_for_all_its_subnets_at_once_gets_every_pair(bench: Bench, version: str):
    """charon narrows such a request to the first pair, and quick mode has only one."""
    spec, its = dials_in(version, pairs=((f"{sites.LAN},{SECOND_LAN}", sites.VPC),))
    device = bench.world.add_device(its, lans=(sites.LAN, SECOND_LAN))
    bench.run_cycle(spec)
    device.swanctl("--initiate", "--child", "hq-0")
    [up] = bench.up(spec)
    assert {child.remote_ts for child in up.children} == {(sites.LAN,), (SECOND_LAN,)}
    assert up.missing_pairs == ()
    assert bench.plan(spec) == []
    for host in (HOST, SECOND_HOST):
        sites.wait_for(functools.partial(sites.ping, bench.world.vpc_host, host), f"a ping to {host}")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("version", DIALS_IN)
def test_a_device_that_dials_in_and_asks_for_each_pair_gets_none_of_them_twice(bench: Bench, version: str):
    spec, its = dials_in(version, start=True, pairs=((sites.LAN, sites.VPC), (SECOND_LAN, sites.VPC)))
    bench.run_cycle(spec)
    device = bench.world.add_device(its, lans=(sites.LAN, SECOND_LAN))
    bench.up(spec)
    sites.wait_for(
        lambda: settled(bench.engine.observe(bench.gateway.id)), "the device to have asked for all", seconds=60
    )
    assert bench.run_cycle(spec).connections[0].missing_pairs == ()
    assert device.swanctl("--list-sas").count("INSTALLED") == 2


def settled(now: state.GatewayState):
    return all(sa.established_seconds > ike_planning.SETTLING for sa in now.ike.sas)


@pytest.mark.usefixtures("impatient")
def test_a_pair_that_a_device_refuses_is_named(bench: Bench):
    spec, its = dials_in("v2")
    device = bench.world.add_device(its)
    bench.run_cycle(spec)
    device.swanctl("--initiate", "--child", "hq-0")

    def is_told(observation: model.Observation) -> bool:
        return any("TS_UNACCEPTABLE" in line for line in cycles.lines(observation.connections[0]))

    [shown] = cycles.until(bench.engine, bench.gateway.id, bench.desired(spec), is_told).connections
    assert shown.missing_pairs == (f"{sites.VPC} - {SECOND_LAN}",)
    assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.usefixtures("impatient")
def test_we_look_again_when_a_device_that_dialled_in_may_have_asked_for_all(bench: Bench):
    """Nothing happens to a tunnel that rests, so no event would tell."""
    spec, its = dials_in("v2")
    device = bench.world.add_device(its)
    bench.run_cycle(spec)
    device.swanctl("--initiate", "--child", "hq-0")
    sites.wait_for(lambda: bench.run_cycle(spec).connections[0].children, "the first pair")
    sites.wait_for(lambda: not settled(bench.engine.observe(bench.gateway.id)), "a young tunnel")
    bench.changes.clear()
    bench.run_cycle(spec)
    sites.wait_for(lambda: bench.gateway.id in bench.changes, "another look")


def test_a_peer_that_offers_everything_is_narrowed_and_the_inner_addresses_meet(bench: Bench):
    everything = (("0.0.0.0/0", "0.0.0.0/0"),)
    bench.world.add_device(tunnel(pairs=everything), inner="169.254.70.2/32")
    inner = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
    [up] = bench.up(specs.connection(enable_nqa=True, **inner))
    assert len(up.children) == 2
    assert sites.ping(bench.world.vpc_host, HOST)
    assert sites.ping(names.namespace(bench.gateway.id), "169.254.70.2")


def test_a_device_that_knows_no_inner_addresses_is_not_asked_for_them(bench: Bench):
    bench.world.add_device(tunnel())
    inner = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
    spec = specs.connection(**inner)
    [up] = bench.up(spec)
    assert (up.expected_children, len(up.children)) == (1, 1)
    assert bench.plan(spec) == []
    assert not any("TS_UNACCEPTABLE" in line for line in cycles.lines(up))


def _ended(observation: model.Observation) -> list[model.Attempt]:
    """The attempts of the connection that have ended."""
    return [each for each in observation.connections[0].attempts if each.outcome is not None]


def _fails(bench: Bench, device: sites.Device, who: str) -> model.Attempt:
    """The first attempt to end, with a device that calls or is called. We let the device be the first where it calls."""
    spec = specs.connection()
    if who == "we":
        seen = cycles.until(bench.engine, bench.gateway.id, bench.desired(spec), _ended)
    else:
        bench.load(spec)
        with contextlib.suppress(RuntimeError):
            device.swanctl("--initiate", "--child", "hq-0", "--timeout", "3")
        sites.wait_for(lambda: _ended(bench.look(spec)), "an attempt to end")
        seen = bench.look(spec)
    [shown] = seen.connections
    attempt = _ended(seen)[0]
    assert not shown.children
    assert attempt.configuration == shown.configuration
    assert (attempt.local_address, attempt.peer_address) == (sites.EIPS[0], device.address)
    return attempt


def _of(attempt: model.Attempt, kind: type) -> list[Any]:
    return [fact for fact in attempt.facts if isinstance(fact, kind)]


REFUSALS = [
    pytest.param({"psk": "Some-Other-9"}, "AUTHENTICATION_FAILED", 1, id="PSK"),
    pytest.param({"proposals": "aes256-sha512-modp2048"}, "NO_PROPOSAL_CHOSEN", 1, id="phase-1 proposal"),
    pytest.param({"version": 1}, "NO_PROPOSAL_CHOSEN", 1, id="IKE version"),
    pytest.param({"local_id": "who.example"}, "AUTHENTICATION_FAILED", 1, id="identity"),
    pytest.param({"esp_proposals": "aes256-sha512"}, "NO_PROPOSAL_CHOSEN", 2, id="phase-2 proposal"),
    pytest.param({"pairs": (("192.168.99.0/24", "10.0.0.0/24"),)}, "TS_UNACCEPTABLE", 2, id="selectors"),
]


@pytest.mark.parametrize(("wrong", "notify", "phase"), REFUSALS)
def test_we_call_and_hear_that_the_device_refuses(bench: Bench, wrong: dict[str, Any], notify: str, phase: int):
    attempt = _fails(bench, bench.world.add_device(tunnel(**wrong)), "we")
    assert (attempt.began_by, attempt.outcome, attempt.is_named) == ("us", "refused_by_device", True)
    [refusal] = _of(attempt, negotiation.Refusal)
    assert (refusal.sender, refusal.notify, refusal.phase) == ("device", notify, phase)
    sites.wait_for(lambda: bench.gateway.id in bench.changes, "the news")


AES_256 = negotiation.Proposal(encryption=("aes-256",), integrity=("sha2-512",), prf=("sha2-512",), groups=("group14",))
REASONS = [
    pytest.param({"psk": "Some-Other-9"}, negotiation.KeyMismatch, {"problem": "differs"}, id="PSK"),
    pytest.param(
        {"proposals": "aes256-sha512-modp2048"},
        negotiation.ProposalMismatch,
        {"phase": 1, "offered": (AES_256,)},
        id="phase-1 proposal",
    ),
    pytest.param({"version": 1}, negotiation.NoConnection, {"reason": "address"}, id="IKE version"),
    pytest.param(
        {"local_id": "who.example"},
        negotiation.NoConnection,
        {"reason": "ids", "peer": negotiation.Identity(kind="fqdn", value="who.example")},
        id="identity",
    ),
    pytest.param({"esp_proposals": "aes256-sha512"}, negotiation.ProposalMismatch, {"phase": 2}, id="phase-2 proposal"),
    pytest.param(
        {"pairs": (("192.168.99.0/24", "10.0.0.0/24"),)},
        negotiation.SelectorsRefused,
        {"asked": (negotiation.Selectors(local=("10.0.0.0/24",), remote=("192.168.99.0/24",)),)},
        id="selectors",
    ),
]


@pytest.mark.parametrize(("wrong", "kind", "told"), REASONS)
def test_the_device_calls_and_we_know_why_we_refuse(
    bench: Bench, wrong: dict[str, Any], kind: type, told: dict[str, Any]
):
    attempt = _fails(bench, bench.world.add_device(tunnel(**wrong)), "the device")
    assert (attempt.began_by, attempt.outcome) == ("device", "refused_by_us")
    [fact] = _of(attempt, kind)
    assert {name: getattr(fact, name) for name in told} == told
    assert all(fact.line.splitlines())


def test_a_peer_that_is_not_there_is_heard_of_before_charon_gives_up(bench: Bench):
    """No event of VICI tells it."""
    bench.world.add_device(tunnel()).stop()
    spec = specs.connection()
    bench.run_cycle(spec)
    bench.changes.clear()
    sites.wait_for(lambda: bench.gateway.id in bench.changes, "the news")
    seen = bench.look(spec)
    assert [fact.count for fact in _of(seen.connections[0].attempts[0], negotiation.Retransmits)] == [1]


def test_what_a_device_does_to_a_tunnel_that_was_adopted_is_within_it(bench: Bench):
    """A restarted Landbridge has not heard how the tunnel came up."""
    device = bench.world.add_device(tunnel())
    spec = specs.connection()
    bench.up(spec)
    engine = bench.fresh()
    cycles.look(engine, bench.gateway.id, bench.desired(spec))
    with watched(engine):
        device.swanctl("--terminate", "--ike", "hq")
        seen = lambda: cycles.look(engine, bench.gateway.id, bench.desired(spec)).connections[0]  # noqa: E731
        sites.wait_for(lambda: seen().attempts, "the DELETE")
        [attempt] = seen().attempts
    assert (attempt.within_sa, attempt.outcome, attempt.began_by) == (True, "deleted", "device")
    assert attempt.configuration == seen().configuration


def test_a_stranger_is_heard_of(bench: Bench):
    device = bench.world.add_device(tunnel())
    spec = specs.connection("198.51.100.99")
    bench.load(spec)
    with contextlib.suppress(RuntimeError):
        device.swanctl("--initiate", "--child", "hq-0", "--timeout", "3")
    sites.wait_for(lambda: bench.look(spec).gateway.strangers, "the stranger")
    [stranger] = bench.look(spec).gateway.strangers
    assert (stranger.peer_address, stranger.outcome) == (device.address, "refused_by_us")
    assert bench.look(spec).connections[0].attempts == ()


def test_a_corrected_psk_brings_the_tunnel_up_at_once(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection(psk="Some-Other-9")
    bench.run_cycle(spec)
    cycles.until(bench.engine, bench.gateway.id, bench.desired(spec), lambda seen: seen.connections[0].attempts)
    bench.up(specs.changed(spec, psk=specs.PSK))


def test_changing_one_connection_leaves_the_other_alone(bench: Bench):
    bench.world.add_device(tunnel())
    bench.world.add_device(tunnel(pairs=((SECOND_LAN, sites.VPC),)), lans=(SECOND_LAN,))
    first, second = specs.connection(), specs.connection("198.51.100.6", peer_subnets=(SECOND_LAN,))
    before = bench.up(first, second)
    bench.world.devices[1].load(
        tunnel(
            pairs=((SECOND_LAN, sites.VPC),), proposals="aes256-sha256-ecp256", esp_proposals="aes256-sha256-modp3072"
        )
    )
    second = specs.changed(
        second,
        ike_policy=specs.ike_policy(encryption_algorithm="aes-256", dh_group="group19"),
        ipsec_policy=specs.ipsec_policy(encryption_algorithm="aes-256"),
    )
    after = bench.up(first, second)
    assert spis(after[0]) == spis(before[0])
    assert spis(after[1]) != spis(before[1])
    assert after[1].ike_proposal == "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256"
    assert sites.ping(bench.world.vpc_host, HOST)
    assert sites.ping(bench.world.vpc_host, SECOND_HOST)


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_a_reset_negotiates_one_connection_anew_and_leaves_the_other_alone(bench: Bench, version: str):
    """Also when the service is started anew in between: what was reset is not reset again."""
    bench.world.add_device(tunnel(version=int(version[1:])))
    bench.world.add_device(tunnel(pairs=((SECOND_LAN, sites.VPC),)), lans=(SECOND_LAN,))
    mode = "main" if version == "v1" else None
    first = specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode=mode))
    second = specs.connection("198.51.100.6", peer_subnets=(SECOND_LAN,))
    before = bench.up(first, second)
    first = dataclasses.replace(first, resets=1, generation=2)
    steps_of_reset = [each for each in bench.plan(first, second) if not isinstance(each, network_steps.EnsureTunnel)]
    assert {each.connection_id for each in steps_of_reset} == {first.id}
    after = bench.up(first, second)
    assert {*spis(after[0])}.isdisjoint(spis(before[0]))
    assert spis(after[1]) == spis(before[1])
    assert after[0].applied_generation == 2
    assert bench.plan(first, second) == []
    assert sites.ping(bench.world.vpc_host, HOST)
    assert sites.ping(bench.world.vpc_host, SECOND_HOST)


def test_a_deleted_connection_is_gone_and_the_other_stays(bench: Bench):
    bench.world.add_device(tunnel())
    bench.world.add_device(tunnel(pairs=((SECOND_LAN, sites.VPC),)), lans=(SECOND_LAN,))
    first, second = specs.connection(), specs.connection("198.51.100.6", peer_subnets=(SECOND_LAN,))
    before = bench.up(first, second)
    observation = bench.run_cycle(first)
    assert observation.present == {first.id}
    assert spis(observation.connections[0]) == spis(before[0])
    assert not sites.ping(bench.world.vpc_host, SECOND_HOST, wait=1)


def test_another_connection_with_the_same_subnets_takes_over_from_a_deleted_one(bench: Bench):
    bench.world.add_device(tunnel())
    bench.up(specs.connection())
    bench.up(specs.connection())
    assert sites.ping(bench.world.vpc_host, HOST)


def test_a_restarted_engine_plans_nothing(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection()
    before = bench.up(spec)
    assert bench.plan(spec) == []
    assert bench.fresh().gateways() == {bench.gateway.id}
    assert spis(cycles.look(bench.fresh(), bench.gateway.id, bench.desired(spec)).connections[0]) == spis(before[0])


def test_a_killed_charon_comes_back(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection()
    bench.up(spec)
    bench.changes.clear()
    [pid] = pids(bench.gateway.id)
    counted = base.RESTARTS.cells[0]
    os.kill(pid, signal.SIGKILL)
    sites.wait_for(lambda: bench.changes, "the engine to notice")
    bench.up(spec)
    assert base.RESTARTS.cells[0] - counted == 1
    assert sites.ping(bench.world.vpc_host, HOST)


def test_a_charon_that_hangs_is_not_taken_for_dead(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Every look leaves a connection in its backlog; when that is full, the kernel answers at once."""
    bench.world.add_device(tunnel())
    spec = specs.connection()
    before, running = bench.up(spec), pids(bench.gateway.id)
    monkeypatch.setattr(daemon, "ANSWER_TIMEOUT", 0.1)
    with hanging(bench.gateway.id):
        for _ in range(20):
            with pytest.raises(base.StepFailed, match="charon does not answer"):
                bench.run_cycle(spec)
        for step in (ike_steps.StartCharon("userland"), ike_steps.StopCharon()):
            with pytest.raises(base.StepFailed, match="charon does not answer"):
                bench.engine.apply(bench.gateway.id, step)
        assert pids(bench.gateway.id) == running
        assert charon.CHARON.socket_path(bench.folder).exists()
    monkeypatch.undo()

    def has_room() -> bool:
        with contextlib.suppress(BlockingIOError):
            return charon.CHARON.is_alive(bench.folder)
        return False

    sites.wait_for(has_room, "charon to work off its backlog")
    assert spis(bench.up(spec)[0]) == spis(before[0])
    assert pids(bench.gateway.id) == running
    assert sites.ping(bench.world.vpc_host, HOST)


def test_a_restart_is_done_once_and_the_tunnel_comes_back(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection()
    before, running = bench.up(spec), pids(bench.gateway.id)
    asked = dataclasses.replace(bench.desired(spec), restarts=1)
    seen = cycles.until(bench.engine, bench.gateway.id, asked, cycles.all_up)
    after = pids(bench.gateway.id)
    assert after
    assert not set(after) & set(running)
    assert spis(seen.connections[0]) != spis(before[0])
    assert (seen.gateway.restarts, seen.gateway.inner_addresses != ()) == (1, True)
    assert "192.168.44.0/24" in seen.connections[0].routes
    assert sites.ping(bench.world.vpc_host, HOST)
    fresh = bench.fresh()
    assert cycles.plan(fresh, bench.gateway.id, asked) == []
    assert pids(bench.gateway.id) == after


def test_no_second_charon_is_started_beside_a_running_one(bench: Bench):
    bench.run_cycle()
    running = pids(bench.gateway.id)
    with pytest.raises(base.StepFailed, match="a charon runs already"):
        bench.engine.apply(bench.gateway.id, ike_steps.StartCharon("userland"))
    assert pids(bench.gateway.id) == running
    assert bench.plan() == []


def test_fifty_children_of_one_connection_come_up_in_one_ike_sa(bench: Bench):
    lans = tuple(f"192.168.{number}.0/24" for number in range(44, 94))
    bench.world.add_device(
        tunnel(pairs=tuple((lan, sites.VPC) for lan in lans), esp_proposals="aes128-sha256"), lans=lans
    )
    spec = specs.connection(
        style="policy",
        peer_subnets=None,
        policy_rules=(specs.policy(1, sites.VPC, *lans),),
        ipsec_policy=specs.ipsec_policy(pfs="disable"),
    )
    [up] = bench.up(spec)
    assert len(up.children) == 50
    assert [sa.name for sa in bench.engine.observe(bench.gateway.id).ike.sas] == [spec.id]
    assert sites.ping(bench.world.vpc_host, "192.168.93.10")


def test_many_gateways_are_made_and_taken_down_at_once(bench: Bench):
    engine = bench.engine
    endpoints = [
        tuple(model.Endpoint(number=number, address=sites.EIPS[2 * at + number - 1]) for number in (1, 2))
        for at in range(8)
    ]
    wanted = [specs.desired(of=specs.gateway(endpoints=pair)) for pair in endpoints]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda desired: cycles.run_cycle(engine, desired.id, desired), wanted))
        assert [observation.applied_generation for observation in made] == [1] * 8
        assert all(sites.ping(bench.world.wan, pair[1].address) for pair in endpoints)
        gone = list(pool.map(lambda desired: cycles.run_cycle(engine, desired.id, None), wanted))
        assert not any(observation.exists for observation in gone)


def test_a_vpc_link_on_an_interface_is_a_macvlan(bench: Bench):
    bench.world.add_device(tunnel())
    bench.network = model.Network(id="vpc-1", interface="vpc", address=sites.VPC_ADDRESS)
    spec = specs.connection()
    bench.up(spec)
    assert bench.plan(spec) == []
    assert sites.ping(bench.world.vpc_host, HOST)
    bench.network = bench.world.network("vpc-1")
    bench.up(spec)
    assert bench.plan(spec) == []
    assert sites.ping(bench.world.vpc_host, HOST)


def test_a_namespace_that_lost_its_name_gets_it_again_and_nothing_is_lost(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection()
    before, running = spis(bench.up(spec)[0]), pids(bench.gateway.id)
    bench.changes.clear()
    with pinging.pinging(bench.world.vpc_host, HOST) as pings:
        sites.wait_for(lambda: pings.answered, "a ping")
        namespace.remove(names.namespace(bench.gateway.id))
        [attached] = bench.plan(spec)
        bench.run_cycle(spec)
        sites.wait_for(lambda: bench.changes, "another look")
        assert bench.plan(spec) == []
        pings.wait_for_more(pinging.RATE)
        assert not pings.lost
    assert str(attached) == f"give the network namespace of process {running[0]} its name again"
    assert (spis(bench.look(spec).connections[0]), pids(bench.gateway.id)) == (before, running)


def test_a_namespace_that_lost_its_name_and_its_charon_is_made_anew(bench: Bench):
    bench.world.add_device(tunnel())
    spec = specs.connection()
    bench.up(spec)
    [pid] = pids(bench.gateway.id)
    namespace.remove(names.namespace(bench.gateway.id))
    os.kill(pid, signal.SIGKILL)
    sites.wait_for(lambda: not processes.is_there(pid), "the charon to be gone")
    bench.up(spec)
    assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.parametrize(
    ("folder", "underlay", "words"),
    [("d" * 80, None, "too long"), ("data", "no-such-namespace", "the network namespace no-such-namespace")],
    ids=["long path", "underlay"],
)
def test_a_machine_that_cannot_run_it_is_told_what_is_missing(
    tmp_path: Path, folder: str, underlay: str | None, words: str
):
    site = model.Site(eips=(), networks=(), zones=(), any_network=True, underlay=underlay)
    with pytest.raises(base.EngineUnavailable, match=words):
        StrongSwan(tmp_path / folder, site)


@pytest.mark.parametrize("stopping", [False, True])
def test_who_is_not_root_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopping: bool):
    site = model.Site(eips=(), networks=(), zones=(), any_network=True)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(base.EngineUnavailable, match=r"^the strongswan engine must run as root$"):
        StrongSwan(tmp_path, site, stopping=stopping)


@pytest.mark.parametrize("underlay", ["no-such-namespace", None], ids=["vanished", "not given"])
def test_all_is_stopped_without_the_underlay(bench: Bench, underlay: str | None):
    bench.world.add_device(tunnel())
    bench.up(specs.connection())
    site = dataclasses.replace(bench.world.site("vpc-1"), underlay=underlay)
    StrongSwan(bench.world.folder, site, stopping=True).stop_all()
    assert bench.engine.gateways() == frozenset()
    assert not namespace.exists(names.namespace(bench.gateway.id))
    sites.wait_for(lambda: not links(bench), "the namespace to end, and its links with it")


def test_what_was_never_started_is_stopped_and_nothing_is_made(tmp_path: Path):
    site = model.Site(eips=(), networks=(), zones=(), any_network=True)
    StrongSwan(tmp_path, site, stopping=True).stop_all()
    assert list(tmp_path.iterdir()) == []


def test_a_gateway_that_cannot_be_stopped_keeps_no_other_one_up(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    first, second = sorted((specs.gateway(), specs.gateway(endpoints=ENDPOINTS)), key=lambda gateway: gateway.id)
    for gateway in (first, second):
        cycles.run_cycle(bench.engine, gateway.id, specs.desired(of=gateway))
    monkeypatch.setattr(daemon, "ANSWER_TIMEOUT", 3.0)
    with (
        hanging(first.id),
        pytest.raises(base.StepFailed, match=f"^gateway {first.id}: charon does not answer$"),
    ):
        bench.engine.stop_all()
    assert bench.engine.gateways() == {first.id}


def test_teardown_leaves_nothing(bench: Bench):
    bench.world.add_device(tunnel())
    bench.up(specs.connection())
    [pid] = pids(bench.gateway.id)
    cycles.run_cycle(bench.engine, bench.gateway.id, None)
    assert bench.engine.gateways() == frozenset()
    assert not bench.folder.exists()
    assert not namespace.exists(names.namespace(bench.gateway.id))
    assert not links(bench)
    assert not os.path.exists(f"/proc/{pid}/exe")  # noqa: PTH110  a zombie that init has not reaped yet has none
    assert not cycles.look(bench.engine, bench.gateway.id, None).exists
