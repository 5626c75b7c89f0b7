"""One connection: one request at a time, in order, and nothing that grows while the client sends or does not read."""

import asyncio
import contextlib
import gc
import json
import socket
import threading
from typing import Any

import pytest

from landbridge.server import connection, exchange, serve

pytestmark = pytest.mark.process
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def _everything(wire: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while more := wire.recv(65536):
            received += more
    return received


def test_pipelined_requests_are_answered_in_order(listen: Any, counting: Any):
    application = counting()
    asked = [f"/{number}" for number in range(300)]
    said = listen(application).says(b"".join(GET % number for number in range(300)) + LAST)
    assert application.begun == [*asked, "/last"]
    assert said.count(b"HTTP/1.1 200") == 301


def test_a_connection_has_one_request_in_work(listen: Any, counting: Any, until: Any):
    application = counting()
    application.release.clear()
    listening = listen(application)
    with listening.connect() as wire:
        wire.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            for _ in range(1000):  # 32 MB
                wire.sendall(GET % 1 * 1000)
        until(lambda: application.begun, "a request")
        (one,) = listening.connections
        assert len(application.begun) == 1
        assert len(one._buffer) <= 1 << 19
        application.release.set()


def test_requests_whose_answers_nobody_reads_are_not_begun(listen: Any, counting: Any):
    application = counting(1 << 20)
    listening = listen(application)
    with listening.connect() as wire:
        wire.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            for _ in range(1000):
                wire.sendall(GET % 1 * 1000)
        assert len(application.begun) < 20  # what the kernel holds, and one
        (one,) = listening.connections
        assert one._transport.get_write_buffer_size() <= 2 << 20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Content-Length: 5\r\n\r\nhello", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n", id="chunks"),
        pytest.param(b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello", id="upgrade"),
    ],
)
@pytest.mark.parametrize("pieces", ["all", "bytes"])
def test_a_body_is_read_and_the_next_request_is_the_next(listen: Any, counting: Any, body: bytes, pieces: str):
    application = counting()
    sent = (b"POST /one HTTP/1.1\r\nHost: a\r\n" + body) * 2 + LAST
    with listen(application).connect() as wire:
        if pieces == "all":
            wire.sendall(sent)
        else:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in sent:
                wire.send(bytes([byte]))
        said = _everything(wire)
    assert application.begun == ["/one", "/one", "/last"]
    assert application.bodies == [b"hello", b"hello", b""]
    assert said.count(b"HTTP/1.1 200") == 3


