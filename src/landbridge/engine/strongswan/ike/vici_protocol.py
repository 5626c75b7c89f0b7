"""Packets of charon's VICI protocol, read off a socket: README.md of strongSwan's vici plugin. It knows no command."""

import struct
from typing import Any

import vici.protocol
from vici.exception import CommandException, DeserializationException, EventUnknownException, SessionException
from vici.protocol import Message, Packet

#: What an answer raises that is not VICI.
PROTOCOL_ERRORS = (
    DeserializationException,
    EventUnknownException,
    SessionException,
    struct.error,
    UnicodeDecodeError,
)

_EVENT = bytes([Packet.EVENT])
_KEY_VALUE, _LIST_ITEM = Message.KEY_VALUE, Message.LIST_ITEM
#: Elements that begin with a name (its size in one byte), and those with a value (in two).
_NAMED = (Message.KEY_VALUE, Message.SECTION_START, Message.LIST_START)
_VALUED = (Message.KEY_VALUE, Message.LIST_ITEM)


class Transport(vici.protocol.Transport):  # type: ignore[misc]
    """The library's own waits for ever once the first byte of an answer has come, and believes any length."""

    def _recvall(self, count: int, _timeout: object = None) -> bytes:
        if count > self.MAX_SEGMENT:
            raise DeserializationException(f"a packet of {count} bytes")
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionResetError("charon closed the connection")
            data += part
        return data


def receive(transport: Transport, *, confirmed: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events that an answer follows, and the answer. Raises CommandException when it says no."""
    events, answer = receive_any(transport, confirmed=confirmed)
    return events, _agreed(answer)


def receive_any(transport: Transport, *, confirmed: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """As `receive`, with an answer that says no as one that says yes."""
    events = []
    expected = Packet.EVENT_CONFIRM if confirmed else Packet.CMD_RESPONSE
    while True:
        packet = transport.receive()
        if packet[:1] == _EVENT:
            events.append(parse(packet, 2 + packet[1]))
            continue
        if packet[:1] != bytes([expected]):
            raise SessionException(f"a packet of type {packet[:1].hex()}")
        if expected == Packet.CMD_RESPONSE:
            return events, parse(packet, 1)
        expected = Packet.CMD_RESPONSE


def _agreed(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("success", b"yes") != b"yes":
        raise CommandException(answer.get("errmsg", b"charon gives no reason").decode())
    return answer


def parse(packet: bytes, at: int = 0) -> dict[str, Any]:  # noqa: C901  a table of elements, in one place since it is for speed
    """The message in a packet from `at` on; text stays bytes. In half of the time that the library takes: a thousand SAs are a
    megabyte. Raises one of vici_protocol.PROTOCOL_ERRORS.
    """
    section: dict[str, Any] = {}
    outer: list[dict[str, Any]] = []
    items: list[bytes] = []
    end = len(packet)
    try:
        while at < end:
            kind, name = packet[at], ""
            at += 1
            if kind in _NAMED:
                begin, at = at + 1, at + 1 + packet[at]
                name = packet[begin:at].decode()
            if kind in _VALUED:
                begin, at = at + 2, at + 2 + (packet[at] << 8 | packet[at + 1])
            if kind == _KEY_VALUE:
                section[name] = packet[begin:at]
            elif kind == _LIST_ITEM:
                items.append(packet[begin:at])
            elif kind == Message.LIST_START:
                items = section[name] = []
            elif kind == Message.SECTION_START:
                outer.append(section)
                section[name] = section = {}
            elif kind == Message.SECTION_END:
                section = outer.pop()
    except IndexError:
        raise DeserializationException("a message that ends early") from None
    if outer or at != end:
        raise DeserializationException("a message that ends early")
    return section
