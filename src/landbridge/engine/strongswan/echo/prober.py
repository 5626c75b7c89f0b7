"""Sends the echoes of all gateways, in one thread, with a socket for each gateway and kind of echo.

It does not decide about routes: it keeps the results of echoes, and reports that a path has come up or gone down. Every path of a new
prober is `unknown` until an echo was answered, or too many were lost.
"""

import contextlib
import heapq
import itertools
import logging
import select
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from landbridge import model
from landbridge.engine.strongswan.echo import icmp
from landbridge.engine.strongswan.echo.state import Echoes, EchoState, Kind
from landbridge.engine.strongswan.echo.window import Timing, Window

log = logging.getLogger(__name__)

#: Seconds between two rounds. A round reads answers and sends the echoes that are due. The kernel notes when an answer came.
ROUND = 0.05
#: Seconds between two rounds while no gateway needs echoes.
IDLE = 0.2
#: Seconds after which a socket that could not be opened is tried again.
RETRY = 1.0
#: Messages of a socket that are read in a round beside four for each connection.
SPARE = 64
#: Bytes of an echo, headers included.
SIZE = 64
_IDENTIFIERS = 1 << 16


@dataclass(slots=True)
class _Stream:
    """The echoes of one connection. `due`: when the next one is. An ended stream is left out of the rounds."""

    gateway: "_Gateway"
    echoes: Echoes
    identifier: int
    window: Window
    due: float
    ended: bool = False


@dataclass(slots=True)
class _Gateway:
    """`streams`: by the identifier of their echoes. `open_at`: when missing sockets are to be opened. `failure`: why they could not be opened
    at the last attempt.
    """

    id: str
    streams: dict[int, _Stream] = field(default_factory=dict)
    sockets: dict[Kind, icmp.EchoSocket] = field(default_factory=dict)
    open_at: float = 0.0
    failure: str | None = None
    next_identifier: int = 1

    @property
    def missing(self) -> set[Kind]:
        return {stream.echoes.kind for stream in self.streams.values()} - self.sockets.keys()


