"""One thread that listens to every charon of this machine, for as long as any is there.

It may not change anything. It keeps the log lines and says which gateway had something happen to it; what happened is found by
looking again. A charon that goes away and comes back is found by its socket.
"""

import contextlib
import select
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vici.exception import DeserializationException
from vici.protocol import Message, Packet

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import charon, evidence, vici_protocol

#: No rekeys: of a thousand tunnels one is always rekeying, and nothing of what is up or down changes by it.
EVENTS = ("log", "ike-updown", "child-updown")
#: Seconds. Events come in bursts: a burst is read at once, and one look answers it.
LULL = 0.05
DEBOUNCE = 0.02
#: Seconds between looks for charons that someone else started.
SCAN = 1.0
#: Seconds within which `stop` is noticed.
TICK = 0.2

_LENGTH = struct.Struct("!I")
_NOISE = tuple(noise.encode() for noise in evidence.NOISE)


@dataclass(slots=True)
class _Ear:
    """`heard`: the beginning of a packet whose rest is due by `due`."""

    gateway_id: str
    socket: socket.socket
    heard: bytes = b""
    due: float = 0.0


class Watcher:
    """`folders` tells the gateways of this machine; `lines` gives the place for a gateway's lines."""

    def __init__(
        self,
        folders: Callable[[], Mapping[str, Path]],
        lines: Callable[[str], evidence.EvidenceLog],
        changed: Callable[[str], None],
    ) -> None:
        self._folders = folders
        self._lines = lines
        self._changed = changed
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._ears: dict[str, _Ear] = {}
        self._scan_at = 0.0
        self._wake, self._woken = socket.socketpair()

    def call_after(self, gateway_id: str, seconds: float) -> None:
        """`changed` will be called for the gateway; an earlier call that is due anyway is enough. Any thread."""
        due = time.monotonic() + seconds
        with self._lock:
            self._due[gateway_id] = min(due, self._due.get(gateway_id, due))

    def rescan(self) -> None:
        """A charon was started: listen to it before it says much. Any thread."""
        self._scan_at = 0.0
        with contextlib.suppress(OSError):
            self._wake.send(b".")

    def run(self, stop: threading.Event) -> None:
        with selectors.DefaultSelector() as selector, self._wake, self._woken:
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while not stop.is_set():
                    self._turn(selector)
            finally:
                for ear in self._ears.values():
                    ear.socket.close()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        if time.monotonic() >= self._scan_at:
            self._scan_at = time.monotonic() + SCAN
            self._scan(selector)
        ready = selector.select(self._pause())
        if ready and all(key.data for key, _ in ready):
            select.select([self._woken], [], [], LULL)  # not a sleep: whoever starts a charon wants it heard at once
        for key, _ in ready:
            if key.data is None:
                self._woken.recv(4096)
            else:
                self._hear(selector, key.data)
        for ear in [ear for ear in self._ears.values() if ear.heard and ear.due < time.monotonic()]:
            self._lose(selector, ear)
        self._call()

    def _pause(self) -> float:
        with self._lock:
            next_due = min(self._due.values(), default=time.monotonic() + TICK)
        return max(0.0, min(TICK, next_due - time.monotonic()))

    def _call(self) -> None:
        now = time.monotonic()
        with self._lock:
            ready = [gateway_id for gateway_id, due in self._due.items() if due <= now]
            for gateway_id in ready:
                del self._due[gateway_id]
        for gateway_id in ready:
            self._changed(gateway_id)

    def _scan(self, selector: selectors.BaseSelector) -> None:
        for gateway_id, folder in self._folders().items():
            if gateway_id not in self._ears:
                with contextlib.suppress(OSError):
                    self._listen(selector, gateway_id, folder)

    def _listen(self, selector: selectors.BaseSelector, gateway_id: str, folder: Path) -> None:
        ear = _Ear(gateway_id, connection := charon.CHARON.connect(folder))
        transport = vici_protocol.Transport(connection)
        try:
            for event in EVENTS:
                transport.send(Packet.register_event(event))
        except OSError:
            connection.close()
            raise
        selector.register(connection, selectors.EVENT_READ, ear)
        self._ears[gateway_id] = ear

    def _hear(self, selector: selectors.BaseSelector, ear: _Ear) -> None:
        """Takes what is there and waits for no more."""
        if not ear.heard:
            ear.due = time.monotonic() + daemon.ANSWER_TIMEOUT
        try:
            ear.heard += _received(ear.socket)
            for packet in self._packets(ear):
                self._packet(ear.gateway_id, packet)
        except (OSError, *vici_protocol.PROTOCOL_ERRORS):
            self._lose(selector, ear)

    def _packets(self, ear: _Ear) -> Iterator[bytes]:
        at, heard = 0, ear.heard
        while len(heard) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(heard, at)
            if length > vici_protocol.Transport.MAX_SEGMENT:
                raise DeserializationException(f"a packet of {length} bytes")
            if len(heard) - at - _LENGTH.size < length:
                break
            at += _LENGTH.size + length
            yield heard[at - length : at]
        if at:
            ear.heard = heard[at:]
            ear.due = time.monotonic() + daemon.ANSWER_TIMEOUT

    def _lose(self, selector: selectors.BaseSelector, ear: _Ear) -> None:
        selector.unregister(ear.socket)
        ear.socket.close()
        del self._ears[ear.gateway_id]
        self.call_after(ear.gateway_id, DEBOUNCE)

    def _packet(self, gateway_id: str, content: bytes) -> None:
        if _is_noise(content):
            return
        packet = Packet.parse(content)
        if packet.response_type == Packet.EVENT:
            self._event(gateway_id, packet.event_type.decode(), Message.deserialize(packet.payload))

    def _event(self, gateway_id: str, kind: str, message: Mapping[str, Any]) -> None:
        if kind != "log":
            self.call_after(gateway_id, DEBOUNCE)
            return
        name, unique_id, line = (_text(message, key) for key in ("ikesa-name", "ikesa-uniqueid", "msg"))
        self._lines(gateway_id).add(datetime.now(UTC), name, unique_id, line or "")


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionResetError("charon hung up")
    return data


def _is_noise(packet: bytes) -> bool:
    """Seen without reading the packet: it costs a hundredth, and nearly all that charon says is that."""
    at = packet.find(b"\x03\x03msg")
    return packet.startswith(b"\x07\x03log") and at > 0 and packet[at + 7 :].startswith(_NOISE)


def _text(message: Mapping[str, Any], key: str) -> str | None:
    value = message.get(key)
    return value.decode(errors="replace") if value is not None else None
