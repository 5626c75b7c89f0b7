"""The conversation of a probe, with a device that answers whatever a test wants."""

import itertools
import socket
import struct
from collections import deque
from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest

from landbridge import model
from landbridge.engine.strongswan.ike import probe
from landbridge.model import negotiation
from tests.engine.strongswan.ike import test_probe_messages as made

US = negotiation.Identity(kind="ip", value="203.0.113.10")
CHOSEN = made.v2_answer(*(made.v2_transform(*each) for each in [(1, 12, 128), (3, 12), (2, 5), (4, 14)]))
COOKIE = made.message(41, made.notify(16390, b"cookie"))
ANOTHER_GROUP = made.message(41, made.notify(17, b"\x00\x0e"))
REFUSED = made.message(41, made.notify(14))
V1_REFUSED = made.message(11, made.v1_notify(14), version=0x10, exchange=5, flags=0)
V1_CHOSEN = made.v1_answer((1, 7), (14, 128), (2, 4), (3, 1), (4, 14))


class Device:
    """The other end of the socket: it answers each message with the next of `answers`, under the message's SPI, and keeps what it got and when. The
    clock of the probe is its own: a wait for an answer that does not come takes no time.
    """

    def __init__(self, answers: Iterable[list[bytes]]) -> None:
        self.got: list[bytes] = []
        self.at: list[float] = []
        self.now = 1000.0
        self._answers = iter(answers)
        self._waiting: deque[bytes] = deque()
        self._patience = 0.0

    def ask(self, first: model.IkeVersion = "v2") -> probe.Answers:
        question = probe.Question(
            local_address=US.value, peer_address="198.51.100.2", first=first, group=15, identity=US
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probe, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self._pass))
            return probe.ask(cast("socket.socket", self), question)

    def send(self, datagram: bytes) -> None:
        message = datagram[8:]
        self.got.append(message)
        self.at.append(self.now)
        for answer in next(self._answers, []):
            head = bytes([0x45]) + bytes(19)
            self._waiting.append(head + struct.pack("!HHHH", 500, 500, 8 + len(answer), 0) + message[:8] + answer[8:])

    def settimeout(self, seconds: float) -> None:
        self._patience = seconds

    def recv(self, _: int) -> bytes:
        if not self._waiting:
            self._pass(self._patience)
            raise TimeoutError
        return self._waiting.popleft()

    def _pass(self, seconds: float) -> None:
        self.now += seconds


def outcomes(answers: probe.Answers):
    return [(one.ike_version, one.mode, one.outcome) for one in answers.answers]


def test_a_cookie_and_another_group_keep_the_spi_and_the_nonce():
    device = Device([[COOKIE], [ANOTHER_GROUP], [CHOSEN]])
    answers = device.ask()
    assert outcomes(answers) == [("v2", None, "chosen")]
    assert answers.packets == len(device.got) == 3
    assert len({message[:8] for message in device.got}) == 1
    assert [b"cookie" in message for message in device.got] == [False, True, True]
    assert all(message.endswith(device.got[0][-32:]) for message in device.got)


def test_silence_is_answered_with_the_same_bytes_once():
    device = Device([])
    answers = device.ask()
    assert outcomes(answers) == [("v2", None, "silent"), ("v1", "main", "silent"), ("v1", "aggressive", "silent")]
    assert device.got[0::2] == device.got[1::2]
    assert len(set(device.got)) == 3
    assert device.now - device.at[0] == pytest.approx(6 * probe.ANSWER)


@pytest.mark.parametrize("answer", [COOKIE, ANOTHER_GROUP])
def test_a_device_that_never_ends_gets_four_messages(answer: bytes):
    device = Device(itertools.repeat([answer], probe.V2_SENDS))
    answers = device.ask()
    assert len([message for message in device.got if message[17] == 0x20]) <= probe.V2_SENDS
    assert answers.answers[0].outcome in {"silent", "refused"}


@pytest.mark.parametrize("first", ["v1", "v2"])
def test_messages_are_counted_and_apart(first: model.IkeVersion):
    device = Device(
        [[V1_REFUSED if first == "v1" else REFUSED]] + [[V1_REFUSED]] * 8 + [[REFUSED if first == "v1" else V1_REFUSED]]
    )
    answers = device.ask(first)
    versions = [message[17] for message in device.got]
    assert versions.count(0x10) == probe.V1_SENDS
    assert versions.count(0x20) <= probe.V2_SENDS
    assert answers.packets == len(device.got)
    assert min(later - earlier for earlier, later in itertools.pairwise(device.at)) >= probe.SPACING * 0.999


def test_the_other_version_is_asked_only_where_the_first_is_not_taken():
    device = Device([[V1_CHOSEN], [V1_REFUSED]])
    assert outcomes(device.ask("v1")) == [("v1", "main", "chosen"), ("v1", "aggressive", "refused")]


def test_what_is_no_answer_is_passed_over():
    noise = [b"", made.message(41, made.notify(14), exchange=37), CHOSEN[:40], made.message(33, b"\0\0\0\xff")]
    assert outcomes(Device([[*noise, CHOSEN]]).ask()) == [("v2", None, "chosen")]
