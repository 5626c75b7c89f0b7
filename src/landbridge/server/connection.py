"""A connection of a client. It reads one request at a time. It ends when the client is too slow or does not send requests.

While a request is answered, bytes of the next one stay in `_buffer`. That is one read at most: then reading pauses. The server calls
`check_time` once a second: a timer for each request would cost more.
"""

import asyncio
import contextlib
import fcntl
import http
import json
import math
import sys
import termios
import uuid
from typing import Protocol, cast

from landbridge.server import chunks, exchange, head
from landbridge.wire import errors

#: Seconds until a whole request, head and body, must have come.
REQUEST_SECONDS = 30.0
#: Seconds between an answer and the first byte of the next request.
IDLE_SECONDS = 5.0
#: Seconds. A client that takes nothing of an answer for so long is gone. So is a client that does not confirm the end.
STALL_SECONDS = 15.0
#: Bytes of a body that the application has not taken. Reading pauses beyond them.
BODY_BUFFER_LIMIT = 65536
#: Bytes. After the answer, the rest of the request's body is read and dropped up to this size.
DROP_LIMIT = 1 << 20
#: Seconds. The server still reads from a client that sends while its connection ends: else the client might never see the answer.
LINGER_SECONDS = 2.0


class Server(Protocol):
    """What a connection calls on its server. `date` is the line of that header."""

    date: bytes

    def start(self, opened: exchange.Exchange) -> None: ...
    def on_open(self, opened: "Connection") -> None: ...
    def on_first_request(self, opened: "Connection") -> None: ...
    def on_close(self, closed: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """`client`: the name under which the client is counted. `had_request`: a whole head has come."""

    def __init__(self, server: Server, address: tuple[str, int], client: str, scheme: str) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self.client = client
        self.had_request = False
        self.client_address = address
        self.server_address: tuple[str, int] | None = None  # until the connection is made
        self.scheme = scheme
        self._buffer = bytearray()
        self._searched = 0
        self._exchange: exchange.Exchange | None = None
        self._chunks: chunks.Chunks | None = None
        self._body_left = 0  # bytes of the body; of one in chunks 1, until it has ended
        self._dropped = 0
        self._paused = self._closing = self._lingering = False
        self.drained: asyncio.Future[None] | None = None
        self._deadline = self._next_stall_check = math.inf
        self._written = 0
        self._last_state = (0, 0)  # at the last check: bytes written, and bytes of them that the client had not taken

    # -- asyncio's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.server_address = transport.get_extra_info("sockname")[:2]
        self._server.on_open(self)
        now = self._loop.time()
        self._deadline, self._next_stall_check = now + REQUEST_SECONDS, now + STALL_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline = math.inf
        self._buffer.clear()
        if self._exchange is not None:
            self._exchange.disconnect()
            self._exchange = None
        self.resume_writing()
        self._server.on_close(self)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._drop(len(data))
            return
        is_idle = self.had_request and self._exchange is None and not self._buffer
        if is_idle and data.lstrip(b"\r\n"):  # the first byte of another request: empty lines are none
            self._deadline = self._loop.time() + REQUEST_SECONDS
        self._buffer += data
        if self._exchange is None or self._body_left:
            self._process_buffer()
        else:
            self._pause()

    def eof_received(self) -> bool:
        """Keeps the connection half open for a client that sends no more and waits for its answer."""
        self._closing = True
        return self._exchange is not None and not self._body_left and self.scheme == "http"

    def pause_writing(self) -> None:
        self.drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self.drained = self.drained, None
        if drained is not None:
            if not drained.done():
                drained.set_result(None)
            if self._exchange is not None and self._exchange.complete and not self._body_left:
                self._next_request()

    # -- reading

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _process_buffer(self) -> None:
        try:
            if self._exchange is None:
                self._read_head()
            if self._body_left and self._buffer:
                self._read_body()
        except head.RefusedError as error:
            self._refuse(*error.refusal)

    def _read_head(self) -> None:
        end = head.find(self._buffer, self._searched)
        if not end:
            self._searched = len(self._buffer)
            self.resume_reading()
            return
        content = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        request = head.parse(content)
        self._chunks = chunks.Chunks() if request.length is None else None
        self._body_left = 1 if request.length is None else request.length
        self._dropped = 0
        if not self._body_left:
            self._deadline = math.inf
        if not self.had_request:
            self.had_request = True
            self._server.on_first_request(self)
        self._exchange = exchange.Exchange(self, request)
        self._server.start(self._exchange)
        if self._body_left:
            self.resume_reading()
        elif self._buffer:
            self._pause()

    def _read_body(self) -> None:
        current = self._exchange
        assert current is not None  # noqa: S101
        if self._chunks is not None:
            content, rest = self._chunks.feed(bytes(self._buffer))
            self._body_left = 0 if self._chunks.ended else 1
        else:
            content, rest = bytes(self._buffer[: self._body_left]), bytes(self._buffer[self._body_left :])
            self._body_left -= len(content)
        taken = len(self._buffer) - len(rest)
        self._buffer[:] = rest
        if current.complete:
            self._drop(taken)
        else:
            current.feed(content, ended=not self._body_left)
        if self._lingering:
            return
        if not self._body_left:
            self._finish_body(current)
        elif current.buffered > BODY_BUFFER_LIMIT:
            self._pause()

    def _finish_body(self, current: exchange.Exchange) -> None:
        self._chunks = None
        self._deadline = math.inf
        if current.complete:
            self._next_request()
        elif self._buffer:
            self._pause()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > DROP_LIMIT:
            self.abort() if self._lingering else self._linger()

    # -- answering

    def write(self, content: bytes) -> None:
        if not self._transport.is_closing():
            self._written += len(content)
            self._transport.write(content)

    def date_line(self) -> bytes:
        return self._server.date

    def may_continue(self) -> bool:
        """Whether another request may follow this answer."""
        return not self._closing and self._body_left <= DROP_LIMIT

    def on_answered(self, current: exchange.Exchange) -> None:
        if self._exchange is not current:
            return
        if not current.keep_alive or self._closing:
            self._close()
        elif self._body_left:
            self.resume_reading()
        else:
            self._next_request()

    def _next_request(self) -> None:
        """Waits until the client has taken most of the answer, so that answers do not pile up."""
        if self.drained is not None:
            return
        self._exchange = None
        if self._closing:
            self._close()
            return
        now = self._loop.time()
        self._deadline = now + (REQUEST_SECONDS if self._buffer else IDLE_SECONDS)
        if self._buffer:
            self._process_buffer()
        else:
            self.resume_reading()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Sends an answer of this server's own and ends the connection."""
        current, self._exchange = self._exchange, None
        if current is not None:
            current.disconnect()
        if current is None or not current.started:
            content = json.dumps(errors.body(code, message, str(uuid.uuid4()))).encode()
            phrase = http.HTTPStatus(status).phrase
            lines = (
                f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            )
            self.write(lines.encode() + self._server.date + b"Connection: close\r\n\r\n" + content)
        self._linger()

    # -- the end

    def _close(self) -> None:
        """Ends the connection. The client may still send."""
        self._exchange = None
        if self._body_left or self._buffer:
            self._linger()
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Ends the sending and still reads.

        A close while the client sends would reset the connection, and the client might lose the answer.
        """
        self._lingering = True
        self._body_left = self._dropped = 0
        self._chunks = None
        self._buffer.clear()
        self._deadline = self._loop.time() + LINGER_SECONDS
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self.resume_reading()

    def shut_down(self) -> None:
        """Ends the connection once the request in work is answered."""
        self._closing = True
        if self._exchange is None and not self._lingering:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def check_time(self, now: float) -> None:
        """Ends a request, an answer or a pause that takes too long. `now` is the event loop's time."""
        if now >= self._next_stall_check:
            self._next_stall_check = now + STALL_SECONDS
            self._check_stall()
        if now >= self._deadline:
            self._deadline = math.inf
            self._time_out(now)

    def _time_out(self, now: float) -> None:
        if self._exchange is not None and self._exchange.timed_out:
            self.abort()
        elif self._exchange is not None and not self._exchange.complete:
            self._exchange.time_out()
            self._closing = True
            self._deadline = now + STALL_SECONDS  # it has so long to answer
        elif self._exchange is None and not self._lingering and self._buffer:
            self._refuse(*errors.TOO_LATE)
        else:
            self._transport.close()

    def _check_stall(self) -> None:
        """Aborts when the client has taken nothing since the last check. A connection that is being closed has one check more.

        A client that takes one answer after another may leave the same number of bytes at each check: then more was written.
        """
        unsent = self._unsent_bytes() or int(self._transport.is_closing())
        state = (self._written, unsent)
        if unsent and state == self._last_state:
            self.abort()
        self._last_state = state

    def _unsent_bytes(self) -> int:
        """Bytes of answers that the client has not taken, here and in the kernel."""
        sock = self._transport.get_extra_info("socket")
        file = -1 if sock is None else sock.fileno()
        if file < 0:  # it is just being closed
            return 0
        in_kernel = int.from_bytes(fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self._transport.get_write_buffer_size() + in_kernel
