"""Serves an application on a listening socket, until a signal comes.

The server accepts connections itself, not the event loop: it counts each one before its TLS handshake begins, so that clients cannot
take the files that the database and the engine need.
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
from landbridge.telemetry import shared_metrics

log = logging.getLogger(__name__)
_LAG = shared_metrics.Histogram(
    "landbridge_event_loop_lag_seconds",
    "Delay of a timer that the event loop of each process runs once a second, in seconds.",
)
#: Seconds between two checks of all connections.
TICK_SECONDS = 1.0
#: Seconds that a TLS handshake may take.
HANDSHAKE_SECONDS = 15.0
#: Seconds that requests in work have when the service ends.
GRACE_SECONDS = 5.0
#: Connections that are accepted at once, before other work is done.
MAX_ACCEPTS = 64
#: Seconds until the next accept after the machine had no file or no memory for a connection.
ACCEPT_PAUSE_SECONDS = 1.0
#: Checks between two warnings about refused connections.
TICKS_BETWEEN_WARNINGS = 10


class Signals:
    """Takes SIGINT and SIGTERM while its `with` block runs.

    A signal that comes early ends the server as soon as it begins to serve. It raises no exception, because the code that runs at that
    moment could swallow it.
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
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serves until a signal comes. Then it calls `on_stop` and finishes the requests that it has begun."""
    tune_process()

    async def serve() -> None:
        server = Server(application, bounds, None if certificate is None else certificate.context)
        server.listen(listening)
        await signals.wait()
        on_stop()
        await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def tune_process() -> None:
    """Sets the garbage collector, the threads and the allocator as a process that serves needs them. Call it after all imports."""
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
        self._ticks = 0
        self._refused_last_time = False
        self._idle = asyncio.Event()
        self.date = _date_line()

    def listen(self, listening: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)
        self._next_tick = self._loop.call_later(TICK_SECONDS, self._tick)

    # -- new connections

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                sock, address = self._listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # it went away while it waited
                continue
            except OSError as error:
                log.warning("no connection can be accepted for %.0f s: %s", ACCEPT_PAUSE_SECONDS, error.strerror)
                self._loop.remove_reader(self._listening)
                self._loop.call_later(ACCEPT_PAUSE_SECONDS, self._accept_again)
                return
            client = self._clients.admit(address[0])
            if client is None:
                sock.close()
                continue
            task = self._loop.create_task(self._open(sock, address[:2], client))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _accept_again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    async def _open(self, sock: socket.socket, address: tuple[str, int], client: str) -> None:
        """Makes the connection, after the TLS handshake where there is TLS."""
        made = connection.Connection(self, address, client, "https" if self._tls else "http")
        timeouts = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": HANDSHAKE_SECONDS}
        try:
            sock.setblocking(False)
            await self._loop.connect_accepted_socket(
                lambda: made, sock, ssl=self._tls, **(timeouts if self._tls else {})
            )
        except (OSError, RuntimeError, asyncio.CancelledError):  # no handshake, or the client is gone already
            if made.server_address is None:
                self._clients.release(client, had_request=False)

    # -- called by connections

    def start(self, opened: exchange.Exchange) -> None:
        task = self._loop.create_task(opened.run(self._application))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._check_idle()

    def on_open(self, opened: connection.Connection) -> None:
        self.connections.add(opened)

    def on_first_request(self, opened: connection.Connection) -> None:
        self._clients.count_request(opened.client)

    def on_close(self, closed: connection.Connection) -> None:
        self.connections.discard(closed)
        self._clients.release(closed.client, had_request=closed.had_request)
        self._check_idle()

    def _check_idle(self) -> None:
        if not (self._tasks or self.connections):
            self._idle.set()

    # -- once a second

    def _tick(self) -> None:
        self.date = _date_line()
        now = self._loop.time()
        _LAG.observe(max(0.0, now - self._next_tick.when()))
        for open_connection in list(self.connections):
            open_connection.check_time(now)
        self._ticks += 1
        if self._ticks % TICKS_BETWEEN_WARNINGS == 0:
            self._log_refusals()
        self._next_tick = self._loop.call_later(TICK_SECONDS, self._tick)

    def _log_refusals(self) -> None:
        """Logs how many connections were refused, and collects their garbage: failed handshakes are cycles of references, and the collector
        runs seldom.
        """
        refusals = self._clients.refusals()
        if refusals:
            log.warning("%s", refusals)
        if refusals or self._refused_last_time:
            gc.collect()
        self._refused_last_time = bool(refusals)

    # -- the end

    async def stop(self) -> None:
        """Accepts no more connections and finishes the requests in work."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for task in list(self._opening):
            task.cancel()
        for open_connection in list(self.connections):
            open_connection.shut_down()
        self._idle.clear()
        self._check_idle()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), GRACE_SECONDS)
        self._next_tick.cancel()
        for task in list(self._tasks):
            task.cancel()
        for open_connection in list(self.connections):
            open_connection.abort()
        await asyncio.gather(*self._tasks, *self._opening, return_exceptions=True)


def _date_line() -> bytes:
    return f"date: {email.utils.formatdate(usegmt=True)}\r\n".encode()
