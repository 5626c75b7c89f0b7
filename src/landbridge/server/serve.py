"""Serves an application on a listening socket, until a signal comes.

Connections are accepted here and not by the event loop, so that each is counted before its TLS handshake begins and none takes
a file that the database or the engine needs.
"""

import asyncio
import contextlib
import ctypes
import email.utils
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Self

import uvloop
from starlette.types import ASGIApp

from landbridge import config
from landbridge.server import clients, connection, exchange, listener

log = logging.getLogger(__name__)
#: Between two looks at all connections.
LOOK_SECONDS = 1.0
#: A TLS handshake has so long.
HANDSHAKE_SECONDS = 15.0
#: What is in work when the service ends has so long.
GRACE_SECONDS = 5.0
#: Connections that are accepted before other work is done.
ACCEPTED_AT_ONCE = 64
#: Until the next accept after the machine had no file or no memory for one.
REST_SECONDS = 1.0
#: Looks between two lines on refused connections in the log.
LOOKS_BETWEEN_LINES = 10


class Signals:
    """Takes SIGINT and SIGTERM while its `with` block runs. A signal that comes before the server serves ends it as soon as it does: an
    exception out of a handler could be lost in whatever Python was doing.
    """

    def __init__(self) -> None:
        self._came = False
        self._wake: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, *_: object) -> None:
        self._came = True
        self._wake()

    async def wait(self) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(ended.set)
        try:
            if not self._came:
                await ended.wait()
        finally:
            self._wake = lambda: None


def run(
    signals: Signals,
    application: ASGIApp,
    listening: socket.socket,
    bounds: config.Http,
    certificate: listener.Certificate | None = None,
    leaving: Callable[[], None] = lambda: None,
) -> None:
    """Serves until a signal comes. Then it calls `leaving` and finishes the requests that it has begun."""
    _tune_process()

    async def serve() -> None:
        server = Server(application, bounds, None if certificate is None else certificate.context)
        server.listen(listening)
        await signals.wait()
        leaving()
        await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def _tune_process() -> None:
    gc.collect()
    gc.freeze()  # the collector never looks through what exists now again: that cost a twentieth of every request
    gc.set_threshold(20000, 20, 50)
    sys.setswitchinterval(0.001)  # a long read in another thread lets this one answer others
    # glibc would keep blocks of 256 KiB, as each TLS connection has one, after the first of them was freed (mallopt(3)).
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 128 * 1024)  # M_MMAP_THRESHOLD


class Server:
    """From `listen` to `stop`, in a running event loop."""

    def __init__(self, application: ASGIApp, bounds: config.Http, tls: ssl.SSLContext | None = None) -> None:
        self._application = application
        self._tls = tls
        self._clients = clients.Clients(bounds)
        self.connections: set[connection.Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._looks = 0
        self._refused_before = False
        self._quiet = asyncio.Event()
        self.date = _date_line()

    def listen(self, listening: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)
        self._next_look = self._loop.call_later(LOOK_SECONDS, self._look)

    # -- new connections

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                wire, address = self._listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # it went away while it waited
                continue
            except OSError as error:
                log.warning("no connection can be accepted for %.0f s: %s", REST_SECONDS, error.strerror)
                self._loop.remove_reader(self._listening)
                self._loop.call_later(REST_SECONDS, self._accept_again)
                return
            name = self._clients.admit(address[0])
            if name is None:
                wire.close()
                continue
            task = self._loop.create_task(self._open(wire, address[:2], name))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _accept_again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    async def _open(self, wire: socket.socket, address: tuple[str, int], name: str) -> None:
        """Through the handshake, where there is one."""
        made = connection.Connection(self, address, name, "https" if self._tls else "http")
        timeouts = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": HANDSHAKE_SECONDS}
        try:
            wire.setblocking(False)
            await self._loop.connect_accepted_socket(
                lambda: made, wire, ssl=self._tls, **(timeouts if self._tls else {})
            )
        except (OSError, RuntimeError, asyncio.CancelledError):  # no handshake, or the client is gone already
            if made.server_address is None:
                self._clients.leave(name, finished=False)

    # -- what connections tell

    def start(self, of: exchange.Exchange) -> None:
        task = self._loop.create_task(of.run(self._application))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._look_whether_quiet()

    def made(self, of: connection.Connection) -> None:
        self.connections.add(of)

    def finished(self, of: connection.Connection) -> None:
        self._clients.finish(of.name)

    def left(self, of: connection.Connection) -> None:
        self.connections.discard(of)
        self._clients.leave(of.name, finished=of.finished)
        self._look_whether_quiet()

    def _look_whether_quiet(self) -> None:
        if not (self._tasks or self.connections):
            self._quiet.set()

    # -- the time

    def _look(self) -> None:
        self.date = _date_line()
        now = self._loop.time()
        for one in list(self.connections):
            one.look(now)
        self._looks += 1
        if self._looks % LOOKS_BETWEEN_LINES == 0:
            self._look_at_refusals()
        self._next_look = self._loop.call_later(LOOK_SECONDS, self._look)

    def _look_at_refusals(self) -> None:
        """After a flood what it left is given back. Failed handshakes are cycles of references, and the collector runs seldom."""
        refusals = self._clients.refusals()
        if refusals:
            log.warning("%s", refusals)
        if refusals or self._refused_before:
            gc.collect()
        self._refused_before = bool(refusals)

    # -- the end

    async def stop(self) -> None:
        """Accepts nothing more and lets what is in work end."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for task in list(self._opening):
            task.cancel()
        for one in list(self.connections):
            one.leave()
        self._quiet.clear()
        self._look_whether_quiet()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), GRACE_SECONDS)
        self._next_look.cancel()
        for task in list(self._tasks):
            task.cancel()
        for one in list(self.connections):
            one.abort()
        await asyncio.gather(*self._tasks, *self._opening, return_exceptions=True)


def _date_line() -> bytes:
    return f"date: {email.utils.formatdate(usegmt=True)}\r\n".encode()
