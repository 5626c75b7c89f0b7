"""One request and its answer: ASGI's `receive` and `send` (version 3, HTTP).

Once the answer is complete, no object here is part of a cycle of references: the memory of a request is freed at once, without the
garbage collector.
"""

import asyncio
import http
import logging
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message

from landbridge.server import head

if TYPE_CHECKING:
    from landbridge.server import connection

log = logging.getLogger(__name__)
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_WITHOUT_CONTENT = (204, 304)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """`started`: a part of the answer is written. `complete`: all of it is written. `timed_out`: the body did not come in time.
    `buffered`: bytes of the body that the application has not taken. `disconnected`: the client is gone.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_end_received",
        "_expects_continue",
        "_head",
        "_left",
        "_more_body",
        "_start",
        "_waiter",
        "buffered",
        "complete",
        "disconnected",
        "keep_alive",
        "started",
        "timed_out",
    )

    def __init__(self, connection: "connection.Connection", request: head.Head) -> None:
        self._connection = connection
        self._head = request
        self._body: list[bytes] = []
        self._more_body = request.length != 0
        self._end_received = False
        self._expects_continue = request.expects_continue
        self._waiter: asyncio.Future[None] | None = None
        self._start = b""
        self._left: int | None = 0  # bytes of the answer; None: up to the end of the connection
        self._chunked = False
        self.timed_out = False
        self.buffered = 0
        self.disconnected = False
        self.keep_alive = request.keep_alive
        self.started = self.complete = False

    async def run(self, application: ASGIApp) -> None:
        """Lets the application answer. A failure in the application ends this connection alone."""
        request = self._head
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.version,
            "server": self._connection.server_address,
            "client": self._connection.client_address,
            "scheme": self._connection.scheme,
            "method": request.method,
            "root_path": "",
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query,
            "headers": request.fields,
        }
        try:
            await application(scope, self.receive, self.send)
            if not (self.complete or self.disconnected):
                log.error("the application gave no whole answer")
        except Exception:
            log.exception("the application failed")
        finally:
            if not (self.complete or self.disconnected):
                self._connection.abort()

    # -- called by the connection

    def feed(self, content: bytes, *, ended: bool) -> None:
        """Takes a part of the body. `ended`: it is the last one."""
        if content:
            self._body.append(content)
            self.buffered += len(content)
        self._more_body = not ended
        self._wake()

    def disconnect(self) -> None:
        self.disconnected = True
        self._wake()

    def time_out(self) -> None:
        """Tells the application that no more of the body comes. The connection still sends the answer."""
        self.timed_out = True
        self.keep_alive = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- called by the application

    async def receive(self) -> Message:
        if self._expects_continue and not (self.started or self.disconnected):
            self._connection.write(_CONTINUE)
        self._expects_continue = False
        while not (self.disconnected or self.complete or self.timed_out):
            if self._body or not (self._more_body or self._end_received):
                return self._take_body()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    def _take_body(self) -> Message:
        content = b"".join(self._body)
        self._body.clear()
        self.buffered = 0
        self._end_received = not self._more_body
        if self._more_body:
            self._connection.resume_reading()
        return {"type": "http.request", "body": content, "more_body": self._more_body}

    async def send(self, message: Message) -> None:
        """Waits until the client has taken most of what was sent before."""
        if self._connection.drained is not None:
            await self._connection.drained
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self._start:
            self._start = self._render_start(message)
        elif message["type"] == "http.response.body" and self._start and not self.complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} is out of turn")

    def _render_start(self, message: Message) -> bytes:
        fields = message.get("headers", ())
        status = message["status"]
        length = None
        lines = [_STATUS[status], self._connection.date_line()]
        for name, value in fields:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            lines.append(name + b": " + value + b"\r\n")
        has_content = self._head.method != "HEAD" and status not in _WITHOUT_CONTENT
        if length is None and has_content:
            self._chunked = self._head.version == "1.1"
            self.keep_alive = self.keep_alive and self._chunked
            if self._chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
        self._left = length if has_content else 0
        if self._expects_continue:  # whether the body comes all the same cannot be told (RFC 9110, section 10.1.1)
            self.keep_alive = False
        if not (self.keep_alive and self._connection.may_continue()):
            self.keep_alive = False
            lines.append(b"connection: close\r\n")
        rendered = b"".join(lines)
        if rendered.count(b"\n") != len(lines) or rendered.count(b"\r") != len(lines):
            raise RuntimeError("a header has an end of a line in it")
        return rendered + b"\r\n"

    def _send_body(self, content: bytes, *, more: bool) -> None:
        first = b"" if self.started else self._start
        self.started = True
        if self._head.method == "HEAD":
            content = b""
        elif self._chunked:
            content = (b"%x\r\n%b\r\n" % (len(content), content) if content else b"") + (b"" if more else b"0\r\n\r\n")
        elif self._left is not None:
            self._left -= len(content)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the answer is not as long as its Content-Length says")
        if len(content) <= 16384:
            self._connection.write(first + content)
        else:  # not copied
            self._connection.write(first)
            self._connection.write(content)
        if not more:
            self.complete = True
            self._wake()
            self._connection.on_answered(self)
