"""The steps of scenarios: each does something, and checks what the original checks after it, on both sides and on the wire."""

import contextlib
import functools
import re
import subprocess
import time
from collections.abc import Iterable, Iterator

from lab import sas, sites, testbed
from lab.replay import End, Replay, Step, load

#: Fields of an IKE_SA or a CHILD_SA by name, as they are compared.
Facts = dict[str, object]


# -- tunnels that are up --------------------------------------------------------------------------------------------------


def tunnels_are_up(replay: Replay) -> None:
    """Each peer has one IKE_SA with one CHILD_SA, exact on both sides and in the API. Pings cross both ways, in ESP both ways."""
    for end in replay.ends:
        replay.wait(functools.partial(_is_up, end), f"the tunnel of {end.peer.name}")
        check_sas(end)
        check_api(end)
        check_traffic(end)


def _is_up(end: End) -> bool:
    both = (end.device_sas(), end.gateway_sas())
    return end.case.is_up() and all(len(found) == 1 and found[0].children for found in both)


def check_sas(end: End) -> None:
    """`list-sas` of both sides: version, initiator, ids, addresses, both suites, both traffic selectors, each as the other's mirror."""
    replay = end.replay
    scenario = replay.scenario
    suite = scenario.suite_of(end.peer)
    [device], [gateway] = end.device_sas(), end.gateway_sas()
    both: Facts = {"version": int(suite.version[1]), "suite": sas.ike_suite(suite)}
    target = replay.place.public if scenario.nat == "both" else replay.endpoint
    calls = scenario.caller == "device"
    same(device, both, is_initiator=calls, local_id=end.id, remote_id=replay.gateway_id)
    same(gateway, both, is_initiator=not calls, local_id=replay.gateway_id, remote_id=end.id)
    assert (device.local[0], device.remote[0]) == (end.case.address, target), device
    assert (gateway.local[0], gateway.remote[0]) == (replay.endpoint, end.seen_address), gateway
    in_udp = replay.place.plane == "userland" or esp_is_in_udp in scenario.steps
    inner: Facts = {"suite": sas.esp_suite(suite), "mode": "TUNNEL", "protocol": "ESP", "encap": in_udp}
    [ours], [its] = gateway.children, device.children
    same(its, inner, local_ts=(end.lan,), remote_ts=(replay.bed.vpc,))
    same(ours, inner, local_ts=(replay.bed.vpc,), remote_ts=(end.lan,))
    assert ours.spis == its.spis, (ours, its)
    if suite.version == "v1":
        assert {ours.group, its.group} == {sas.group(suite.pfs)}, (ours, its)


def same(seen: object, *wanted: Facts, **more: object) -> None:
    """Fails with the fields that differ."""
    facts = {name: value for each in (*wanted, more) for name, value in each.items()}
    differs = {name: (getattr(seen, name), value) for name, value in facts.items() if getattr(seen, name) != value}
    assert not differs, f"seen and wanted: {differs}"


def check_api(end: End) -> None:
    """Status, ids and address of the diagnosis, and the row of the SA list, as of the next look."""
    replay = end.replay
    path = f"/v5/{{project}}/vpn-connection/{end.connection_id}/ipsec-sa"

    def told() -> tuple[object, ...]:
        found = end.case.diagnosis()
        rows = [(one["source_ip_cidr"], one["dest_ip_cidr"]) for one in replay.bed.api.get(path)["sa_infos"]]
        return found["status"], found.get("local_id"), found.get("peer_id"), found.get("peer_address"), rows

    wanted = ("ACTIVE", replay.gateway_id, end.id, end.seen_address, [(replay.bed.vpc, end.lan)])
    replay.wait(lambda: told() == wanted, f"the API to say {wanted}")


def check_traffic(end: End) -> None:
    bed = end.replay.bed
    with sites.capturing(bed.world.wan, end.replay.wire) as packets:
        assert sites.ping(bed.vpc_host, end.lan_host), f"no ping to {end.lan_host}"
        back = sites.ping(end.case.device.host, bed.vpc_address, address=end.lan_host)
        assert back, f"no ping from {end.lan_host}"
    ways = {(one.source, one.target) for one in packets if one.kind == "esp"}
    assert {(end.replay.endpoint, end.seen_address), (end.seen_address, end.replay.endpoint)} <= ways, ways
    inner = {end.lan_host, bed.vpc_address}
    assert not [one for one in packets if {one.source, one.target} & inner], "in clear"


