"""Parses the head of a request. Pure.

llhttp reads it, strictly: no folded lines, no bare line feeds, no Content-Length beside Transfer-Encoding. The whole head is parsed at
once, so a head in tiny pieces costs no more than another. llhttp does not parse bodies: the head says where the body ends, which is all
that `connection` needs.
"""

import re
import urllib.parse
from dataclasses import dataclass

import httptools

from landbridge.wire import errors

#: Bytes of a request line, and of a whole head.
LINE_LIMIT = 16384
HEAD_LIMIT = 32768
#: Fields of a head.
FIELD_LIMIT = 100
#: Digits of a Content-Length.
LENGTH_DIGITS = 15
END = b"\r\n\r\n"
Fields = list[tuple[bytes, bytes]]
_FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"expect"}
#: The first byte of a method, or of an empty line before it. So a TLS handshake is refused at its first byte.
_FIRST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\r")
_LEADING_LINES = re.compile(rb"(?:\r\n)*")


class RefusedError(Exception):
    """The bytes are no request that this server accepts. `refusal`: status, error code and message of the answer, after which the
    connection ends.
    """

    def __init__(self, refusal: tuple[int, str, str]) -> None:
        super().__init__(refusal[2])
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Head:
    """`length`: bytes of the body; None for a body in chunks. `raw_path` is as it came, `path` is decoded."""

    method: str
    version: str
    raw_path: bytes
    path: str
    query: bytes
    fields: Fields
    keep_alive: bool
    length: int | None
    expects_continue: bool


class _Reader:
    """The callbacks of llhttp."""

    __slots__ = ("began", "fields", "framing", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: Fields = []
        self.framing: Fields = []
        self.began = 0

    def on_message_begin(self) -> None:
        self.began += 1

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name, value = name.lower(), value.rstrip(b" \t")  # what stands before a value is gone already
        self.fields.append((name, value))
        if name in _FRAMING:
            self.framing.append((name, value))


def find(buffer: bytearray, searched: int) -> int:
    """The length of the head at the beginning of the buffer; 0 while the head is incomplete. Empty lines before it are removed.

    `searched`: bytes that were there at the last call. Raises RefusedError for a head that is too large, whether or not it has an end.
    """
    if buffer.startswith(b"\r\n"):  # RFC 9112, section 2.2
        del buffer[: _LEADING_LINES.match(buffer).end()]  # type: ignore[union-attr]
        searched = 0
    if buffer and buffer[0] not in _FIRST_BYTES:
        raise RefusedError(errors.NOT_HTTP)
    end = buffer.find(END, max(0, searched - 3)) + len(END)
    is_complete = end >= len(END)
    if (end if is_complete else len(buffer)) > LINE_LIMIT:
        line = buffer.find(b"\r\n", 0, LINE_LIMIT + 2)
        if line < 0:
            raise RefusedError(errors.URL_TOO_LONG)
        if (end if is_complete else len(buffer)) > HEAD_LIMIT:
            raise RefusedError(errors.HEAD_TOO_LARGE)
    return end if is_complete else 0


def parse(content: bytes) -> Head:
    """Raises RefusedError. `content`: a whole head, as `find` found it."""
    reader = _Reader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(content)
    except httptools.HttpParserUpgrade:
        pass  # the request is served as it is (RFC 9110, section 7.8)
    except httptools.HttpParserError:
        raise RefusedError(errors.NOT_HTTP) from None
    version = parser.get_http_version()
    line = content[: content.find(b"\r\n")]  # llhttp knows RTSP and ICE too, and gives the number alone
    if reader.began != 1 or not line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
        raise RefusedError(errors.NOT_HTTP)
    if len(reader.fields) > FIELD_LIMIT:
        raise RefusedError(errors.HEAD_TOO_LARGE)
    method = parser.get_method().decode("ascii")
    raw_path, query = _target(method, reader.target)
    path = raw_path.decode("ascii")
    length, keep_alive, expects_continue = _framing(reader.framing, version)
    return Head(
        method=method,
        version=version,
        raw_path=raw_path,
        path=urllib.parse.unquote(path) if "%" in path else path,
        query=query,
        fields=reader.fields,
        keep_alive=keep_alive,
        length=length,
        expects_continue=expects_continue,
    )


def _target(method: str, target: bytes) -> tuple[bytes, bytes]:
    """Path and query."""
    if method == "CONNECT":
        raise RefusedError(errors.NOT_HTTP)
    if target.startswith(b"/"):
        path, _, query = target.partition(b"#")[0].partition(b"?")
        return path, query
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise RefusedError(errors.NOT_HTTP) from None
    path = url.path or b"/"
    if not path.startswith(b"/"):
        raise RefusedError(errors.NOT_HTTP)
    return path, url.query or b""


def _framing(fields: Fields, version: str) -> tuple[int | None, bool, bool]:
    """The body's length, whether the connection may go on, whether the client waits to be told to send the body."""
    length: int | None = 0
    keep_alive = version == "1.1"
    expects_continue = False
    for name, value in fields:
        if name == b"content-length":
            if not value.isdigit() or len(value) > LENGTH_DIGITS:
                raise RefusedError(errors.NOT_HTTP)
            length = int(value)
        elif name == b"connection":
            keep_alive = keep_alive and b"close" not in map(bytes.strip, value.lower().split(b","))
        elif name == b"expect":
            expects_continue = version == "1.1" and value.lower() == b"100-continue"
        elif value.lower() == b"chunked" and version == "1.1":
            length = None
        else:  # another coding, or one that a server of HTTP/1.0 would not know of
            raise RefusedError(errors.NOT_HTTP)
    return length, keep_alive, expects_continue and length != 0  # nobody waits to send nothing
