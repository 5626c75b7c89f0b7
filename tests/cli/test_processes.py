"""`landbridge serve` in several processes: all answer, the agent hears of what each wrote, and none is missed when it ends."""

import contextlib
import os
import signal
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import processes
from tests.conftest import until

VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


def _inode(line: socket.socket) -> str:
    """As `/proc/net/tcp` names the server's end of this connection."""
    mine, other = line.getsockname(), line.getpeername()
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = row.split()
        ports = [int(columns[n].rpartition(":")[2], 16) for n in (1, 2)]
        if ports == [other[1], mine[1]]:
            return columns[9]
    return ""


def _answerer(line: socket.socket, pids: set[int]) -> int | None:
    """Which of the processes has the server's end of a connection."""
    wanted = f"socket:[{_inode(line)}]"
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if file.readlink().name == wanted:
                    return pid
            except OSError:
                continue
    return None


class Line:
    """A connection to one process, told which."""

    def __init__(self, server: Any, wanted: int) -> None:
        self._words = server.credentials
        until(lambda: self._connects(wanted), f"process {wanted} to take a connection")

    def _connects(self, wanted: int) -> bool:
        words = self._words
        self.client = httpx.Client(base_url=f"{words['endpoint']}/", headers={"X-Auth-Token": words["token"]})
        answer = self.client.get("healthz")
        line = answer.extensions["network_stream"].get_extra_info("socket")
        if _answerer(line, {wanted}) == wanted:
            return True
        self.client.close()
        return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"v5/{self._words['project_id']}/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def connect() -> Iterator[Callable[[Any, int], Line]]:
    """Gives connections to one process of a server."""
    with contextlib.ExitStack() as opened:

        def line(server: Any, wanted: int) -> Line:
            made = Line(server, wanted)
            opened.callback(made.client.close)
            return made

        yield line


@pytest.fixture
def two(start_server: Any, until: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whose agent has no tick while anybody waits: what it does, it heard of."""
    monkeypatch.setenv("LANDBRIDGE_AGENT_TICK_SECONDS", "3600")
    server = start_server("data", "--processes", "2")
    until(lambda: processes.workers(server.pid), "the second process")
    return server


def test_what_any_process_writes_the_agent_hears_of_at_once_and_all_show(two: Any, connect: Any, until: Any):
    (other,) = processes.workers(two.pid)
    lines = [connect(two, pid) for pid in (other, two.pid)]
    for number, line in enumerate(lines):
        body = {"vpn_gateway": {"name": f"g-{number}", "vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]}}
        made = line.ask("POST", "vpn-gateways", body)["vpn_gateway"]["id"]
        for shown in lines:
            assert shown.ask("GET", f"vpn-gateways/{made}")["vpn_gateway"]["id"] == made
        until(
            lambda line=line, made=made: line.ask("GET", f"vpn-gateways/{made}")["vpn_gateway"]["status"] == "ACTIVE",
            "the gateway to be ACTIVE",
        )
    assert all(line.client.get("readyz").json()["status"] == "ready" for line in lines)


def _counted(line: Line, token: str) -> float:
    """Lists of VPN gateways that all processes have answered, as the process at the other end says."""
    answer = line.client.get("metrics", headers={"X-Auth-Token": token}).text
    counted = 'landbridge_api_request_seconds_count{operation="list_vgws",code="2xx"} '
    found = [row for row in answer.splitlines() if row.startswith(counted)]
    return float(found[0].removeprefix(counted)) if found else 0


def test_metrics_have_what_all_processes_counted_also_one_that_was_killed(
    two: Any, connect: Any, until: Any, landbridge: Any
):
    token = tomllib.loads(landbridge("keys", "create", "--data", str(two.folder), "--role", "monitor").stdout)["token"]
    (other,) = processes.workers(two.pid)
    first, beside = connect(two, two.pid), connect(two, other)
    for line, times in ((first, 2), (beside, 3)):
        for _ in range(times):
            line.ask("GET", "vpn-gateways")
    assert [_counted(line, token) for line in (first, beside)] == [5, 5]
    os.kill(other, signal.SIGKILL)
    until(lambda: processes.workers(two.pid) - {other}, "another process")
    (new,) = processes.workers(two.pid)
    beside = connect(two, new)
    beside.ask("GET", "vpn-gateways")
    assert [_counted(line, token) for line in (first, beside)] == [6, 6]


def test_a_killed_process_beside_is_replaced_and_the_others_go_on(two: Any, connect: Any, until: Any):
    (other,) = processes.workers(two.pid)
    line = connect(two, two.pid)
    os.kill(other, signal.SIGKILL)
    assert line.ask("GET", "vpn-gateways")["vpn_gateways"] == []
    until(lambda: processes.workers(two.pid) - {other}, "another process")
    (new,) = processes.workers(two.pid)
    assert connect(two, new).ask("GET", "vpn-gateways")["vpn_gateways"] == []
    assert "a process that answers the API ended with -9; another one takes its place in 1 s" in two.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_process_ends_after_the_others(two: Any, connect: Any, number: int):
    (other,) = processes.workers(two.pid)
    line = connect(two, other)
    os.kill(two.pid, number)
    assert two.wait() == 0
    assert not processes.is_there(other)
    _nobody_is_there(two, line)


def test_requests_that_never_come_hold_up_no_end(two: Any):
    """In every process at once: each waits 5 seconds for what it is answering, and none for another one."""
    words = two.credentials
    head = f"POST /v5/{words['project_id']}/customer-gateways HTTP/1.1\r\nhost: x\r\nx-auth-token: {words['token']}\r\n"
    with contextlib.ExitStack() as opened:
        for _ in range(16):
            line = opened.enter_context(socket.create_connection(("127.0.0.1", two.port)))
            line.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
        time.sleep(0.5)
        assert two.stop() == 0
    assert "Traceback" not in two.log


def test_when_the_first_process_is_killed_none_is_left(two: Any, connect: Any, until: Any):
    (other,) = processes.workers(two.pid)
    line = connect(two, other)
    os.kill(two.pid, signal.SIGKILL)
    until(lambda: not processes.is_there(other), "the second process to end")
    _nobody_is_there(two, line)


def _nobody_is_there(server: Any, line: Line) -> None:
    with pytest.raises(httpx.TransportError):
        line.ask("GET", "vpn-gateways")
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", server.port)):
        pass
    assert "Traceback" not in server.log


def test_what_lies_where_it_is_started_is_not_run(start_server: Any, until: Any, tmp_path: Path, monkeypatch: Any):
    (tmp_path / "httptools.py").write_text("raise SystemExit('foreign')")
    monkeypatch.chdir(tmp_path)
    server = start_server("data", "--processes", "2")
    until(lambda: processes.workers(server.pid), "the second process")
    assert httpx.get(server.credentials["endpoint"] + "/healthz").status_code == 200
    assert "foreign" not in server.log


def test_one_process_is_one(start_server: Any):
    server = start_server("data", "--processes", "1")
    assert processes.workers(server.pid) == set()


def test_too_many_processes_are_refused(landbridge: Any, tmp_path: Path):
    refused = landbridge("serve", "--data", str(tmp_path / "d"), "--processes", "65")
    assert (refused.returncode, refused.stderr) == (1, "landbridge: --processes: 65 is not allowed (from 0 to 64)\n")
