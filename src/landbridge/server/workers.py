"""The worker processes: the first process starts them, listens to them, and replaces each one that ends.

Python computes on one processor at a time, so one process for each processor answers the API. Only the first process has the agent. The
others are its workers. A worker reads its parameters from a file in memory. It writes nudges to its standard output: one gateway id a
line. One byte on its standard input asks it to stop in good order. The end of that input means that the first process is gone; then
the worker exits at once.

Invariants: an id that did not arrive whole nudges nobody. `Workers.request_stop` takes no lock, so a signal handler may call it at any
time.
"""

import contextlib
import logging
import os
import pickle
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

#: Seconds until an ended worker is replaced. The pause doubles each time that a worker ends early.
RESTART_SECONDS, MAX_RESTART_SECONDS = 1.0, 60.0
#: Seconds until a worker that was asked to stop is killed. The requests that it answers have 5 seconds.
STOP_SECONDS = 10.0
#: A gateway's id: a UUID, in lower case, as the store has it.
_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID_BYTES = 36
IDS_A_WRITE = select.PIPE_BUF // (ID_BYTES + 1)


class Workers:
    """Processes that run the Python module `module`. `on_nudge` is called with the gateway ids that they send."""

    def __init__(self, module: str, on_nudge: Callable[[set[str]], None]) -> None:
        self._command = [sys.executable, "-P", "-m", module]
        self._on_nudge = on_nudge
        self._stopping = threading.Event()
        self._running: set[Any] = set()
        self._changing = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._threads = [threading.Thread(target=self._stop_when_woken, name="workers-stop", daemon=True)]
        self._threads[0].start()

    def start(self, parameters: Any, files: Sequence[int]) -> None:
        """Starts one more worker. It and each replacement get `parameters` (pickled) and inherit the open `files`."""
        thread = threading.Thread(target=self._supervise, args=(pickle.dumps(parameters), files), name="worker")
        self._threads.append(thread)
        thread.start()

    def request_stop(self) -> None:
        """Asks the workers to finish the requests that they answer, and to end. Returns at once."""
        with contextlib.suppress(OSError):  # the request was sent often enough, or the workers have ended
            self._wake.send(b".")

    def _stop_when_woken(self) -> None:
        self._woken.recv(1)
        with self._changing:
            self._stopping.set()
            for process in self._running:
                _ask_to_stop(process)

    def stop(self) -> None:
        """Asks the workers to stop and waits for their end."""
        self.request_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._changing:
            for process in self._running:
                process.kill()
        for thread in self._threads:
            thread.join()
        self._wake.close()
        self._woken.close()

    def _supervise(self, parameters: bytes, files: Sequence[int]) -> None:
        pause = RESTART_SECONDS
        with _memory_file(parameters) as file:
            while not self._stopping.is_set():
                started = time.monotonic()
                why = self._run(file, files)
                lasted = time.monotonic() - started > MAX_RESTART_SECONDS
                pause = RESTART_SECONDS if lasted else min(pause, MAX_RESTART_SECONDS)
                if not self._stopping.is_set():
                    log.error("a process that answers the API %s; another one takes its place in %.0f s", why, pause)
                self._stopping.wait(pause)
                pause *= 2

    def _run(self, parameters: int, files: Sequence[int]) -> str:
        """Runs one worker until it ends. Returns how it ended."""
        with self._changing:
            try:
                process: Any = subprocess.Popen(  # noqa: S603
                    [*self._command, str(parameters)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=(*files, parameters),
                    start_new_session=True,  # Ctrl-C goes to the first process alone
                )
            except OSError as error:
                return f"could not be started ({error.strerror})"
            self._running.add(process)
            if self._stopping.is_set():
                _ask_to_stop(process)
        try:
            receive_nudges(process.stdout.fileno(), self._on_nudge)
            process.wait()
        finally:
            with self._changing:
                self._running.discard(process)
                with contextlib.suppress(OSError):
                    process.stdin.close()
            process.stdout.close()
        return f"ended with {process.returncode}"


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    """Yields the descriptor of a file in memory. A pipe would block the writer after 64 KiB until the worker reads."""
    file = os.memfd_create("landbridge-parameters")
    try:
        with os.fdopen(os.dup(file), "wb") as writing:
            writing.write(content)
        yield file
    finally:
        os.close(file)


def _ask_to_stop(process: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended
        process.stdin.write(b".")
        process.stdin.flush()


def receive_nudges(output: int, on_nudge: Callable[[set[str]], None]) -> None:
    """Reads the worker's `output` until the worker closes it, and calls `on_nudge` with the ids. Drops lines that are not an id."""
    rest = b""
    while chunk := os.read(output, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: ID_BYTES + 1]  # one byte too many is as wrong as any number
        ids = {line.decode() for line in lines if _ID.fullmatch(line)}
        if wrong := [line for line in lines if not _ID.fullmatch(line)]:
            log.warning("dropped %d lines that are no gateway's id, %.80r among them", len(wrong), wrong[0])
        if ids:
            on_nudge(ids)


def read_parameters(file: int) -> Any:
    """Called by a worker: returns the parameters of `Workers.start`. From now on the worker stops when the first process asks for it or
    ends.
    """
    received = pickle.loads(Path(f"/proc/self/fd/{file}").read_bytes())  # noqa: S301 - written by the process that started this one
    os.close(file)
    os.set_blocking(sys.stdout.fileno(), False)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    return received


def _follow_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not from the buffer: its lock would be held when the interpreter ends
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def send_nudge(gateway_ids: Collection[str], output: int | None = None) -> None:
    """Called by a worker: asks the agent to look at these gateways. A nudge is lost when the first process does not read fast enough; the
    next tick finds the change. Each write of at most PIPE_BUF bytes is done whole or not at all (pipe(7)).
    """
    output = sys.stdout.fileno() if output is None else output
    lines = [f"{gateway_id}\n".encode() for gateway_id in gateway_ids]
    with contextlib.suppress(OSError):
        for start in range(0, len(lines), IDS_A_WRITE):
            os.write(output, b"".join(lines[start : start + IDS_A_WRITE]))
