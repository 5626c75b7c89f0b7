"""Asks a device which parameters of phase 1 it accepts, with messages of Landbridge's own beside those of charon.

A raw socket sends the messages from UDP port 500 of the endpoint's outer address, and gets a copy of the answers. charon keeps the port, and
ignores an answer to a message that it did not send (measured). A message is repeated once at most, and one message is sent at a time. A
probe leaves at most two half-open IKE_SAs on the device; strongSwan allows 5 for each address.
"""

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from landbridge import model
from landbridge.engine.strongswan.ike import probe_messages as messages
from landbridge.model import negotiation

PORT = 500
#: Messages that a device gets at most, repeated ones too.
V2_SENDS, V1_SENDS = 4, 9
#: Seconds: between two messages, for an answer, and for an answer after the machine has said that nobody listens.
SPACING, ANSWER, AFTER_REFUSAL = 0.075, 2.0, 0.3

Parse = Callable[[bytes, bytes], messages.Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The device to ask, and the IKE version to begin with. `group` and `identity`: the DH group and our id of the connection."""

    local_address: str
    peer_address: str
    first: model.IkeVersion
    group: int
    identity: negotiation.Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    packets: int = 0
    answers: tuple[model.ProbeAnswer, ...] = ()
    identity: negotiation.Identity | None = None


class Unreachable(Exception):
    """The network says that nobody listens at the device's address."""


def open_socket(local_address: str, peer_address: str) -> socket.socket:
    """A socket for both directions, in the network namespace of the calling thread. Raises OSError."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    try:
        raw.bind((local_address, 0))
        raw.connect((peer_address, 0))
    except OSError:
        raw.close()
        raise
    return raw


def ask(raw: socket.socket, question: Question) -> Answers:
    """Asks the device. It takes up to 16 s. The other version is asked only if the device does not accept the first one. Raises OSError when
    nothing can be sent.
    """
    device = _Device(raw)
    first, second = (_ask_v2, _ask_v1) if question.first == "v2" else (_ask_v1, _ask_v2)
    answers = list(first(device, question))
    if {answer.outcome for answer in answers}.isdisjoint(("chosen", "unreachable")):
        answers += second(device, question)
    return Answers(packets=device.packets, answers=tuple(answers), identity=device.identity)


class _Device:
    """Sends one message at a time. `packets`: the number of packets that were sent. `identity`: the id that the device sent."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._sent_at = 0.0
        self.packets = 0
        self.identity: negotiation.Identity | None = None

    def exchange(self, message: bytes, spi: bytes, parse: Parse, sends_left: int) -> messages.Answer | None:
        """The answer; None after silence. The same bytes are sent once more: a device takes them for a retransmission, and makes no
        second IKE_SA. Raises Unreachable.
        """
        for _ in range(min(2, sends_left)):
            self._send(message)
            answer = self._receive(spi, parse)
            if answer is not None:
                return answer
        return None

    def _send(self, message: bytes) -> None:
        time.sleep(max(0.0, self._sent_at + SPACING - time.monotonic()))
        try:
            self._raw.send(struct.pack("!HHHH", PORT, PORT, 8 + len(message), 0) + message)
        except ConnectionRefusedError:
            raise Unreachable from None
        self._sent_at = time.monotonic()
        self.packets += 1

    def _receive(self, spi: bytes, parse: Parse) -> messages.Answer | None:
        """Raises Unreachable. The error may be about another port of the device, so an answer still counts after it."""
        until, refused = time.monotonic() + ANSWER, False
        while (left := until - time.monotonic()) > 0:
            self._raw.settimeout(left)
            try:
                return parse(_datagram(self._raw.recv(65535)), spi)
            except messages.Malformed:
                continue
            except TimeoutError:
                break
            except ConnectionRefusedError:
                refused, until = True, min(until, time.monotonic() + AFTER_REFUSAL)
        if refused:
            raise Unreachable
        return None


def _datagram(packet: bytes) -> bytes:
    """The content of a UDP datagram between our port and the device's. Raises Malformed for every other one."""
    head = (packet[0] & 15) * 4 if packet else 0
    if len(packet) < head + 8 or struct.unpack_from("!HH", packet, head) != (PORT, PORT):
        raise messages.Malformed("of another port")
    return packet[head + 8 :]


def _ask_v2(device: _Device, question: Question) -> Iterator[model.ProbeAnswer]:
    end = device.packets + V2_SENDS
    spi, nonce = os.urandom(messages.SPI_LENGTH), os.urandom(messages.NONCE_LENGTH)
    group, cookie = question.group, b""
    answer: messages.Answer | None = None
    while device.packets < end:
        message = messages.ike_sa_init(spi, nonce, group, _public(group), cookie)
        try:
            answer = device.exchange(message, spi, messages.parse_v2, end - device.packets)
        except Unreachable:
            yield model.ProbeAnswer(ike_version="v2", mode=None, outcome="unreachable")
            return
        match answer:
            case messages.CookieWanted(wanted):
                cookie = wanted
            case messages.GroupWanted(wanted) if wanted in messages.GROUPS and wanted != group:
                group = wanted
            case _:
                break
    yield _answer("v2", None, answer)


def _ask_v1(device: _Device, question: Question) -> Iterator[model.ProbeAnswer]:
    """Asks in main mode, and then in aggressive mode unless main mode was refused. A device may not answer in a mode that it does not have, and
    a device that accepts the first message of main mode may refuse the mode later.
    """
    end = device.packets + V1_SENDS
    groups = sorted(messages.V1_GROUPS, key=lambda group: group != question.group)
    try:
        main = _in_each(device, groups, end, lambda group: _main(device, group, end))
        yield _answer("v1", "main", main)
        if isinstance(main, messages.Refused) or device.packets == end:
            return
        if isinstance(main, messages.Chosen):
            groups = [int(main.proposal.groups[0].removeprefix("group"))]
        aggressive = _in_each(
            device,
            [group for group in groups if group in messages.GROUPS],
            end,
            lambda group: _aggressive(device, group, question, end),
        )
    except Unreachable:
        yield model.ProbeAnswer(ike_version="v1", mode="main", outcome="unreachable")
        return
    if isinstance(aggressive, messages.Chosen):
        device.identity = aggressive.identity
    yield _answer("v1", "aggressive", aggressive)


def _in_each(
    device: _Device, groups: list[int], end: int, ask_in: Callable[[int], messages.Answer | None]
) -> messages.Answer | None:
    """The first answer that is no refusal of the proposal, or the last refusal. Silence in one group is silence in all."""
    answer: messages.Answer | None = None
    for group in groups:
        if device.packets >= end:
            break
        answer = ask_in(group)
        if answer != messages.Refused("NO_PROPOSAL_CHOSEN"):
            break
    return answer


def _main(device: _Device, group: int, end: int) -> messages.Answer | None:
    spi = os.urandom(messages.SPI_LENGTH)
    return device.exchange(messages.main_mode(spi, group), spi, messages.parse_v1, end - device.packets)


def _aggressive(device: _Device, group: int, question: Question, end: int) -> messages.Answer | None:
    spi, nonce = os.urandom(messages.SPI_LENGTH), os.urandom(messages.NONCE_LENGTH)
    message = messages.aggressive_mode(spi, nonce, group, _public(group), question.identity)
    return device.exchange(message, spi, messages.parse_v1, end - device.packets)


def _public(group: int) -> bytes:
    return messages.public_value(group, os.urandom(messages.RANDOM_LENGTH))


def _answer(
    version: model.IkeVersion, mode: model.NegotiationMode | None, answer: messages.Answer | None
) -> model.ProbeAnswer:
    made = partial(model.ProbeAnswer, ike_version=version, mode=mode)
    match answer:
        case messages.Chosen(proposal, _):
            return made(outcome="chosen", proposal=proposal)
        case messages.Refused(notify):
            return made(outcome="refused", notify=notify)
        case messages.GroupWanted(group):  # one that we have no value of, or the one that it just refused
            wanted = negotiation.Proposal(groups=(f"group{group}",))
            return made(outcome="refused", notify="INVALID_KE_PAYLOAD", proposal=wanted)
        case _:
            return made(outcome="silent")
