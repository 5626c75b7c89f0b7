"""One charon-systemd: its configuration, its process and its VICI socket.

It may not know what a connection is. Invariants: charon outlives us and is found again by its socket alone, whichever way it
was started; no process is signalled unless the kernel says that it listens on that socket, or that it is a charon in the gateway's
own namespace that can be reached by nobody any more; a socket that somebody listens on is
never taken away.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import vici
import vici.exception
import vici.protocol

from landbridge import paths
from landbridge.engine.strongswan import state

BINARY = Path(paths.CHARON)
#: `sun_path` of <linux/un.h>, its closing zero included.
SOCKET_PATH_LIMIT = 108
#: Seconds. charon answers in milliseconds; with a thousand tunnels coming up at once it was seen to take one.
ANSWER_TIMEOUT = 10.0
START_TIMEOUT = 30.0
STOP_TIMEOUT = 3.0
#: Bytes.
LOG_LIMIT = 8 * 1024 * 1024
#: IKE_SAs of all peers that are begun and not authenticated, and messages that wait for a thread.
HALF_OPEN_LIMIT = 5000
#: What `connect` raises when nobody listens. Nothing else means that: a charon that hangs has a full backlog, which is EAGAIN.
NOT_LISTENING = (FileNotFoundError, ConnectionRefusedError)
#: What an answer raises that is not VICI.
PROTOCOL_ERRORS = (
    vici.exception.DeserializationException,
    vici.exception.EventUnknownException,
    vici.exception.SessionException,
    struct.error,
    UnicodeDecodeError,
)
SYSTEMD_RUNS = Path(paths.SYSTEMD)

#: The plugin that does ESP in charon itself.
_USERLAND = "kernel-libipsec"
#: Each line was needed once; see the reasons beside them.
_CONFIGURATION = """\
# restarts = {restarts}
charon-systemd {{
  # Without a list every installed plugin loads, those that install routes and resolvers of their own included.
  load_modular = no
  load = random nonce openssl kdf pem pubkey x509 pkcs1 {kernel} kernel-netlink socket-default vici counters
  # 16 starve when many tunnels come up at once.
  threads = 32
  # A whole office behind one NAT, or all peers after a restart, look like an attack. Cookies stay: they only delay. 0 is no
  # limit by the manual, and 4 half-open SAs of an address in truth: charon lifts it above cookie_threshold_ip.
  block_threshold = 65535
  # Of all peers together, behind the cookies of IKEv2 and the firewall's limits for IKEv1: what is begun and not authenticated,
  # and messages that wait for a thread.
  init_limit_half_open = {begun}
  init_limit_job_load = {begun}
  ikesa_table_size = 256
  ikesa_table_segments = 8
  make_before_break = yes
  # Without it a responder refuses IKEv1 aggressive mode with a PSK, which the API offers.
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  # kernel-libipsec installs routes whatever is said here; where ESP is in the kernel they are ours.
  install_routes = no
  # All selectors are specific there, and their routes must win against those of the links.
  routing_table = 220
  routing_table_prio = 220
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
  }}
  filelog {{
    file {{
      path = {folder}/charon.log
      append = yes
      flush_line = yes
      time_format = %Y-%m-%dT%H:%M:%S
      default = 1
    }}
  }}
  journal {{
    default = -1
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """How charons are started on this machine: as `unit` with the folder's name where systemd runs, else as children that
    outlive us. `sockets` is where they listen, None beside their other files.
    """

    unit: str = ""
    sockets: Path | None = None


AS_CHILDREN = Launch()


def socket_path(folder: Path) -> Path:
    """The socket, or a link to it: either can be connected to."""
    return folder / "charon.vici"


def connect(folder: Path) -> socket.socket:
    """Raises one of NOT_LISTENING when nobody listens, and another OSError when that cannot be told."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ANSWER_TIMEOUT)
        connection.connect(str(socket_path(folder)))
    except OSError:
        connection.close()
        raise
    return connection


def is_alive(folder: Path) -> bool:
    """Raises OSError when it cannot be told."""
    try:
        connect(folder).close()
    except NOT_LISTENING:
        return False
    return True


class Transport(vici.protocol.Transport):  # type: ignore[misc]
    """The library's own waits for ever once the first byte of an answer has come, and believes any length."""

    def _recvall(self, count: int, _timeout: object = None) -> bytes:
        if count > self.MAX_SEGMENT:
            raise vici.exception.DeserializationException(f"a packet of {count} bytes")
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionResetError("charon hung up")
            data += part
        return data


def start(folder: Path, namespace: str, plane: state.Plane, launch: Launch = AS_CHILDREN, restarts: int = 0) -> None:
    """Returns when VICI answers. `restarts`: how many were asked for by then, for `started`. Raises OSError with charon's last words, or because one is there: two would share the
    addresses, and the first could no longer be reached.
    """
    if is_alive(folder):
        raise OSError("a charon runs already")
    configuration = folder / paths.CHARON_CONFIGURATION
    kernel = _USERLAND if plane == "userland" else ""
    socket = _clear_socket(folder, launch.sockets)
    configuration.write_text(
        _CONFIGURATION.format(begun=HALF_OPEN_LIMIT, folder=folder, kernel=kernel, socket=socket, restarts=restarts)
    )
    _end_lost(namespace)
    if launch.unit and SYSTEMD_RUNS.exists():
        _start_unit(f"{launch.unit}{folder.name}.service", folder)
    else:
        _start_child(configuration, namespace)
    deadline = time.monotonic() + START_TIMEOUT
    while not is_alive(folder):
        if time.monotonic() > deadline:
            raise OSError(f"charon did not start: {_last_words(folder)}")
        time.sleep(0.005)


def plane(folder: Path) -> state.Plane | None:
    """Of the charon that runs: with what it was started. None when somebody took its configuration away."""
    try:
        plugins = re.search(r"^ *load = (.*)$", (folder / paths.CHARON_CONFIGURATION).read_text(), re.MULTILINE)
    except FileNotFoundError:
        return None
    return "userland" if plugins and _USERLAND in plugins[1].split() else "kernel"


def started(folder: Path) -> tuple[int, datetime | None]:
    """How many restarts had been asked for when the charon was started last, and when that was."""
    configuration = folder / paths.CHARON_CONFIGURATION
    try:
        found = re.match(r"# restarts = (\d+)$", configuration.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0, datetime.fromtimestamp(configuration.stat().st_mtime, UTC)
    except FileNotFoundError:
        return 0, None


def _clear_socket(folder: Path, sockets: Path | None) -> Path:
    """The path to listen on, with nothing there. One in another folder gets its link first: a charon without would be lost."""
    link = socket_path(folder)
    link.unlink(missing_ok=True)
    if sockets is None:
        return link
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = sockets / f"{folder.name}.vici"
    path.unlink(missing_ok=True)
    link.symlink_to(path)
    return path


def _start_unit(unit: str, folder: Path) -> None:
    """`restart`: one that runs, and on whose socket nobody listens, can be reached by nobody any more."""
    done = subprocess.run(["systemctl", "restart", unit], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603, S607
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["systemctl said nothing"])[0]
        raise OSError(f"{unit} did not start: {said} ({_last_words(folder)})")


def _start_child(configuration: Path, namespace: str) -> None:
    command = ["nsenter", f"--net={paths.NETNS}/{namespace}", "setsid", "--fork", str(BINARY)]
    environment = {
        "STRONGSWAN_CONF": str(configuration),
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    }
    with configuration.with_name(paths.CHARON_OUTPUT).open("wb") as out:
        subprocess.run(  # noqa: S603
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True
        )


def _last_words(folder: Path) -> str:
    for name in (paths.CHARON_OUTPUT, "charon.log"):
        with contextlib.suppress(OSError):
            lines = (folder / name).read_text(errors="replace").split("\n")
            words = [line for line in lines if line.strip()]
            if words:
                return words[-1].strip()
    return "it said nothing"


def shorten_log(folder: Path) -> None:
    """Keeps the last full log as charon.log.1. charon appends, so what it writes next stands at the beginning."""
    log = folder / "charon.log"
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, folder / "charon.log.1")
            os.truncate(log, 0)


def stop(folder: Path) -> None:
    """Returns when the process is gone. SIGTERM lets it tell its peers. Raises OSError when it cannot be found out who it is.

    One in a unit is stopped in the same way: systemd sees it end well, and one that was started as a child is met too.
    """
    try:
        process = _process(folder)
    except NOT_LISTENING:
        return
    _end(process)
    socket_path(folder).resolve().unlink(missing_ok=True)
    socket_path(folder).unlink(missing_ok=True)


def _end(process: int) -> None:
    """`process` is a pidfd, and is closed."""
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], STOP_TIMEOUT)[0]:
                return
        raise OSError("charon does not stop")
    finally:
        os.close(process)


def _end_lost(namespace: str) -> None:
    """Charons whose socket somebody took away: beside them another one would hear nothing. The namespace is ours, and they are."""
    command = ["ip", "netns", "pids", namespace]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    end(map(int, done.stdout.split()))


def end(pids: Iterable[int]) -> None:
    """Those among them that are charons. Raises OSError for one that does not stop."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            if is_charon(pid):  # after the pidfd: it is this process or none
                _end(process)
            else:
                os.close(process)


def is_charon(pid: int) -> bool:
    """Also one whose program was replaced by an upgrade."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)") == str(BINARY)
    except OSError:
        return False


def _process(folder: Path) -> int:
    """A pidfd of whoever listens on the socket: a pid alone may be another process's by the time it is used."""
    with connect(folder) as connection:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return os.pidfd_open(struct.unpack("3i", credentials)[0])
