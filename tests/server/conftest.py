"""The HTTP server in this process, in front of any application, with little patience."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from landbridge import config
from landbridge.server import connection, serve


@dataclass(frozen=True, slots=True)
class Listening:
    """A server in a thread of its own. `end` ends it in good order."""

    address: tuple[str, int]
    server: serve.Server
    end: Callable[[], None]

    @property
    def connections(self) -> set[connection.Connection]:
        return self.server.connections

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(self.address, timeout=60, source_address=(source, 0))

    def says(self, content: bytes, source: str = "127.0.0.1") -> bytes:
        """All that the server says to this until it hangs up."""
        with self.connect(source) as wire:
            with contextlib.suppress(ConnectionError):
                wire.sendall(content)
            return everything(wire)


def everything(wire: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while more := wire.recv(65536):
            received += more
    return received


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may leave a client without a processor for seconds."""
    monkeypatch.setattr(connection, "IDLE_SECONDS", 60.0)
    monkeypatch.setattr(serve, "GRACE_SECONDS", 60.0)


@pytest.fixture
def impatient(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is sent at once comes in time, also on a busy machine."""
    monkeypatch.setattr(serve, "TICK_SECONDS", 0.05)
    for name, seconds in (("REQUEST", 2.0), ("IDLE", 1.0), ("STALL", 1.0), ("LINGER", 1.0)):
        monkeypatch.setattr(connection, f"{name}_SECONDS", seconds)
    monkeypatch.setattr(serve, "HANDSHAKE_SECONDS", 2.0)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    """Starts servers: `listen(application, tls=…, connections=…)`."""
    with contextlib.ExitStack() as stack:

        def start(application: Any, tls: ssl.SSLContext | None = None, **bounds: int) -> Listening:
            return stack.enter_context(_listening(application, config.Http(**bounds), tls))

        yield start


@contextlib.contextmanager
def _listening(application: Any, bounds: config.Http, tls: ssl.SSLContext | None) -> Iterator[Listening]:
    listener = socket.create_server(("127.0.0.1", 0))
    started: list[serve.Server] = []
    ready, ended = threading.Event(), threading.Event()

    async def serving() -> None:
        started.append(serve.Server(application, bounds, tls))
        started[0].listen(listener)
        ready.set()
        await asyncio.get_running_loop().run_in_executor(None, ended.wait)
        await started[0].stop()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving())

    def end() -> None:
        ended.set()
        thread.join()

    thread = threading.Thread(target=run, name="server")
    address = listener.getsockname()
    thread.start()
    ready.wait()
    try:
        yield Listening(address, started[0], end)
    finally:
        end()


class Counting:
    """An application that counts its requests, reads their bodies and answers with `size` bytes."""

    def __init__(self, size: int = 2) -> None:
        self.begun: list[str] = []
        self.bodies: list[bytes] = []
        self.release = threading.Event()
        self.release.set()
        self._answer = b"x" * size

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        await asyncio.get_running_loop().run_in_executor(None, self.release.wait)
        length = str(len(self._answer)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self._answer})


@pytest.fixture
def counting() -> Callable[..., Counting]:
    return Counting
