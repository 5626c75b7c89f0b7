"""A gateway with its agent and without a service, for tests of what the agent does without requests."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lab import sites, specs
from landbridge import model
from landbridge.agent import loop
from landbridge.engine.strongswan.engine import StrongSwan


@dataclass
class Source:
    """Desires `wanted`, and keeps each report that changes a state, with its time on the monotonic clock."""

    gateway_id: str
    wanted: model.DesiredGateway | None = None
    last: model.Observation | None = None
    changes: list[tuple[float, model.Observation]] = field(default_factory=list)

    def gateways(self) -> frozenset[str]:
        return frozenset({self.gateway_id})

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        return self.wanted

    def paused(self) -> frozenset[str | None]:
        return frozenset()

    def beat(self) -> None:
        """Nobody waits for a heartbeat."""

    def report(self, seen: model.Observation) -> None:
        if not self.changes or _states(self.changes[-1][1]) != _states(seen):
            self.changes.append((time.monotonic(), seen))
        self.last = seen


def _states(seen: model.Observation) -> list[str]:
    return [one.state for one in seen.connections]


class ManagedGateway:
    """One gateway and its agent, with the default tick."""

    def __init__(self, world: sites.World, engine: StrongSwan) -> None:
        self.world = world
        self.engine = engine
        self.gateway = specs.gateway()
        self.source = Source(self.gateway.id)
        self.agent = loop.Agent(self.source, engine, loop.Timing())

    def want(self, *connections: model.DesiredConnection) -> None:
        self.source.wanted = specs.desired(*connections, network=self.world.network("vpc-1"), of=self.gateway)
        self.agent.nudge({self.gateway.id})

    def wait_for(
        self, happened: Callable[[model.ConnectionObservation], object], what: str, *, seconds: float = 90.0
    ) -> float:
        """Waits until a report of the only connection says so. Returns how long that took, in seconds."""
        started = time.monotonic()
        sites.wait_for(lambda: self.last and happened(self.last), what, seconds=seconds)
        return time.monotonic() - started

    @property
    def last(self) -> model.ConnectionObservation | None:
        """The last report of the only connection."""
        seen = self.source.last
        return seen.connections[0] if seen is not None and seen.connections else None


def is_up(seen: model.ConnectionObservation) -> bool:
    return seen.state == "up"


def is_down(seen: model.ConnectionObservation) -> bool:
    return seen.state == "down"


@contextlib.contextmanager
def managed(*, prove_pfs: bool = False) -> Iterator[ManagedGateway]:
    with sites.World() as world:
        gateway = ManagedGateway(world, StrongSwan(world.folder, world.site("vpc-1"), prove_pfs=prove_pfs))
        gateway.agent.start()
        try:
            yield gateway
        finally:
            gateway.agent.stop()
            gateway.engine.stop_all()
