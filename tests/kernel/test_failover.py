"""Two endpoints of one gateway and one device with two addresses: both carry, or one stands by, and a path is cut.

The device routes into its tunnels and answers each flow by the tunnel that the flow came by, so that the gateway alone decides. A BIRD of the
device offers a BGP session in each tunnel; the gateway takes it where the connections have the style bgp. The first session, whose path is cut, has BFD.
The second one has none: a busy machine stands still for more than 0.9 s, and then BFD would end both sessions together on paths that are whole.
The properties of the test suite (junit.xml) have the measured times; no test asserts one.
"""

import contextlib
import dataclasses
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from lab import birds, cycles, flows, sites, specs
from landbridge import model
from tests.kernel import beds
from tests.kernel.beds import PATIENCE, Bed

#: The shortest timers that the API takes: the device is dead after 10 s + 3 x 2 s.
DPD = specs.ike_policy(dpd=model.Dpd(interval=10, timeout=2, msg="seq-hash-notify"))
#: The device's addresses, and the tunnel that leads to each: our endpoint, and the device's interface.
ADDRESSES = ("198.51.100.2", "198.51.100.130")
EVERYTHING = (("0.0.0.0/0", "0.0.0.0/0"),)
HOST = "192.168.44.10"
FLOWS = 12
#: How a dead path is noticed -> fields of both connections.
DETECTORS: dict[str, dict[str, Any]] = {
    "dpd": {"style": "static", "ike_policy": DPD, "enable_nqa": False},
    "nqa": {"style": "static", "ike_policy": specs.ike_policy(), "enable_nqa": True},
    "bfd": {"style": "bgp", "ike_policy": specs.ike_policy(), "enable_nqa": False},
}
ASN = 65001
SEEN = ("ip", "answers", "seen")
HaMode = Literal["active-active", "active-standby"]
#: Answers leave by the tunnel of their question, and `seen` has (tunnel, port of a flow).
ANSWERS = """
table ip answers {
  set seen { type ifname . inet_service; size 1024; flags dynamic; }
  chain prerouting {
    type filter hook prerouting priority mangle;
    iifname "t1" ct mark set 1
    iifname "t2" ct mark set 2
    iifname { "t1", "t2" } udp dport 7 update @seen { iifname . udp sport }
    iifname "lan" meta mark set ct mark
  }
}
"""


