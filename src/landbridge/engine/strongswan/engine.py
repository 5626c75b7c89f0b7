"""The engine: observe, plan, apply and report one gateway, as `engine.base` has it.

What is decided is decided in `planning`, `mapping` and `reporting`; here things are only looked at and done. Invariant: a new
object on the same folder behaves like the old one. Its memory (log lines, what was initiated moments ago) is a comfort.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from vici.exception import CommandException

from landbridge import model, paths
from landbridge.engine import base
from landbridge.engine.strongswan import (
    charon,
    evidence,
    firewall,
    links,
    marks,
    names,
    namespace,
    netlink,
    orphans,
    planning,
    reports,
    state,
    steps,
    unsupported,
    vici_events,
    vici_session,
    xfrm,
)

#: Seconds before a child that did not come up is initiated again.
RETRY = 10.0

PLUGINS = Path("/usr/lib/ipsec/plugins")
#: file -> the Debian package that brings it.
_NEEDED = {
    charon.BINARY: "charon-systemd",
    PLUGINS / "libstrongswan-vici.so": "strongswan-swanctl",
    PLUGINS / "libstrongswan-openssl.so": "libstrongswan-standard-plugins",
}
#: What the userland data plane needs more.
_NEEDED_IN_USERLAND = {
    PLUGINS / "libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins",
    Path("/dev/net/tun"): "the kernel's TUN driver",
}

_Errors = (OSError, NetlinkError, CommandException, *charon.PROTOCOL_ERRORS, subprocess.SubprocessError)


NO_FORWARDING = "no: devices will not be reached (sysctl net.ipv4.ip_forward=1 where the EIPs are routed)"


class StrongSwan:
    """One per machine and data folder. Different gateways may be worked on from different threads at once."""

    name = "strongswan"

    def __init__(
        self, data: Path, site: model.Site, *, stopping: bool = False, launch: charon.Launch = charon.AS_CHILDREN
    ) -> None:
        """`stopping` makes one that is good for `gateways` and `stop_all` alone, on a machine that can no longer do more:
        the site may name an underlay that has vanished, or none. Raises EngineUnavailable.
        """
        _check_root()
        self._folder = data.resolve() / paths.ENGINE
        self._way = launch
        self._underlay = _if_there(site.underlay) if stopping else site.underlay
        self._plane, self._reason = _data_plane()
        if not stopping:
            _check_machine(self._folder, site.underlay, self._plane)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forwards = any(eip.attach == "nat" for eip in site.eips) or self._forwarded_once()
        self._evidence: dict[str, evidence.EvidenceLog] = {}
        self._initiated: dict[str, dict[str, float]] = {}
        self._supported: dict[str, tuple[model.DesiredGateway, state.Plane, unsupported.Supported]] = {}
        self._watcher: vici_events.Watcher | None = None

    def describe(self) -> dict[str, str]:
        return {
            "name": self.name,
            "version": self._version,
            "data_plane": self._plane,
            "data_plane_reason": self._reason,
            "underlay_forwards": "yes" if self._underlay_forwards() else NO_FORWARDING,
        }

    def _forwarded_once(self) -> bool:
        return shutil.which("nft") is not None and namespace.inside(self._underlay, lambda _: firewall.stands())

    def _underlay_forwards(self) -> bool:
        """Whether packets for the EIPs can pass this machine at all. To switch it on is the operator's."""
        read = Path("/proc/sys/net/ipv4/ip_forward").read_text
        return namespace.inside(self._underlay, lambda _: read()).strip() == "1"

    @cached_property
    def _version(self) -> str:
        """Of the tool of the same packages: charon-systemd knows no `--version` and would start."""
        done = subprocess.run(["swanctl", "--help"], capture_output=True, text=True, check=False)  # noqa: S607
        found = re.search(r"strongSwan (\S+) swanctl", done.stdout + done.stderr)
        return found[1] if found else "unknown"

    def gateways(self) -> frozenset[str]:
        return frozenset(self._folders())

    def _folders(self) -> dict[str, Path]:
        return marks.find(self._folder)

    def _folder_of(self, gateway_id: str) -> Path:
        return self._folder / names.short(gateway_id)

    def _evidence_of(self, gateway_id: str) -> evidence.EvidenceLog:
        return self._evidence.setdefault(gateway_id, evidence.EvidenceLog())

    def observe(self, gateway_id: str) -> state.GatewayState:
        """Raises StepFailed when a charon is there but does not answer: that is not the same as its being gone, and a
        second one beside it would be worse than none. Sees nothing where what has this name belongs to another id.
        """
        folder = self._folder_of(gateway_id)
        try:
            with _as_step_failed():
                marked = marks.read(folder)
                if marked not in (None, gateway_id):
                    return state.GatewayState(at=datetime.now(UTC), plane=self._plane)
                standing = self._look_at_network(gateway_id)
                loaded = self._look_at_charon(gateway_id, folder)
                restarts, started_at = charon.started(folder)
        except base.StepFailed:
            self._supported.pop(gateway_id, None)  # the cycle ends here, without a report
            raise
        return state.GatewayState(
            at=datetime.now(UTC),
            plane=(charon.plane(folder) if loaded is not None else None) or self._plane,
            folder=marked is not None,
            namespace=namespace.exists(names.namespace(gateway_id)),
            alive=loaded is not None,
            restarts=restarts,
            started_at=started_at,
            recently_initiated=self._recently_initiated(gateway_id),
            **standing,
            **(loaded or {}),
        )

    def _look_at_network(self, gateway_id: str) -> dict[str, Any]:
        name, owner = names.namespace(gateway_id), names.short(gateway_id)
        here, standing = links.NamespaceLook(), dict[str, Any]()
        if namespace.exists(name):
            here, standing = namespace.look(name, _look_inside)
        there = namespace.look(self._underlay, lambda read: links.look_in_underlay(read, gateway_id, here))
        return {
            **standing,
            "uplink": there.uplink,
            "uplink_ready": there.uplink_ready,
            "uplink_mtu": here.uplink_mtu,
            "next_hop": here.next_hop,
            "uplink_peer": there.uplink_peer,
            "vpc_link": there.vpc_link,
            "addresses": there.addresses,
            "rules": here.rules,
            "nat_table": namespace.inside(self._underlay, lambda _: firewall.look(owner)) if self._forwards else None,
        }

    def _look_at_charon(self, gateway_id: str, folder: Path) -> dict[str, Any] | None:
        """None when there is no charon."""
        try:
            connection = charon.connect(folder)
        except charon.NOT_LISTENING:
            return None
        charon.shorten_log(folder)
        with connection:
            conns, secrets, sas = vici_session.look(connection)
        evidence_log = self._evidence_of(gateway_id)
        evidence_log.set_peers(state.parse_peers(conns))
        return {
            "conns": state.parse_conns(conns),
            "secrets": secrets,
            "sas": state.parse_sas(sas),
            "evidence": evidence_log.all(),
        }

    def _recently_initiated(self, gateway_id: str) -> frozenset[str]:
        """Looked at only by the one thread that works on this gateway."""
        now = time.monotonic()
        lately = {child: at for child, at in self._initiated.get(gateway_id, {}).items() if now - at < RETRY}
        self._initiated[gateway_id] = lately
        return frozenset(lately)

    def plan(
        self, gateway_id: str, desired: model.DesiredGateway | None, observed: state.GatewayState
    ) -> Sequence[steps.Step]:
        supported = self._supported_by(gateway_id, desired, observed.plane)
        if supported and self._watcher and planning.is_settling(supported.configs, observed):
            self._watcher.call_after(gateway_id, planning.SETTLING)
        return planning.plan(desired, observed, supported)

    def report(
        self,
        gateway_id: str,
        desired: model.DesiredGateway | None,
        observed: state.GatewayState,
        failures: base.Failures,
    ) -> model.Observation:
        supported = self._supported_by(gateway_id, desired, observed.plane)
        self._supported.pop(gateway_id, None)
        return reports.report(gateway_id, desired, observed, failures, supported)

    def _supported_by(
        self, gateway_id: str, desired: model.DesiredGateway | None, plane: state.Plane
    ) -> unsupported.Supported | None:
        """Worked out for the plan and kept for the report of the same cycle, no longer: it holds PSKs."""
        if desired is None:
            return None
        kept = self._supported.get(gateway_id)
        if kept is None or kept[0] is not desired or kept[1] != plane:
            kept = self._supported[gateway_id] = (desired, plane, unsupported.supported(desired, plane))
        return kept[2]

    def apply(self, gateway_id: str, step: steps.Step) -> None:
        with vici_session.ViciSession(self._folder_of(gateway_id)) as session, _as_step_failed():
            self._begin(gateway_id, session, step)
            for _, error in session.answers():
                if error:
                    raise error

    def carry_out(self, gateway_id: str, plan: Sequence[steps.Step]) -> base.Failures:
        run = base.PlanRun(gateway_id)
        with vici_session.ViciSession(self._folder_of(gateway_id)) as session:
            for step in plan:
                if not session.may_go_on(step):
                    _read_answers(session, run)
                if run.should_skip(step):
                    continue
                try:
                    with _as_step_failed():
                        self._begin(gateway_id, session, step)
                except base.StepFailed as error:
                    run.failed(step, str(error), isolated=isinstance(step, steps.MoveVpcLink))
                else:
                    if not isinstance(step, steps.CHARON_STEPS):
                        run.done(step)
            _read_answers(session, run)
        return run.failures

    def _begin(self, gateway_id: str, session: vici_session.ViciSession, step: steps.Step) -> None:
        """What is of charon is done when it has answered."""
        if isinstance(step, steps.CHARON_STEPS):
            if isinstance(step, steps.Initiate):
                self._note_initiation(gateway_id, step)
            session.ask(step)
        else:
            self._apply_now(gateway_id, step)

    def _apply_now(self, gateway_id: str, step: steps.GatewayStep | steps.TunnelStep) -> None:  # noqa: C901, PLR0912  a table of steps
        folder, name, owner = self._folder_of(gateway_id), names.namespace(gateway_id), names.short(gateway_id)
        match step:
            case steps.AddFolder():
                self._mark(folder, gateway_id)
            case steps.AddNamespace():
                namespace.add(name)
                orphans.sign(name, folder)
            case steps.EnsureFilterTable(table):
                namespace.inside(name, lambda _: firewall.load(table))
            case steps.EnsureUplink(kind, next_hop):
                links.ensure_uplink(gateway_id, self._underlay, kind, next_hop)
            case steps.EnsureVpcLink(kind):
                links.ensure_vpc_link(gateway_id, self._underlay, kind)
            case steps.MoveUplink(kind, next_hop, addresses):
                links.check_move(gateway_id, self._underlay, "wan", kind)
                links.delete(gateway_id, self._underlay, "wan")
                links.ensure_uplink(gateway_id, self._underlay, kind, next_hop)
                links.add_addresses(gateway_id, self._underlay, addresses)
            case steps.MoveVpcLink(kind, addresses):
                links.check_move(gateway_id, self._underlay, "lan", kind)
                links.delete(gateway_id, self._underlay, "lan")
                links.ensure_vpc_link(gateway_id, self._underlay, kind)
                links.add_addresses(gateway_id, self._underlay, addresses)
            case steps.DeleteUplink():
                links.delete(gateway_id, self._underlay, "wan")
            case steps.DeleteVpcLink():
                links.delete(gateway_id, self._underlay, "lan")
            case steps.AddAddresses(addresses):
                links.add_addresses(gateway_id, self._underlay, addresses)
            case steps.DeleteAddresses(addresses):
                links.delete_addresses(gateway_id, self._underlay, addresses)
            case steps.EnsureRules(rules):
                links.ensure_rules(gateway_id, rules)
            case steps.EnsureNatTable(table):
                namespace.inside(self._underlay, lambda _: firewall.load(table, owner))
            case steps.StartCharon(plane, restarts):
                self._start(gateway_id, plane, restarts)
            case steps.StopCharon():
                charon.stop(folder)
            case steps.EnsureTunnel(_, tunnel):
                namespace.inside(name, lambda ip: xfrm.ensure(ip, tunnel))
            case steps.DeleteTunnel(_, if_id):
                namespace.inside(name, lambda ip: xfrm.delete(ip, if_id))
            case steps.DeleteNamespace():
                namespace.remove(name)
            case steps.DeleteFolder():
                self._forget(gateway_id)

    def _mark(self, folder: Path, gateway_id: str) -> None:
        """What stands there already without this mark is somebody else's."""
        marks.check(folder, gateway_id)
        name = names.namespace(gateway_id)
        if namespace.exists(name):
            raise OSError(_not_ours(name))
        marks.write(folder, gateway_id)

    def _start(self, gateway_id: str, plane: state.Plane, restarts: int) -> None:
        if plane == "kernel":
            xfrm.flush(names.namespace(gateway_id))
        charon.start(self._folder_of(gateway_id), names.namespace(gateway_id), plane, self._way, restarts)
        self._initiated.pop(gateway_id, None)
        if self._watcher:
            self._watcher.rescan()

    def _forget(self, gateway_id: str) -> None:
        """The mark goes last: a folder that is half removed is still ours."""
        folder = self._folder_of(gateway_id)
        (namespace.RUN / names.namespace(gateway_id)).unlink(missing_ok=True)  # one that was never mounted
        for path in sorted(folder.iterdir(), key=lambda path: path.name == marks.NAME):
            path.unlink()
        folder.rmdir()
        self._initiated.pop(gateway_id, None)
        self._evidence.pop(gateway_id, None)

    def _note_initiation(self, gateway_id: str, step: steps.Initiate) -> None:
        self._initiated.setdefault(gateway_id, {})[step.child] = time.monotonic()
        if self._watcher:
            self._watcher.call_after(gateway_id, RETRY)

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        watcher = vici_events.Watcher(self._folders, self._evidence_of, changed)
        self._watcher = watcher
        try:
            watcher.run(stop)
        finally:
            self._watcher = None

    def strays(self) -> list[orphans.Stray]:
        """What this data folder has on this machine without a gateway's folder: somebody deleted that."""
        return orphans.find(self._folder)

    def stop_all(self) -> None:
        """Takes down everything that this data folder has on this machine. A gateway that cannot be taken down keeps no other
        one up; at the end StepFailed names all of them.
        """
        failures = [
            *_failures("gateway", sorted(self.gateways()), self._stop),
            *_failures("what is left of", [one.name for one in self.strays()], self._stop_stray),
        ]
        if failures:
            raise base.StepFailed("; ".join(failures))

    def _stop(self, gateway_id: str) -> None:
        for step in self.plan(gateway_id, None, self.observe(gateway_id)):
            self.apply(gateway_id, step)

    def _stop_stray(self, name: str) -> None:
        """Of a gateway without a folder only the beginning of its id is known, which names all that it has."""
        with _as_step_failed():
            for stray in self.strays():
                if stray.name == name:
                    charon.end(stray.charons)
        found = dataclasses.replace(self.observe(name), folder=True, alive=False)
        for step in self.plan(name, None, found):
            if not isinstance(step, steps.DeleteFolder):
                self.apply(name, step)


