"""Servers that are killed, traced and starved: real processes of `landbridge serve --engine none`."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from lab import processes
from landbridge import config, data_folder
from tests import forked

VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
RUN = "import os, signal, sys\n{beforehand}\nfrom landbridge.cli import main\nsys.exit(main.main())"
#: For a server that has been altered beforehand: other processes than the first would not be.
ALONE = ("--processes", "1")
TWO = ("--processes", "2")
MANY_CONNECTIONS = "os.environ['LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY'] = '100000'"
Answer = tuple[int, dict[str, Any]]


class Caller:
    """One caller on one connection that is kept. Raises OSError or HTTPException when nobody answers."""

    def __init__(self, credentials: dict[str, str]) -> None:
        self._credentials = credentials
        self._line = http.client.HTTPConnection(urlsplit(credentials["endpoint"]).netloc, timeout=90)

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        headers = {"X-Auth-Token": self._credentials["token"]} | ({"Idempotency-Key": token} if token else {})
        content = None if body is None else json.dumps(body)
        self._line.request(method, f"/v5/{self._credentials['project_id']}/{path}", content, headers)
        answer = self._line.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}

    def close(self) -> None:
        self._line.close()


class Server:
    """A server on a data folder, in a process that somebody else started."""

    def __init__(self, folder: Path, log_path: Path, pid: int) -> None:
        self.folder, self.log_path, self.pid = folder, log_path, pid

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def alive(self) -> bool:
        return processes.is_there(self.pid)

    def ready(self, until: Any) -> Self:
        def listening() -> bool:
            assert self.alive(), self.log
            return "listening on" in self.log

        until(listening, "the server to listen")
        with contextlib.closing(self.caller()) as caller:  # it listens some while before it answers
            caller.ask("GET", "vpn-gateways")
        return self

    def caller(self) -> Caller:
        return Caller(tomllib.loads((self.folder / "credentials.toml").read_text()))

    def end(self, until: Any, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        until(lambda: not self.alive(), "the server to end")


@pytest.fixture(scope="session")
def start(until: Any) -> Iterator[Callable[..., Server]]:
    """Starts servers: `start(folder, *flags, beforehand="…")`. Each has two processes, and a log in `logs` or beside its folder."""
    started: list[Server] = []

    def start(folder: Path, *flags: str, beforehand: str = "", logs: Path | None = None) -> Server:
        log = (logs or folder.parent) / f"{folder.name}-{len(started)}.log"
        log.touch()
        words = ["serve", "--data", str(folder), "--listen", "127.0.0.1:0", "--engine", "none", *TWO, *flags]
        process = forked.start(words, log, log, beforehand=beforehand)
        assert process.pid is not None
        started.append(Server(folder, log, process.pid))
        return started[-1]

    yield start
    for server in started:
        server.end(until)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, start: Any, until: Any) -> tuple[Path, Any]:
    """A data folder with a gateway that is ACTIVE, and the gateway."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    running = start(folder, "--engine", "simulated", beforehand=MANY_CONNECTIONS).ready(until)
    caller = running.caller()
    body = {"vpn_gateway": {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]}}
    _, made = caller.ask("POST", "vpn-gateways", body)
    path = f"vpn-gateways/{made['vpn_gateway']['id']}"

    def active() -> Any:
        gateway = caller.ask("GET", path)[1]["vpn_gateway"]
        return gateway if gateway["status"] == "ACTIVE" else None

    gateway = until(active, "the gateway to be ACTIVE")
    caller.close()
    running.end(until, signal.SIGTERM)
    return folder, gateway


@pytest.fixture
def folder(prepared: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy of the prepared data folder."""
    return Path(shutil.copytree(prepared[0], tmp_path / "data"))


@pytest.fixture
def gateway(prepared: tuple[Path, Any]) -> Any:
    return prepared[1]


def peer(number: int) -> dict[str, Any]:
    """The body of a customer gateway that no other number has."""
    return {
        "customer_gateway": {
            "name": f"peer-{number}",
            "id_value": f"20.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        }
    }


def tunnel(gateway: Any, peer_id: str, number: int) -> dict[str, Any]:
    return {
        "vpn_connection": {
            "name": f"tunnel-{number}",
            "vgw_id": gateway["id"],
            "vgw_ip": gateway["eip1"]["id"],
            "cgw_id": peer_id,
            "peer_subnets": ["192.168.44.0/24"],
            "psk": "Correct-Horse-7",
            "tags": [{"key": "number", "value": str(number)}],
        }
    }


def findings(folder: Path) -> list[str]:
    """What `landbridge db check` finds."""
    return data_folder.check_data(config.load({"data": str(folder)}, {}))[0]
