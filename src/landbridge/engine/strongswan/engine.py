"""The engine: observe, plan, apply and report one gateway, as `engine.base` has it.

What is decided is decided in `planning`, `mapping` and `reporting`; here things are only looked at and done. Invariant: a new
object on the same folder behaves like the old one. Its memory (log lines, what was initiated moments ago) is a comfort.
"""

import contextlib
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
from vici.exception import CommandException, SessionException

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import charon, evidence, names, namespace, planning, reporting, seen, steps, watching

#: Seconds before a child that did not come up is initiated again.
RETRY = 10.0
#: Milliseconds that a peer has to confirm the end of an SA.
FAREWELL = "1000"

PLUGINS = Path("/usr/lib/ipsec/plugins")
#: file -> the Debian package that brings it.
_NEEDED = {
    charon.BINARY: "charon-systemd",
    PLUGINS / "libstrongswan-vici.so": "strongswan-swanctl",
    PLUGINS / "libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins",
    PLUGINS / "libstrongswan-openssl.so": "libstrongswan-standard-plugins",
    Path("/dev/net/tun"): "the kernel's TUN driver",
}

_Errors = (OSError, NetlinkError, CommandException, SessionException, subprocess.SubprocessError)


NO_FORWARDING = "no: devices will not be reached (sysctl net.ipv4.ip_forward=1 where the EIPs are routed)"


class StrongSwan:
    """One per machine and data folder. Different gateways may be worked on from different threads at once."""

    name = "strongswan"

    def __init__(self, data: Path, site: model.Site, *, stopping: bool = False) -> None:
        """`stopping` makes one that is good for `gateways` and `stop_all` alone, on a machine that can no longer do more:
        the site may name an underlay that has vanished, or none. Raises EngineUnavailable.
        """
        _check_root()
        self._folder = data.resolve() / "engine"
        self._underlay = _what_is_left(site.underlay) if stopping else site.underlay
        if not stopping:
            _check_machine(self._folder, site.underlay)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lines: dict[str, evidence.Lines] = {}
        self._tried: dict[str, dict[str, float]] = {}
        self._watcher: watching.Watcher | None = None

    def describe(self) -> dict[str, str]:
        return {
            "name": self.name,
            "version": self._version,
            "data_plane": "userland",
            "data_plane_reason": self._data_plane_reason,
            "underlay_forwards": "yes" if self._underlay_forwards() else NO_FORWARDING,
        }

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

    @cached_property
    def _data_plane_reason(self) -> str:
        return "the kernel data plane is not built yet" if _kernel_has_esp() else "this kernel has no ESP"

    def gateways(self) -> frozenset[str]:
        return frozenset(self._folders())

    def _folders(self) -> dict[str, Path]:
        found = {}
        for mark in self._folder.glob("*/gateway"):
            with contextlib.suppress(OSError):
                found[mark.read_text()] = mark.parent
        return found

    def _folder_of(self, gateway_id: str) -> Path:
        return self._folder / names.short(gateway_id)

    def _lines_of(self, gateway_id: str) -> evidence.Lines:
        return self._lines.setdefault(gateway_id, evidence.Lines())

    def observe(self, gateway_id: str) -> seen.Seen:
        """Raises StepFailed when a charon is there but does not answer: that is not the same as its being gone, and a
        second one beside it would be worse than none.
        """
        folder = self._folder_of(gateway_id)
        with _operators_words():
            network = namespace.look(gateway_id, self._underlay)
            loaded = self._look_at_charon(gateway_id, folder)
        return seen.Seen(
            at=datetime.now(UTC),
            folder=(folder / "gateway").exists(),
            namespace=namespace.exists(names.namespace(gateway_id)),
            wan=network.wan,
            wan_end=network.wan_end,
            lan=network.lan,
            addresses=network.addresses,
            alive=loaded is not None,
            tried=self._tried_lately(gateway_id),
            **(loaded or {}),
        )

    def _look_at_charon(self, gateway_id: str, folder: Path) -> dict[str, Any] | None:
        """None when there is no charon."""
        try:
            connection = charon.connect(folder)
        except charon.GONE:
            return None
        charon.shorten_log(folder)
        with connection:
            session = charon.session(connection)
            conns = list(session.list_conns())
            secrets = frozenset(key.decode() for key in session.get_shared().get("keys", ()))
            sas = list(session.list_sas())
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
        del gateway_id
        return planning.plan(desired, seen)

    def report(
        self, gateway_id: str, desired: model.DesiredGateway | None, seen: seen.Seen, failures: base.Failures
    ) -> model.Observation:
        return reporting.report(gateway_id, desired, seen, failures)

    def apply(self, gateway_id: str, step: steps.Step) -> None:
        with _operators_words():
            if isinstance(step, steps.OF_CHARON):
                with charon.connect(self._folder_of(gateway_id)) as connection:
                    self._load(gateway_id, charon.session(connection), step)
            else:
                self._build(gateway_id, step)

    def _build(self, gateway_id: str, step: steps.OfGateway) -> None:  # noqa: C901  a table of steps
        folder = self._folder_of(gateway_id)
        match step:
            case steps.AddFolder():
                folder.mkdir(mode=0o700, exist_ok=True)
                (folder / "gateway").write_text(gateway_id)
            case steps.AddNamespace():
                namespace.add(names.namespace(gateway_id))
            case steps.LayWan():
                namespace.lay_wan(gateway_id, self._underlay)
            case steps.LayLan(kind):
                namespace.lay_lan(gateway_id, self._underlay, kind)
            case steps.CutWan():
                namespace.cut(gateway_id, self._underlay, "wan")
            case steps.CutLan():
                namespace.cut(gateway_id, self._underlay, "lan")
            case steps.AddAddresses(addresses):
                namespace.add_addresses(gateway_id, self._underlay, addresses)
            case steps.RemoveAddresses(addresses):
                namespace.remove_addresses(gateway_id, self._underlay, addresses)
            case steps.StartCharon():
                self._start(gateway_id)
            case steps.StopCharon():
                charon.stop(folder)
            case steps.RemoveNamespace():
                namespace.remove(names.namespace(gateway_id))
            case steps.RemoveFolder():
                self._forget(gateway_id)

    def _start(self, gateway_id: str) -> None:
        charon.start(self._folder_of(gateway_id), names.namespace(gateway_id))
        self._tried.pop(gateway_id, None)
        if self._watcher:
            self._watcher.rescan()

    def _forget(self, gateway_id: str) -> None:
        """The mark goes last: a folder that is half removed is still ours."""
        folder = self._folder_of(gateway_id)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "gateway"):
            path.unlink()
        folder.rmdir()
        self._tried.pop(gateway_id, None)
        self._lines.pop(gateway_id, None)

    def _load(self, gateway_id: str, session: Any, step: steps.OfCharon) -> None:
        match step:
            case steps.LoadSecret(_, secret_id, owners, psk):
                session.load_shared({"id": secret_id, "type": "IKE", "data": psk.reveal(), "owners": list(owners)})
            case steps.UnloadSecret(_, secret_id):
                session.unload_shared({"id": secret_id})
            case steps.LoadConn(connection_id, conn):
                session.load_conn({connection_id: conn})
            case steps.UnloadConn(connection_id):
                session.unload_conn({"name": connection_id})
            case steps.TerminateIke(_, unique_id):
                _terminate(session, {"ike-id": unique_id})
            case steps.TerminateChild(_, unique_id, _):
                _terminate(session, {"child-id": unique_id})
            case steps.Initiate():
                self._initiate(gateway_id, session, step)

    def _initiate(self, gateway_id: str, session: Any, step: steps.Initiate) -> None:
        """-1: do not wait. Blocking calls would use up charon's threads, and their errors never carry the cause."""
        self._tried.setdefault(gateway_id, {})[step.child] = time.monotonic()
        if self._watcher:
            self._watcher.call_after(gateway_id, RETRY)
        list(session.initiate({"ike": step.connection_id, "child": step.child, "timeout": "-1"}))

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        watcher = watching.Watcher(self._folders, self._lines_of, changed)
        self._watcher = watcher
        try:
            watcher.run(stop)
        finally:
            self._watcher = None

    def stop_all(self) -> None:
        """Takes down everything that this data folder has on this machine. A gateway that cannot be taken down keeps no other
        one up; at the end StepFailed names all of them.
        """
        failures = []
        for gateway_id in sorted(self.gateways()):
            try:
                self._stop(gateway_id)
            except base.StepFailed as error:
                failures.append(f"gateway {gateway_id}: {error}")
        if failures:
            raise base.StepFailed("; ".join(failures))

    def _stop(self, gateway_id: str) -> None:
        for step in self.plan(gateway_id, None, self.observe(gateway_id)):
            self.apply(gateway_id, step)


