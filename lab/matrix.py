"""Combinations of algorithms tried through real tunnels: up, a ping across, the CHILD_SA rekeyed, another ping.

All combinations run at once between one gateway and one device that has an address for each: an IKEv1 responder must choose a proposal by
addresses alone. The rekey proves PFS, since the first CHILD_SA of IKEv2 has no key exchange of its own.

`python -m lab.matrix` tries every combination and writes `docs/reference/algorithms.md`.
"""

import collections
import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import vici

from lab import algorithms, algorithms_page, cycles, sites, specs
from lab.algorithms import Combination
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.model import negotiation

PASS = "pass"  # noqa: S105  the word in the table
#: Seconds in which all tunnels must come up: the slowest group takes a tenth of one on each side.
PATIENCE = 60.0
PING_PATIENCE = 5


@dataclass(frozen=True)
class Trial:
    """One combination on its way, as the connection of one peer."""

    combination: Combination
    host: str
    spec: model.DesiredConnection
    tunnel: sites.Tunnel


def _trial(combination: Combination, number: int) -> Trial:
    peer, lan = sites.peer(number), sites.lan(number)
    tunnel = sites.Tunnel(
        gateway=sites.EIPS[0],
        psk=specs.PSK,
        name=f"n{number}",
        version=2 if combination.version == "v2" else 1,
        aggressive=combination.negotiation_mode == "aggressive",
        proposals=combination.ike,
        esp_proposals=combination.esp,
        pairs=((lan, sites.VPC),),
        address=peer,
    )
    return Trial(combination, sites.lan_host(number), _wish(combination, peer, lan), tunnel)


def _wish(combination: Combination, peer: str, lan: str) -> model.DesiredConnection:
    ike = specs.ike_policy(
        version=combination.version,
        negotiation_mode=combination.negotiation_mode,
        encryption_algorithm=combination.ike_encryption,
        authentication_algorithm=combination.ike_authentication,
        dh_group=combination.ike_group,
    )
    esp = specs.ipsec_policy(
        encryption_algorithm=combination.esp_encryption,
        authentication_algorithm=combination.esp_authentication,
        pfs=combination.pfs,
    )
    return specs.connection(peer, peer_subnets=(lan,), ike_policy=ike, ipsec_policy=esp)


def attempt(combinations: Sequence[Combination]) -> dict[Combination, str]:
    """`pass` for each trial, or what went wrong first."""
    trials = [_trial(combination, number) for number, combination in enumerate(combinations)]
    with sites.World() as world:
        device = world.add_device(
            *(trial.tunnel for trial in trials),
            lans=tuple(sites.lan(number) for number in range(len(trials))),
            addresses=tuple(sites.peer(number) for number in range(len(trials))),
        )
        gateway = specs.gateway()
        desired = specs.desired(*(trial.spec for trial in trials), network=world.network("vpc-1"), of=gateway)
        with _engine(world) as engine:
            look = _Look(engine, desired)
            return _verdicts(trials, look, world.vpc_host, device)


@contextlib.contextmanager
def _engine(world: sites.World) -> Iterator[StrongSwan]:
    engine, stop = StrongSwan(world.folder, world.site("vpc-1")), threading.Event()
    watcher = threading.Thread(target=engine.watch, args=(lambda _: None, stop))
    watcher.start()
    try:
        yield engine
    finally:
        stop.set()
        watcher.join()
        engine.stop_all()


@dataclass(frozen=True)
class _Look:
    """What the engine reports of each connection, by its id."""

    engine: StrongSwan
    desired: model.DesiredGateway

    def run_cycle(self) -> dict[str, model.ConnectionObservation]:
        return self._by_id(cycles.run_cycle(self.engine, self.desired.id, self.desired))

    def again(self) -> dict[str, model.ConnectionObservation]:
        return self._by_id(cycles.look(self.engine, self.desired.id, self.desired))

    def _by_id(self, seen: model.Observation) -> dict[str, model.ConnectionObservation]:
        return {one.connection_id: one for one in seen.connections}


