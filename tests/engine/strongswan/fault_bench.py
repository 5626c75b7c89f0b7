"""A world with two devices and one gateway to break, and the words of the API for each look at it.

Everything is real: charon, netlink, VICI, the agent's own cycle, the status. What is kept of a look is what the store would keep.
"""

import contextlib
import dataclasses
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import vici

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.ike import charon, fingerprints
from landbridge.engine.strongswan.network import namespace
from landbridge.status import connection as status

HOST = "192.168.44.10"
SUBNETS = (sites.LAN, "192.168.46.0/24")
OTHER_LAN, OTHER_HOST = "192.168.45.0/24", "192.168.45.10"
#: What may differ between two looks at the same state.
_CHANGING = {
    *("network", "ike", "at", "sas", "recently_initiated", "attempts", "tunnels", "started_at", "died"),
    *("seen", "refused"),  # by the firewall, of packets that pass
}
#: A fast DH group, and proposals of which the device takes either.
FAST = {"dh_group": "group19"}
NO_PFS = {"pfs": "disable"}
_TAKEN: Any = {"proposals": "aes128-sha256-ecp256,aes256-sha256-ecp256", "esp_proposals": "aes128-sha256,aes256-sha256"}


def _tunnel(psk: str, *lans: str) -> sites.Tunnel:
    pairs = tuple((lan, sites.VPC) for lan in lans)
    return sites.Tunnel(gateway=sites.EIPS[0], psk=psk, pairs=pairs, **_TAKEN)


def spec(**given: Any) -> model.DesiredConnection:
    """To the first device."""
    policies = {"ike_policy": specs.ike_policy(**FAST), "ipsec_policy": specs.ipsec_policy(**NO_PFS)}
    return specs.connection(**(policies | given))


class Bench:
    """`main` is a connection to the first device, `other` one to the second, which nothing here is ever about."""

    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.network = world.network("vpc-1")
        self.gateway = specs.gateway()
        self.main = spec()
        self.other = spec(peer_address="198.51.100.6", peer_subnets=(OTHER_LAN,))
        world.add_device(_tunnel(specs.PSK, *SUBNETS), lans=SUBNETS)
        world.add_device(_tunnel(specs.PSK, OTHER_LAN), lans=(OTHER_LAN,))

    def rekey_device(self, psk: str) -> None:
        """The first device's administrator sets another PSK. SAs stay."""
        self.world.devices[0].load(_tunnel(psk, *SUBNETS))

    def fresh(self) -> StrongSwan:
        """The engine as a restarted Landbridge has it."""
        return StrongSwan(self.world.folder, self.world.site("vpc-1"))

    @property
    def id(self) -> str:
        return self.gateway.id

    @property
    def folder(self) -> Any:
        return self.world.folder / "engine" / names.short(self.id)

    @property
    def namespace(self) -> str:
        return names.namespace(self.id)

    def desired(self, *connections: model.DesiredConnection) -> model.DesiredGateway:
        return specs.desired(*connections, network=self.network, of=self.gateway)

    def settle(self, desired: model.DesiredGateway | None, engine: StrongSwan | None = None) -> "State":
        """Cycles until all is up, its key proved, and nothing is left to do; the state then. Faults of single steps are the loop's business."""
        engine = engine or self.fresh()
        done: list[State] = []

        def settled() -> bool:
            with contextlib.suppress(base.StepFailed):
                observation = cycles.run_cycle(engine, self.id, desired)
                seen = engine.observe(self.id)
                is_proved = not any(one.is_key_unproved for one in observation.connections)
                if cycles.all_up(observation) and is_proved and not cycles.plan(engine, self.id, desired, seen):
                    done.append(State.of(seen))
            return bool(done)

        sites.wait_for(settled, "the gateway to settle")
        return done[0]

    def kill(self) -> bool:
        """charon, by SIGKILL. False when there was none."""
        if not namespace.exists(self.namespace):
            return False
        killed = pids(self.namespace)
        for pid in killed:
            process = os.pidfd_open(pid)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], 5)
            os.close(process)
        return bool(killed)

    def installed(self) -> set[str]:
        """Names of the children that charon itself calls installed, read without any code of ours."""
        try:
            with charon.CHARON.connect(self.folder) as socket:
                sas = list(vici.Session(socket).list_sas())
        except OSError:
            return set()
        children = [child for sa in sas for ike in sa.values() for child in ike["child-sas"].values()]
        return {child["name"].decode() for child in children if child["state"] == b"INSTALLED"}

    def loaded(self) -> set[str]:
        """Names of the children of `main` that charon has loaded; an SA of another name is one of an older configuration."""
        with contextlib.suppress(base.StepFailed):
            return set(self.fresh().observe(self.id).ike.conns.get(self.main.id, ()))
        return set()

    def spis(self, connection: model.DesiredConnection) -> set[str]:
        sas = self.fresh().observe(self.id).ike.sas
        return {child.spi_in for sa in sas if sa.name == connection.id for child in sa.children if child.installed}

    def carries(self, host: str = HOST) -> None:
        assert sites.ping(self.world.vpc_host, host)


