"""Loads go to charon one behind the other, the first initiations wait for their CHILD_SAs, and everything else waits for answers."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vici.protocol import Message, Packet, Transport

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import planning, state, target
from landbridge.engine.strongswan.ike import charon, steps, vici_session

SECRET = steps.LoadSecret("one", "one.0123456789ab", ("203.0.113.10", "198.51.100.2"), model.Secret(specs.PSK))
CONN = steps.LoadConn("one", {"children": {}})
FIRST, SECOND, THIRD = (steps.Initiate(name, f"{name}.0") for name in ("one", "two", "three"))
END = steps.TerminateIke("one", "1")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(charon.CHARON.socket_path(tmp_path)))
        listening.listen()
        yield listening


class _Charon:
    """The other end of a session."""

    def __init__(self, connection: socket.socket) -> None:
        self._transport = Transport(connection)

    def received(self) -> dict[str, Any]:
        """The message of the next request."""
        return dict(Message.deserialize(Packet.parse(self._transport.receive()).payload))

    def answer(self, error: str = "") -> None:
        message = {"success": "no", "errmsg": error} if error else {"success": "yes"}
        self._transport.send(bytes([Packet.CMD_RESPONSE]) + Message.serialize(message))


@contextlib.contextmanager
def _asked(
    folder: Path, listener: socket.socket, first: steps.CharonRequest
) -> Iterator[tuple[vici_session.ViciSession, _Charon]]:
    """A session that has asked `first`, and its charon."""
    with vici_session.ViciSession(folder) as session:
        session.ask(first)
        connection, _ = listener.accept()
        with connection:
            yield session, _Charon(connection)


def test_a_load_follows_another_before_that_is_answered(tmp_path: Path, listener: socket.socket):
    with _asked(tmp_path, listener, SECRET) as (session, charons_end):
        assert session.may_go_on(CONN)
        session.ask(CONN)
        for _ in (SECRET, CONN):
            charons_end.received()
            charons_end.answer()
        assert list(session.answers()) == [(SECRET, None), (CONN, None)]


def test_an_initiation_waits_for_its_child_sa(tmp_path: Path, listener: socket.socket):
    with _asked(tmp_path, listener, FIRST) as (session, charons_end):
        assert not session.may_go_on(SECOND)
        assert charons_end.received()["timeout"] == b"300"
        charons_end.answer()
        assert list(session.answers()) == [(FIRST, None)]
        assert session.may_go_on(SECOND)
        session.ask(SECOND)
        assert 0 < int(charons_end.received()["timeout"]) <= 300


@pytest.mark.parametrize(
    "error",
    ["CHILD_SA 'one.0' not established after 300ms", "establishing CHILD_SA 'one.0' failed"],
    ids=["slow", "refused"],
)
def test_after_a_child_sa_that_did_not_come_up_no_initiation_waits(tmp_path: Path, listener: socket.socket, error: str):
    with _asked(tmp_path, listener, FIRST) as (session, charons_end):
        charons_end.received()
        charons_end.answer(error)
        assert list(session.answers()) == [(FIRST, None)]
        for step in (SECOND, THIRD):
            assert session.may_go_on(step)
            session.ask(step)
        for _ in (SECOND, THIRD):
            assert charons_end.received()["timeout"] == b"-1"
            charons_end.answer()
        assert list(session.answers()) == [(SECOND, None), (THIRD, None)]


def test_a_session_waits_for_a_limited_time(tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vici_session, "PATIENCE", 1e-9)
    with _asked(tmp_path, listener, FIRST) as (session, charons_end):
        assert charons_end.received()["timeout"] == b"1"
        charons_end.answer()
        assert list(session.answers()) == [(FIRST, None)]
        session.ask(SECOND)
        assert charons_end.received()["timeout"] == b"-1"


def test_an_initiation_of_what_charon_does_not_have_is_a_failure(tmp_path: Path, listener: socket.socket):
    with _asked(tmp_path, listener, FIRST) as (session, charons_end):
        charons_end.received()
        charons_end.answer("CHILD_SA config 'one.0' not found")
        [(step, error)] = session.answers()
        assert step == FIRST
        assert "not found" in str(error)


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize("step", [FIRST, END], ids=["an-initiation", "an-end"])
def test_what_needs_a_load_waits_until_it_is_answered(tmp_path: Path, step: steps.IkeStep):
    with vici_session.ViciSession(tmp_path) as session:
        session.ask(CONN)
        assert not session.may_go_on(step)


def test_connections_without_an_sa_are_initiated_when_all_are_loaded():
    desired = specs.desired(*(specs.connection(f"198.51.100.{number}") for number in (2, 6, 10)))
    current = state.GatewayState(at=specs.START, plane="kernel")
    planned = planning.plan(target.prepare(desired, "kernel"), current)
    kinds = [type(step) for step in planned if isinstance(step, steps.LoadConn | steps.Initiate)]
    assert kinds == 3 * [steps.LoadConn] + 3 * [steps.Initiate]