def a_ping_sets_the_trap_off(replay: Replay) -> None:
    """No SA but a policy, until a host behind the device sends a packet."""
    [end] = replay.ends
    assert "TUNNEL" in end.case.device.swanctl("--list-pols", "--trap")
    assert end.device_sas() == end.gateway_sas() == []
    assert sites.ping(end.case.device.host, replay.bed.vpc_address, address=end.lan_host, wait=60), "no ping"
    device_log_has("creating acquire job for policy")(replay)


def each_peer_has_its_own(replay: Replay) -> None:
    """No two of the IKE_SAs of the peers are one."""
    ids = [one.unique_id for end in replay.ends for one in end.gateway_sas()]
    assert len(set(ids)) == len(replay.ends), ids


def esp_is_in_udp(replay: Replay) -> None:
    """Both sides encapsulate, on port 4500 (RFC 3948). The NAT may give the device another port."""
    for end in replay.ends:
        [device], [gateway] = end.device_sas(), end.gateway_sas()
        assert device.local[1] == device.remote[1] == gateway.local[1] == 4500, (device, gateway)
        assert device.children[0].encap, device
        assert gateway.children[0].encap, gateway


def peers_have_ports_of_their_own(replay: Replay) -> None:
    """Behind one address, the gateway tells them apart by the ports that the NAT gave them."""
    remotes = {one.remote for end in replay.ends for one in end.gateway_sas()}
    assert {address for address, _ in remotes} == {replay.place.nat}, remotes
    assert len(remotes) == len(replay.ends), remotes


def child_has_a_key_exchange(replay: Replay) -> None:
    """The first CHILD_SA came by CREATE_CHILD_SA: only so has it a group of its own (RFC 6023)."""
    [end] = replay.ends
    wanted = sas.group(replay.scenario.suite_of(end.peer).pfs)
    for side in (end.device_sas(), end.gateway_sas()):
        assert [child.group for child in side[0].children] == [wanted], side
    device_log_has(r"generating CREATE_CHILD_SA request 2 .*KE", r"parsed CREATE_CHILD_SA response 2 .*KE")(replay)


# -- lines of the daemons -------------------------------------------------------------------------------------------------


def device_log_has(*patterns: str) -> Step:
    """A step: the log of each device has these lines."""
    return lambda replay: _have([end.case.device_log() for end in replay.ends], patterns)


def gateway_log_has(*patterns: str) -> Step:
    """A step: the log of the gateway has these lines. `{device}` is the address of each device."""

    def check(replay: Replay) -> None:
        for end in replay.ends:
            _have([replay.gateway_log()], [one.replace("{device}", re.escape(end.case.address)) for one in patterns])

    return check


def _have(logs: Iterable[str], patterns: Iterable[str]) -> None:
    for log in logs:
        for pattern in patterns:
            assert re.search(pattern, log), f"no line like {pattern!r}"


# -- refusals -------------------------------------------------------------------------------------------------------------


def is_refused(*codes: str) -> Step:
    """A step: the API names one of the causes, and neither side has a CHILD_SA."""

    def check(replay: Replay) -> None:
        [end] = replay.ends
        replay.wait(lambda: {one["code"] for one in end.case.diagnosis()["causes"]} & set(codes), "the cause")
        assert end.case.diagnosis()["status"] == "DOWN"
        assert [child for sa in (*end.device_sas(), *end.gateway_sas()) for child in sa.children] == []

    return check


# -- what happens to a tunnel that is up ----------------------------------------------------------------------------------


def rekeys_by_itself(replay: Replay) -> None:
    """The lifetime ends: both sides have a new CHILD_SA with a key exchange, the old SPIs go, and pings cross before and after."""
    [end] = replay.ends
    old = end.gateway_sas()[0]
    replay.wait(lambda: _is_renewed(end, old.spis), "the rekey, and the old SPIs to go")
    assert [one.unique_id for one in end.gateway_sas()] == [old.unique_id]
    check_sas(end)
    wanted = sas.group(replay.scenario.suite_of(end.peer).pfs)
    assert end.gateway_sas()[0].children[0].group == wanted
    check_traffic(end)


def _is_renewed(end: End, old: frozenset[str]) -> bool:
    """Whether the tunnel is up, with none of the old SPIs on any side."""
    return _is_up(end) and _spis(end).isdisjoint(old)


def _spis(end: End) -> frozenset[str]:
    """Of both sides."""
    return frozenset(spi for one in (*end.device_sas(), *end.gateway_sas()) for spi in one.spis)


