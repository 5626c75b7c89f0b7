"""A simulated engine: gateways start, and connections are loaded, negotiate, and come up or fail.

`DesiredConnection.simulate` names the outcome: `active` (also for None, unless the device has no address and would have to
begin), `down` (it does not answer), `down:psk`, `down:proposal`, `down:selectors`, `down:bgp`, or `error`.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from landbridge import model
from landbridge.engine import base
from landbridge.engine.simulated import script


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    generation: int
    simulate: str
    loaded_at: float
    since: datetime
    spi: str


@dataclass(frozen=True, slots=True)
class State:
    exists: bool
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    restarts: int = 0
    restarted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`verb`: start, restart, load, unload or stop. `generation` counts the restarts with the first two."""

    verb: str
    connection_id: str | None = None
    generation: int = 0
    simulate: str = "active"

    def __str__(self) -> str:
        return f"{self.verb} {self.connection_id or 'gateway'}"


@dataclass(slots=True)
class World:
    """The state that outlives an engine object: gateway id -> its tunnels, and the negotiations that are under way."""

    gateways: dict[str, dict[str, Tunnel]] = field(default_factory=dict)
    starts: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    negotiations: list[tuple[float, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Simulated:
    """See the module. Two engines on one world are like one engine before and after its restart."""

    name = "simulated"

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()

    def describe(self) -> dict[str, str]:
        return {"name": self.name, "version": "1", "data_plane": "none", "data_plane_reason": "simulated: no traffic"}

    def gateways(self) -> frozenset[str]:
        with self._world.lock:
            return frozenset(self._world.gateways)

    def observe(self, gateway_id: str) -> State:
        with self._world.lock:
            tunnels = self._world.gateways.get(gateway_id)
            return State(False) if tunnels is None else State(True, dict(tunnels), *self._world.starts[gateway_id])

    def prepare(
        self, gateway_id: str, desired: model.DesiredGateway | None, observed: State
    ) -> model.DesiredGateway | None:
        return desired

    def plan(self, gateway_id: str, prepared: model.DesiredGateway | None, observed: State) -> list[Step]:
        if prepared is None:
            return [Step(verb="stop")] if observed.exists else []
        steps = [] if observed.exists else [Step(verb="start", generation=prepared.restarts)]
        if observed.exists and observed.restarts < prepared.restarts:
            steps, observed = [Step(verb="restart", generation=prepared.restarts)], State(True)
        desired_ids = {c.id: c for c in prepared.connections}
        for spec in prepared.connections:
            loaded = observed.tunnels.get(spec.id)
            simulate = spec.simulate or "active"
            if loaded is None or (loaded.generation, loaded.simulate) != (spec.generation, simulate):
                steps.append(Step(verb="load", connection_id=spec.id, generation=spec.generation, simulate=simulate))
        return steps + [Step(verb="unload", connection_id=i) for i in sorted(observed.tunnels) if i not in desired_ids]

    def apply(self, gateway_id: str, step: Step) -> None:
        with self._world.lock:
            gateways = self._world.gateways
            if step.verb == "start":
                gateways.setdefault(gateway_id, {})
                self._world.starts[gateway_id] = step.generation, datetime.now(UTC)
            elif step.verb == "stop":
                gateways.pop(gateway_id, None)
            elif gateway_id not in gateways:
                raise base.StepFailed("the gateway does not exist")
            elif step.verb == "restart":
                gateways[gateway_id].clear()
                self._world.starts[gateway_id] = step.generation, datetime.now(UTC)
            elif step.connection_id is not None and step.verb == "unload":
                gateways[gateway_id].pop(step.connection_id, None)
            elif step.connection_id is not None:
                self._load(gateway_id, step.connection_id, step)

    def carry_out(self, gateway_id: str, plan: Sequence[Step]) -> base.Failures:
        return base.apply_in_order(self.apply, gateway_id, plan)

    def _load(self, gateway_id: str, connection_id: str, step: Step) -> None:
        now = time.monotonic()
        self._world.gateways[gateway_id][connection_id] = Tunnel(
            generation=step.generation,
            simulate=step.simulate,
            loaded_at=now,
            since=datetime.now(UTC),
            spi=os.urandom(8).hex(),
        )
        self._world.negotiations.append((now + script.NEGOTIATION_SECONDS, gateway_id))

    def report(
        self, gateway_id: str, prepared: model.DesiredGateway | None, observed: State, failures: base.Failures
    ) -> model.Observation:
        now = datetime.now(UTC)
        return model.Observation(
            gateway_id=gateway_id,
            seen_at=now,
            exists=observed.exists,
            applied_generation=prepared.generation if prepared and observed.exists and None not in failures else None,
            failure=failures.get(None),
            gateway=model.GatewayReport(
                restarts=observed.restarts, restarted_at=observed.restarted_at if observed.restarts else None
            ),
            present=frozenset(observed.tunnels),
            connections=tuple(
                _report(spec, observed.tunnels.get(spec.id), failures.get(spec.id) or failures.get(None))
                for spec in (prepared.connections if prepared is not None else ())
            ),
            probes=tuple(
                script.probe(spec, spec.probe, observed.tunnels[spec.id].simulate, now)
                for spec in (prepared.connections if prepared is not None else ())
                if spec.probe is not None and spec.id in observed.tunnels
            ),
        )

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        """Tells when a negotiation is over."""
        while not stop.is_set():
            with self._world.lock:
                now = time.monotonic()
                over = {gateway for when, gateway in self._world.negotiations if when <= now}
                self._world.negotiations = [
                    negotiation for negotiation in self._world.negotiations if negotiation[0] > now
                ]
            for gateway_id in over:
                changed(gateway_id)
            stop.wait(script.NEGOTIATION_SECONDS / 5)


def _report(spec: model.DesiredConnection, tunnel: Tunnel | None, failure: str | None) -> model.ConnectionObservation:
    blank = model.ConnectionObservation(connection_id=spec.id, failure=failure, expected_children=1)
    uncarried = model.uncarried(spec.connection, model.abilities_of("simulated", "userland"))
    if uncarried is not None:
        return replace(blank, applied_generation=spec.generation, refused=uncarried.text)
    if spec.connection.style == "bgp" and spec.peer_asn is None:
        return replace(blank, applied_generation=spec.generation, refused="the customer gateway has no bgp_asn")
    if failure is not None or tunnel is None or tunnel.generation != spec.generation:
        return blank
    loaded = partial(replace, blank, applied_generation=tunnel.generation, local_id=spec.connection.ike_policy.local_id)
    if tunnel.simulate == "error":
        return loaded(refused="the simulated engine was asked to refuse it")
    if spec.peer_address is None and spec.simulate is None:
        return loaded(waits_for_peer=True)
    elapsed = time.monotonic() - tunnel.loaded_at
    loaded = partial(
        loaded,
        monitor=script.monitor(spec, tunnel.simulate, tunnel.since) if spec.connection.monitor_id is not None else None,
        configuration=script.configuration(tunnel.generation, tunnel.simulate),
        attempts=script.attempts(spec, tunnel.simulate, tunnel.spi, tunnel.since, elapsed),
    )
    if elapsed < script.NEGOTIATION_SECONDS:
        return loaded()
    if tunnel.simulate in script.FAILURES:
        return loaded(ike_established=tunnel.simulate == "down:selectors")
    return loaded(
        ike_established=True,
        ike_proposal="simulated",
        peer_id=spec.connection.ike_policy.peer_id,
        peer_address=spec.peer_address or script.ROAMING_PEER,
        children=(_child(spec, tunnel),),
        routes=() if spec.connection.style == "bgp" else tuple(sorted(_destinations(spec.connection))),
        nqa=script.nqa(spec, tunnel.since) if spec.connection.enable_nqa else None,
        bgp=script.bgp_session(spec, tunnel.simulate, tunnel.since) if spec.connection.style == "bgp" else None,
    )


def _destinations(connection: model.Connection) -> set[str]:
    return {*(connection.peer_subnets or ()), *(net for rule in connection.policy_rules for net in rule.destinations)}


def _child(spec: model.DesiredConnection, tunnel: Tunnel) -> model.ChildSa:
    return model.ChildSa(
        rule="0",
        local_ts=("0.0.0.0/0",),
        remote_ts=spec.connection.peer_subnets or ("0.0.0.0/0",),
        spi_in=tunnel.spi[:8],
        spi_out=tunnel.spi[8:],
        proposal="simulated",
        bytes_in=0,
        bytes_out=0,
        packets_in=0,
        packets_out=0,
        installed_at=tunnel.since,
    )
