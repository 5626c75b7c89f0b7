"""`landbridge serve` in several processes: all answer, the agent hears of what each wrote, and none is missed when it ends."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
SERVING = b"landbridge.cli.beside"


def _children(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()} | {
        int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()
    }


def _beside(server: Any) -> set[int]:
    """The processes beside the first one."""
    return {one for one in _children(server.pid) if SERVING in Path(f"/proc/{one}/cmdline").read_bytes()}


def _exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
        words = server.credentials
        self._words = words
        for _ in range(400):
            self.client = httpx.Client(base_url=f"{words['endpoint']}/", headers={"X-Auth-Token": words["token"]})
            answer = self.client.get("healthz")
            line = answer.extensions["network_stream"].get_extra_info("socket")
            if _answerer(line, {wanted}) == wanted:
                return
            self.client.close()
        raise AssertionError(f"process {wanted} takes no connection")

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
def two(start_server: Any, until: Any) -> Any:
    server = start_server("data", "--processes", "2")
    until(lambda: _beside(server), "the second process")
    return server


def test_what_any_process_writes_the_agent_hears_of_at_once_and_all_show(two: Any, connect: Any, until: Any):
    (other,) = _beside(two)
    lines = [connect(two, pid) for pid in (other, two.pid)]
    for number, line in enumerate(lines):
        body = {"vpn_gateway": {"name": f"g-{number}", "vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]}}
        started = time.monotonic()
        made = line.ask("POST", "vpn-gateways", body)["vpn_gateway"]["id"]
        for shown in lines:
            assert shown.ask("GET", f"vpn-gateways/{made}")["vpn_gateway"]["id"] == made
        until(
            lambda line=line, made=made: line.ask("GET", f"vpn-gateways/{made}")["vpn_gateway"]["status"] == "ACTIVE",
            "the gateway to be ACTIVE",
        )
        assert time.monotonic() - started < 10, "a tick, not a nudge"
    assert all(line.client.get("readyz").json()["status"] == "ready" for line in lines)


def test_a_killed_process_beside_is_replaced_and_the_others_go_on(two: Any, connect: Any, until: Any):
    (other,) = _beside(two)
    line = connect(two, two.pid)
    os.kill(other, signal.SIGKILL)
    assert line.ask("GET", "vpn-gateways")["vpn_gateways"] == []
    until(lambda: _beside(two) - {other}, "another process")
    (new,) = _beside(two)
    assert connect(two, new).ask("GET", "vpn-gateways")["vpn_gateways"] == []
    assert "a process that answers the API ended with -9; another one takes its place" in two.log


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_first_process_ends_none_is_left(two: Any, connect: Any, until: Any, number: int):
    (other,) = _beside(two)
    line = connect(two, other)
    os.kill(two.pid, number)
    until(lambda: not _exists(other), "the second process to end")
    with pytest.raises(httpx.TransportError):
        line.ask("GET", "vpn-gateways")
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", two.port)):
        pass
    assert "Traceback" not in two.log


def test_one_process_is_one(start_server: Any):
    server = start_server("data", "--processes", "1")
    assert _beside(server) == set()


def test_too_many_processes_are_refused(landbridge: Any, tmp_path: Path):
    refused = landbridge("serve", "--data", str(tmp_path / "d"), "--processes", "65")
    assert (refused.returncode, refused.stderr) == (1, "landbridge: --processes: 65 is not allowed (from 0 to 64)\n")
