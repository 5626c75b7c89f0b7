"""Real tunnels of style policy-template, on the userland data plane: devices that dial in from any address and ask for a part of their subnets."""

import contextlib
import functools
import threading
from typing import Any

import pytest

from lab import cycles, sites, specs, testbed
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = pytest.mark.tunnel

LANS = ("192.168.44.0/24", "192.168.45.0/24", "192.168.60.0/24")
HOSTS = tuple(lan.replace(".0/24", ".10") for lan in LANS)
#: The address that both devices have behind their NAT.
NAT = "198.51.100.250"
#: IKE as we want it, and as the device has it.
EXCHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "v2": ({}, {"version": 2}),
    "v1-main": ({"version": "v1", "negotiation_mode": "main"}, {"version": 1}),
    "v1-aggressive": ({"version": "v1", "negotiation_mode": "aggressive"}, {"version": 1, "aggressive": True}),
}


class Bench:
    """A world with an engine in it and one gateway. Devices are told apart by their ids: `branch-0.example` and on."""

    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.gateway = specs.gateway()
        self.engine = StrongSwan(world.folder, world.site("vpc-1"))
        self.desired = specs.desired(of=self.gateway)

    def spec(self, number: int, *subnets: str, **ike: Any):
        ids = {"peer_id_type": "fqdn", "peer_id": f"branch-{number}.example"}
        return specs.connection(
            None, style="policy-template", peer_subnets=subnets, ike_policy=specs.ike_policy(**ids, **ike)
        )

    def want(self, *wished: model.DesiredConnection):
        self.desired = specs.desired(*wished, network=self.world.network("vpc-1"), of=self.gateway)
        return self.run_cycle()

    def run_cycle(self):
        return cycles.run_cycle(self.engine, self.gateway.id, self.desired).connections

    def plan(self):
        return cycles.plan(self.engine, self.gateway.id, self.desired)

    def until(self, happened: Any):
        return cycles.until(
            self.engine, self.gateway.id, self.desired, lambda seen: happened(*seen.connections)
        ).connections


@pytest.fixture
def bench():
    with sites.World() as world:
        bench = Bench(world)
        stop = threading.Event()
        watcher = threading.Thread(target=bench.engine.watch, args=(lambda _: None, stop))
        watcher.start()
        try:
            yield bench
        finally:
            stop.set()
            watcher.join()
            bench.engine.stop_all()


def tunnel(number: int, **given: Any):
    ids = {"local_id": f"branch-{number}.example"}
    return sites.Tunnel(**({"gateway": sites.EIPS[0], "psk": specs.PSK} | ids | given))


def remotes(seen: model.ConnectionObservation):
    return sorted(net for child in seen.children for net in child.remote_ts)


def ask(device: sites.Device, *numbers: int):
    for number in numbers:
        device.swanctl("--initiate", "--child", f"hq-{number}")


def reaches(bench: Bench, device: sites.Device, host: str):
    assert sites.ping(bench.world.vpc_host, host)
    assert sites.ping(device.host, sites.VPC_HOST)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_device_gets_a_child_sa_for_each_request_inside_its_subnets(bench: Bench, exchange: str):
    ours, its = EXCHANGES[exchange]
    spec = bench.spec(0, "192.168.44.0/23", LANS[2], **ours)
    [waiting] = bench.want(spec)
    assert (waiting.waits_for_peer, waiting.routes, bench.plan()) == (True, (), [])
    pairs = tuple((lan, sites.VPC) for lan in LANS)
    device = bench.world.add_device(tunnel(0, pairs=pairs, **its), lans=LANS)
    ask(device, 0, 1)
    [up] = bench.until(lambda one: len(one.children) == 2)
    assert (remotes(up), up.routes) == (list(LANS[:2]), LANS[:2])
    assert (up.applied_generation, up.missing_pairs, bench.plan()) == (spec.generation, (), [])
    for host in HOSTS[:2]:
        sites.wait_for(functools.partial(sites.ping, bench.world.vpc_host, host), f"a ping to {host}")
    assert not sites.ping(bench.world.vpc_host, HOSTS[2], wait=1)


