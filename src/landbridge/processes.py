"""More processes of this program beside the first one: started, heard, and replaced when one ends.

Python computes on one processor at a time, so a process a processor answers the API; the first one alone has the agent. A process beside
it is given what it needs on its standard input, and names on its standard output the gateways that the agent is to look at, an id a
line. It knows that the first is gone, however that went, by the end of a pipe that nobody writes to.
"""

import contextlib
import logging
import math
import os
import pickle
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)

#: Until another process takes the place of one that ended.
AGAIN_SECONDS = 1.0
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
    """Processes of the Python module `module`, from `start` to `stop`. `heed` is called with the ids that they name."""

    def __init__(self, module: str, heed: Callable[[set[str]], None]) -> None:
        self._alive, self._life = os.pipe()
        self._command = [sys.executable, "-m", module]
        self._heed = heed
        self._stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._threads: list[threading.Thread] = []

    def start(self, given: Any, files: Sequence[int]) -> None:
        """One more. `given` and the open `files` are what it gets, and whoever takes its place."""
        words = pickle.dumps((self._alive, given))
        thread = threading.Thread(target=self._keep, args=(words, (self._alive, *files)), name="beside")
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Lets them finish what they are answering, and waits for their end."""
        self._stopping.set()
        os.close(self._life)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for process in list(self._running):
            process.kill()
        for thread in self._threads:
            thread.join()
        os.close(self._alive)

    def _keep(self, words: bytes, files: tuple[int, ...]) -> None:
        while not self._stopping.is_set():
            why = self._run(words, files)
            if not self._stopping.wait(AGAIN_SECONDS):
                log.error("a process that answers the API %s; another one takes its place", why)

    def _run(self, words: bytes, files: tuple[int, ...]) -> str:
        """Until the process ends; gives how it did."""
        try:
            process: Any = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=files
            )
        except OSError as error:
            return f"could not be started ({error.strerror})"
        with process:
            self._running.add(process)
            with contextlib.suppress(BrokenPipeError), process.stdin as its_input:
                its_input.write(words)
            self._hear(process.stdout.fileno())
            process.wait()
            self._running.discard(process)
        return f"ended with {process.returncode}"

    def _hear(self, output: int) -> None:
        rest = b""
        while chunk := os.read(output, 65536):
            *whole, rest = (rest + chunk).split(b"\n")
            self._heed({one.decode() for one in whole})


def given() -> tuple[int, Any]:
    """In a process beside the first: the pipe for `when_alone`, and what it is given."""
    found: tuple[int, Any] = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
    os.set_blocking(sys.stdout.fileno(), False)
    return found


def tell(gateway_ids: set[str]) -> None:
    """In a process beside the first: these are to be looked at. Raises OSError when nobody listens, or not fast enough."""
    os.write(sys.stdout.fileno(), "".join(f"{one}\n" for one in gateway_ids).encode())


def when_alone(alive: int, end: Callable[[], None]) -> None:
    """In a process beside the first: calls `end`, in a thread of its own, when the first process is gone or wants it. Perhaps
    nobody is left then who would kill a process that hangs.
    """

    def wait() -> None:
        os.read(alive, 1)
        end()
        time.sleep(PATIENCE_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="alive", daemon=True).start()