def _terminate(session: Any, which: dict[str, str]) -> None:
    """An SA that has gone by itself in the meantime is as good."""
    with contextlib.suppress(CommandException):
        list(session.terminate({**which, "force": "yes", "timeout": FAREWELL}))


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
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).removeprefix("Command failed: ")


def _check_root() -> None:
    if os.geteuid() != 0:
        raise base.EngineUnavailable("the strongswan engine must run as root")


def _what_is_left(underlay: str | None) -> str | None:
    """Legs in a namespace that has vanished went with it, or go with the gateway's own."""
    return underlay if underlay is not None and namespace.exists(underlay) else None


def _check_machine(folder: Path, underlay: str | None) -> None:
    missing = [f"{path} ({source})" for path, source in _NEEDED.items() if not path.exists()]
    missing += [f"the command {tool}" for tool in ("ip", "nsenter", "setsid") if not shutil.which(tool)]
    if underlay is not None and not namespace.exists(underlay):
        missing.append(f"the network namespace {underlay}")
    if missing:
        raise base.EngineUnavailable(f"this machine lacks {', '.join(missing)}")
    longest = len(os.fsencode(charon.socket_path(folder / ("0" * 12))))
    if longest >= charon.SOCKET_PATH_LIMIT:
        room = len(os.fsencode(folder.parent)) - (longest - charon.SOCKET_PATH_LIMIT + 1)
        raise base.EngineUnavailable(f"the path of the data folder {folder.parent} is too long: {room} bytes at most")


def _kernel_has_esp() -> bool:
    """Asks by adding an SA in a namespace that ends with the question."""
    state = "xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 0x100 mode tunnel enc cipher_null"
    command = ["unshare", "--net", "ip", *state.split(), "", "auth", "digest_null", ""]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