def _failures(what: str, which: Sequence[str], stop: Callable[[str], None]) -> Iterator[str]:
    for one in which:
        try:
            stop(one)
        except base.StepFailed as error:
            yield f"{what} {one}: {error}"


def _not_ours(name: str) -> str:
    """Never with advice that would take down what lives there."""
    folder = orphans.owner(name)
    if folder is not None:
        return f"the network namespace {name} is of another data folder, {folder.parent.parent}, and left alone"
    return (
        f"the network namespace {name} is there and not ours, and left alone (`ip netns pids {name}` tells who uses it)"
    )


def _read_answers(session: vici_session.ViciSession, run: base.PlanRun) -> None:
    for step, error in session.answers():
        if error:
            run.failed(step, _error_text(error))
        else:
            run.done(step)


@contextlib.contextmanager
def _as_step_failed() -> Iterator[None]:
    try:
        yield
    except _Errors as error:
        raise base.StepFailed(_error_text(error)) from error


def _error_text(error: Exception) -> str:
    if isinstance(error, NetlinkError):
        return f"the kernel answered: {os.strerror(error.code)}"
    if isinstance(error, TimeoutError | BlockingIOError):
        return "charon does not answer"
    if isinstance(error, charon.PROTOCOL_ERRORS):
        return f"charon's answer cannot be read: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).removeprefix("Command failed: ")