@pytest.mark.parametrize("exchange", ["v2", "v1-main"])
def test_what_a_device_asks_for_is_narrowed_and_nothing_else_leaves(bench: Bench, exchange: str):
    """The device offers 0.0.0.0/0, and has a subnet that is not the connection's."""
    ours, its = EXCHANGES[exchange]
    bench.want(bench.spec(0, LANS[0], **ours))
    device = bench.world.add_device(tunnel(0, pairs=(("0.0.0.0/0", "0.0.0.0/0"),), **its), lans=LANS[:2])
    ask(device, 0)
    [up] = bench.until(lambda one: one.children)
    assert [(child.local_ts, child.remote_ts) for child in up.children] == [((sites.VPC,), (LANS[0],))]
    reaches(bench, device, HOSTS[0])
    with sites.capturing(bench.world.wan, names.uplink_peer(bench.gateway.id)) as packets:
        assert not sites.ping(bench.world.vpc_host, HOSTS[1], wait=1)
    assert {packet.kind for packet in packets} <= {"ike", "esp"}
    assert not [packet for packet in packets if packet.kind == "esp" and packet.source == sites.EIPS[0]]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_request_outside_the_subnets_is_refused(bench: Bench, exchange: str):
    ours, its = EXCHANGES[exchange]
    bench.want(bench.spec(0, LANS[0], **ours))
    device = bench.world.add_device(tunnel(0, pairs=((LANS[2], sites.VPC),), **its), lans=LANS[2:])
    with contextlib.suppress(RuntimeError):
        ask(device, 0)
    [down] = bench.until(lambda one: any(LANS[2] in line for line in cycles.lines(one)))
    assert not down.children


def test_two_devices_behind_one_address_have_a_connection_each(bench: Bench):
    wished = [bench.spec(number, LANS[number]) for number in (0, 1)]
    bench.want(*wished)
    devices = [
        bench.world.add_device(tunnel(number, pairs=((LANS[number], sites.VPC),)), lans=(LANS[number],))
        for number in (0, 1)
    ]
    masquerade(bench.world, devices)
    for device in devices:
        ask(device, 0)
    ups = bench.until(lambda *both: all(one.children for one in both))
    assert [(up.peer_address, remotes(up)) for up in ups] == [(NAT, [LANS[0]]), (NAT, [LANS[1]])]
    for number, device in enumerate(devices):
        reaches(bench, device, HOSTS[number])


def masquerade(world: sites.World, devices: list[sites.Device]):
    """The devices have one address outside: the underlay translates theirs."""
    chain = "add chain ip nat post { type nat hook postrouting priority srcnat; }"
    rules = (
        f"add rule ip nat post ip saddr {device.address} ip daddr {sites.EIPS[0]} snat to {NAT}" for device in devices
    )
    world._nft("add table ip nat", chain, *rules)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_device_that_comes_back_from_another_address_replaces_its_old_sa(bench: Bench, exchange: str):
    ours, its = EXCHANGES[exchange]
    bench.want(bench.spec(0, LANS[0], **ours))
    first = bench.world.add_device(tunnel(0, **its))
    ask(first, 0)
    bench.until(lambda one: one.children)
    bench.world.cut(first.address)
    second = bench.world.add_device(tunnel(0, **its))
    ask(second, 0)
    [up] = bench.until(lambda one: one.peer_address == second.address and one.children)
    assert len(up.children) == 1
    reaches(bench, second, HOSTS[0])


