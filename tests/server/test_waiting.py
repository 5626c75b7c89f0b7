"""HTTP connections on which nothing comes, or not all of it: none is held for ever."""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from lab import authority
from landbridge.server import connection

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def listening(listen: Any, shared_service: Any) -> Any:
    """The service behind its HTTP server."""
    return listen(shared_service.application)


def _read(wire: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := wire.recv(65536):
            received += more
    return received


def _head(api: Any, length: int, token: str = "") -> bytes:
    credentials = f"X-Auth-Token: {token}\r\n" if token else ""
    path = f"/v5/{api.project_id}/customer-gateways"
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{credentials}Content-Length: {length}\r\n\r\n".encode()


BODY = json.dumps({"customer_gateway": {"id_value": "198.51.100.9"}}).encode()


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"GET /healthz HTT", [b"408"], id="half-a-line"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n", [b"408"], id="half-a-head"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /heal", [b"200", b"408"], id="half-of-the-next"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", [b"200"], id="nothing-more"),
    ],
)
def test_a_request_that_does_not_come_is_not_waited_for(listening: Any, said: bytes, answers: list[bytes]):
    with socket.create_connection(listening.address, timeout=60) as wire:
        wire.sendall(said)
        received = _read(wire)
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == answers
    if answers[-1:] == [b"408"]:
        error = json.loads(received.rsplit(b"\r\n\r\n", 1)[1])
        assert (error["error_code"], error.keys()) == ("VPN.0001", {"error_code", "error_msg", "request_id"})


def test_empty_lines_are_no_next_request(listening: Any):
    with socket.create_connection(listening.address, timeout=60) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        wire.settimeout(0.05)
        for _ in range(600):  # far more often than once in the time that an idle connection has
            try:
                wire.sendall(b"\r\n")
                if not wire.recv(65536):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("the connection is kept for empty lines")


def test_half_a_body_is_not_waited_for(listening: Any, api: Any):
    with socket.create_connection(listening.address, timeout=60) as wire:
        wire.sendall(_head(api, len(BODY), api.key.token.reveal()) + BODY[:-1])
        assert _read(wire).startswith(b"HTTP/1.1 408")
    assert api.get("customer-gateways")["total_count"] == 0


def test_a_body_that_comes_byte_by_byte_is_not_waited_for(listening: Any, api: Any):
    with socket.create_connection(listening.address, timeout=60) as wire:
        wire.sendall(_head(api, len(BODY), api.key.token.reveal()))
        with contextlib.suppress(OSError):
            for byte in BODY:
                wire.sendall(bytes([byte]))
                time.sleep(0.1)
            raise AssertionError("all of it was taken")
    assert api.get("customer-gateways")["total_count"] == 0


@pytest.mark.parametrize("more", [b"", b"x", BODY, BODY + b"\r\n"], ids=["nothing", "a-byte", "all", "and-a-line"])
def test_whoever_is_refused_cannot_stay(listening: Any, api: Any, more: bytes):
    with socket.create_connection(listening.address, timeout=60) as wire:
        wire.sendall(_head(api, len(BODY)))
        received = wire.recv(65536)
        with contextlib.suppress(ConnectionError):
            wire.sendall(more)
        received += _read(wire)
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"401"]


def test_a_client_that_keeps_asking_keeps_its_connection(listening: Any, api: Any, monkeypatch: pytest.MonkeyPatch):
    """For longer than a request may take. Each pause is far from that, also on a busy machine."""
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 5.0)
    monkeypatch.setattr(connection, "IDLE_SECONDS", 5.0)
    with contextlib.closing(http.client.HTTPConnection(*listening.address, timeout=60)) as client:
        client.connect()
        wire = client.sock
        for _ in range(12):
            client.putrequest("POST", f"/v5/{api.project_id}/customer-gateways")
            client.putheader("X-Auth-Token", api.key.token.reveal())
            client.putheader("Content-Length", "2")
            client.endheaders()
            time.sleep(0.5)
            client.send(b"{}")
            answer = client.getresponse()
            assert (answer.status, bool(answer.read())) == (400, True)
            assert client.sock is wire


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_the_end_of_tls_is_not_waited_for(listen: Any, shared_service: Any, tmp_path: Path, until: Any, said: bytes):
    signer = authority.Authority(tmp_path)
    pair = signer.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    at = listen(shared_service.application, tls=context)
    with (
        socket.create_connection(at.address, timeout=60) as plain,
        ssl.create_default_context(cafile=signer.path).wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(said)
        until(lambda: at.connections, "the connection")
        until(lambda: not at.connections, "its end")


PAGES = 60


def _ask_for_much(wire: socket.socket, listening: Any) -> None:
    """More than fits between here and there."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    wire.settimeout(60)
    wire.connect(listening.address)
    wire.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * PAGES)


def test_an_answer_that_nobody_takes_is_not_kept(listening: Any, until: Any):
    with socket.socket() as wire:
        _ask_for_much(wire, listening)
        until(lambda: listening.connections, "the connection")
        until(lambda: not listening.connections, "its end")


def test_an_answer_that_is_taken_slowly_comes_whole(listening: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "STALL_SECONDS", 5.0)  # this client is slow, and a busy machine makes it slower
    with socket.socket() as wire:
        _ask_for_much(wire, listening)
        received = bytearray()
        while received.count(b'"openapi": "3.1.0"') < PAGES and (more := wire.recv(1 << 17)):
            received += more
            time.sleep(0.02)
    assert received.count(b"HTTP/1.1 200") == PAGES


def test_as_much_untaken_as_at_the_last_look_is_no_stall_where_more_was_written(
    listening: Any, monkeypatch: pytest.MonkeyPatch
):
    for name in ("IDLE", "STALL"):
        monkeypatch.setattr(connection, f"{name}_SECONDS", 600.0)  # the test looks itself
    monkeypatch.setattr(
        connection.Connection, "_unsent_bytes", lambda _: 4096
    )  # of a client that takes all at one pace
    with contextlib.closing(http.client.HTTPConnection(*listening.address, timeout=60)) as client:
        client.connect()
        wire = client.sock
        for _ in range(4):
            client.request("GET", "/healthz")
            assert client.getresponse().read()
            assert client.sock is wire
            _check_stall(listening)
        _check_stall(listening)
        assert _read(wire) == b""


def _check_stall(listening: Any) -> None:
    async def check() -> None:
        one._check_stall()

    (one,) = listening.connections
    asyncio.run_coroutine_threadsafe(check(), one._loop).result(60)
