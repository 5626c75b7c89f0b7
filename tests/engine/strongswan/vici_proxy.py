"""Sits in front of a charon's VICI socket and spoils one request of those that pass, in one of the ways below."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from vici.protocol import Message, Packet

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import charon
from tests.engine.strongswan.fault_bench import Bench

#: Seconds that charon gets to carry out what it was told before the answer is lost.
CARRY_OUT = 0.02


class Proxy:
    """`at`: which request from the beginning is spoilt, 0 for none; `count`: how many came. A fault gets the proxy, the request, the
    client and charon, and says whether the connection goes on.
    """

    def __init__(self, bench: Bench, at: int = 0, fault: "Fault | None" = None) -> None:
        self.bench = bench
        self.count = 0
        self.delay = 0.0
        self.fault = fault
        self._at = at
        self._path = charon.CHARON.socket_path(bench.folder)
        self._real = self._path.with_name("real")
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._path.rename(self._real)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        self._listener.settimeout(0.05)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self._real.rename(self._path)  # also a dead one's: nobody listens there

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._listener.fileno() >= 0:
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), _connected(self._real) as server:
            answers = threading.Thread(target=self._answers, args=(server, client))
            answers.start()
            while request := _read(client):
                self.count += 1
                if self.count != self._at or self.fault is None:
                    server.sendall(_framed(request))
                elif not self.fault(self, request, client, server):
                    break
            server.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                time.sleep(self.delay)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


Fault = Callable[[Proxy, bytes, socket.socket, socket.socket], bool]


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.fspath(path))
    except OSError:
        connection.close()
        raise
    return connection


def _read(client: socket.socket) -> bytes:
    head = client.recv(4, socket.MSG_WAITALL)
    return client.recv(struct.unpack("!I", head)[0], socket.MSG_WAITALL) if len(head) == 4 else b""


def _framed(packet: bytes) -> bytes:
    return struct.pack("!I", len(packet)) + packet


# -- the ways ---------------------------------------------------------------------------------------------------------


def hang_up(*_: object) -> bool:
    return False


def lose_the_answer(_proxy: Proxy, request: bytes, client: socket.socket, server: socket.socket) -> bool:
    client.shutdown(socket.SHUT_WR)
    server.sendall(_framed(request))
    time.sleep(CARRY_OUT)
    return False


def refuse(_proxy: Proxy, request: bytes, client: socket.socket, _server: socket.socket) -> bool:
    no = struct.pack("!B", Packet.CMD_RESPONSE) + Message.serialize({"success": "no", "errmsg": "injected"})
    client.sendall(_framed(no if request[0] == Packet.CMD_REQUEST else struct.pack("!B", Packet.EVENT_UNKNOWN)))
    return True


def garble(_proxy: Proxy, _request: bytes, client: socket.socket, _server: socket.socket) -> bool:
    """A section begins and the packet ends."""
    client.sendall(_framed(struct.pack("!BB", Packet.CMD_RESPONSE, Message.SECTION_START) + b"\x02\xff\xfe"))
    return True


def say_nothing_in_a_packet(_proxy: Proxy, _request: bytes, client: socket.socket, _server: socket.socket) -> bool:
    client.sendall(_framed(b""))
    return True


def promise_too_much(_proxy: Proxy, _request: bytes, client: socket.socket, _server: socket.socket) -> bool:
    client.sendall(b"\xff\xff\xff\xff\x01")
    return True


def stop_in_the_middle(_proxy: Proxy, _request: bytes, client: socket.socket, _server: socket.socket) -> bool:
    client.sendall(_framed(struct.pack("!B", Packet.CMD_RESPONSE) + bytes(100))[:20])
    return True


def answer_late(proxy: Proxy, request: bytes, _client: socket.socket, server: socket.socket) -> bool:
    proxy.delay = 2 * daemon.ANSWER_TIMEOUT
    server.sendall(_framed(request))
    return True


def die_at_once(proxy: Proxy, request: bytes, _client: socket.socket, server: socket.socket) -> bool:
    """In the middle of carrying it out, or before, or just after: whoever is faster."""
    server.sendall(_framed(request))
    proxy.bench.kill()
    return False