def test_an_update_ends_what_lies_outside_of_it_and_nothing_else(bench: Bench):
    spec, other = bench.spec(0, *LANS[:2]), bench.spec(1, LANS[2])
    bench.want(spec, other)
    pairs = tuple((lan, sites.VPC) for lan in LANS[:2])
    device = bench.world.add_device(tunnel(0, pairs=pairs), lans=LANS[:2])
    neighbour = bench.world.add_device(tunnel(1, pairs=((LANS[2], sites.VPC),)), lans=LANS[2:])
    ask(device, 0, 1)
    ask(neighbour, 0)
    before = bench.until(lambda one, two: len(one.children) == 2 and two.children)
    bench.want(specs.changed(spec, peer_subnets=(LANS[0], "192.168.50.0/24")), other)
    after = bench.until(lambda one, _: len(one.children) == 1 and one.applied_generation)
    assert after[0].children[0].spi_in == spi_of(before[0], LANS[0])
    assert after[1].children[0].spi_in == before[1].children[0].spi_in
    assert bench.plan() == []
    reaches(bench, device, HOSTS[0])


def spi_of(seen: model.ConnectionObservation, lan: str):
    return next(child.spi_in for child in seen.children if child.remote_ts == (lan,))


def test_the_service_shows_a_device_that_dials_in_and_one_that_has_gone():
    """Through the public API: status, SA list, routing table."""
    with testbed.testbeds(1) as [bed], testbed.running_case(bed) as case:
        device, api, vpc = case.device, bed.api, bed.vpc
        name = {"name": "branch", "id_type": "fqdn", "id_value": "branch-0.example"}
        peer = api.request("POST", "/v5/{project}/customer-gateways", {"customer_gateway": name})["customer_gateway"]
        ends = {"vgw_id": bed.gateway["id"], "vgw_ip": bed.gateway["eip1"]["id"], "cgw_id": peer["id"]}
        wish = {"style": "policy-template", "peer_subnets": [bed.lan, bed.second_lan], "psk": specs.PSK}
        made = api.request("POST", "/v5/{project}/vpn-connection", {"vpn_connection": wish | ends})["vpn_connection"]
        case.customer_gateway_id, case.connection_id = peer["id"], made["id"]
        path = "/v5/{project}/vpn-connection/" + made["id"]
        assert_soon(lambda: [one["code"] for one in case.diagnosis()["causes"]] == ["waiting_for_device"])
        device.start()
        device.load(tunnel(0, gateway=bed.endpoints[0], pairs=((bed.lan, vpc), (bed.second_lan, vpc))))
        ask(device, 0, 1)
        assert_soon(lambda: case.is_up() and len(sas(api, path)) == 2)
        assert sas(api, path) == [(vpc, bed.lan), (vpc, bed.second_lan)]
        assert routes(api, bed.gateway["id"], made["id"]) == {bed.lan, bed.second_lan}
        assert sites.ping(bed.vpc_host, sites.lan_host(3 * bed.number))
        device.swanctl("--terminate", "--ike", "hq")
        assert_soon(lambda: api.get(path)["vpn_connection"]["status"] == "DOWN")
        assert (sas(api, path), routes(api, bed.gateway["id"], made["id"])) == ([], set())


def assert_soon(happened: Any):
    sites.wait_for(happened, "what the service shows")


def sas(api: testbed.Api, path: str):
    """(source, destination) of each row of the SA list."""
    return sorted((one["source_ip_cidr"], one["dest_ip_cidr"]) for one in api.get(f"{path}/ipsec-sa")["sa_infos"])


def routes(api: testbed.Api, gateway_id: str, connection_id: str):
    table = api.get(f"/v5/{{project}}/vpn-gateways/{gateway_id}/routing-table?is_include_nexthop_resource=true")
    found = [one for one in table["routing_table"] if one.get("nexthop_resource", {}).get("id") == connection_id]
    return {one["destination"] for one in found}


def test_a_new_key_is_proved_beside_the_tunnel(bench: Bench):
    spec = bench.spec(0, LANS[0])
    bench.want(spec)
    device = bench.world.add_device(tunnel(0))
    ask(device, 0)
    bench.until(lambda one: one.children)
    device.load(tunnel(0, psk="Another-Horse-8"))
    changed = specs.changed(spec, psk="Another-Horse-8")
    bench.want(changed)
    [up] = bench.until(lambda one: one.children and not one.is_key_unproved and not bench.plan())
    assert len(up.children) == 1
    reaches(bench, device, HOSTS[0])
