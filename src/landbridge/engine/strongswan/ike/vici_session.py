"""A VICI session with one charon: it reads what charon holds, and sends the requests of steps.

Loads are pipelined: they are sent one after another, and their answers are read later. So are initiations. charon carries out the requests
of a connection in their order, and a thousand of them cost half as much on either side when nobody waits for each answer (measured).
Invariant: nothing else is sent before all earlier requests are answered, so that a load that fails is known before anything is built on it.
"""

import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from vici.exception import CommandException
from vici.protocol import Message, Packet

from landbridge.engine import base
from landbridge.engine.strongswan.ike import charon, steps, vici_protocol

#: Milliseconds that charon waits for the answer to a DELETE.
DELETE_TIMEOUT = "1000"
#: Requests under way at once.
WINDOW = 64

#: What an observation asks: the event that brings the list, if any, and the command.
_LISTS = (("list-conn", "list-conns"), ("", "get-shared"), ("list-sa", "list-sas"))
#: Kinds of steps: one of a kind follows another one before that is answered.
_PIPELINED = ((steps.LoadSecret, steps.LoadConn), (steps.Initiate,))
_OfAnSa = steps.TerminateIke | steps.AbandonIke | steps.TerminateChild | steps.Reauthenticate | steps.RekeyChild
_ENDS = (steps.TerminateIke, steps.AbandonIke, steps.TerminateChild)


class Loaded(NamedTuple):
    """The messages of `list-conns` and `list-sas`, and the ids of the secrets."""

    conns: list[dict[str, Any]]
    secrets: frozenset[str]
    sas: list[dict[str, Any]]


def list_loaded(connection: socket.socket) -> Loaded:
    """On a connection of its own. All is asked at once."""
    transport = vici_protocol.Transport(connection)
    for event, command in _LISTS:
        if event:
            transport.send(Packet.register_event(event))
        transport.send(Packet.request(command))
    (conns, _), (_, keys), (sas, _) = [vici_protocol.receive(transport, confirmed=bool(event)) for event, _ in _LISTS]
    return Loaded(conns, frozenset(key.decode() for key in keys.get("keys", ())), sas)


class ViciSession:
    """Connects at the first request, and again after a failure."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: socket.socket | None = None
        self._transport: Any = None
        self._asked: deque[steps.CharonRequest] = deque()
        self._broken: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def may_go_on(self, step: base.Step) -> bool:
        """Whether the step may begin before all earlier requests are answered."""
        last = self._asked[-1] if self._asked else step
        is_of_a_kind = any(isinstance(step, kind) and isinstance(last, kind) for kind in _PIPELINED)
        return is_of_a_kind and len(self._asked) < WINDOW and self._broken is None

    def ask(self, step: steps.CharonRequest) -> None:
        """Sends the requests of a step. It raises no error: `answers` returns it."""
        self._asked.append(step)
        try:
            for command, message in requests(step):
                self._send(command, message)
        except OSError as error:
            self._broken = error

    def answers(self) -> Iterator[tuple[steps.CharonRequest, Exception | None]]:
        """Waits for what is under way: each step with what went wrong. When charon is lost, so are the answers that are due."""
        while self._asked:
            step = self._asked.popleft()
            try:
                error = self._broken or self._answer(step)
            except (OSError, *vici_protocol.PROTOCOL_ERRORS) as broken:
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
            self._connection = charon.CHARON.connect(self._folder)
            self._transport = vici_protocol.Transport(self._connection)
        self._transport.send(Packet.request(command, Message.serialize(message)))

    def _answer(self, step: steps.CharonRequest) -> CommandException | None:
        """The first error of the answers to a step. The request to terminate an SA that is already gone counts as done."""
        first_error = None
        for _ in requests(step):
            try:
                vici_protocol.receive(self._transport, confirmed=False)
            except CommandException as error:
                first_error = first_error or error
        return None if isinstance(step, _ENDS) else first_error


Request = tuple[str, dict[str, Any]]


def requests(step: steps.CharonRequest) -> tuple[Request, ...]:
    """The requests of a step, in order."""
    if isinstance(step, steps.ProveKey):
        return (
            ("load-conn", {step.name: step.conn}),
            ("initiate", {"ike": step.name, "timeout": "-1"}),
        )
    return (_request(step),)


def _request(step: steps.SingleRequest) -> Request:
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
        case steps.Initiate(connection_id, child):
            return "initiate", {"ike": connection_id, "child": child, "timeout": "-1"}
        case _:
            return _of_an_sa(step)


def _of_an_sa(step: _OfAnSa) -> Request:
    match step:
        case steps.TerminateIke(_, unique_id):
            return "terminate", {"ike-id": unique_id, "force": "yes", "timeout": DELETE_TIMEOUT}
        case steps.AbandonIke(_, unique_id):
            return "terminate", {"ike-id": unique_id, "force": "yes", "timeout": "-1"}
        case steps.TerminateChild(_, unique_id, _):
            return "terminate", {"child-id": unique_id, "force": "yes", "timeout": DELETE_TIMEOUT}
        case steps.Reauthenticate(_, unique_id):
            return "rekey", {"ike-id": unique_id, "reauth": "yes"}
        case steps.RekeyChild(_, unique_id, _):
            return "rekey", {"child-id": unique_id}
