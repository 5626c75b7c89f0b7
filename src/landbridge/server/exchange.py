"""One request and its answer: what ASGI's `receive` and `send` do (version 3, HTTP).

No object here is part of a cycle of references once the answer is complete: what a request took is given back at once, and does not wait
for the garbage collector.
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
_STATUS = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in http.HTTPStatus}
_WITHOUT_CONTENT = (204, 304)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """`started`: the answer has begun to be written. `complete`: all of it was written."""

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_expects_continue",
        "_head",
        "_left",
        "_more_body",
        "_start",
        "_told_end",
        "_waiter",
        "complete",
        "gone",
        "held",
        "keep_alive",
        "late",
        "started",
    )

    def __init__(self, of: "connection.Connection", asked: head.Head) -> None:
        self._connection = of
        self._head = asked
        self._body: list[bytes] = []
        self._more_body = asked.length != 0
        self._told_end = False
        self._expects_continue = asked.expects_continue
        self._waiter: asyncio.Future[None] | None = None
        self._start = b""
        self._left: int | None = 0  # bytes of the answer; None: up to the end of the connection
        self._chunked = False
        #: The body did not come in time.
        self.late = False
        #: Bytes of the body that the application has not taken.
        self.held = 0
        #: The client is not there any more.
        self.gone = False
        self.keep_alive = asked.keep_alive
        self.started = self.complete = False

    async def run(self, application: ASGIApp) -> None:
        """The application answers. Whatever goes wrong in it ends this connection and no other one."""
        asked = self._head
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": asked.version,
            "server": self._connection.server_address,
            "client": self._connection.client_address,
            "scheme": self._connection.scheme,
            "method": asked.method,
            "root_path": "",
            "path": asked.path,
            "raw_path": asked.raw_path,
            "query_string": asked.query,
            "headers": asked.fields,
        }
        try:
            await application(scope, self.receive, self.send)
            if not (self.complete or self.gone):
                log.error("the application gave no whole answer")
        except Exception:
            log.exception("the application failed")
        finally:
            if not (self.complete or self.gone):
                self._connection.abort()

    # -- what the connection tells

    def feed(self, content: bytes, *, ended: bool) -> None:
        """The body goes on."""
        if content:
            self._body.append(content)
            self.held += len(content)
        self._more_body = not ended
        self._wake()

    def disconnect(self) -> None:
        self.gone = True
        self._wake()

    def expire(self) -> None:
        """The body is late: the application is told that no more of it comes, and what it answers is still sent."""
        self.late = True
        self.keep_alive = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- what the application calls

    async def receive(self) -> Message:
        if self._expects_continue and not (self.started or self.gone):
            self._connection.write(_CONTINUE)
        self._expects_continue = False
        while not (self.gone or self.complete or self.late):
            if self._body or not (self._more_body or self._told_end):
                return self._next_of_body()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    def _next_of_body(self) -> Message:
        content = b"".join(self._body)
        self._body.clear()
        self.held = 0
        self._told_end = not self._more_body
        if self._more_body:
            self._connection.read_on()
        return {"type": "http.request", "body": content, "more_body": self._more_body}

    async def send(self, message: Message) -> None:
        """Waits while the client takes less than it is given."""
        if self._connection.drained is not None:
            await self._connection.drained
        if self.gone:
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
        if not (self.keep_alive and self._connection.stays()):
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
            self._connection.answered(self)