@dataclasses.dataclass
class Pair:
    """The bed, its device, and the connections by the device's interface."""

    bed: Bed
    device: sites.Device
    changed: threading.Event = dataclasses.field(default_factory=threading.Event)

    def use(self, mode: HaMode, detector: str, carrying: set[str]) -> None:
        """Settles in a mode, with a detector."""
        self.bed.gateway = dataclasses.replace(self.bed.gateway, ha_mode=mode)
        for number, kind in enumerate(("t1", "t2"), 1):
            role = "slave" if (mode, number) == ("active-standby", 2) else "master"
            self.bed.specs[kind] = specs.changed(self.bed.specs[kind], ha_role=role, **DETECTORS[detector])
        self.bed.settle()
        self.until(lambda seen: self.carrying(seen) == carrying)

    def carrying(self, seen: model.Observation) -> set[str]:
        """The tunnels that carry the network, as reported."""
        return {self.bed.kinds[one.connection_id] for one in seen.connections if one.routes}

    def ways(self) -> dict[str, set[int]]:
        """The tunnels by which the device gets flows in a second, and the ports of these flows."""
        self._nft("flush", "set", *SEEN)
        time.sleep(1)
        [found] = [
            each["set"] for each in json.loads(self._nft("-j", "list", "set", *SEEN))["nftables"] if "set" in each
        ]
        ways: dict[str, set[int]] = {}
        for element in found.get("elem", ()):
            link, port = element["concat"]
            ways.setdefault(link, set()).add(port)
        return ways

    def settled_ways(self, carrying: set[str]) -> dict[str, set[int]]:
        """Waits until all these tunnels carry and each flow goes by one of them alone. Returns the flows of each tunnel."""
        found: dict[str, set[int]] = {}

        def are_settled() -> bool:
            found.clear()
            found.update(self.ways())
            return found.keys() == carrying and sum(map(len, found.values())) == FLOWS

        sites.wait_for(are_settled, f"all flows in {sorted(carrying)}, each in one of them")
        return found

    def load_answers(self) -> None:
        self._nft("-f", "-", text=ANSWERS)

    def _nft(self, *arguments: str, text: str | None = None) -> str:
        command = ["ip", "netns", "exec", self.device.namespace, "nft", *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    def flowing(self) -> contextlib.AbstractContextManager[list[flows.Flow]]:
        return flows.flowing(self.bed.world.vpc_host, self.device.host, HOST, count=FLOWS)

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Drops what goes to the first of the device's addresses and what comes from it."""
        self.bed.world.cut(ADDRESSES[0])
        try:
            yield
        finally:
            self.bed.world.mend()

    def until(self, happened: Callable[[model.Observation], object]) -> None:
        """Runs a cycle when the engine asks for one, as the agent does, and each second."""
        deadline = time.monotonic() + PATIENCE
        while not happened(cycles.run_cycle(self.bed.engine, self.bed.gateway.id, self.bed.desired())):
            assert time.monotonic() < deadline
            self.changed.wait(1)
            self.changed.clear()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with beds.made() as bed:
        tunnels = [
            sites.Tunnel(
                gateway=sites.EIPS[at],
                psk=specs.PSK,
                name=f"t{at + 1}",
                pairs=EVERYTHING,
                address=address,
                if_id=at + 1,
            )
            for at, address in enumerate(ADDRESSES)
        ]
        device = bed.world.add_device(*tunnels, addresses=ADDRESSES[1:], in_kernel=True)
        made = Pair(bed, device)
        for number in (1, 2):
            _add_interface(device, number)
            spec = specs.connection(
                ADDRESSES[number - 1],
                endpoint=number,
                gateway_endpoint=f"eip-{9 + number}",
                tunnel_local_address=f"169.254.7{number}.1/30",
                tunnel_peer_address=f"169.254.7{number}.2/30",
            )
            bed.specs[f"t{number}"] = dataclasses.replace(spec, peer_asn=ASN)
        made.load_answers()
        with birds.running(_bird(device)), _watching(made):
            yield made


def _bird(device: sites.Device) -> birds.Bird:
    first, second = (
        {"address": f"169.254.7{number}.2", "peer": f"169.254.7{number}.1", "link": f"t{number}"} for number in (1, 2)
    )
    return birds.Bird(
        namespace=device.namespace, folder=device.folder / "bgp", asn=ASN, others=(tuple(second.values()),), **first
    )


@contextlib.contextmanager
def _watching(pair: Pair) -> Iterator[None]:
    stop = threading.Event()
    watcher = threading.Thread(target=pair.bed.engine.watch, args=(lambda _: pair.changed.set(), stop))
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _add_interface(device: sites.Device, number: int) -> None:
    """With a routing table of its own for answers. What the device's own host begins goes by the first one."""
    for command in (
        f"link add t{number} type xfrm if_id {number}",
        f"address add 169.254.7{number}.2/30 dev t{number}",
        f"link set t{number} up",
        f"route add {sites.VPC} dev t{number} metric {number}",
        f"route add {sites.VPC} dev t{number} table {number}",
        f"rule add fwmark {number} table {number}",
    ):
        subprocess.run(["ip", "-n", device.namespace, *command.split()], check=True)


def _all_answer(running: list[flows.Flow], since: float) -> bool:
    return all(flow.answers(since) for flow in running)


@pytest.mark.parametrize(
    ("mode", "carrying", "detector"),
    [
        pytest.param("active-active", {"t1", "t2"}, "nqa", id="active-active-nqa", marks=pytest.mark.long),
        pytest.param("active-active", {"t1", "t2"}, "bfd", id="active-active-bfd"),
        pytest.param("active-active", {"t1", "t2"}, "dpd", id="active-active-dpd", marks=pytest.mark.long),
        pytest.param("active-standby", {"t1"}, "nqa", id="active-standby-nqa"),
        pytest.param("active-standby", {"t1"}, "bfd", id="active-standby-bfd", marks=pytest.mark.long),
        pytest.param("active-standby", {"t1"}, "dpd", id="active-standby-dpd", marks=pytest.mark.long),
    ],
)
def test_the_other_endpoint_takes_over_and_gives_back_without_a_loss(
    pair: Pair,
    mode: HaMode,
    carrying: set[str],
    detector: str,
    record_testsuite_property: Callable[[str, object], None],
):
    pair.use(mode, detector, carrying)
    with pair.flowing() as running:
        sites.wait_for(lambda: _all_answer(running, 0), "answers of all flows")
        router = _router_of_vpc(pair)
        before = pair.settled_ways(carrying)

        cut = time.monotonic()
        with pair.cut():
            pair.until(lambda seen: pair.carrying(seen) == {"t2"})
            taken_over = time.monotonic()
            sites.wait_for(lambda: _all_answer(running, taken_over), "answers of all flows by the other tunnel")
            assert pair.ways() == {"t2": {flow.port for flow in running}}
            over = time.monotonic()
            hit = [flow for flow in running if flow.port in before["t1"]]
        pair.until(lambda seen: pair.carrying(seen) == carrying)
        pair.bed.settle()
        assert pair.settled_ways(carrying) == before
        end = time.monotonic()
        sites.wait_for(lambda: _all_answer(running, end), "answers of all flows")
    assert not sum(flow.lost(cut, over) for flow in running if flow not in hit)
    assert not sum(flow.lost(over, end) for flow in running)
    assert _router_of_vpc(pair) == router
    silences = [flow.silence(cut - 1, over) for flow in hit]
    record_testsuite_property(
        f"{mode}, {detector}",
        f"{len(hit)} of {FLOWS} flows hit, {min(silences):.1f} to {max(silences):.1f} s without traffic, "
        f"at most {max(flow.lost(cut, over) for flow in hit)} datagrams of a flow lost; none lost when it was given back",
    )


def _router_of_vpc(pair: Pair) -> str:
    """The one next hop that a host of the VPC has, and its hardware address."""
    command = ["ip", "-n", pair.bed.world.vpc_host, "neighbour", "show", sites.VPC_ADDRESS.split("/", maxsplit=1)[0]]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(" lladdr ")[-1].split()[0]
