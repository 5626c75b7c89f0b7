"""More processes of this program beside the first one: started, heard, and replaced when one ends.

Python computes on one processor at a time, so a process a processor answers the API; the first one alone has the agent. A process beside
it is given what it needs on its standard input, and names on its standard output the gateways that the agent is to look at, an id a
line. A byte more on its input tells it to end in good order; the end of its input, that the first is gone: then it ends at once.
"""

import contextlib
import logging
import math
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)

#: Until another process takes the place of one that ended; twice as long each time that it did not last.
AGAIN_SECONDS, AGAIN_SECONDS_AT_MOST = 1.0, 60.0
#: How long those that are told to end may take: what they are answering has 5 seconds.
PATIENCE_SECONDS = 10.0


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
        self._threads: list[threading.Thread] = []

    def start(self, given: Any, files: Sequence[int]) -> None:
        """One more. `given` and the open `files` are what it gets, and whoever takes its place."""
        thread = threading.Thread(target=self._keep, args=(pickle.dumps(given), files), name="beside")
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Lets them finish what they are answering, and no more."""
        with self._changing:
            if not self._stopping.is_set():
                self._stopping.set()
                for process in self._running:
                    _say(process, b".")

    def stop(self) -> None:
        """Waits for their end."""
        self.end()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for process in list(self._running):
            process.kill()
        for thread in self._threads:
            thread.join()

    def _keep(self, given: bytes, files: Sequence[int]) -> None:
        pause = AGAIN_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            why = self._run(given, files)
            lasted = time.monotonic() - started > AGAIN_SECONDS_AT_MOST
            pause = AGAIN_SECONDS if lasted else min(pause, AGAIN_SECONDS_AT_MOST)
            if not self._stopping.is_set():
                log.error("a process that answers the API %s; another one takes its place in %.0f s", why, pause)
            self._stopping.wait(pause)
            pause *= 2

    def _run(self, given: bytes, files: Sequence[int]) -> str:
        """Until the process ends; gives how it did."""
        with self._changing:
            try:
                process: Any = subprocess.Popen(  # noqa: S603
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=files,
                    start_new_session=True,  # a Ctrl-C is the first one's to heed
                )
            except OSError as error:
                return f"could not be started ({error.strerror})"
            self._running.add(process)
            _say(process, given + b"." if self._stopping.is_set() else given)
        try:
            self._hear(process.stdout.fileno())
            process.wait()
        finally:
            with self._changing:
                self._running.discard(process)
                with contextlib.suppress(OSError):
                    process.stdin.close()
            process.stdout.close()
        return f"ended with {process.returncode}"

    def _hear(self, output: int) -> None:
        rest = b""
        while chunk := os.read(output, 65536):
            *whole, rest = (rest + chunk).split(b"\n")
            self._heed({one.decode("ascii", "replace") for one in whole})


def _say(process: Any, words: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended
        process.stdin.write(words)
        process.stdin.flush()


def given() -> Any:
    """In a process beside the first: what it is given. From now on it ends when the first wants it, or is gone."""
    found = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
    os.set_blocking(sys.stdout.fileno(), False)
    threading.Thread(target=_heed_the_first, name="first", daemon=True).start()
    return found


def _heed_the_first() -> None:
    while sys.stdin.buffer.read(1):
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def tell(gateway_ids: set[str]) -> None:
    """In a process beside the first: these are to be looked at. Lost where nobody listens, or not fast enough."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), "".join(f"{one}\n" for one in gateway_ids).encode())