class Prober:
    """`open_socket` opens a socket in the namespace of a gateway, for a kind of echo. `changed` is called with the gateway's id when one of its
    paths has come up or gone down. Any thread may call.
    """

    def __init__(
        self,
        open_socket: Callable[[str, Kind], icmp.EchoSocket],
        changed: Callable[[str], None],
        timings: Mapping[Kind, Timing],
    ) -> None:
        self._open_socket = open_socket
        self._changed = changed
        self._timings = timings
        self._lock = threading.Lock()
        self._gateways: dict[str, _Gateway] = {}
        self._queue: list[tuple[float, int, _Stream]] = []
        self._serial = itertools.count()
        self._poll = select.epoll()

    def keep(self, gateway_id: str, desired: Collection[Echoes]) -> None:
        """Begins and ends echoes, so that the gateway has exactly `desired`. Without any, its sockets are closed at once: they would keep the
        namespace.
        """
        with self._lock:
            gateway = self._gateways.get(gateway_id) or _Gateway(gateway_id)
            missing = {(echoes.connection_id, echoes.kind): echoes for echoes in desired}
            for identifier, stream in list(gateway.streams.items()):
                key = stream.echoes.connection_id, stream.echoes.kind
                if missing.get(key) == stream.echoes:
                    del missing[key]
                else:
                    stream.ended = True
                    del gateway.streams[identifier]
            for echoes in missing.values():
                self._begin(gateway, echoes)
            if gateway.streams:
                self._gateways[gateway_id] = gateway
            else:
                self._gateways.pop(gateway_id, None)
                self._close(gateway)

    def _begin(self, gateway: _Gateway, echoes: Echoes) -> None:
        """The first echo leaves within one interval, so that those of many connections do not leave at once."""
        timing = self._timings[echoes.kind]
        while gateway.next_identifier in gateway.streams:
            gateway.next_identifier = (gateway.next_identifier + 1) % _IDENTIFIERS
        identifier = gateway.next_identifier
        gateway.next_identifier = (identifier + 1) % _IDENTIFIERS
        due = time.monotonic() + timing.interval * (identifier * 0.618 % 1)
        stream = gateway.streams[identifier] = _Stream(gateway, echoes, identifier, Window(timing), due)
        heapq.heappush(self._queue, (due, next(self._serial), stream))

    def state(self, gateway_id: str) -> EchoState:
        now = time.monotonic()
        results: dict[Kind, dict[str, model.Reachability]] = {"nqa": {}, "monitor": {}}
        with self._lock:
            gateway = self._gateways.get(gateway_id)
            for stream in gateway.streams.values() if gateway else ():
                echoes = stream.echoes
                results[echoes.kind][echoes.connection_id] = stream.window.reachability(
                    echoes.source, echoes.destination, now
                )
        return EchoState(nqa=results["nqa"], monitor=results["monitor"])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Sends echoes, in a thread of its own. At the end, all sockets are closed."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="echoes")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                stop.wait(self._try_round())
        finally:
            with self._lock:
                for gateway in self._gateways.values():
                    self._close(gateway)

    def _try_round(self) -> float:
        """Returns the seconds until the next round."""
        begun = time.monotonic()
        try:
            with self._lock:
                changed = self._round(begun)
        except Exception:
            log.exception("a round of echoes failed; the next one begins in a second")
            return RETRY
        for gateway_id in changed:
            self._changed(gateway_id)
        return max(0.0, begun + ROUND - time.monotonic()) if self._gateways else IDLE

    def _round(self, now: float) -> set[str]:
        """Reads, then sends: an answer that waits is no loss. Returns the gateways whose paths have changed."""
        for gateway in self._gateways.values():
            if gateway.open_at <= now and (missing := gateway.missing):
                self._open(gateway, missing, now)
        return {*self._receive(now), *self._send(now)}

    def _open(self, gateway: _Gateway, kinds: Collection[Kind], now: float) -> None:
        try:
            for kind in kinds:
                opened = gateway.sockets[kind] = self._open_socket(gateway.id, kind)
                self._poll.register(opened, select.EPOLLIN)
            failure = None
        except OSError as error:
            failure = error.strerror or str(error)
            gateway.open_at = now + RETRY
        if failure != gateway.failure:
            gateway.failure = failure
            if failure:
                log.warning("gateway %s: no echoes can be sent: %s", gateway.id, failure)
            else:
                log.info("gateway %s: echoes can be sent again", gateway.id)

    def _close(self, gateway: _Gateway) -> None:
        for opened in gateway.sockets.values():
            self._poll.unregister(opened)
            opened.close()
        gateway.sockets.clear()

    def _receive(self, now: float) -> Iterator[str]:
        ready = {number for number, _ in self._poll.poll(0)}
        ahead = time.time() - now  # of the kernel's clock to ours
        for gateway in self._gateways.values() if ready else ():
            for kind, opened in gateway.sockets.items():
                if opened.fileno() in ready:
                    yield from self._receive_from(gateway, kind, opened, ahead)

    def _receive_from(self, gateway: _Gateway, kind: Kind, opened: icmp.EchoSocket, ahead: float) -> Iterator[str]:
        """Reads a bounded number of messages: anybody may send some. An answer counts only where echoes of its kind are answered."""
        for reply in itertools.islice(opened.receive(), 4 * len(gateway.streams) + SPARE):
            stream = gateway.streams.get(reply.identifier or 0)
            if stream is None or stream.echoes.kind != kind or not isinstance(reply, icmp.EchoReply):
                continue
            if (reply.source, reply.destination) == (stream.echoes.destination, stream.echoes.source):
                before = stream.window.state
                stream.window.answer(reply.sequence, reply.at - ahead, reply.at)
                if stream.window.state != before:
                    yield gateway.id

    def _send(self, now: float) -> Iterator[str]:
        while self._queue and self._queue[0][0] <= now:
            _, _, stream = heapq.heappop(self._queue)
            if stream.ended:
                continue
            interval = self._timings[stream.echoes.kind].interval
            stream.due = max(stream.due + interval, now + interval / 2)
            heapq.heappush(self._queue, (stream.due, next(self._serial), stream))
            opened = stream.gateway.sockets.get(stream.echoes.kind)
            if opened is None:
                continue
            before = stream.window.state
            self._send_one(stream, stream.window.send(time.monotonic(), time.time()), opened)
            if stream.window.state != before:
                yield stream.gateway.id

    def _send_one(self, stream: _Stream, sequence: int, opened: icmp.EchoSocket) -> None:
        """An echo that cannot leave is a lost one: the interface is gone, or nothing routes to the destination."""
        echoes = stream.echoes
        with contextlib.suppress(OSError):
            opened.send(
                echoes.source,
                echoes.destination,
                device=echoes.device,
                identifier=stream.identifier,
                sequence=sequence,
                size=SIZE,
            )
