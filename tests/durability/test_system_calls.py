"""What the kernel is asked, in which order: no 201 leaves before the log that holds its row is on the disk."""

import ast
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.durability.conftest import ALONE, RUN, TWO, Server, peer, tunnel

pytestmark = pytest.mark.process
CALLERS = 8
ROUNDS = 6
TRACED = "fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg"
STRACE = ["strace", "-D", "-f", "--seccomp-bpf", "-y", "-s", "200000", "-e", f"trace={TRACED}"]
#: SQLite, "WAL file format": a frame is a header of 24 bytes and a page; bytes 4 to 8 are not 0 in a commit's last frame.
FRAME_HEADER = 24
WEAK = """
from landbridge.store.sqlite import database
database.Database._sync = lambda *_: None
"""


@dataclass(frozen=True)
class SystemCall:
    """`began` and `ended` are lines of the trace. `data`: what was written."""

    name: str
    file: str
    data: bytes
    began: int
    ended: int


_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\(\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _calls(trace: str) -> Iterator[SystemCall]:
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        match = _LINE.fullmatch(line)
        assert match, line
        thread, text = match.groups()
        if text.endswith("<unfinished ...>"):
            begun[thread] = (number, text)
        elif text.startswith("<..."):
            yield _call(*begun.pop(thread), number)
        elif _CALL.match(text):
            yield _call(number, text, number)


def _call(began: int, text: str, ended: int) -> SystemCall:
    match = _CALL.match(text)
    assert match, text
    data = b"".join(ast.literal_eval(f'b"{piece}"') for piece in _TEXT.findall(text))
    return SystemCall(match[1], match[2], data, began, ended)


def _commits(calls: list[SystemCall]) -> Iterator[tuple[int, bytes]]:
    """Of each transaction in the log: the line after which it was all written, and its pages."""
    pages, last = b"", False
    for call in calls:
        if len(call.data) == FRAME_HEADER:
            last = call.data[4:8] != bytes(4)
        elif len(call.data) > FRAME_HEADER * 2:  # the log's own header has 32 bytes
            pages += call.data
            if last:
                yield call.ended, pages
                pages, last = b"", False


def _answers(trace: str) -> tuple[list[str], list[str]]:
    """The ids of all 201s, and of those that were sent before the transaction that made them was on the disk."""
    calls = sorted(_calls(trace), key=lambda call: call.ended)
    log = [call for call in calls if call.file.endswith(".db-wal")]
    commits = list(_commits([call for call in log if call.name == "pwrite64"]))
    syncs = [call for call in log if call.name in ("fdatasync", "fsync")]
    answered, early = [], []
    for began, made in _created(calls):
        answered.append(made.decode())
        written = next(ended for ended, pages in commits if made in pages)
        if not any(written < sync.began and sync.ended < began for sync in syncs):
            early.append(made.decode())
    return answered, early


def _created(calls: list[SystemCall]) -> Iterator[tuple[int, bytes]]:
    """Of each 201: the line at which its first byte was sent, and the id that it tells, there or in the next write."""
    open_heads: dict[str, int] = {}
    for call in calls:
        if call.file.startswith("socket:"):
            if call.data.startswith(b"HTTP/1.1 201"):
                open_heads[call.file] = call.began
            found = re.search(rb'"id":"([0-9a-f-]{36})"', call.data)
            if found and call.file in open_heads:
                yield open_heads.pop(call.file), found[1]


@pytest.fixture
def traced(folder: Path, gateway: Any, tmp_path: Path, until: Any) -> Callable[[str], tuple[set[str], str]]:
    """Runs a traced server under concurrent creates: the ids that callers got, and the trace."""

    def run(beforehand: str) -> tuple[set[str], str]:
        trace, log = tmp_path / "trace", tmp_path / "traced.log"
        program = [sys.executable, "-c", RUN.format(beforehand=beforehand), "serve", "--data", str(folder)]
        command = [
            *STRACE,
            "-o",
            str(trace),
            *program,
            "--listen",
            "127.0.0.1:0",
            "--engine",
            "none",
            *(ALONE if beforehand else TWO),
        ]
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            server = Server(folder, log, process.pid)
            try:
                made = _create(server.ready(until), gateway)
            finally:
                process.terminate()
                process.wait(90)
        until(lambda: re.search(rf"^{process.pid} +\+\+\+", trace.read_text(), re.MULTILINE), "the trace's end")
        return made, trace.read_text()

    return run


def _create(server: Server, gateway: Any) -> set[str]:
    made: set[str] = set()

    def work(number: int) -> None:
        caller = server.caller()
        for n in range(number * ROUNDS, (number + 1) * ROUNDS):
            _, answer = caller.ask("POST", "customer-gateways", peer(n), f"peer {n}")
            peer_id = answer["customer_gateway"]["id"]
            _, answer = caller.ask("POST", "vpn-connection", tunnel(gateway, peer_id, n))
            made.update((peer_id, answer["vpn_connection"]["id"]))
        caller.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(CALLERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return made


def test_no_201_is_sent_before_the_log_is_on_the_disk(traced: Any):
    made, trace = traced("")
    answered, early = _answers(trace)
    assert len(answered) == 2 * CALLERS * ROUNDS
    assert set(answered) == made
    assert early == []


def test_the_proof_fails_on_a_server_that_does_not_wait_for_the_disk(traced: Any):
    made, trace = traced(WEAK)
    answered, early = _answers(trace)
    assert set(answered) == made
    assert len(early) > len(answered) // 2
