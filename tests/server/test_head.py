"""Heads: what is served, what is refused and with which status, and that pieces of any size cost the same."""

import json
from typing import Any

import pytest

from landbridge.server import head

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


def _parsed(content: bytes) -> head.Head:
    buffer = bytearray(content)
    end = head.find(buffer, 0)
    assert end
    return head.parse(bytes(buffer[:end]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(GET + b"\r\n", ("GET", "/", b"", 0, True), id="plain"),
        pytest.param(b"\r\n\r\n" + GET + b"\r\n", ("GET", "/", b"", 0, True), id="after-empty-lines"),
        pytest.param(b"GET /a%20b?c=d#e HTTP/1.1\r\n\r\n", ("GET", "/a b", b"c=d", 0, True), id="query"),
        pytest.param(b"GET http://a/b?c HTTP/1.1\r\n\r\n", ("GET", "/b", b"c", 0, True), id="absolute"),
        pytest.param(GET + b"Connection: x, Close\r\n\r\n", ("GET", "/", b"", 0, False), id="close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", b"", 0, False), id="http-1.0"),
        pytest.param(GET + b"Content-Length: 7\r\n\r\n", ("GET", "/", b"", 7, True), id="length"),
        pytest.param(GET + b"Content-Length: 7 \t\r\n\r\n", ("GET", "/", b"", 7, True), id="space-after-a-value"),
        pytest.param(GET + b"Transfer-Encoding: Chunked\r\n\r\n", ("GET", "/", b"", None, True), id="chunks"),
        pytest.param(
            GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
            ("GET", "/", b"", 0, True),
            id="upgrade",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 7\r\n\r\n",
            ("POST", "/", b"", 7, True),
            id="upgrade-with-a-body",
        ),
    ],
)
def test_a_sound_head_is_read(content: bytes, expected: Any):
    found = _parsed(content)
    assert (found.method, found.path, found.query, found.length, found.keep_alive) == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GET + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n", id="two-lengths"),
        pytest.param(GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="length-and-chunks"),
        pytest.param(GET + b"Content-Length: +3\r\n\r\n", id="sign"),
        pytest.param(GET + b"Content-Length: 9999999999999999\r\n\r\n", id="more-than-there-is"),
        pytest.param(GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="two-codings"),
        pytest.param(b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunks-in-1.0"),
        pytest.param(GET + b"A : b\r\n\r\n", id="space-before-colon"),
        pytest.param(GET + b"A: b\r\n c\r\n\r\n", id="folded"),
        pytest.param(GET + b"A: b\nB: c\r\n\r\n", id="bare-line-feed"),
        pytest.param(b"GET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n", id="two-in-one"),
        pytest.param(GET + b"A: b\0c\r\n\r\n", id="nul"),
        pytest.param(b"GET /\r\n\r\n", id="http-0.9"),
        pytest.param(b"GET / HTTP/2.0\r\n\r\n", id="http-2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\n", id="preface-of-http-2"),
        pytest.param(b"CONNECT a:80 HTTP/1.1\r\n\r\n", id="connect"),
        pytest.param(b"GET /\xff HTTP/1.1\r\n\r\n", id="not-ascii"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\n\r\n", id="no-path"),
        pytest.param(b"\x16\x03\x01\x02\0\x01\r\n\r\n", id="tls"),
        pytest.param(b"GET / RTSP/1.0\r\n\r\n", id="rtsp"),
        pytest.param(b"SOURCE / ICE/1.0\r\n\r\n", id="ice"),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(content: bytes):
    with pytest.raises(head.RefusedError) as refused:
        _parsed(content)
    assert refused.value.refusal[0] == 400


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"GET /" + b"a" * head.LINE_LIMIT, 414, id="line-without-end"),
        pytest.param(b"GET /" + b"a" * head.LINE_LIMIT + b" HTTP/1.1\r\n\r\n", 414, id="long-line"),
        pytest.param(GET + b"A: " + b"a" * head.HEAD_LIMIT, 431, id="field-without-end"),
        pytest.param(GET + b"A: " + b"a" * head.HEAD_LIMIT + b"\r\n\r\n", 431, id="long-field"),
        pytest.param(GET + b"A: b\r\n" * head.HEAD_LIMIT, 431, id="fields-without-end"),
        pytest.param(GET + b"A: b\r\n" * head.FIELD_LIMIT + b"\r\n", 431, id="one-field-too-many"),
    ],
)
def test_a_head_has_a_size(content: bytes, status: int):
    with pytest.raises(head.RefusedError) as refused:
        _parsed(content)
    assert refused.value.refusal[0] == status


@pytest.mark.parametrize("content", [b"\x16\x03\x01", b"\0", b" GET", b"\r\n\r\n\x16"])
def test_what_cannot_become_a_request_is_not_waited_for(content: bytes):
    with pytest.raises(head.RefusedError) as refused:
        head.find(bytearray(content), 0)
    assert refused.value.refusal[0] == 400


@pytest.mark.parametrize("content", [b"", b"\r", b"\r\n\r", b"G"])
def test_what_may_become_a_request_is_waited_for(content: bytes):
    assert head.find(bytearray(content), 0) == 0


@pytest.mark.parametrize(("length", "waits"), [(b"0", False), (b"7", True)])
def test_a_client_that_sends_no_body_is_not_told_to_go_on(length: bytes, waits: bool):
    found = _parsed(GET + b"Expect: 100-continue\r\nContent-Length: " + length + b"\r\n\r\n")
    assert found.expects_continue == waits


def test_a_head_of_the_largest_size_is_served():
    line = b"GET /" + b"a" * (head.LINE_LIMIT - 14) + b" HTTP/1.1"
    fields = b"\r\n" + b"A: b\r\n" * (head.FIELD_LIMIT - 1)
    rest = head.HEAD_LIMIT - len(line + fields) - 7
    found = _parsed(line + fields + b"B: " + b"b" * rest + b"\r\n\r\n")
    assert len(found.fields) == head.FIELD_LIMIT
    assert len(found.raw_path) == head.LINE_LIMIT - 13


def test_a_head_in_single_bytes_is_searched_once():
    class Counted(bytearray):
        searched = 0

        def find(self, sub: bytes, start: int = 0, *more: int) -> int:  # type: ignore[override]
            self.searched += len(self) - start
            return super().find(sub, start, *more)

    buffer, there = Counted(), 0
    for byte in GET + b"A: " + b"a" * 10000:
        buffer.append(byte)
        assert head.find(buffer, there) == 0
        there = len(buffer)
    assert buffer.searched < 5 * len(buffer)


@pytest.mark.process
def test_a_refusal_is_an_error_of_the_api(listen: Any):
    async def nobody(*_: Any) -> None:
        raise AssertionError("it came to the application")

    said = listen(nobody).says(GET + b"A: b\r\n" * head.HEAD_LIMIT)
    lines, _, content = said.partition(b"\r\n\r\n")
    assert lines.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"\r\nConnection: close" in lines
    error = json.loads(content)
    assert error["error_code"] == "VPN.0001"
    assert set(error) == {"error_code", "error_msg", "request_id"}
