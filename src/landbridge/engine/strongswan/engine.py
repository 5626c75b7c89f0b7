"""The engine: observe, prepare, plan, carry out and report one gateway, as `engine.base` has it.

`target`, `planning` and `reports` decide; this module only observes and applies. Invariant: a new object on the same folder behaves like the
old one. An object remembers log lines, recent initiations and the last target of each gateway (without PSKs). A new object works without
them.
"""

import dataclasses
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from landbridge import model, paths
from landbridge.engine import base
from landbridge.engine.strongswan import (
    daemon,
    data_plane,
    failures,
    machine,
    marks,
    names,
    orphans,
    path_runner,
    planning,
    probe_runner,
    reports,
    state,
    steps,
    target,
)
from landbridge.engine.strongswan.bgp import apply as bgp_apply
from landbridge.engine.strongswan.bgp import bird
from landbridge.engine.strongswan.bgp import observe as bgp_observe
from landbridge.engine.strongswan.bgp import planning as bgp_planning
from landbridge.engine.strongswan.bgp import steps as bgp_steps
from landbridge.engine.strongswan.bgp import watch as bgp_watch
from landbridge.engine.strongswan.echo import icmp, prober, window
from landbridge.engine.strongswan.echo import state as echo_state
from landbridge.engine.strongswan.ike import (
    attempts,
    charon,
    fingerprints,
    pfs_proof,
    retries,
    silences,
    unanswered_requests,
    vici_events,
    vici_session,
)
from landbridge.engine.strongswan.ike import observe as ike_observe
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import apply as network_apply
from landbridge.engine.strongswan.network import namespace, nftables, xfrm
from landbridge.engine.strongswan.network import observe as network_observe
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.engine.strongswan.network.state import NetworkState
from landbridge.telemetry import log_fields

log = logging.getLogger(__name__)

#: Steps whose failure leaves every tunnel as it is.
_ISOLATED = (network_steps.MoveVpcLink, network_steps.EnsureSharedRoutes)
NO_BIRD = f"no: there is no {paths.BIRD} (the Debian package bird2), and connections of style bgp are refused"
NO_FORWARDING = "no: devices will not be reached (sysctl net.ipv4.ip_forward=1 where the EIPs are routed)"


class _Memory:
    """What is remembered of one gateway. Any thread may read. `target`: that of the last cycle, without PSKs."""

    def __init__(self, *, is_userland: bool) -> None:
        self.attempts = attempts.AttemptLog(is_userland=is_userland)
        self.target: target.Target | None = None
        self.forget_charon()

    def forget_charon(self) -> None:
        """Another charon runs, or none."""
        self.unanswered = unanswered_requests.UnansweredRequests()
        self.tried = retries.Retries()
        self.silence = silences.Silence()


