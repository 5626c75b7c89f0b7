"""Bounds for each client address: who fills them shuts out nobody else."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from lab import authority
from landbridge import config
from landbridge.server import clients

pytestmark = pytest.mark.process
ASKED = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OTHER = "127.0.0.2"


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    pair = authority.Authority(tmp_path).issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def _is_closed(wire: socket.socket) -> bool:
    wire.settimeout(0.01)
    try:
        return wire.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def _open(wires: list[socket.socket]) -> int:
    return sum(not _is_closed(wire) for wire in wires)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost"], ids=["nothing", "half-a-head"])
def test_half_open_connections_of_one_address_shut_out_no_other(listen: Any, counting: Any, until: Any, said: bytes):
    listening = listen(counting(), connections=20, unfinished_per_address=4)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(listening.connect()) for _ in range(40)]
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.sendall(said)
        until(lambda: _open(wires) == 4, "all but four to be closed")
        assert listening.says(ASKED, OTHER).startswith(b"HTTP/1.1 200")
        assert listening.says(ASKED) == b""


def test_connections_of_one_address_shut_out_no_other(listen: Any, counting: Any, until: Any):
    listening = listen(counting(), connections=20, connections_per_address=6, unfinished_per_address=2)
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(10):
            wires.append(stack.enter_context(listening.connect()))
            with contextlib.suppress(OSError):
                wires[-1].sendall(ASKED.replace(b"Connection: close\r\n", b""))
                wires[-1].recv(65536)
        assert _open(wires) == 6
        assert listening.says(ASKED, OTHER).startswith(b"HTTP/1.1 200")
    until(lambda: not listening.connections, "the end of all")
    assert listening.says(ASKED).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("impatient")
def test_unfinished_handshakes_are_counted_and_end(listen: Any, counting: Any, until: Any, tls: ssl.SSLContext):
    listening = listen(counting(), tls, connections=20, unfinished_per_address=4)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def is_served(source: str) -> bool:
        try:
            with listening.connect(source) as plain, trusting.wrap_socket(plain) as wire:
                wire.sendall(ASKED)
                return wire.recv(65536).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(listening.connect()) for _ in range(40)]
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.sendall(b"\x16\x03\x01")
        assert is_served(OTHER)
        until(lambda: not _open(wires), "the end of the handshakes")
        until(lambda: is_served("127.0.0.1"), "the address to be served again")


def test_all_connections_together_have_a_bound(listen: Any, counting: Any, until: Any):
    listening = listen(counting(), connections=4, connections_per_address=0, unfinished_per_address=0)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(listening.connect(f"127.0.0.{n}")) for n in range(2, 12)]
        until(lambda: _open(wires) == 4, "all but four to be closed")


def test_files_are_left_for_the_database_and_the_engine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients.resource, "getrlimit", lambda _: (1024, 1024))
    counted = clients.Clients(config.Http(connections_per_address=0, unfinished_per_address=0))
    assert sum(counted.admit("192.0.2.1") is not None for _ in range(2000)) == 512


def test_an_ipv6_client_is_its_network():
    counted = clients.Clients(config.Http(connections=10, connections_per_address=2))
    assert counted.admit("2001:db8::1") == counted.admit("2001:db8::2") == "2001:db8::/64"
    assert counted.admit("2001:db8:0:0:ffff::1") is None
    assert counted.admit("2001:db8:0:1::1") == "2001:db8:0:1::/64"
    assert counted.admit("fe80::1%lo") == "fe80::/64"


def test_what_was_refused_is_told_in_few_words():
    counted = clients.Clients(config.Http(connections=10, connections_per_address=2))
    for _ in range(5):
        counted.admit("192.0.2.1")
    assert counted.refusals() == (
        "3 connections were refused, the last one since 192.0.2.1 has 2 ([http] connections_per_address)"
    )
    assert counted.refusals() == ""


def test_nothing_is_kept_of_who_left():
    counted = clients.Clients(config.Http())
    for number in range(1000):
        name = counted.admit(f"192.0.{number % 4}.{number % 250}")
        assert name
        counted.count_request(name)
        counted.release(name, had_request=True)
    assert counted._counts == {}
    assert counted._open == 0
