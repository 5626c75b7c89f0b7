"""Requests of one kind go to charon one behind the other, and everything else waits for their answers."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from vici.protocol import Message, Packet, Transport

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import planning, state, target
from landbridge.engine.strongswan.ike import charon, steps, vici_session

SECRET = steps.LoadSecret("one", "one.0123456789ab", ("203.0.113.10", "198.51.100.2"), model.Secret(specs.PSK))
CONN = steps.LoadConn("one", {"children": {}})
FIRST, SECOND = steps.Initiate("one", "one.0"), steps.Initiate("two", "two.0")
END = steps.TerminateIke("one", "1")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(charon.CHARON.socket_path(tmp_path)))
        listening.listen()
        yield listening


@pytest.mark.parametrize("sent", [(SECRET, CONN), (FIRST, SECOND)], ids=["loads", "initiations"])
def test_one_of_a_kind_follows_another_before_that_is_answered(
    tmp_path: Path, listener: socket.socket, sent: tuple[steps.CharonRequest, ...]
):
    with vici_session.ViciSession(tmp_path) as session:
        for step in sent:
            assert session.may_go_on(step)
            session.ask(step)
        charons_end, _ = listener.accept()
        with charons_end:
            transport = Transport(charons_end)
            requests = [Packet.parse(transport.receive()) for _ in sent]
            for _ in requests:
                transport.send(bytes([Packet.CMD_RESPONSE]) + Message.serialize({"success": "yes"}))
            assert list(session.answers()) == [(step, None) for step in sent]


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