class StrongSwan:
    """The engine of one data folder on one machine. Several threads may work on different gateways at once."""

    name = "strongswan"

    def __init__(
        self,
        data: Path,
        site: model.Site,
        *,
        stopping: bool = False,
        launch: daemon.Launch = daemon.AS_CHILDREN,
        automatic_probes: bool = True,
        prove_pfs: bool = False,
        learned_prefixes: int = model.bgp.ROUTE_LIMIT,
        echo_timings: Mapping[echo_state.Kind, window.Timing] = window.TIMINGS,
        path_checks: timedelta | None = None,
    ) -> None:
        """`launch`: how daemons are started. `automatic_probes`: a device that refused is probed. `prove_pfs`: see `ike.pfs_proof`.
        `learned_prefixes`: the most that a device may announce over BGP. `stopping` makes an engine that is good for `gateways` and
        `stop_all` alone, on a machine that can no longer do more: the site may name an underlay that has vanished, or none. Raises
        EngineUnavailable.
        """
        machine.check_root()
        self._folder = Path(os.path.realpath(data)) / paths.ENGINE
        self._launch = launch
        self._prove_pfs = prove_pfs
        self._learned_prefixes = learned_prefixes
        self._underlay = _if_exists(site.underlay) if stopping else site.underlay
        self._plane, self._reason = data_plane.detect()
        self._has_bird = bird.is_installed()
        if not stopping:
            machine.check(self._folder, site.underlay, self._plane)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._has_nat = any(eip.attach == "nat" for eip in site.eips) or self._had_nat()
        self._memories: dict[str, _Memory] = {}
        self._watcher: vici_events.Watcher | None = None
        self._probes = probe_runner.ProbeRunner(
            self._observe_soon,
            self._folder_of,
            lambda gateway_id, step: self._memory(gateway_id).attempts.loaded(step),
            automatic=automatic_probes,
        )
        self._prober = prober.Prober(self._open_echo_socket, self._observe_soon, echo_timings)
        self._paths = path_runner.PathRunner(self._observe_soon, path_checks)

    def _observe_soon(self, gateway_id: str) -> None:
        if watcher := self._watcher:
            watcher.call_soon(gateway_id)

    def _open_echo_socket(self, gateway_id: str, kind: echo_state.Kind) -> icmp.EchoSocket:
        """The socket ignores packets from the uplink, which answer no echo through a tunnel: a flood of them must not fill the receive
        buffer.
        """
        opened = namespace.inside(names.namespace(gateway_id), lambda _: icmp.EchoSocket())
        if kind == "nqa":
            try:
                opened.ignore("wan")
            except OSError:
                opened.close()
                raise
        return opened

    def describe(self) -> dict[str, str]:
        return {
            "name": self.name,
            "version": self._version,
            "data_plane": self._plane,
            "data_plane_reason": self._reason,
            "bgp": f"by {paths.BIRD}" if self._has_bird else NO_BIRD,
            "underlay_forwards": "yes" if machine.forwards(self._underlay) else NO_FORWARDING,
        }

    @cached_property
    def _version(self) -> str:
        return machine.strongswan_version()

    def _had_nat(self) -> bool:
        return shutil.which("nft") is not None and namespace.inside(self._underlay, lambda _: nftables.stands())

    def gateways(self) -> frozenset[str]:
        return frozenset(marks.find(self._folder))

    def _folders(self, known: Container[str]) -> dict[str, Path]:
        return marks.find(self._folder, but=known)

    def _folder_of(self, gateway_id: str) -> Path:
        return self._folder / names.short(gateway_id)

    def _memory(self, gateway_id: str) -> _Memory:
        """Called for each line of a log, so the usual call makes no _Memory."""
        memory = self._memories.get(gateway_id)
        return memory or self._memories.setdefault(gateway_id, _Memory(is_userland=self._plane == "userland"))

    def observe(self, gateway_id: str) -> state.GatewayState:
        """Raises StepFailed when a charon is there but does not answer, until `charon.SILENCE_LIMIT` is over. Sees nothing where the
        folder belongs to another id, or where the namespace is of another data folder: links and sockets have the same names there.
        """
        folder, name = self._folder_of(gateway_id), names.namespace(gateway_id)
        with failures.as_step_failed():
            marked = marks.read(folder)
            if marked not in (None, gateway_id):
                return state.GatewayState(at=datetime.now(UTC), plane=self._plane)
            foreign = orphans.is_foreign(name, folder)
            if foreign and orphans.owner(name) is not None:
                return state.GatewayState(
                    at=datetime.now(UTC),
                    plane=self._plane,
                    folder=marked is not None,
                    network=NetworkState(foreign=True),
                )
            network = network_observe.observe(gateway_id, self._underlay, nat=self._has_nat, foreign=foreign)
            pid_in_unnamed_namespace = (
                None if network.namespace or marked is None else orphans.charon_in_unnamed_namespace(folder)
            )
            ike = self._observe_charon(gateway_id, folder)
            running_plane = charon.plane(folder) if ike.alive and ike.answers else None
            bgp = bgp_observe.observe(folder)
        return state.GatewayState(
            at=datetime.now(UTC),
            plane=running_plane or self._plane,
            folder=marked is not None,
            network=network,
            ike=ike,
            bgp=bgp,
            probes=self._probes.state(gateway_id),
            echo=self._prober.state(gateway_id),
            paths=self._paths.state(gateway_id),
            pid_in_unnamed_namespace=pid_in_unnamed_namespace,
        )

    def _observe_charon(self, gateway_id: str, folder: Path) -> ike_state.IkeState:
        """Raises OSError or PROTOCOL_ERRORS as `ike.observe` does."""
        memory = self._memory(gateway_id)
        asked_at = time.monotonic()
        try:
            observed = ike_observe.observe(folder, memory.unanswered, memory.attempts, memory.tried.recent())
        except daemon.NO_ANSWER:
            memory.silence.begin(asked_at)
            if memory.silence.seconds() < charon.SILENCE_LIMIT:
                raise
            return ike_observe.silent(folder)
        memory.silence.end()
        return observed

    def prepare(
        self, gateway_id: str, desired: model.DesiredGateway | None, observed: state.GatewayState
    ) -> target.Target | None:
        """It also requests observations that are due at a later time, and starts and stops echoes."""
        if desired is None:
            self._prober.keep(gateway_id, ())
            self._memory(gateway_id).target = None
            return None
        prepared = self._prepare(desired, observed)
        ids = {spec.id for spec in desired.connections}
        self._probes.keep(gateway_id, ids)
        self._paths.keep(gateway_id, ids)
        self._prober.keep(gateway_id, target.desired_echoes(prepared, observed))
        if self._watcher:
            for seconds in ike_planning.due_observations(prepared.configs, observed.ike, prove_pfs=self._prove_pfs):
                self._watcher.call_after(gateway_id, seconds)
            if prepared.bgp:
                for seconds in bgp_planning.due_observations(prepared.bgp, observed.bgp, observed.at):
                    self._watcher.call_after(gateway_id, seconds)
        return prepared

    def _prepare(self, desired: model.DesiredGateway, observed: state.GatewayState) -> target.Target:
        """The target of the last cycle, when nothing that is desired has changed since. It is kept without PSKs (docs/decisions/0057)."""
        kept, memory = target.without_psks(desired), self._memory(desired.id)
        last = memory.target
        if last is None or (last.plane, last.desired) != (observed.plane, kept):
            prepared = target.prepare(
                desired,
                observed.plane,
                prove_pfs=self._prove_pfs,
                has_bird=self._has_bird,
                learned_prefixes=self._learned_prefixes,
            )
            last = memory.target = dataclasses.replace(prepared, desired=kept)
        return dataclasses.replace(last, desired=desired)

    def plan(
        self, gateway_id: str, prepared: target.Target | None, observed: state.GatewayState
    ) -> Sequence[steps.Step]:
        return planning.plan(prepared, observed)

    def report(
        self,
        gateway_id: str,
        prepared: target.Target | None,
        observed: state.GatewayState,
        failures: base.Failures,
    ) -> model.Observation:
        if prepared is not None and prepared.plane != observed.plane:  # charon was started on another one meanwhile
            prepared = self._prepare(prepared.desired, observed)
        return reports.report(gateway_id, prepared, observed, failures)

    def apply(self, gateway_id: str, step: steps.Step) -> None:
        with vici_session.ViciSession(self._folder_of(gateway_id)) as session, failures.as_step_failed():
            self._begin(gateway_id, session, step)
            for done, error in session.answers():
                if error:
                    raise error
                self._memory(gateway_id).attempts.loaded(done)

    def carry_out(self, gateway_id: str, plan: Sequence[steps.Step]) -> base.Failures:
        run = base.PlanRun(gateway_id)
        with vici_session.ViciSession(self._folder_of(gateway_id)) as session:
            for step in plan:
                if not session.may_go_on(step):
                    self._read_answers(gateway_id, session, run)
                if run.should_skip(step):
                    continue
                try:
                    with failures.as_step_failed():
                        self._begin(gateway_id, session, step)
                except base.StepFailed as error:
                    concerned = bgp_steps.concerned(step)
                    isolated = bool(concerned) or isinstance(step, _ISOLATED)
                    run.failed(step, str(error), isolated=isolated, concerned=concerned)
                else:
                    if not isinstance(step, ike_steps.CharonRequest):
                        run.done(step)
            self._read_answers(gateway_id, session, run)
        return run.failures

    def _read_answers(self, gateway_id: str, session: vici_session.ViciSession, run: base.PlanRun) -> None:
        """Passes each loaded configuration to the attempts. Nothing is initiated before a configuration is loaded."""
        for step, error in session.answers():
            if error:
                run.failed(step, failures.text(error))
            else:
                self._memory(gateway_id).attempts.loaded(step)
                run.done(step)

    def _begin(self, gateway_id: str, session: vici_session.ViciSession, step: steps.Step) -> None:
        """A request to charon is done when charon has answered, every other step at once."""
        if isinstance(step, ike_steps.CharonRequest):
            self._note(gateway_id, step)
            session.ask(step)
            return
        match step:
            case steps.AddFolder():
                self._add_folder(gateway_id)
            case steps.DeleteFolder():
                self._delete_folder(gateway_id)
            case ike_steps.StartCharon():
                self._start_charon(gateway_id, step)
            case steps.AskDevice():
                self._probes.start(gateway_id, step)
            case steps.CheckPaths():
                self._paths.start(gateway_id, step)
            case ike_steps.StopCharon():
                charon.stop(self._folder_of(gateway_id), answers=step.answers)
            case bgp_steps.StartBird() | bgp_steps.ConfigureBird() | bgp_steps.OpenSession() | bgp_steps.StopBird():
                self._change_bird(gateway_id, step)
            case _:
                network_apply.apply(gateway_id, self._underlay, step)
                self._finish_network_step(gateway_id, step)

    def _finish_network_step(self, gateway_id: str, step: steps.Step) -> None:
        """Signs a new namespace. Asks for another observation of a namespace that has its name again, since this observation did not see what is in it."""
        if isinstance(step, network_steps.AddNamespace):
            orphans.sign(names.namespace(gateway_id), self._folder_of(gateway_id))
        if isinstance(step, network_steps.AttachNamespace):
            self._observe_soon(gateway_id)

    def _change_bird(self, gateway_id: str, step: bgp_steps.BgpStep) -> None:
        bgp_apply.apply(self._folder_of(gateway_id), names.namespace(gateway_id), self._launch, step)
        if isinstance(step, bgp_steps.StartBird) and step.died:
            text = "gateway %s: its BIRD died or did not answer, and was started again"
            log.warning(text, gateway_id, extra=log_fields.extra(gateway_id=gateway_id))

    def _add_folder(self, gateway_id: str) -> None:
        """Raises OSError when the namespace is not ours. One that exists before the folder has its mark is not ours."""
        folder, name = self._folder_of(gateway_id), names.namespace(gateway_id)
        marks.check(folder, gateway_id)
        if orphans.is_foreign(name, folder) or (marks.read(folder) is None and namespace.exists(name)):
            raise OSError(_not_ours(name))
        marks.write(folder, gateway_id)

    def _start_charon(self, gateway_id: str, step: ike_steps.StartCharon) -> None:
        if step.plane == "kernel":
            xfrm.flush(names.namespace(gateway_id))
        self._memory(gateway_id).attempts.begin()
        charon.start(
            self._folder_of(gateway_id),
            names.namespace(gateway_id),
            step.plane,
            self._launch,
            step.restarts,
            died=step.died,
        )
        if step.died:
            base.RESTARTS.add(1)
            log.warning(
                "gateway %s: its charon died or did not answer, and was started again",
                gateway_id,
                extra=log_fields.extra(gateway_id=gateway_id),
            )
        self._memory(gateway_id).forget_charon()
        if self._watcher:
            self._watcher.rescan()

    def _delete_folder(self, gateway_id: str) -> None:
        """The mark is deleted last, so that a folder that is deleted in part is still ours."""
        folder = self._folder_of(gateway_id)
        namespace.delete_unmounted(names.namespace(gateway_id))
        for path in sorted(folder.iterdir(), key=lambda path: path.name == marks.NAME):
            path.unlink()
        folder.rmdir()
        self._memories.pop(gateway_id, None)
        self._probes.keep(gateway_id, ())
        self._paths.keep(gateway_id, ())

    def _note(self, gateway_id: str, step: ike_steps.CharonRequest) -> None:
        """Remembers what is tried, and requests the observation after which it is tried again. A new key is tried at once."""
        tried = self._memory(gateway_id).tried
        match step:
            case ike_steps.Initiate(_, child):
                wait = tried.note(child)
            case ike_steps.RekeyChild(_, unique_id):  # charon itself tries again
                tried.note(fingerprints.rekey(unique_id), first=pfs_proof.RETRY_AFTER, longest=pfs_proof.RETRY_AFTER)
                return
            case ike_steps.ProveKey(_, name):
                wait = tried.note(name, longest=retries.LONGEST)
            case ike_steps.Reauthenticate(connection_id):
                wait = tried.note(fingerprints.reauthentication(connection_id), longest=retries.LONGEST)
            case ike_steps.LoadSecret(connection_id):
                tried.forget(fingerprints.proof(connection_id), fingerprints.reauthentication(connection_id))
                return
            case _:
                return
        if self._watcher:
            self._watcher.call_after(gateway_id, wait)

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        watcher = vici_events.Watcher(
            self._folders,
            lambda gateway_id: self._memory(gateway_id).unanswered,
            lambda gateway_id: self._memory(gateway_id).attempts,
            lambda gateway_id: self._memory(gateway_id).silence,
            changed,
        )
        self._watcher = watcher
        ended = threading.Event()
        sessions = threading.Thread(target=bgp_watch.Watcher(self._folder, self._observe_soon).run, args=(ended,))
        sessions.start()
        try:
            with self._prober.running():
                watcher.run(stop)
        finally:
            self._watcher = None
            ended.set()
            sessions.join()

    def orphans(self) -> list[orphans.Orphan]:
        """Remains of gateways on this machine whose folder in this data folder was deleted."""
        return orphans.find(self._folder)

    def stop_all(self) -> None:
        """Takes down everything that this data folder has on this machine. A gateway that cannot be taken down does not keep another
        one up; at the end StepFailed names all of them.
        """
        failed = [
            *_failed("gateway", sorted(self.gateways()), self._stop),
            *_failed("what is left of", [orphan.name for orphan in self.orphans()], self._stop_orphan),
        ]
        if failed:
            raise base.StepFailed("; ".join(failed))

    def _stop(self, gateway_id: str) -> None:
        self._prober.keep(gateway_id, ())
        for step in planning.plan(None, self.observe(gateway_id)):
            self.apply(gateway_id, step)

    def _stop_orphan(self, name: str) -> None:
        """Only the beginning of the id of a gateway without a folder is known. All that the gateway has is named by it."""
        with failures.as_step_failed():
            for orphan in self.orphans():
                if orphan.name == name:
                    charon.CHARON.end(orphan.charons)
                    if self.observe(name).network.namespace:
                        bird.BIRD.end_lost(names.namespace(name))
        observed = self.observe(name)
        present = dataclasses.replace(observed, folder=True, ike=dataclasses.replace(observed.ike, alive=False))
        for step in planning.plan(None, present):
            if not isinstance(step, steps.DeleteFolder):
                self.apply(name, step)


def _failed(kind: str, items: Sequence[str], stop: Callable[[str], None]) -> Iterator[str]:
    for name in items:
        try:
            stop(name)
        except base.StepFailed as error:
            yield f"{kind} {name}: {error}"


def _not_ours(name: str) -> str:
    """The error advises no command that would end somebody else's daemon."""
    folder = orphans.owner(name)
    if folder is not None:
        return f"the network namespace {name} is of another data folder, {folder.parent.parent}, and left alone"
    return (
        f"the network namespace {name} is there and not ours, and left alone. Whoever uses it (`ip netns pids {name}` tells) must"
        " delete it or give it another name; the VPN gateway needs this one"
    )


def _if_exists(underlay: str | None) -> str | None:
    """A namespace's links end with the namespace, so a vanished underlay needs no clean-up."""
    return underlay if underlay is not None and namespace.exists(underlay) else None