def reauthenticates_without_a_loss(replay: Replay) -> None:
    """The device makes a new IKE_SA before it ends the old one, while it pings."""
    [end] = replay.ends
    old = _ids(end)
    command = ["ip", "netns", "exec", end.case.device.host, "ping", "-n", "-q", "-c", "40", "-i", "0.1"]
    with subprocess.Popen([*command, replay.bed.vpc_address], stdout=subprocess.PIPE, text=True) as pinging:
        time.sleep(1)
        end.case.device.swanctl("--rekey", "--reauth", "--ike", end.peer.name)
        printed, _ = pinging.communicate(timeout=60)
    replay.wait(lambda: _is_up(end) and not _ids(end) & old, "the new IKE_SA, and the old one to go")
    assert "40 received" in printed, printed
    check_sas(end)
    check_traffic(end)


def _ids(end: End) -> set[tuple[str, str]]:
    sides = {"device": end.device_sas(), "gateway": end.gateway_sas()}
    return {(name, one.unique_id) for name, found in sides.items() for one in found}


def device_hears_nothing(replay: Replay) -> None:
    """The path is cut in one direction; the gateway clears the SA, and the API says so."""
    [end] = replay.ends
    with _cut(end, "input"):
        replay.wait(lambda: not end.gateway_sas(), "the gateway to clear the SA")
        replay.wait(lambda: end.case.diagnosis()["status"] == "DOWN", "the API to say so")


def path_is_cut_and_mended(replay: Replay) -> None:
    """Both directions are cut until the gateway has given the SA up; then a new tunnel comes by itself."""
    [end] = replay.ends
    old = _spis(end)
    with _cut(end, "input", "output"):
        replay.wait(lambda: not end.gateway_sas(), "the gateway to clear the SA")
    replay.wait(lambda: _is_renewed(end, old), "the tunnel to come back")
    check_sas(end)
    check_traffic(end)


@contextlib.contextmanager
def _cut(end: End, *hooks: str) -> Iterator[None]:
    """The device's firewall drops IKE and ESP in these directions."""
    rules = "type filter hook {0} priority -10; policy accept; udp dport {{ 500, 4500 }} drop; ip protocol esp drop;"
    chains = "".join(f"chain {hook} {{ {rules.format(hook)} }}\n" for hook in hooks)
    testbed.nft(end.case.device.namespace, f"table ip cut {{\n{chains}}}\n")
    try:
        yield
    finally:
        testbed.nft(end.case.device.namespace, "delete table ip cut\n")


def comes_back_from_another_address(replay: Replay) -> None:
    """The first device falls silent without a DELETE. Another one with its identity dials: the old SA is replaced."""
    [first] = replay.ends
    old = first.gateway_sas()[0]
    second = _stand_in(replay)
    with _cut(first, "input", "output"):
        second.case.device.start()
        load(second)
        second.case.call()
        replay.wait(lambda: _is_renewed(second, old.spis), "a tunnel in place of the old one")
        check_sas(second)
        check_api(second)
        check_traffic(second)


def _stand_in(replay: Replay) -> End:
    """The second machine, with the identity, the network and the connection of the first device."""
    first = replay.ends[0]
    case = replay.undo.enter_context(testbed.running_case(replay.bed, replay.place.second))
    end = End(replay, first.peer, case, first.lan_number)
    end.case.connection_id, end.case.customer_gateway_id = first.case.connection_id, first.case.customer_gateway_id
    first.case.connection_id = first.case.customer_gateway_id = ""
    return end


# -- changes through the API ----------------------------------------------------------------------------------------------


def a_change_makes_new_sas_and_a_name_does_not(replay: Replay) -> None:
    """What the reload of a configuration does to SAs: the same again keeps them, another value replaces them, a removal ends them."""
    [end] = replay.ends
    first = _spis(end)
    end.case.update({"name": "renamed"})
    time.sleep(3)  # several ticks of the agent
    assert _spis(end) == first
    for change in ({"ikepolicy": {"lifetime_seconds": 7200}}, {"ipsecpolicy": {"lifetime_seconds": 1800}}):
        before = _spis(end)
        end.case.update(change)
        replay.wait(functools.partial(_is_renewed, end, before), f"new SAs after {change}")
    check_sas(end)
    path = f"/v5/{{project}}/vpn-connection/{end.connection_id}"
    replay.bed.api.request("DELETE", path)
    replay.wait(lambda: testbed.is_gone(replay.bed.api, path), "the connection to be gone")
    replay.wait(lambda: not end.gateway_sas() and not end.device_sas(), "the SAs to go with the connection")
    end.case.connection_id = ""