def test_a_large_body_waits_for_the_application(listen: Any, counting: Any):
    application = counting()
    body = b"x" * (4 << 20)
    said = listen(application).says(b"POST /one HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) + LAST)
    assert application.bodies == [body, b""]
    assert said.count(b"HTTP/1.1 200") == 2


async def _refusing(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers without a look at the body."""
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.mark.parametrize(
    ("framing", "endless"),
    [
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", id="trailers-after-the-answer"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 64, id="extension-after-the-answer"),
        pytest.param(b"Content-Length: 100000000\r\n\r\n", b"x" * 64, id="body-after-the-answer"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"x" * 64, id="chunk-after-the-answer"),
    ],
)
def test_what_never_ends_after_the_answer_ends_the_connection(listen: Any, framing: bytes, endless: bytes):
    with listen(_refusing).connect() as wire:
        wire.sendall(b"POST / HTTP/1.1\r\n" + framing)
        assert wire.recv(65536).startswith(b"HTTP/1.1 401")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 1000:
                wire.sendall(endless * 1024)
                sent += 1
        assert sent < 1000


def test_the_body_of_a_refused_request_is_dropped(listen: Any):
    with listen(_refusing).connect() as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 401")
        wire.sendall(b"x" * 100000 + LAST)
        assert wire.recv(65536).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    ("start", "endless", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", b"A: b\r\n", 431, id="head"),
        pytest.param(b"GET / HTTP/1.1\r\nA: ", b"a", 431, id="header"),
        pytest.param(b"GET /", b"a", 414, id="url"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", 431, id="trailers"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=", b"a", 400, id="extension"),
    ],
)
def test_what_never_ends_is_answered_and_ends(
    listen: Any, counting: Any, monkeypatch: pytest.MonkeyPatch, start: bytes, endless: bytes, status: int
):
    """The answer arrives though the client still sends."""
    monkeypatch.setattr(connection, "LINGER_SECONDS", 60.0)
    with listen(counting()).connect() as wire:
        wire.sendall(start)
        with contextlib.suppress(OSError):
            for _ in range(8):
                wire.sendall(endless * (32768 // len(endless)))
        said = _everything(wire)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error_code"] == "VPN.0001"
    assert said.count(b"HTTP/1.1") == 1


def test_an_expected_body_is_asked_for(listen: Any, counting: Any):
    application = counting()
    with listen(application).connect() as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert wire.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(b"ok")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert application.bodies == [b"ok"]


def test_whether_an_expected_body_comes_after_a_refusal_is_not_guessed(listen: Any):
    said = listen(_refusing).says(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 401")
    assert b"\r\nconnection: close\r\n" in said


def test_head_has_the_headers_of_get_and_no_content(listen: Any, counting: Any):
    said = listen(counting(7)).says(b"HEAD / HTTP/1.1\r\n\r\n" + LAST)
    first, second = said.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"content-length: 7\r\n" in first
    assert first.endswith(b"\r\n\r\n")
    assert second.endswith(b"x" * 7)


def test_an_answer_without_a_length_is_chunked_or_ends_the_connection(listen: Any):
    async def streaming(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"ab", b"", b"c"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    listening = listen(streaming)
    assert listening.says(LAST).endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert listening.says(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\nconnection: close\r\n\r\nabc")


def test_a_client_that_has_said_all_is_answered(listen: Any, counting: Any):
    with listen(counting()).connect() as wire:
        wire.sendall(GET % 1)
        wire.shutdown(socket.SHUT_WR)
        assert _everything(wire).startswith(b"HTTP/1.1 200")


def test_an_application_that_fails_ends_its_connection_only(listen: Any, caplog: Any):
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/1":
            raise ValueError("for a test")
        await _refusing(scope, receive, send)

    listening = listen(failing)
    assert listening.says(GET % 1) == b""
    assert listening.says(LAST).startswith(b"HTTP/1.1 401")
    assert "the application failed" in caplog.text


def test_a_header_with_an_end_of_a_line_is_not_sent(listen: Any, caplog: Any):
    async def splitting(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nset-cookie: c")]})

    assert listen(splitting).says(GET % 1) == b""
    assert "an end of a line" in caplog.text


def test_many_requests_leave_nothing_for_the_garbage_collector(listen: Any, counting: Any):
    listening = listen(counting())
    gc.collect()
    gc.disable()
    try:
        listening.says(GET % 1 * 200 + LAST)
        listening.says(b"POST /one HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" * 200 + LAST)
        left = [one for one in gc.get_objects() if isinstance(one, exchange.Exchange)]
    finally:
        gc.enable()
    assert len(left) <= 1


def test_what_is_in_work_at_the_end_is_answered(listen: Any, counting: Any, until: Any):
    application = counting()
    application.release.clear()
    listening = listen(application)
    with listening.connect() as busy, listening.connect() as idle, listening.connect() as half:
        busy.sendall(GET % 1 * 2)
        half.sendall(b"GET / HTT")
        until(lambda: application.begun, "the request")
        until(lambda: len(listening.connections) == 3, "three connections")
        ending = threading.Thread(target=listening.end)
        ending.start()
        assert (_everything(idle), _everything(half)) == (b"", b"")
        application.release.set()
        assert _everything(busy).count(b"HTTP/1.1 200") == 1
        ending.join()
    assert application.begun == ["/1"]


def test_what_does_not_end_is_cancelled_and_answers_nothing(listen: Any, until: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serve, "GRACE_SECONDS", 0.2)
    begun: list[str] = []

    async def waiting(_scope: Any, receive: Any, _send: Any) -> None:
        begun.append("one")
        try:
            while True:
                await receive()
        except asyncio.CancelledError:
            begun.append("cancelled")
            raise

    listening = listen(waiting)
    with listening.connect() as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n")
        until(lambda: begun, "the request")
        listening.end()
        assert _everything(wire) == b""
    assert begun == ["one", "cancelled"]
