"""A gateway of an engine in a world, without a service and without an agent: a test runs its cycles."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from lab import cycles, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan


class Bench:
    """A gateway without connections. `changes`: the gateways of which the engine requested a look, while `running` watches it."""

    def __init__(self, world: sites.World) -> None:
        self.world = world
        self.network = world.network("vpc-1")
        self.gateway = specs.gateway()
        self.engine = self.fresh()
        self.changes: list[str] = []

    def fresh(self) -> StrongSwan:
        """The engine as a restarted Landbridge has it."""
        return StrongSwan(self.world.folder, self.world.site("vpc-1"))

    @property
    def name(self) -> str:
        """The name of the gateway's namespace."""
        return names.namespace(self.gateway.id)

    @property
    def folder(self) -> Path:
        return self.world.folder / "engine" / names.short(self.gateway.id)

    def desired(self, *connections: model.DesiredConnection) -> model.DesiredGateway:
        return specs.desired(*connections, network=self.network, of=self.gateway)

    def run_cycle(self, *connections: model.DesiredConnection) -> model.Observation:
        return cycles.run_cycle(self.engine, self.gateway.id, self.desired(*connections))

    def look(self, *connections: model.DesiredConnection) -> model.Observation:
        return cycles.look(self.engine, self.gateway.id, self.desired(*connections))

    def plan(self, *connections: model.DesiredConnection) -> list[Any]:
        """What the engine would do next."""
        return cycles.plan(self.engine, self.gateway.id, self.desired(*connections))

    def until(
        self, happened: Callable[[model.Observation], object], *connections: model.DesiredConnection
    ) -> tuple[model.ConnectionObservation, ...]:
        return cycles.until(self.engine, self.gateway.id, self.desired(*connections), happened).connections

    def up(self, *connections: model.DesiredConnection) -> tuple[model.ConnectionObservation, ...]:
        """Runs cycles until all connections are up."""
        return self.until(cycles.all_up, *connections)


B = TypeVar("B", bound=Bench)


@contextlib.contextmanager
def running(kind: Callable[[sites.World], B], *, watched: bool = False) -> Iterator[B]:
    """A bench in a world of its own; nothing is left of it after the block. `watched`: the engine listens to its charons."""
    with sites.World() as world, contextlib.ExitStack() as undo:
        bench = kind(world)
        undo.callback(bench.engine.stop_all)
        if watched:
            stop = threading.Event()
            watcher = threading.Thread(target=bench.engine.watch, args=(bench.changes.append, stop))
            watcher.start()
            undo.callback(watcher.join)
            undo.callback(stop.set)
        yield bench