@dataclasses.dataclass(frozen=True)
class State:
    """What stays the same between two looks: what is loaded and laid, and which children are up."""

    unchanging: dict[str, Any]
    up: frozenset[str]

    @classmethod
    def of(cls, seen: Any) -> "State":
        parts = (seen, seen.network, seen.ike)
        fields = {field.name: getattr(part, field.name) for part in parts for field in dataclasses.fields(part)}
        up = frozenset(child.name for sa in seen.ike.sas for child in sa.children if child.installed)
        return cls({name: value for name, value in fields.items() if name not in _CHANGING}, up)


@dataclasses.dataclass
class Teller:
    """What the API says of `main` after each look, and whether that is so."""

    bench: Bench
    kept: model.ConnectionObservation | None = None
    applied: int | None = None
    seen_at: datetime | None = None

    def look(self, desired: model.DesiredGateway, failures: base.Failures | None = None) -> str:
        """Looks with a fresh engine and judges; a look that fails leaves what was known before."""
        before = self.bench.installed()
        with contextlib.suppress(base.StepFailed):
            self.take(cycles.look(self.bench.fresh(), self.bench.id, desired, failures))
        return self.judge(desired, before, self.bench.installed())

    def take(self, observation: model.Observation) -> None:
        self.kept = next(one for one in observation.connections if one.connection_id == self.bench.main.id)
        self.applied = self.kept.applied_generation or self.applied
        self.seen_at = observation.seen_at

    def judge(self, desired: model.DesiredGateway, before: set[str], after: set[str]) -> str:
        word = self.word(desired)
        mine = {name for name in before | after if fingerprints.owner(name) == self.bench.main.id}
        always = {name for name in before & after if fingerprints.owner(name) == self.bench.main.id}
        assert word != "ACTIVE" or mine, "ACTIVE without an SA"
        assert word != "DOWN" or not always & self.bench.loaded(), "DOWN with an SA"
        return word

    def word(self, desired: model.DesiredGateway) -> str:
        (wanted,) = (one for one in desired.connections if one.id == self.bench.main.id)
        known = model.KnownConnection(
            connection=wanted.connection,
            generation=wanted.generation,
            deleting=False,
            applied=self.applied,
            observation=self.kept,
            seen_at=self.seen_at,
        )
        return status.api_status(known)


def pids(name: str) -> list[int]:
    """Of the charons in a namespace; others come and go there."""
    command = ["ip", "netns", "pids", name]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [pid for pid in map(int, found) if charon.CHARON.is_run_by(pid)]


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    with sites.World() as world:
        made = Bench(world)
        try:
            yield made
        finally:
            made.fresh().stop_all()
