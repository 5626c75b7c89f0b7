"""First messages of IKE from strangers and in the name of a peer: how many of them charon hears. How fast is no matter here."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import engine_bench, ike_packets, sites, specs, wire
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import namespace

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
MAIN = specs.ike_policy(version="v1", negotiation_mode="main")
AGGRESSIVE = specs.ike_policy(
    version="v1", negotiation_mode="aggressive", peer_id_type="fqdn", peer_id="branch.example"
)
#: More than may begin at once.
SENT = 300
#: Datagrams of the device's own that may come meanwhile.
FEW = 5


class Bench(engine_bench.Bench):
    """A gateway with a tunnel to a device with a fixed address, in IKEv2, and what a test adds."""

    def __init__(self, world: sites.World) -> None:
        super().__init__(world)
        self.device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        self.connections: tuple[model.DesiredConnection, ...] = (specs.connection(self.device.address),)
        self.until(_fixed_are_up, *self.connections)

    def waits_for(self, policy: Any) -> None:
        """Another connection, for a device without a fixed address."""
        dialling_in = specs.connection(None, ike_policy=policy, peer_subnets=("192.168.99.0/24",), psk="Other-Horse-8")
        self.connections += (dialling_in,)
        self.until(_fixed_are_up, *self.connections)

    def heard(self, kind: ike_packets.Kind, sources: list[str], *, port: int = 500, first: bool = True) -> int:
        """How many of SENT messages from these sources passed the firewall, the device's own few words included."""
        name, outer = self.name, names.uplink_peer(self.gateway.id)
        before = self._arrived()
        with wire.sending(self.world.wan, outer, wire.hardware(name, "wan")) as send:
            for number in range(SENT):
                message = ike_packets.first_message(kind)
                message = message if first else ike_packets.with_responder_cookie(message)
                send(ike_packets.packet(sources[number % len(sources)], sites.EIPS[0], message, port=port))
        sites.wait_for(self._is_read, "charon to read what has come")
        return self._arrived() - before

    def _arrived(self) -> int:
        """Datagrams that came to a socket, also where its queue was full."""
        head, values = (line.split() for line in self._proc("snmp").splitlines() if line.startswith("Udp:"))
        counted = dict(zip(head[1:], map(int, values[1:]), strict=True))
        return counted["InDatagrams"] + counted["RcvbufErrors"]

    def _is_read(self) -> bool:
        sockets = (line.split() for file in ("udp", "udp6") for line in self._proc(file).splitlines()[1:])
        return not any(int(words[4].partition(":")[2], 16) for words in sockets)

    def _proc(self, file: str) -> str:
        path = Path("/proc/thread-self/net") / file
        return namespace.inside(self.name, lambda _: path.read_text())


def _fixed_are_up(seen: Any) -> bool:
    return all(one.waits_for_peer or one.children for one in seen.connections)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with engine_bench.running(Bench) as bench:
        yield bench


STRANGERS = [f"198.18.{number // 250}.{number % 250 + 1}" for number in range(SENT)]


@pytest.mark.parametrize("port", [500, 4500])
@pytest.mark.parametrize("kind", ["main", "aggressive"])
def test_where_no_device_may_come_from_anywhere_no_stranger_begins_ikev1(bench: Bench, kind: Any, port: int):
    assert bench.heard(kind, STRANGERS, port=port) <= FEW
    assert sites.ping(bench.world.vpc_host, HOST)


@pytest.mark.parametrize("port", [500, 4500])
def test_strangers_begin_ikev1_in_the_mode_of_a_connection_that_waits_and_not_too_many_at_once(bench: Bench, port: int):
    bench.waits_for(MAIN)
    assert bench.heard("aggressive", STRANGERS, port=port) <= FEW
    assert 100 <= bench.heard("main", STRANGERS, port=port) < SENT
    assert sites.ping(bench.world.vpc_host, HOST)


def test_strangers_begin_aggressive_mode_where_a_connection_waits_in_it(bench: Bench):
    bench.waits_for(AGGRESSIVE)
    assert bench.heard("main", STRANGERS) <= FEW
    assert 50 <= bench.heard("aggressive", STRANGERS) < SENT


def test_one_stranger_leaves_room_for_the_others(bench: Bench):
    bench.waits_for(MAIN)
    assert 25 <= bench.heard("main", ["198.18.0.1"]) < SENT / 2
    assert bench.heard("main", ["198.18.0.2"]) >= 25


def test_a_flood_of_strangers_leaves_a_known_peer_its_own_room(bench: Bench):
    bench.waits_for(MAIN)
    bench.heard("main", STRANGERS)
    assert 50 <= bench.heard("main", [bench.device.address]) < SENT


def test_what_is_no_first_message_of_ikev1_is_not_limited(bench: Bench):
    assert bench.heard("main", STRANGERS, first=False) >= SENT
    assert bench.heard("init", ["198.18.0.1"], port=4500) >= SENT


def test_a_charon_knows_its_limits_of_what_is_begun(bench: Bench):
    """They are read when it starts, from the file that it was started with."""
    text = (bench.folder / "strongswan.conf").read_text()
    assert {"init_limit_half_open = 5000", "init_limit_job_load = 5000"} <= set(map(str.strip, text.splitlines()))


def test_what_is_counted_does_not_make_the_firewall_another_one(bench: Bench):
    bench.waits_for(MAIN)
    bench.heard("main", STRANGERS)
    assert bench.plan(*bench.connections) == []
    command = ["ip", "netns", "exec", bench.name, "nft", "list", "set", "inet"]
    table = (bench.engine.observe(bench.gateway.id).network.filter_table or "").partition(":")[0]
    counted = subprocess.run([*command, table, "stranger_first"], capture_output=True, text=True, check=True).stdout
    assert "198.18." in counted
