"""Floods of the HTTP server, without a key where none is named.

Each flood runs in a process of its own, from 127.0.0.1, while an honest client lists connections from another address. The service holds
when no process of it grows by more than 60 MB, when it gives that memory back, and when the honest client's p99 stays within five times of
what it was without a flood.

    python -m lab.attack.http NAME HOST PORT TOKEN PROJECT      floods until it is ended
"""

import contextlib
import http.client
import itertools
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab import authority
from lab.attack import base
from lab.attack.base import Result

SECONDS = 30.0
#: Bounds that every flood is held to.
GROWTH_MB = 60.0
P99_TIMES = 5.0
#: Below this an honest client's p99 tells of this machine and not of the service, in seconds.
P99_FLOOR = 0.05
#: What a process may keep of what it grew by, in MB, and how long it may take to give the rest back.
KEPT_MB = 30.0
GIVEN_BACK_SECONDS = 40
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v5/x/vpn-connection HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
Address = tuple[str, int]


def _endless(address: Address, start: bytes, more: bytes, size: int = 65536) -> None:
    """Sends without end on one connection. When that is closed, it opens another one."""
    piece = more * (size // len(more))
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as wire:
            wire.sendall(start)
            while True:
                wire.sendall(piece)


def _trailers_after_the_answer(address: Address) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as wire:
            wire.sendall(POST)
            wire.recv(65536)
            wire.sendall(b"0\r\n")
            while True:
                wire.sendall(b"A: b\r\n" * 10000)


def _tiny_pieces(address: Address) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(GET[:-2] + b"A: ")
            for _ in itertools.repeat(None):
                wire.send(b"aaaaaaaa")


def _pipeline(address: Address) -> None:
    """Requests without end, and no answer is read."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as wire:
            while True:
                wire.sendall(GET.replace(b"/healthz", b"/openapi.json") * 1000)


def _keep_open(address: Address, count: int, said: bytes) -> None:
    """So many connections that say this much, opened again when they are closed."""
    wires: list[socket.socket] = []
    while True:
        while len(wires) < count:
            with contextlib.suppress(OSError):
                wires.append(socket.create_connection(address, timeout=5))
                wires[-1].sendall(said)
        time.sleep(0.5)
        wires = [wire for wire in wires if not _is_closed(wire)]


def _is_closed(wire: socket.socket) -> bool:
    wire.setblocking(False)
    try:
        closed = wire.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        closed = True
    if closed:
        wire.close()
    return closed


def _slow_reader(address: Address) -> None:
    """Asks for a large answer and takes a little of it at a time."""
    while True:
        with contextlib.suppress(OSError), socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(address)
            wire.sendall(GET.replace(b"/healthz", b"/openapi.json") * 100)
            while wire.recv(256):
                time.sleep(0.2)


def _reader(address: Address, token: str, project: str) -> None:
    """Lists connections, each time as soon as the last answer is there."""
    asked = f"GET /v5/{project}/vpn-connection?limit=2000 HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n".encode()
    while True:
        with contextlib.suppress(OSError, ValueError), socket.create_connection(address, timeout=60) as wire:
            answers = wire.makefile("rb")
            while True:
                wire.sendall(asked)
                length = 0
                while (line := answers.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if not line:
                    break
                answers.read(length)


Flood = Callable[[Address, str, str], None]
#: name -> (connections at once, flood of one)
FLOODS: dict[str, tuple[int, Flood]] = {
    "a head without end": (8, lambda at, *_: _endless(at, GET[:-2], b"A: b\r\n")),
    "one huge header": (8, lambda at, *_: _endless(at, GET[:-2] + b"A: ", b"a")),
    "one huge header in tiny pieces": (4, lambda at, *_: _tiny_pieces(at)),
    "a URL without end": (8, lambda at, *_: _endless(at, b"GET /", b"a")),
    "trailers without end": (8, lambda at, *_: _endless(at, POST + b"0\r\n", b"A: b\r\n")),
    "trailers without end after the answer": (8, lambda at, *_: _trailers_after_the_answer(at)),
    "chunk extensions without end": (8, lambda at, *_: _endless(at, POST + b"1;a=", b"a")),
    "pipelined requests on 1 connection, nothing read": (1, lambda at, *_: _pipeline(at)),
    "pipelined requests on 80 connections, nothing read": (80, lambda at, *_: _pipeline(at)),
    "500 half-open connections": (1, lambda at, *_: _keep_open(at, 500, b"GET / HTTP/1.1\r\nHost")),
    "80 slow readers": (80, lambda at, *_: _slow_reader(at)),
    "16 readers with one key": (16, _reader),
}
HANDSHAKES = "1,200 unfinished TLS handshakes"


def run(folder: Path) -> Iterator[Result]:
    (folder / "plain").mkdir()
    with base.Service(folder / "plain") as service:
        token = _reader_token(service)
        for _ in range(20):  # each process makes the document once
            service.request("GET", "/openapi.json")
        for name in FLOODS:
            yield _held(service, name, token, base.HonestClient(service))
    (folder / "tls").mkdir()
    pair = authority.Authority(folder).issue("server")
    with _TlsService(folder / "tls", pair) as tls:
        yield _held(tls, HANDSHAKES, "", base.HonestClient(tls))


def _reader_token(service: base.Service) -> str:
    printed = service.run("keys", "create", "--project", service.key.project_id, "--role", "reader")
    (line,) = (line for line in printed.splitlines() if "token" in line)
    return line.split()[-1].strip('"')


class _TlsService(base.Service):
    """The same, with TLS."""

    def __init__(self, folder: Path, pair: authority.Pair) -> None:
        flags = ("--engine", "simulated", "--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
        super().__init__(folder, *flags)

    def request(self, method: str, path: str, *_: Any, source: str = "127.0.0.1", **words: Any) -> base.Answer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        key = words.get("key")
        wire = http.client.HTTPSConnection(*self.address, timeout=60, source_address=(source, 0), context=context)
        with contextlib.closing(wire):
            wire.request(method, path, headers={"X-Auth-Token": key.token} if key else {})
            answer = wire.getresponse()
            return base.Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())


def _held(service: base.Service, name: str, token: str, honest: base.HonestClient) -> Result:
    """Floods, and looks at memory and at the honest client meanwhile."""
    usual = max(base.p99_without_attack(service), P99_FLOOR)
    before = service.memory()
    host, port = service.address
    command = [sys.executable, "-m", "lab.attack.http", name, host, str(port), token, service.key.project_id]
    peak = dict.fromkeys(before, 0.0)
    flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert flood.stdout is not None
    try:
        assert flood.stdout.readline() == "begins\n"
        with honest:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                time.sleep(0.5)
                grown = _growth(service, before)
                peak = {pid: max(peak[pid], grown.get(pid, 0.0)) for pid in peak}
    finally:
        flood.kill()
        flood.communicate()
    kept = _kept(service, before)
    times = honest.p99 / usual
    ended = before.keys() - set(service.pids)
    held = max(peak.values()) <= GROWTH_MB and kept <= KEPT_MB and times <= P99_TIMES and not (honest.failures or ended)
    failures = f", {len(honest.failures)} failures ({honest.failures[0]})" if honest.failures else ""
    failures += f", {len(ended)} processes ended" if ended else ""
    figures = f"grew {max(peak.values()):.0f} MB, kept {kept:.0f} MB, p99 {honest.p99 * 1000:.0f} ms = {times:.1f} times{failures}"
    return Result(name, held, figures)


def _growth(service: base.Service, before: dict[int, float]) -> dict[int, float]:
    return {pid: now - before[pid] for pid, now in service.memory().items() if pid in before}


def _kept(service: base.Service, before: dict[int, float]) -> float:
    """What the largest process still has of its growth, once that is little or the time is over."""
    deadline = time.monotonic() + GIVEN_BACK_SECONDS
    while (kept := max(_growth(service, before).values())) > KEPT_MB and time.monotonic() < deadline:
        time.sleep(0.5)
    return kept


def flood(name: str, address: Address, token: str, project: str) -> None:
    """Until this process is ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    print("begins", flush=True)
    if name == HANDSHAKES:
        _keep_open(address, 1200, b"\x16\x03\x01")
    count, one = FLOODS[name]
    for _ in range(count):
        threading.Thread(target=one, args=(address, token, project), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    flood(sys.argv[1], (sys.argv[2], int(sys.argv[3])), *sys.argv[4:6])
