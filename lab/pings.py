"""ICMP echoes to many hosts, one to each every few milliseconds: which of them were lost, and when these were sent.

A process of its own sends: the work of its caller delays no echo. A round has one echo of each flow. Sender and caller share a file with the time of
each echo and whether it was answered. Only loss counts: a machine that is busy answers late, and sends fewer rounds.
"""

import contextlib
import json
import mmap
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from landbridge.engine.strongswan.network import namespace

#: Rounds that the file has room for: an hour of a round each 10 ms.
ROUNDS = 360_000
_HEAD = struct.Struct("=Q")  # rounds that have begun
_TIME = struct.Struct("=d")
_ECHO = struct.Struct("!BBHHHIII")  # RFC 792, then the mark of this module, the flow and the round
_MARK = 0x4C42534F
_IP_HEADER = 20
_REPLY, _REQUEST = 0, 8
_SOL_RAW, _ICMP_FILTER, _RCVBUFFORCE = 255, 1, 33  # <linux/icmp.h>, <asm-generic/socket.h>
_ROOM = 8 << 20


@dataclass(frozen=True)
class Flow:
    """From a network namespace to an address."""

    source: str
    target: str


class Record:
    """The file. `flows`: how many there are."""

    def __init__(self, file: int, flows: int) -> None:
        self.flows = flows
        self._answers = _HEAD.size + _TIME.size * flows * ROUNDS
        self._map = mmap.mmap(file, self._answers + flows * ROUNDS)

    @property
    def rounds(self) -> int:
        return int(_HEAD.unpack_from(self._map)[0])

    @rounds.setter
    def rounds(self, count: int) -> None:
        _HEAD.pack_into(self._map, 0, count)

    def sent(self, flow: int, number: int) -> float:
        """When, on the monotonic clock."""
        return float(_TIME.unpack_from(self._map, _HEAD.size + _TIME.size * (number * self.flows + flow))[0])

    def send(self, flow: int, number: int, at: float) -> None:
        _TIME.pack_into(self._map, _HEAD.size + _TIME.size * (number * self.flows + flow), at)

    def is_answered(self, flow: int, number: int) -> bool:
        return bool(self._map[self._answers + number * self.flows + flow])

    def answer(self, flow: int, number: int) -> None:
        self._map[self._answers + number * self.flows + flow] = 1


class Pings:
    """What the caller sees of the sender."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def numbers(self, since: float, until: float) -> range:
        """The rounds that began in this time."""
        return range(self._first_after(since), self._first_after(until))

    def _first_after(self, at: float) -> int:
        low, high = 0, self._record.rounds
        while low < high:
            middle = (low + high) // 2
            if self._record.sent(0, middle) < at:
                low = middle + 1
            else:
                high = middle
        return low

    def lost(self, flow: int, rounds: range) -> int:
        """How many echoes of these rounds have no answer."""
        return sum(not self._record.is_answered(flow, number) for number in rounds)

    def answers(self, flow: int, count: int, since: float) -> bool:
        """Whether so many rounds in a row since then were answered, without those that are under way."""
        rounds = self.numbers(since, time.monotonic() - 0.1)
        last = rounds[-count:]
        return len(last) == count and not self.lost(flow, last)


@contextlib.contextmanager
def pinging(flows: list[Flow], interval: float) -> Iterator[Pings]:
    """`interval`: seconds between two rounds."""
    with tempfile.TemporaryFile(prefix="pings-") as file:
        file.truncate(_HEAD.size + (_TIME.size + 1) * len(flows) * ROUNDS)
        what = json.dumps([interval, [[flow.source, flow.target] for flow in flows]])
        command = [sys.executable, "-m", "lab.pings", str(file.fileno())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[file.fileno()], text=True) as sender:
            assert sender.stdin is not None
            sender.stdin.write(what)
            sender.stdin.close()
            try:
                yield Pings(Record(file.fileno(), len(flows)))
            finally:
                sender.send_signal(signal.SIGTERM)


def main() -> None:
    """The sender. It ends with SIGTERM, or when the file is full."""
    interval, wanted = json.load(sys.stdin)
    record = Record(int(sys.argv[1]), len(wanted))
    sources = {source: namespace.inside(source, lambda _: _opened()) for source in sorted({one for one, _ in wanted})}
    flows = [(sources[source], (target, 0)) for source, target in wanted]
    waiting = select.poll()
    by_file = {each.fileno(): each for each in sources.values()}
    for file in by_file:
        waiting.register(file, select.POLLIN)
    due = time.monotonic()
    for number in range(ROUNDS):
        now = time.monotonic()
        due = max(due + interval, now)
        for flow, (sender, target) in enumerate(flows):
            record.send(flow, number, now)
            with contextlib.suppress(OSError):
                sender.sendto(_echo(flow, number), target)
        record.rounds = number + 1
        _receive_until(due, waiting, by_file, record)


def _receive_until(due: float, waiting: select.poll, by_file: dict[int, socket.socket], record: Record) -> None:
    """What has come is read also when the machine is late."""
    while True:
        left = due - time.monotonic()
        ready = waiting.poll(max(0.0, left * 1000))
        for file, _ in ready:
            _receive(by_file[file], record)
        if left <= 0 and not ready:
            return
        if left <= -1:  # the next round cannot wait for ever
            return


def _receive(opened: socket.socket, record: Record) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            data = opened.recv(256)
            if len(data) < _IP_HEADER + _ECHO.size:
                continue
            kind, _, _, _, _, mark, flow, number = _ECHO.unpack_from(data, _IP_HEADER)
            if kind == _REPLY and mark == _MARK and flow < record.flows and number < ROUNDS:
                record.answer(flow, number)


def _opened() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    made.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY) & 0xFFFFFFFF))
    made.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _ROOM)
    made.setblocking(False)
    return made


def _echo(flow: int, number: int) -> bytes:
    """With the Internet checksum (RFC 1071)."""
    identifier, sequence = flow & 0xFFFF, number & 0xFFFF
    words = (_REQUEST << 8) + identifier + sequence
    words += sum(one >> 16 for one in (_MARK, flow, number)) + sum(one & 0xFFFF for one in (_MARK, flow, number))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return _ECHO.pack(_REQUEST, 0, ~words & 0xFFFF, identifier, sequence, _MARK, flow, number)


if __name__ == "__main__":
    main()
