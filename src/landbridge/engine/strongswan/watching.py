"""One thread that listens to every charon of this machine, for as long as any is there.

It may not change anything. It keeps the log lines and says which gateway had something happen to it; what happened is found by
looking again. A charon that goes away and comes back is found by its socket.
"""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vici.protocol import Message, Packet

from landbridge.engine.strongswan import charon, evidence

EVENTS = ("log", "ike-updown", "child-updown", "ike-rekey", "child-rekey")
#: Seconds. Events come in bursts, and one look answers a burst.
DEBOUNCE = 0.05
#: Seconds between looks for charons that someone else started.
SCAN = 1.0
#: Seconds within which `stop` is noticed.
TICK = 0.2


@dataclass(frozen=True, slots=True)
class _Ear:
    gateway_id: str
    socket: socket.socket
    transport: Any


class Watcher:
    """`folders` tells the gateways of this machine; `lines` gives the place for a gateway's lines."""

    def __init__(
        self,
        folders: Callable[[], Mapping[str, Path]],
        lines: Callable[[str], evidence.Lines],
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
        for key, _ in selector.select(self._pause()):
            if key.data is None:
                self._woken.recv(4096)
            else:
                self._hear(selector, key.data)
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
        ear = _Ear(gateway_id, connection := charon.connect(folder), charon.Transport(connection))
        try:
            for event in EVENTS:
                ear.transport.send(Packet.register_event(event))
        except OSError:
            connection.close()
            raise
        selector.register(connection, selectors.EVENT_READ, ear)
        self._ears[gateway_id] = ear

    def _hear(self, selector: selectors.BaseSelector, ear: _Ear) -> None:
        try:
            packet = Packet.parse(ear.transport.receive())
            if packet.response_type == Packet.EVENT:
                self._event(ear.gateway_id, packet.event_type.decode(), Message.deserialize(packet.payload))
        except (OSError, *charon.GARBLED):
            selector.unregister(ear.socket)
            ear.socket.close()
            del self._ears[ear.gateway_id]
            self.call_after(ear.gateway_id, DEBOUNCE)

    def _event(self, gateway_id: str, kind: str, message: Mapping[str, Any]) -> None:
        if kind != "log":
            self.call_after(gateway_id, DEBOUNCE)
            return
        name, unique_id, line = (_text(message, key) for key in ("ikesa-name", "ikesa-uniqueid", "msg"))
        self._lines(gateway_id).add(datetime.now(UTC), name, unique_id, line or "")


def _text(message: Mapping[str, Any], key: str) -> str | None:
    value = message.get(key)
    return value.decode(errors="replace") if value is not None else None
