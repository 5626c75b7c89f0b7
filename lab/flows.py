"""UDP flows through a tunnel, a datagram of each every 50 ms, each answered by an echo server: what was lost, and how long nothing came.

Both ends are threads of this process whose sockets are in the network namespaces of two hosts.
"""

import contextlib
import itertools
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from landbridge.engine.strongswan.network import namespace

ECHO_PORT = 7
FIRST_PORT = 40000
INTERVAL = 0.05
_NUMBER = struct.Struct("!I")


@dataclass
class Flow:
    """Times are of the monotonic clock. `sent`: of each datagram; `answered`: number of a datagram -> when its answer came."""

    port: int
    socket: socket.socket
    sent: list[float] = field(default_factory=list)
    answered: dict[int, float] = field(default_factory=dict)

    def lost(self, since: float, until: float) -> int:
        """How many of the datagrams that were sent in this time have no answer."""
        return sum(since <= at < until and number not in self.answered for number, at in enumerate(self.sent))

    def silence(self, since: float, until: float) -> float:
        """The longest time between two answers."""
        times = sorted(at for at in self.answered.values() if since <= at < until)
        return max((later - one for one, later in itertools.pairwise(times)), default=until - since)

    def answers(self, since: float) -> bool:
        """Whether a datagram that was sent since then has an answer."""
        last = max(self.answered, default=None)
        return last is not None and self.sent[last] >= since


@contextlib.contextmanager
def flowing(source: str, host: str, target: str, *, count: int) -> Iterator[list[Flow]]:
    """`source` and `host` are namespaces, `target` an address of `host`. Flows differ in their source port alone."""
    ended = threading.Event()
    echo = namespace.inside(host, lambda _: _bound(target, ECHO_PORT))
    flows = namespace.inside(
        source, lambda _: [Flow(FIRST_PORT + at, _bound("", FIRST_PORT + at)) for at in range(count)]
    )
    threads = [
        threading.Thread(target=_answer, args=(echo, ended)),
        threading.Thread(target=_send, args=(flows, target, ended)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield flows
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        for each in (echo, *(flow.socket for flow in flows)):
            each.close()


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(INTERVAL)
    return made


def _answer(echo: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            echo.sendto(*echo.recvfrom(64))


def _send(flows: list[Flow], target: str, ended: threading.Event) -> None:
    """Answers are read between two rounds, also when the machine is late. An ICMP error about a datagram is none."""
    with selectors.DefaultSelector() as waiting:
        for flow in flows:
            flow.socket.setblocking(False)
            waiting.register(flow.socket, selectors.EVENT_READ, flow)
        while not ended.is_set():
            due = time.monotonic() + INTERVAL
            for flow in flows:
                flow.sent.append(time.monotonic())
                with contextlib.suppress(OSError):
                    flow.socket.sendto(_NUMBER.pack(len(flow.sent) - 1), (target, ECHO_PORT))
            while (left := due - time.monotonic()) > 0 or waiting.select(0):
                for key, _ in waiting.select(max(left, 0)):
                    with contextlib.suppress(OSError):
                        (number,) = _NUMBER.unpack(key.data.socket.recv(64))
                        if number < len(key.data.sent):  # others answer an earlier flow from this port
                            key.data.answered[number] = time.monotonic()