def _check_root() -> None:
    if os.geteuid() != 0:
        raise base.EngineUnavailable("the strongswan engine must run as root")


def _if_there(underlay: str | None) -> str | None:
    """Legs in a namespace that has vanished went with it, or go with the gateway's own."""
    return underlay if underlay is not None and namespace.exists(underlay) else None


def _look_inside(read: netlink.Reader) -> tuple[links.NamespaceLook, dict[str, Any]]:
    snapshot = read.snapshot(without=links.CHARON_TABLE)
    found = {
        "filter_table": firewall.look(),
        "tunnels": xfrm.look(snapshot),
        "learned_mtus": xfrm.learned_mtus(snapshot),
    }
    return links.look_in_namespace(snapshot), found


def _check_machine(folder: Path, underlay: str | None, plane: state.Plane) -> None:
    needed = _NEEDED if plane == "kernel" else _NEEDED | _NEEDED_IN_USERLAND
    missing = [f"{path} ({source})" for path, source in needed.items() if not path.exists()]
    missing += [f"the command {tool}" for tool in ("ip", "nft", "nsenter", "setsid") if not shutil.which(tool)]
    if underlay is not None and not namespace.exists(underlay):
        missing.append(f"the network namespace {underlay}")
    if missing:
        raise base.EngineUnavailable(f"this machine lacks {', '.join(missing)}")
    longest = len(os.fsencode(charon.socket_path(folder / ("0" * 12))))
    if longest >= charon.SOCKET_PATH_LIMIT:
        room = len(os.fsencode(folder.parent)) - (longest - charon.SOCKET_PATH_LIMIT + 1)
        raise base.EngineUnavailable(f"the path of the data folder {folder.parent} is too long: {room} bytes at most")


def _data_plane() -> tuple[state.Plane, str]:
    """What this kernel can do, and why: asked by doing it in a namespace that ends with the question."""
    asked = {
        "ESP": "xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x100 mode tunnel enc cipher_null  auth digest_null ",
        "XFRM interfaces": "link add x1 type xfrm if_id 1",
    }
    for what, command in asked.items():
        done = subprocess.run(["unshare", "--net", "ip", *command.split(" ")], capture_output=True, check=False)  # noqa: S603, S607
        if done.returncode:
            return "userland", f"this kernel has no {what}"
    return "kernel", "this kernel has ESP and XFRM interfaces"
