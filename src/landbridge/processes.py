"""More processes of this program beside the first one: started, heard, and replaced when one ends.

Python computes on one processor at a time, so a process a processor answers the API; the first one alone has the agent. A process beside
it is given what it needs in a file in memory, and names on its standard output the gateways that the agent is to look at, an id a
line. A byte on its standard input tells it to end in good order; the end of its input, that the first is gone: then it ends at once.

Invariants: nobody is told of an id that did not arrive whole. `Beside.end` takes no lock: a signal handler may call it at any time.
"""

import contextlib
import logging
import math
import os
import pickle
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

#: Until another process takes the place of one that ended; twice as long each time that it did not last.
AGAIN_SECONDS, AGAIN_SECONDS_AT_MOST = 1.0, 60.0
#: How long those that are told to end may take: what they are answering has 5 seconds.
PATIENCE_SECONDS = 10.0
#: A gateway's id: a UUID, in lower case, as the store has it.
_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID_BYTES = 36
IDS_A_WRITE = select.PIPE_BUF // (ID_BYTES + 1)


class Pulse:
    """When the agent last looked at all gateways, for every process that is asked: eight bytes in memory that they share."""

    def __init__(self, file: int | None = None) -> None:
        self.file = os.memfd_create("landbridge-pulse") if file is None else file

    def beat(self) -> None:
        os.pwrite(self.file, struct.pack("d", time.monotonic()), 0)

    @property
    def age(self) -> float:
        """Seconds; infinite before the first beat."""
        told = os.pread(self.file, 8, 0)
        return time.monotonic() - float(struct.unpack("d", told)[0]) if told else math.inf


class Beside:
    """Processes of the Python module `module`, from `start` to `end` or `stop`. `heed` is called with the ids that they name."""

    def __init__(self, module: str, heed: Callable[[set[str]], None]) -> None:
        self._command = [sys.executable, "-P", "-m", module]
        self._heed = heed
        self._stopping = threading.Event()
        self._running: set[Any] = set()
        self._changing = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._threads = [threading.Thread(target=self._end_when_woken, name="beside-end", daemon=True)]
        self._threads[0].start()

    def start(self, given: Any, files: Sequence[int]) -> None:
        """One more. `given` and the open `files` are what it gets, and whoever takes its place."""
        thread = threading.Thread(target=self._keep, args=(pickle.dumps(given), files), name="beside")
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Lets them finish what they are answering, and no more. Returns at once."""
        with contextlib.suppress(OSError):  # it was told often enough, or has ended
            self._wake.send(b".")

    def _end_when_woken(self) -> None:
        self._woken.recv(1)
        with self._changing:
            self._stopping.set()
            for process in self._running:
                _tell_to_end(process)

    def stop(self) -> None:
        """Waits for their end."""
        self.end()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._changing:
            for process in self._running:
                process.kill()
        for thread in self._threads:
            thread.join()
        self._wake.close()
        self._woken.close()

    def _keep(self, given: bytes, files: Sequence[int]) -> None:
        pause = AGAIN_SECONDS
        with _in_memory(given) as file:
            while not self._stopping.is_set():
                started = time.monotonic()
                why = self._run(file, files)
                lasted = time.monotonic() - started > AGAIN_SECONDS_AT_MOST
                pause = AGAIN_SECONDS if lasted else min(pause, AGAIN_SECONDS_AT_MOST)
                if not self._stopping.is_set():
                    log.error("a process that answers the API %s; another one takes its place in %.0f s", why, pause)
                self._stopping.wait(pause)
                pause *= 2

    def _run(self, given: int, files: Sequence[int]) -> str:
        """Until the process ends; gives how it did."""
        with self._changing:
            try:
                process: Any = subprocess.Popen(  # noqa: S603
                    [*self._command, str(given)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=(*files, given),
                    start_new_session=True,  # a Ctrl-C is the first one's to heed
                )
            except OSError as error:
                return f"could not be started ({error.strerror})"
            self._running.add(process)
            if self._stopping.is_set():
                _tell_to_end(process)
        try:
            hear(process.stdout.fileno(), self._heed)
            process.wait()
        finally:
            with self._changing:
                self._running.discard(process)
                with contextlib.suppress(OSError):
                    process.stdin.close()
            process.stdout.close()
        return f"ended with {process.returncode}"


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """A file that can be written whole and at once, whoever reads it when: a pipe takes 64 KiB from a writer that nobody hears."""
    file = os.memfd_create("landbridge-given")
    try:
        with os.fdopen(os.dup(file), "wb") as writing:
            writing.write(content)
        yield file
    finally:
        os.close(file)


def _tell_to_end(process: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended
        process.stdin.write(b".")
        process.stdin.flush()


def hear(output: int, heed: Callable[[set[str]], None]) -> None:
    """Calls `heed` with the ids that come, until the other end is closed. What is no id is dropped, whoever wrote it."""
    rest = b""
    while chunk := os.read(output, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: ID_BYTES + 1]  # one byte too many is as wrong as any number
        ids = {line.decode() for line in lines if _ID.fullmatch(line)}
        if wrong := [line for line in lines if not _ID.fullmatch(line)]:
            log.warning("dropped %d lines that are no gateway's id, %.80r among them", len(wrong), wrong[0])
        if ids:
            heed(ids)


def given(file: int) -> Any:
    """In a process beside the first: what it is given. From now on it ends when the first wants it, or is gone."""
    found = pickle.loads(Path(f"/proc/self/fd/{file}").read_bytes())  # noqa: S301 - of the process that started this one
    os.close(file)
    os.set_blocking(sys.stdout.fileno(), False)
    threading.Thread(target=_heed_the_first, name="first", daemon=True).start()
    return found


def _heed_the_first() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not of the buffer: its lock would be held when the interpreter ends
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def tell(gateway_ids: Collection[str], output: int | None = None) -> None:
    """In a process beside the first: these are to be looked at. Lost where nobody listens, or not fast enough: then the next
    tick finds what changed. A write of so many bytes is done whole or not at all (pipe(7), PIPE_BUF).
    """
    output = sys.stdout.fileno() if output is None else output
    lines = [f"{one}\n".encode() for one in gateway_ids]
    with contextlib.suppress(OSError):
        for start in range(0, len(lines), IDS_A_WRITE):
            os.write(output, b"".join(lines[start : start + IDS_A_WRITE]))
