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

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import (
    charon,
    evidence,
    firewall,
    legs,
    marks,
    names,
    namespace,
    planning,
    reading,
    refusing,
    reporting,
    seen,
    steps,
    strays,
    talking,
    watching,
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

_Errors = (OSError, NetlinkError, CommandException, *charon.GARBLED, subprocess.SubprocessError)


NO_FORWARDING = "no: devices will not be reached (sysctl net.ipv4.ip_forward=1 where the EIPs are routed)"


class StrongSwan:
    """One per machine and data folder. Different gateways may be worked on from different threads at once."""

    name = "strongswan"

    def __init__(
        self, data: Path, site: model.Site, *, stopping: bool = False, way: charon.Way = charon.CHILDREN
    ) -> None:
        """`stopping` makes one that is good for `gateways` and `stop_all` alone, on a machine that can no longer do more:
        the site may name an underlay that has vanished, or none. Raises EngineUnavailable.
        """
        _check_root()
        self._folder = data.resolve() / "engine"
        self._way = way
        self._underlay = _what_is_left(site.underlay) if stopping else site.underlay
        self._plane, self._reason = _data_plane()
        if not stopping:
            _check_machine(self._folder, site.underlay, self._plane)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forwards = any(eip.attach == "nat" for eip in site.eips) or self._forwarded_once()
        self._lines: dict[str, evidence.Lines] = {}
        self._tried: dict[str, dict[str, float]] = {}
        self._carried: dict[str, tuple[model.DesiredGateway, seen.Plane, refusing.Carried]] = {}
        self._watcher: watching.Watcher | None = None

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

    def _lines_of(self, gateway_id: str) -> evidence.Lines:
        return self._lines.setdefault(gateway_id, evidence.Lines())

    def observe(self, gateway_id: str) -> seen.Seen:
        """Raises StepFailed when a charon is there but does not answer: that is not the same as its being gone, and a
        second one beside it would be worse than none. Sees nothing where what has this name belongs to another id.
        """
        folder = self._folder_of(gateway_id)
        try:
            with _operators_words():
                marked = marks.read(folder)
                if marked not in (None, gateway_id):
                    return seen.Seen(at=datetime.now(UTC), plane=self._plane)
                standing = self._look_at_network(gateway_id)
                loaded = self._look_at_charon(gateway_id, folder)
                restarts, started_at = charon.started(folder)
        except base.StepFailed:
            self._carried.pop(gateway_id, None)  # the cycle ends here, without a report
            raise
        return seen.Seen(
            at=datetime.now(UTC),
            plane=(charon.plane(folder) if loaded is not None else None) or self._plane,
            folder=marked is not None,
            namespace=namespace.exists(names.namespace(gateway_id)),
            alive=loaded is not None,
            restarts=restarts,
            started_at=started_at,
            tried=self._tried_lately(gateway_id),
            **standing,
            **(loaded or {}),
        )

    def _look_at_network(self, gateway_id: str) -> dict[str, Any]:
        name, owner = names.namespace(gateway_id), names.short(gateway_id)
        here, standing = legs.Inside(), dict[str, Any]()
        if namespace.exists(name):
            here, standing = namespace.look(name, _look_inside)
        there = namespace.look(self._underlay, lambda read: legs.look_outside(read, gateway_id, here))
        return {
            **standing,
            "wan": there.wan,
            "wan_whole": there.wan_whole,
            "wan_mtu": here.wan_mtu,
            "router": here.router,
            "wan_end": there.wan_end,
            "lan": there.lan,
            "addresses": there.addresses,
            "rules": here.rules,
            "forward": namespace.inside(self._underlay, lambda _: firewall.look(owner)) if self._forwards else None,
        }

    def _look_at_charon(self, gateway_id: str, folder: Path) -> dict[str, Any] | None:
        """None when there is no charon."""
        try:
            connection = charon.connect(folder)
        except charon.GONE:
            return None
        charon.shorten_log(folder)
        with connection:
            conns, secrets, sas = talking.look(connection)
        lines = self._lines_of(gateway_id)
        lines.know(seen.parse_peers(conns))
        return {
            "conns": seen.parse_conns(conns),
            "secrets": secrets,
            "sas": seen.parse_sas(sas),
            "evidence": lines.all(),
        }

    def _tried_lately(self, gateway_id: str) -> frozenset[str]:
        """Looked at only by the one thread that works on this gateway."""
        now = time.monotonic()
        lately = {child: at for child, at in self._tried.get(gateway_id, {}).items() if now - at < RETRY}
        self._tried[gateway_id] = lately
        return frozenset(lately)

    def plan(self, gateway_id: str, desired: model.DesiredGateway | None, seen: seen.Seen) -> Sequence[steps.Step]:
        carried = self._carried_by(gateway_id, desired, seen.plane)
        if carried and self._watcher and planning.is_settling(carried.wanted, seen):
            self._watcher.call_after(gateway_id, planning.SETTLING)
        return planning.plan(desired, seen, carried)

    def report(
        self, gateway_id: str, desired: model.DesiredGateway | None, seen: seen.Seen, failures: base.Failures
    ) -> model.Observation:
        carried = self._carried_by(gateway_id, desired, seen.plane)
        self._carried.pop(gateway_id, None)
        return reporting.report(gateway_id, desired, seen, failures, carried)

    def _carried_by(
        self, gateway_id: str, desired: model.DesiredGateway | None, plane: seen.Plane
    ) -> refusing.Carried | None:
        """Worked out for the plan and kept for the report of the same cycle, no longer: it holds PSKs."""
        if desired is None:
            return None
        kept = self._carried.get(gateway_id)
        if kept is None or kept[0] is not desired or kept[1] != plane:
            kept = self._carried[gateway_id] = (desired, plane, refusing.carried(desired, plane))
        return kept[2]

    def apply(self, gateway_id: str, step: steps.Step) -> None:
        with talking.Talk(self._folder_of(gateway_id)) as talk, _operators_words():
            self._begin(gateway_id, talk, step)
            for _, error in talk.answers():
                if error:
                    raise error

    def carry_out(self, gateway_id: str, plan: Sequence[steps.Step]) -> base.Failures:
        course = base.Course(gateway_id)
        with talking.Talk(self._folder_of(gateway_id)) as talk:
            for step in plan:
                if not talk.may_go_on(step):
                    _settle(talk, course)
                if course.leaves_out(step):
                    continue
                try:
                    with _operators_words():
                        self._begin(gateway_id, talk, step)
                except base.StepFailed as error:
                    course.failed(step, str(error), alone=isinstance(step, steps.MoveLan))
                else:
                    if not isinstance(step, steps.OF_CHARON):
                        course.done(step)
            _settle(talk, course)
        return course.failures

    def _begin(self, gateway_id: str, talk: talking.Talk, step: steps.Step) -> None:
        """What is of charon is done when it has answered."""
        if isinstance(step, steps.OF_CHARON):
            if isinstance(step, steps.Initiate):
                self._expect(gateway_id, step)
            talk.ask(step)
        else:
            self._build(gateway_id, step)

    def _build(self, gateway_id: str, step: steps.OfGateway | steps.OfTunnel) -> None:  # noqa: C901, PLR0912  a table of steps
        folder, name, owner = self._folder_of(gateway_id), names.namespace(gateway_id), names.short(gateway_id)
        match step:
            case steps.AddFolder():
                self._mark(folder, gateway_id)
            case steps.AddNamespace():
                namespace.add(name)
                strays.sign(name, folder)
            case steps.SetGuard(table):
                namespace.inside(name, lambda _: firewall.load(table))
            case steps.LayWan(kind, router):
                legs.lay_wan(gateway_id, self._underlay, kind, router)
            case steps.LayLan(kind):
                legs.lay_lan(gateway_id, self._underlay, kind)
            case steps.MoveWan(kind, router, addresses):
                legs.check_move(gateway_id, self._underlay, "wan", kind)
                legs.cut(gateway_id, self._underlay, "wan")
                legs.lay_wan(gateway_id, self._underlay, kind, router)
                legs.add_addresses(gateway_id, self._underlay, addresses)
            case steps.MoveLan(kind, addresses):
                legs.check_move(gateway_id, self._underlay, "lan", kind)
                legs.cut(gateway_id, self._underlay, "lan")
                legs.lay_lan(gateway_id, self._underlay, kind)
                legs.add_addresses(gateway_id, self._underlay, addresses)
            case steps.CutWan():
                legs.cut(gateway_id, self._underlay, "wan")
            case steps.CutLan():
                legs.cut(gateway_id, self._underlay, "lan")
            case steps.AddAddresses(addresses):
                legs.add_addresses(gateway_id, self._underlay, addresses)
            case steps.RemoveAddresses(addresses):
                legs.remove_addresses(gateway_id, self._underlay, addresses)
            case steps.SetRules(rules):
                legs.set_rules(gateway_id, rules)
            case steps.SetForward(table):
                namespace.inside(self._underlay, lambda _: firewall.load(table, owner))
            case steps.StartCharon(plane, restarts):
                self._start(gateway_id, plane, restarts)
            case steps.StopCharon():
                charon.stop(folder)
            case steps.LayTunnel(_, tunnel):
                namespace.inside(name, lambda ip: xfrm.lay(ip, tunnel))
            case steps.CutTunnel(_, if_id):
                namespace.inside(name, lambda ip: xfrm.cut(ip, if_id))
            case steps.RemoveNamespace():
                namespace.remove(name)
            case steps.RemoveFolder():
                self._forget(gateway_id)

    def _mark(self, folder: Path, gateway_id: str) -> None:
        """What stands there already without this mark is somebody else's."""
        marks.check(folder, gateway_id)
        name = names.namespace(gateway_id)
        if namespace.exists(name):
            raise OSError(_not_ours(name))
        marks.write(folder, gateway_id)

    def _start(self, gateway_id: str, plane: seen.Plane, restarts: int) -> None:
        if plane == "kernel":
            xfrm.flush(names.namespace(gateway_id))
        charon.start(self._folder_of(gateway_id), names.namespace(gateway_id), plane, self._way, restarts)
        self._tried.pop(gateway_id, None)
        if self._watcher:
            self._watcher.rescan()

    def _forget(self, gateway_id: str) -> None:
        """The mark goes last: a folder that is half removed is still ours."""
        folder = self._folder_of(gateway_id)
        (namespace.RUN / names.namespace(gateway_id)).unlink(missing_ok=True)  # one that was never mounted
        for path in sorted(folder.iterdir(), key=lambda path: path.name == marks.NAME):
            path.unlink()
        folder.rmdir()
        self._tried.pop(gateway_id, None)
        self._lines.pop(gateway_id, None)

    def _expect(self, gateway_id: str, step: steps.Initiate) -> None:
        self._tried.setdefault(gateway_id, {})[step.child] = time.monotonic()
        if self._watcher:
            self._watcher.call_after(gateway_id, RETRY)

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        watcher = watching.Watcher(self._folders, self._lines_of, changed)
        self._watcher = watcher
        try:
            watcher.run(stop)
        finally:
            self._watcher = None

    def strays(self) -> list[strays.Stray]:
        """What this data folder has on this machine without a gateway's folder: somebody deleted that."""
        return strays.find(self._folder)

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
        with _operators_words():
            for stray in self.strays():
                if stray.name == name:
                    charon.end(stray.charons)
        found = dataclasses.replace(self.observe(name), folder=True, alive=False)
        for step in self.plan(name, None, found):
            if not isinstance(step, steps.RemoveFolder):
                self.apply(name, step)


def _failures(what: str, which: Sequence[str], stop: Callable[[str], None]) -> Iterator[str]:
    for one in which:
        try:
            stop(one)
        except base.StepFailed as error:
            yield f"{what} {one}: {error}"


def _not_ours(name: str) -> str:
    """Never with advice that would take down what lives there."""
    folder = strays.owner(name)
    if folder is not None:
        return f"the network namespace {name} is of another data folder, {folder.parent.parent}, and left alone"
    return (
        f"the network namespace {name} is there and not ours, and left alone (`ip netns pids {name}` tells who uses it)"
    )


def _settle(talk: talking.Talk, course: base.Course) -> None:
    for step, error in talk.answers():
        if error:
            course.failed(step, _words(error))
        else:
            course.done(step)


@contextlib.contextmanager
def _operators_words() -> Iterator[None]:
    try:
        yield
    except _Errors as error:
        raise base.StepFailed(_words(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, NetlinkError):
        return f"the kernel answered: {os.strerror(error.code)}"
    if isinstance(error, TimeoutError | BlockingIOError):
        return "charon does not answer"
    if isinstance(error, charon.GARBLED):
        return f"charon's answer cannot be read: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).removeprefix("Command failed: ")


def _check_root() -> None:
    if os.geteuid() != 0:
        raise base.EngineUnavailable("the strongswan engine must run as root")


def _what_is_left(underlay: str | None) -> str | None:
    """Legs in a namespace that has vanished went with it, or go with the gateway's own."""
    return underlay if underlay is not None and namespace.exists(underlay) else None


def _look_inside(read: reading.Reader) -> tuple[legs.Inside, dict[str, Any]]:
    standing = read.standing(without=legs.CHARONS_TABLE)
    found = {"guard": firewall.look(), "tunnels": xfrm.look(standing), "learned_mtus": xfrm.learned_mtus(standing)}
    return legs.look_inside(standing), found


def _check_machine(folder: Path, underlay: str | None, plane: seen.Plane) -> None:
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


def _data_plane() -> tuple[seen.Plane, str]:
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
