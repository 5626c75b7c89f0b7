"""What every attack needs: a service to attack, its memory, and an honest client beside the attacker.

An attack is a generator of `Result`. It sends only to addresses of this machine and to namespaces that it made itself.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from lab import processes, sites

BIN = Path(sys.executable).parent
#: The honest client's address. Attackers come from 127.0.0.1, or from any other.
HONEST = "127.0.0.77"
START_SECONDS = 60
END_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `held`: the service kept what it promises. `figures`: what was measured, in words."""

    what: str
    held: bool
    figures: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """Credentials of one project, as `landbridge keys create` prints them."""

    project_id: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered. `status` is 0 when it closed the connection instead."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Service:
    """`landbridge serve` of our own: a folder, a port and processes that nobody else has. `arguments` go to `serve`."""

    def __init__(self, folder: Path, *arguments: str, settings: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.log = folder / "service.log"
        self._arguments = arguments or ("--engine", "simulated")
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [
            str(BIN / "landbridge"),
            "serve",
            "--data",
            str(self.data),
            "--listen",
            "127.0.0.1:0",
            *self._arguments,
        ]
        with self.log.open("ab") as out:
            environment = os.environ | self._settings
            self._process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            sites.wait_for(self._is_ready, "the service to start", seconds=START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the service ended: {self.log.read_text()[-2000:]}")
        try:
            return self.request("GET", "/readyz").status == 200
        except (OSError, KeyError, tomllib.TOMLDecodeError):
            return False

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the service does not run")
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """All processes of the service, the one with the agent first."""
        return [self.pid, *sorted(processes.workers(self.pid))]

    @property
    def _words(self) -> dict[str, str]:
        return tomllib.loads((self.data / "credentials.toml").read_text())

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self._words["endpoint"])
        return str(parts.hostname), int(parts.port or 0)

    @property
    def key(self) -> Key:
        """The first key: an admin of the first project."""
        words = self._words
        return Key(words["project_id"], words["access_key"], words["secret_key"], words["token"])

    def run(self, *words: str) -> str:
        """A command of `landbridge` on this service's data folder; gives what it printed."""
        command = [str(BIN / "landbridge"), *words, "--data", str(self.data)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: Key | None = None,
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        """One request on a connection of its own. `source`: the address that it comes from, one of the loopback network."""
        host, port = self.address
        wire = http.client.HTTPConnection(host, port, timeout=60, source_address=(source, 0))
        sent = {"X-Auth-Token": key.token} if key else {}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        with contextlib.closing(wire):
            wire.request(method, path, content, sent | (headers or {}))
            answer = wire.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())

    def memory(self) -> dict[int, float]:
        """Resident memory of every process of the service, in MB."""
        return {pid: _resident(pid) for pid in self.pids}


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class HonestClient:
    """Lists connections all the time, from an address of its own, and keeps how long each answer took."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._times: list[float] = []
        self._failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        key = self._service.key
        path = f"/v5/{key.project_id}/vpn-connection?limit=10"
        while not self._stop.wait(0.01):
            started = time.monotonic()
            try:
                status = self._service.request("GET", path, key=key, source=HONEST).status
            except OSError as error:
                self._failures.append(str(error))
                continue
            self._times.append(time.monotonic() - started)
            if status != 200:
                self._failures.append(f"status {status}")

    @property
    def p99(self) -> float:
        """In seconds; infinite when nothing was answered."""
        times = sorted(self._times)
        return times[int(len(times) * 0.99)] if times else float("inf")

    @property
    def failures(self) -> Sequence[str]:
        return self._failures


def p99_without_attack(service: Service, seconds: float = 3) -> float:
    """What an honest client gets when nobody attacks, in seconds."""
    with HonestClient(service) as client:
        time.sleep(seconds)
    return client.p99
