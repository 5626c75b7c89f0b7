"""A gateway on the kernel data plane, with a device for each of its connections: what the tests of tunnels lie on."""

import contextlib
import dataclasses
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names, steps
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.network import namespace, tunnels, xfrm

#: Seconds; a step takes about ten times as long as on the machine itself.
PATIENCE = 180
NOBODY = "198.51.100.201"
V1 = specs.ike_policy(version="v1", negotiation_mode="main", dh_group="group14")
V1_PROPOSAL = "aes128-sha256-modp2048"


def lan(number: int) -> str:
    return f"192.168.{44 + number}.0/24"


def host(number: int) -> str:
    return f"192.168.{44 + number}.10"


def policy(number: int) -> dict[str, Any]:
    rules = (specs.policy(1, "10.0.0.0/25", lan(number)), specs.policy(2, "10.0.0.128/25", lan(number)))
    return {"style": "policy", "peer_subnets": None, "policy_rules": rules}


def policy_pairs(number: int) -> tuple[tuple[str, str], ...]:
    """The same as a device has it."""
    return tuple((lan(number), source) for source in ("10.0.0.0/25", "10.0.0.128/25"))


class Bed:
    """The world, its devices by what their connections are, and the gateway's engine."""

    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.network = world.network("vpc-1")
        self.gateway = specs.gateway(ha_mode="active-standby")
        self.restarts = 0
        self.engine = self.fresh()
        self.devices: dict[str, sites.Device] = {}
        self.loaded: dict[str, sites.Tunnel] = {}
        self.specs: dict[str, model.DesiredConnection] = {}
        self._numbers: dict[str, int] = {}

    def fresh(self) -> StrongSwan:
        """The engine as a restarted Landbridge has it."""
        return StrongSwan(self.world.folder, self.world.site("vpc-1"))

    @property
    def name(self) -> str:
        return names.namespace(self.gateway.id)

    @property
    def wire(self) -> str:
        return names.uplink_peer(self.gateway.id)

    @property
    def kinds(self) -> dict[str, str]:
        """Connection id -> kind."""
        return {spec.id: kind for kind, spec in self.specs.items()}

    def add(self, kind: str, device: dict[str, Any], *, number: int | None = None, **spec: Any) -> None:
        """`number`: of the LAN behind the device, when it is not one of its own."""
        number = len(self.devices) if number is None else number
        in_kernel = device.pop("in_kernel", True)
        ours = {"gateway": sites.EIPS[spec.get("endpoint", 1) - 1], "psk": specs.PSK, "name": kind}
        tunnel = sites.Tunnel(**ours | {"pairs": ((lan(number), sites.VPC),)} | device)
        made = self.world.add_device(tunnel, lans=(lan(number),), in_kernel=in_kernel)
        self.devices[kind], self.loaded[kind], self._numbers[kind] = made, tunnel, number
        self.specs[kind] = specs.connection(made.address, **({"peer_subnets": (lan(number),)} | spec))

    def desired(self, *others: model.DesiredConnection) -> model.DesiredGateway:
        wanted = specs.desired(*self.specs.values(), *others, network=self.network, of=self.gateway)
        return dataclasses.replace(wanted, restarts=self.restarts)

    def settle(self, *others: model.DesiredConnection) -> dict[str, model.ConnectionObservation]:
        """Up, and nothing left to do: connection id -> what was seen."""
        desired = self.desired(*others)

        def done(seen: model.Observation) -> bool:
            return cycles.all_up(seen) and not self.plan(*others)

        seen = cycles.until(self.engine, self.gateway.id, desired, done, seconds=PATIENCE)
        return {one.connection_id: one for one in seen.connections}

    def plan(self, *others: model.DesiredConnection) -> list[steps.Step]:
        engine = self.fresh()
        return cycles.plan(engine, self.gateway.id, self.desired(*others))

    def look(self) -> model.Observation:
        return cycles.look(self.engine, self.gateway.id, self.desired())

    def tunnels(self) -> dict[str, tunnels.Tunnel]:
        """Kind -> its tunnel as it stands."""
        standing = namespace.read(self.name, lambda read: xfrm.read_tunnels(read.snapshot()))
        return {self.kinds[one.connection_id]: one for one in standing.values()}

    def number(self, kind: str) -> int:
        return self._numbers[kind]

    def pids(self) -> list[int]:
        """Of its charon."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True).stdout
        return [int(pid) for pid in found.split()]

    def installed(self) -> set[str]:
        """The SPIs of the SAs in the kernel. What only waits for an SA has none."""
        return set(re.findall(r"spi 0x(\S+)", self.ip("xfrm state"))) - {"00000000"}

    def ip(self, command: str) -> str:
        done = subprocess.run(["ip", "-n", self.name, *command.split()], capture_output=True, text=True, check=True)
        return done.stdout


@contextlib.contextmanager
def made() -> Iterator[Bed]:
    """Without connections. Nothing of it is left after the block."""
    with sites.World() as world:
        bed = Bed(world)
        try:
            yield bed
        finally:
            bed.engine.stop_all()


def reached(source: str, target: str) -> bool:
    return sites.ping(source, target, wait=15)


@contextlib.contextmanager
def pinging(source: str, target: str) -> Iterator[None]:
    command = ["ip", "netns", "exec", source, "ping", "-n", "-q", "-i", "0.2", target]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def in_clear(packets: list[sites.Packet]) -> list[sites.Packet]:
    """Of hosts behind the gateway or a device; ICMP between the outer addresses tells of a dead peer or a narrow path."""
    inner = ("10.0.0.", "192.168.")
    return [packet for packet in packets if packet.source.startswith(inner) or packet.target.startswith(inner)]
