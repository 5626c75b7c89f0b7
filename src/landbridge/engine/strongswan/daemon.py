"""The life cycle of a daemon in a gateway's network namespace: start, adopt, stop.

A daemon is a program with a control socket and a configuration in the gateway's folder; it may be charon, a routing daemon or a prober.
This module does not know what the daemon does. Invariants: a daemon outlives the service, and its socket is enough to adopt it, however it
was started. A process is signalled only when the kernel says that it listens on that socket, or that it runs this program in the gateway's
namespace while nobody can reach it. A socket that somebody listens on is never deleted.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from landbridge import paths

#: `sun_path` of <linux/un.h>, its closing zero included.
SOCKET_PATH_LIMIT = 108
#: Seconds. charon answers in milliseconds; with a thousand tunnels coming up at once it was seen to take one.
ANSWER_TIMEOUT = 10.0
START_TIMEOUT = 30.0
STOP_TIMEOUT = 3.0
#: What `connect` raises when nobody listens. Nothing else means that: a daemon that hangs has a full backlog, which is EAGAIN.
NOT_LISTENING = (FileNotFoundError, ConnectionRefusedError)
#: What `connect` and an answer raise when somebody listens and does not answer.
NO_ANSWER = (TimeoutError, BlockingIOError)
SYSTEMD_RUNS = Path(paths.SYSTEMD)
_SIGNALS = (signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Launch:
    """How daemons are started on this machine: `as_units` where systemd runs, else as children that outlive us. `sockets` is the folder of
    the sockets, None for the gateway's own.
    """

    as_units: bool = False
    sockets: Path | None = None


AS_CHILDREN = Launch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A kind of daemon. Its files are in the gateway's folder."""

    name: str
    program: Path
    socket_file: str
    configuration_file: str
    output_file: str
    log_file: str
    #: May contain `{configuration}` and `{socket}`, which become their paths.
    arguments: tuple[str, ...] = ()
    #: The variable that holds the path of the configuration; empty for none.
    environment: str = ""
    #: The command that runs the program of a child. May contain `{folder}`, the gateway's folder, and `{data}`, the
    #: data folder.
    wrapper: tuple[str, ...] = ()
    #: The systemd unit. The folder's name is added to it.
    unit: str = ""
    #: Where the unit reads the options of a start, as the variable OPTIONS; empty for none.
    options_file: str = ""

    def socket_path(self, folder: Path) -> Path:
        """The socket, or a link to it: a client can connect to either."""
        return folder / self.socket_file

    def connect(self, folder: Path) -> socket.socket:
        """Raises one of NOT_LISTENING when nobody listens, and another OSError when that cannot be told."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(ANSWER_TIMEOUT)
            connection.connect(str(self.socket_path(folder)))
        except OSError:
            connection.close()
            raise
        return connection

    def is_alive(self, folder: Path) -> bool:
        """Whether somebody listens on the socket. Raises OSError when connecting does not tell."""
        try:
            self.connect(folder).close()
        except NOT_LISTENING:
            return False
        return True

    def start(
        self,
        folder: Path,
        namespace: str,
        configuration: Callable[[Path], str],
        launch: Launch = AS_CHILDREN,
        options: tuple[str, ...] = (),
    ) -> None:
        """Returns when somebody listens on the socket. `configuration`: path of the socket -> text of the configuration; `options`: of
        this start alone. Raises OSError with the last lines of the daemon's output, or because one is alive: two would share the addresses, and
        nobody could reach the first any more.
        """
        if self.is_alive(folder):
            raise OSError(f"a {self.name} runs already")
        path, socket_path = folder / self.configuration_file, self._clear_socket(folder, launch.sockets)
        path.write_text(configuration(socket_path))
        if self.options_file:
            (folder / self.options_file).write_text(f"OPTIONS={' '.join(options)}\n")
        self.end_lost(namespace)
        if launch.as_units and SYSTEMD_RUNS.exists():
            self._start_unit(f"{self.unit}{folder.name}.service", folder)
        else:
            self._start_child(path, socket_path, namespace, options)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.is_alive(folder):
            if time.monotonic() > deadline:
                raise OSError(f"{self.name} did not start: {self._last_output(folder)}")
            time.sleep(0.005)

    def stop(self, folder: Path) -> None:
        """Returns when the process is gone. SIGTERM lets a daemon tell its peers. Raises OSError when it cannot find out the process.

        A daemon in a unit is stopped in the same way: systemd sees it end well, and one that was started as a child is met too.
        """
        try:
            process = self._process(folder)
        except NOT_LISTENING:
            return
        self._end(process, *_SIGNALS)
        self.socket_path(folder).resolve().unlink(missing_ok=True)
        self.socket_path(folder).unlink(missing_ok=True)

    def end(self, pids: Iterable[int], *, kill: bool = False) -> None:
        """Ends those processes that run this program. `kill`: without SIGTERM, which a process that hangs would not hear, or would hear too
        late. Raises OSError for one that does not stop.
        """
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                process = os.pidfd_open(pid)
                if self.is_run_by(pid):  # after the pidfd: it is this process or none
                    self._end(process, *((signal.SIGKILL,) if kill else _SIGNALS))
                else:
                    os.close(process)

    def is_run_by(self, pid: int) -> bool:
        """Whether the process runs this program, also when an upgrade has replaced the program since."""
        try:
            return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)") == str(self.program)
        except OSError:
            return False

    def _clear_socket(self, folder: Path, sockets: Path | None) -> Path:
        """Returns the path to listen on, with nothing there. For a socket in another folder the link is made first: nobody
        would find a daemon without a link.
        """
        link = self.socket_path(folder)
        link.unlink(missing_ok=True)
        if sockets is None:
            return link
        sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = sockets / f"{folder.name}{link.suffix}"
        path.unlink(missing_ok=True)
        link.symlink_to(path)
        return path

    def _start_unit(self, unit: str, folder: Path) -> None:
        """`restart`, since nobody can reach a unit that runs while nobody listens on its socket."""
        done = subprocess.run(["systemctl", "restart", unit], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603, S607
        if done.returncode:
            message = (done.stderr.strip().splitlines() or ["systemctl said nothing"])[0]
            raise OSError(f"{unit} did not start: {message} ({self._last_output(folder)})")

    def _start_child(self, configuration: Path, socket_path: Path, namespace: str, options: tuple[str, ...]) -> None:
        arguments = [argument.format(configuration=configuration, socket=socket_path) for argument in self.arguments]
        folder = configuration.parent
        wrapper = (argument.format(folder=folder, data=folder.parents[1]) for argument in self.wrapper)
        program = (*wrapper, str(self.program), *arguments, *options)
        command = ["nsenter", f"--net={paths.NETNS}/{namespace}", "setsid", "--fork", *program]
        environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
        if self.environment:
            environment[self.environment] = str(configuration)
        with configuration.with_name(self.output_file).open("wb") as out:
            subprocess.run(  # noqa: S603
                command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True
            )

    def _last_output(self, folder: Path) -> str:
        for name in (self.output_file, self.log_file):
            with contextlib.suppress(OSError):
                if (folder / name).is_fifo():
                    return f"{folder / name} is a FIFO, where who writes waits for who reads"
                lines = (folder / name).read_text(errors="replace").split("\n")
                words = [line for line in lines if line.strip()]
                if words:
                    return words[-1].strip()
        return "it said nothing"

    def _end(self, process: int, *signals: signal.Signals) -> None:
        """`process` is a pidfd, and is closed."""
        try:
            for number in signals:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], STOP_TIMEOUT)[0]:
                    return
            raise OSError(f"{self.name} does not stop")
        finally:
            os.close(process)

    def end_lost(self, namespace: str, *, kill: bool = False) -> None:
        """Ends daemons whose socket somebody deleted: a new daemon would receive no packets beside them. The namespace is ours, and so are
        they. `kill`: see `end`.
        """
        command = ["ip", "netns", "pids", namespace]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        self.end(map(int, done.stdout.split()), kill=kill)

    def _process(self, folder: Path) -> int:
        """A pidfd of whoever listens on the socket: a pid alone may be another process's by the time it is used."""
        with self.connect(folder) as connection:
            return os.pidfd_open(listener(connection))


def listener(connection: socket.socket) -> int:
    """The pid of whoever listens at the other end."""
    pid: int = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[
        0
    ]
    return pid
