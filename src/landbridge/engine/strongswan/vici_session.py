"""A conversation with one charon: how it is looked at, what a step asks of it, and how it answers.

Loads are sent one behind the other and their answers are read later: charon carries out the requests of a connection in their
order, and not waiting for each halves what a thousand of them cost on either side (measured). Invariant: nothing else is sent before
all earlier requests are answered, so that a load that fails is known before anything is built on it.
"""

import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from vici.exception import CommandException, DeserializationException, SessionException
from vici.protocol import Message, Packet

from landbridge.engine.strongswan import charon, steps

#: Milliseconds that a peer has to confirm the end of an SA.
FAREWELL = "1000"
#: Loads under way at once.
WINDOW = 64

#: What a look asks: the event that brings the list, if any, and the command.
_LISTS = (("list-conn", "list-conns"), ("", "get-shared"), ("list-sa", "list-sas"))
_EVENT = bytes([Packet.EVENT])
_KEY_VALUE, _LIST_ITEM = Message.KEY_VALUE, Message.LIST_ITEM
#: Elements that begin with a name (its size in one byte), and those with a value (in two).
_NAMED = (Message.KEY_VALUE, Message.SECTION_START, Message.LIST_START)
_VALUED = (Message.KEY_VALUE, Message.LIST_ITEM)
_LOADS = (steps.LoadSecret, steps.LoadConn)
_ENDS = (steps.TerminateIke, steps.TerminateChild)


class Look(NamedTuple):
    """The messages of `list-conns` and `list-sas`, and the ids of the secrets."""

    conns: list[dict[str, Any]]
    secrets: frozenset[str]
    sas: list[dict[str, Any]]


def look(connection: socket.socket) -> Look:
    """On a connection of its own. All is asked at once."""
    transport = charon.Transport(connection)
    for event, command in _LISTS:
        if event:
            transport.send(Packet.register_event(event))
        transport.send(Packet.request(command))
    (conns, _), (_, keys), (sas, _) = [_heard(transport, confirmed=bool(event)) for event, _ in _LISTS]
    return Look(conns, frozenset(key.decode() for key in keys.get("keys", ())), sas)


def _heard(transport: charon.Transport, *, confirmed: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events that an answer follows, and the answer. Raises CommandException when it says no."""
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
            return events, _agreed(parse(packet, 1))
        expected = Packet.CMD_RESPONSE


def _agreed(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("success", b"yes") != b"yes":
        raise CommandException(answer.get("errmsg", b"charon gives no reason").decode())
    return answer


def parse(packet: bytes, at: int = 0) -> dict[str, Any]:  # noqa: C901  a table of elements, in one place since it is for speed
    """The message in a packet from `at` on; text stays bytes. In half of the time that the library takes: a thousand SAs are a
    megabyte. Raises one of charon.PROTOCOL_ERRORS.
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


class ViciSession:
    """Connects when the first thing is said, and again after a failure."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: socket.socket | None = None
        self._transport: Any = None
        self._asked: deque[steps.CharonStep] = deque()
        self._broken: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def may_go_on(self, step: steps.Step) -> bool:
        """Whether the step may be begun before all answers are there."""
        return isinstance(step, _LOADS) and len(self._asked) < WINDOW and self._broken is None

    def ask(self, step: steps.CharonStep) -> None:
        """Raises nothing: how it went is among the answers."""
        self._asked.append(step)
        try:
            self._send(*request(step))
        except OSError as error:
            self._broken = error

    def answers(self) -> Iterator[tuple[steps.CharonStep, Exception | None]]:
        """Waits for what is under way: each step with what went wrong. When charon is lost, so are the answers that are due."""
        while self._asked:
            step = self._asked.popleft()
            try:
                error = self._broken or self._answer(step)
            except (OSError, *charon.PROTOCOL_ERRORS) as broken:
                self._broken = error = broken
            yield step, error
        if self._broken:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = self._broken = None

    def _send(self, command: str, message: dict[str, Any]) -> None:
        if self._connection is None:
            self._connection = charon.connect(self._folder)
            self._transport = charon.Transport(self._connection)
        self._transport.send(Packet.request(command, Message.serialize(message)))

    def _answer(self, step: steps.CharonStep) -> CommandException | None:
        """An SA that has gone by itself in the meantime is as good as one that was ended."""
        try:
            _heard(self._transport, confirmed=False)
        except CommandException as error:
            return None if isinstance(step, _ENDS) else error
        return None


def request(step: steps.CharonStep) -> tuple[str, dict[str, Any]]:
    """Command and message. Initiating does not wait (-1): it would use up charon's threads, and its errors never carry the cause."""
    match step:
        case steps.LoadSecret(_, secret_id, owners, psk):
            return "load-shared", {"id": secret_id, "type": "IKE", "data": psk.reveal(), "owners": list(owners)}
        case steps.UnloadSecret(_, secret_id):
            return "unload-shared", {"id": secret_id}
        case steps.LoadConn(connection_id, conn):
            return "load-conn", {connection_id: conn}
        case steps.UnloadConn(connection_id):
            return "unload-conn", {"name": connection_id}
        case steps.TerminateIke(_, unique_id):
            return "terminate", {"ike-id": unique_id, "force": "yes", "timeout": FAREWELL}
        case steps.TerminateChild(_, unique_id, _):
            return "terminate", {"child-id": unique_id, "force": "yes", "timeout": FAREWELL}
        case steps.Initiate(connection_id, child):
            return "initiate", {"ike": connection_id, "child": child, "timeout": "-1"}
