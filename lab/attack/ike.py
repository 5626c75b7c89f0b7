"""Floods of IKE's first messages against a gateway, while a neighbour's ping runs.

The figures are the lost pings, the growth of charon's memory, and the seconds that the neighbour's device waits for a rekeyed CHILD_SA when
the flood ends. The sources are one address or many. None of them is a customer gateway's, since a flood from a customer's own address only
takes what that customer may send. The gateway has a tunnel to a fixed address. Where a row says "waits", it also has an IKEv1 connection
for devices from anywhere.
"""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab import cycles, ike_packets, pinging, sites, specs, wire
from lab.attack.base import Result
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan

HOST = "192.168.44.10"
PATIENCE = 90.0
#: What holds: pings of the neighbour that may be lost, MB that charon may grow by, and seconds that the neighbour's device may wait.
MAY_LOSE, MAY_GROW, MAY_WAIT = 0.02, 60.0, 10.0
MANY = tuple(f"198.18.{number // 250}.{number % 250 + 1}" for number in range(2000))
ONE = MANY[:1]
SECONDS = 6.0
#: Where the initiator's cookie is in a packet: each is another one's, or charon would take them for retransmits.
_COOKIE = 28
#: Which IKEv1 connection waits for a device from anywhere -> floods: the message, the sources, packets a second (0: as many as go).
FLOODS: dict[str | None, tuple[tuple[ike_packets.Kind, Sequence[str], int], ...]] = {
    None: (("main", MANY, 0), ("aggressive", MANY, 0), ("init", ONE, 0), ("init", MANY, 0)),
    "main": (("main", ONE, 0), ("main", MANY, 300), ("main", MANY, 0)),
    "aggressive": (("aggressive", ONE, 0), ("aggressive", MANY, 300), ("aggressive", MANY, 0)),
}
POLICIES: dict[str, Any] = {
    "main": {"version": "v1", "negotiation_mode": "main"},
    "aggressive": {
        "version": "v1",
        "negotiation_mode": "aggressive",
        "peer_id_type": "fqdn",
        "peer_id": ike_packets.NAME,
    },
}


def run(folder: Path) -> Iterator[Result]:
    del folder  # a world has one of its own, with a path that is short enough for sockets
    for waits, floods in FLOODS.items():
        with sites.World() as world:
            gateway = specs.gateway()
            engine = StrongSwan(world.folder, world.site("vpc-1"))
            try:
                _bring_up(world, engine, gateway, waits)
                target = _Target(world, gateway.id)
                for kind, sources, rate in floods:
                    yield target.flood(kind, sources, rate, waits)
            finally:
                engine.stop_all()


def _bring_up(world: sites.World, engine: StrongSwan, gateway: Any, waits: str | None) -> None:
    device = world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
    connections = [specs.connection(device.address)]
    if waits:
        policy = specs.ike_policy(**POLICIES[waits])
        connections.append(specs.connection(None, ike_policy=policy, peer_subnets=("192.168.99.0/24",)))
    desired = specs.desired(*connections, network=world.network("vpc-1"), of=gateway)

    def is_up(seen: Any) -> bool:
        return all(one.waits_for_peer or one.children for one in seen.connections)

    cycles.until(engine, gateway.id, desired, is_up, seconds=60)
    sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the first ping", seconds=60)


class _Target:
    """The gateway, its charon, and the neighbour's ping."""

    def __init__(self, world: sites.World, gateway_id: str) -> None:
        self._world = world
        self._name, self._outer = names.namespace(gateway_id), names.uplink_peer(gateway_id)
        listed = subprocess.run(["ip", "netns", "pids", self._name], capture_output=True, text=True, check=True)
        self._pid = int(listed.stdout.split()[0])

    def flood(self, kind: ike_packets.Kind, sources: Sequence[str], rate: int, waits: str | None) -> Result:
        before = self._memory()
        with pinging.pinging(self._world.vpc_host, HOST) as pings:
            pings.wait_for_more(pinging.RATE, seconds=60)
            sent = self._send(kind, sources, rate)
            waited = self._negotiates()
            grown = self._memory() - before
            answers = True
            try:
                pings.wait_for_more(pinging.RATE, seconds=60)
            except TimeoutError:
                answers = False
            lost, answered = len(pings.lost), len(pings.answered)
        share = lost / (lost + answered)
        held = answers and share <= MAY_LOSE and grown <= MAY_GROW and waited <= MAY_WAIT
        who = "one address" if len(sources) == 1 else f"{len(sources)} addresses"
        where = f"; an IKEv1 connection waits ({waits})" if waits else ""
        return Result(
            f"{kind} from {who}, {sent / SECONDS:,.0f} a second{where}",
            held,
            f"{lost} of {lost + answered} pings lost, charon {grown:+.1f} MB, its device rekeys within {waited:.1f} s",
        )

    def _send(self, kind: ike_packets.Kind, sources: Sequence[str], rate: int) -> int:
        messages = [ike_packets.first_message(kind) for _ in range(len(sources) if len(sources) > 1 else 2000)]
        packets = [
            ike_packets.packet(sources[number % len(sources)], sites.EIPS[0], message)
            for number, message in enumerate(messages)
        ]
        sent, started = 0, time.monotonic()
        with wire.sending(self._world.wan, self._outer, wire.hardware(self._name, "wan")) as send:
            while (passed := time.monotonic() - started) < SECONDS:
                if rate and sent > rate * passed:
                    time.sleep(0.001)
                    continue
                packet = packets[sent % len(packets)]
                send(packet[:_COOKIE] + sent.to_bytes(8, "big") + packet[_COOKIE + 8 :])
                sent += 1
        return sent

    def _negotiates(self) -> float:
        """Seconds that the neighbour's device needs to rekey its CHILD_SA; PATIENCE when it cannot."""
        before, started = self._installed(), time.monotonic()
        self._world.devices[0].swanctl("--rekey", "--child", "hq-0")
        with contextlib.suppress(TimeoutError):
            sites.wait_for(lambda: self._installed() - before, "a new CHILD_SA", seconds=PATIENCE)
        return time.monotonic() - started

    def _installed(self) -> set[str]:
        return set(re.findall(r"hq-0: #(\d+), .*INSTALLED", self._world.devices[0].swanctl("--list-sas")))

    def _memory(self) -> float:
        """Resident, in MB."""
        with contextlib.suppress(FileNotFoundError):
            pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return float("inf")