def _verdicts(trials: Sequence[Trial], look: _Look, source: str, device: sites.Device) -> dict[Combination, str]:
    """All trials pass each stage before the next one begins. A trial that failed a stage does not take the next one."""
    verdicts = {trial.combination: PASS for trial in trials}

    def keep(left: list[Trial], failed: Sequence[Trial], why: Callable[[Trial], str]) -> list[Trial]:
        verdicts.update({trial.combination: why(trial) for trial in failed})
        return [trial for trial in left if trial not in failed]

    left = list(trials)
    seen = _wait(left, look.run_cycle, lambda _, one: bool(one.children), PATIENCE)
    left = keep(left, [trial for trial in left if not seen[trial.spec.id].children], lambda t: _why(seen[t.spec.id]))
    left = keep(left, _without_ping(left, source), lambda _: "no ping")
    before = {trial.spec.id: seen[trial.spec.id].children[0].spi_in for trial in left}
    _rekey(left, device)

    def rekeyed(trial: Trial, one: model.ConnectionObservation) -> bool:
        return bool(one.children) and one.children[0].spi_in != before[trial.spec.id]

    seen = _wait(left, look.again, rekeyed, PATIENCE)
    left = keep(left, [t for t in left if not rekeyed(t, seen[t.spec.id])], lambda _: "no rekey")
    left = keep(left, [t for t in left if not _has_group(t, seen[t.spec.id])], lambda _: "rekeyed with another group")
    left = keep(left, _without_ping(left, source), lambda _: "no ping after the rekey")
    seen = look.again()
    keep(left, [t for t in left if not _carried(seen[t.spec.id])], lambda _: "the new CHILD_SA carried nothing")
    return verdicts


def _wait(
    trials: Sequence[Trial],
    look: Callable[[], dict[str, model.ConnectionObservation]],
    happened: Callable[[Trial, model.ConnectionObservation], bool],
    seconds: float,
) -> dict[str, model.ConnectionObservation]:
    """Looks until it has happened to all, or until the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if time.monotonic() > deadline or all(happened(trial, seen[trial.spec.id]) for trial in trials):
            return seen
        time.sleep(0.25)


def _why(one: model.ConnectionObservation) -> str:
    said = (line.line for attempt in one.attempts[::-1] for line in reversed([*negotiation.lines(attempt.facts)]))
    return one.refused or one.failure or next(said, "not up")


def _without_ping(trials: Sequence[Trial], source: str) -> list[Trial]:
    """The trials without an answer. IKEv1's quick mode is reported as up while the responder still computes: the first pings may be lost
    there.
    """
    return [trial for trial in trials if not sites.ping(source, trial.host, wait=PING_PATIENCE)]


def _rekey(trials: Sequence[Trial], device: sites.Device) -> None:
    """The other side asks for the rekey, so that ours answers. charon queues the request, and this function does not wait."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(device.uri.removeprefix("unix://"))
        session: Any = vici.Session(connection)
        for trial in trials:
            session.rekey({"child": f"{trial.tunnel.name}-0"})


def _has_group(trial: Trial, one: model.ConnectionObservation) -> bool:
    """Whether the rekey made a key exchange of its own, with the desired group, or none."""
    last = one.children[0].proposal.rsplit("/", maxsplit=1)[-1]
    shown = last if last.startswith(("MODP_", "ECP_")) else None
    return shown == trial.combination.dh


def _carried(one: model.ConnectionObservation) -> bool:
    return one.children[0].packets_in > 0 and one.children[0].packets_out > 0


def every() -> Iterator[list[Combination]]:
    """The whole matrix, in parts for one gateway each."""
    for mode in algorithms.MODES:
        yield algorithms.ike_matrix(mode)
        yield algorithms.esp_matrix(mode)


def main() -> int:
    """Tries every combination that the rules allow, and writes the page. 0 when all of them passed."""
    started = time.monotonic()
    verdicts: dict[Combination, str] = {}
    for portion in every():
        new = [combination for combination in portion if combination not in verdicts]
        allowed = [combination for combination in new if algorithms.refusal(combination) is None]
        verdicts |= dict.fromkeys(new, algorithms_page.REFUSED) | attempt(allowed)
        _tell(portion, verdicts, time.monotonic() - started)
    page = algorithms_page.render(
        verdicts, **_machine(), day=datetime.now(UTC).date(), seconds=time.monotonic() - started
    )
    algorithms_page.PATH.write_text(page)
    return 0 if set(verdicts.values()) <= {PASS, algorithms_page.REFUSED} else 1


def _tell(portion: Sequence[Combination], verdicts: dict[Combination, str], seconds: float) -> None:
    counts = collections.Counter(verdicts[combination] for combination in portion)
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"{seconds:6.1f} s  {portion[0].mode}: {words}", flush=True)


def _machine() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        words = StrongSwan(Path(folder), model.Site(eips=(), networks=(), zones=(), any_network=True)).describe()
    return {"version": words["version"], "data_plane": words["data_plane"]}


if __name__ == "__main__":
    sys.exit(main())
