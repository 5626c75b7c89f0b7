"""A client's connection: reads one request at a time, and ends when the client is too slow or sends what is no request.

What comes of the next request while one is in work stays in `_buffer`, of one read at most: then reading pauses. The time is looked at by
`look`, which the server calls again and again: a timer a request would cost more.
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

#: A request, head and body, has so long to come.
REQUEST_SECONDS = 30.0
#: Between an answer and the first byte of the next request.
IDLE_SECONDS = 5.0
#: A client that takes nothing of an answer for so long is gone; so is one that does not confirm the end.
STALL_SECONDS = 15.0
#: Of a body that the application has not taken, so much is kept before reading pauses.
BODY_HELD = 65536
#: What is left of a body whose request is answered is read and dropped, up to so many bytes.
DROP_LIMIT = 1 << 20
#: A client that still sends while its connection is ended is listened to for so long, else it might never see the answer.
LINGER_SECONDS = 2.0


class Server(Protocol):
    """What a connection must know of its server."""

    date: bytes

    def start(self, of: exchange.Exchange) -> None: ...
    def made(self, of: "Connection") -> None: ...
    def finished(self, of: "Connection") -> None: ...
    def left(self, of: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """`name`: of the client, as it is counted. `finished`: a whole head has come."""

    def __init__(self, server: Server, client: tuple[str, int], name: str, scheme: str) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self.name = name
        self.finished = False
        self.client_address = client
        self.server_address: tuple[str, int] | None = None  # until the connection is made
        self.scheme = scheme
        self._buffer = bytearray()
        self._searched = 0
        self._exchange: exchange.Exchange | None = None
        self._chunks: chunks.Chunks | None = None
        self._missing = 0  # bytes of the body; of one in chunks 1, until it has ended
        self._dropped = 0
        self._paused = self._leaving = self._lingering = False
        self.drained: asyncio.Future[None] | None = None
        self._deadline = self._next_stall_look = math.inf
        self._written = 0
        self._last_look = (0, 0)  # bytes written by then, and those of them that were not taken

    # -- asyncio's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.server_address = transport.get_extra_info("sockname")[:2]
        self._server.made(self)
        now = self._loop.time()
        self._deadline, self._next_stall_look = now + REQUEST_SECONDS, now + STALL_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline = math.inf
        self._buffer.clear()
        if self._exchange is not None:
            self._exchange.disconnect()
            self._exchange = None
        self.resume_writing()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._drop(len(data))
            return
        is_idle = self.finished and self._exchange is None and not self._buffer
        if is_idle and data.lstrip(b"\r\n"):  # the first byte of another request: empty lines are none
            self._deadline = self._loop.time() + REQUEST_SECONDS
        self._buffer += data
        if self._exchange is None or self._missing:
            self._advance()
        else:
            self._pause()

    def eof_received(self) -> bool:
        """A client that has said all may wait for its answer."""
        self._leaving = True
        return self._exchange is not None and not self._missing and self.scheme == "http"

    def pause_writing(self) -> None:
        self.drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self.drained = self.drained, None
        if drained is not None:
            if not drained.done():
                drained.set_result(None)
            if self._exchange is not None and self._exchange.complete and not self._missing:
                self._next_request()

    # -- reading

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def read_on(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _advance(self) -> None:
        try:
            if self._exchange is None:
                self._read_head()
            if self._missing and self._buffer:
                self._read_body()
        except head.RefusedError as error:
            self._refuse(*error.refusal)

    def _read_head(self) -> None:
        end = head.find(self._buffer, self._searched)
        if not end:
            self._searched = len(self._buffer)
            self.read_on()
            return
        content = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        asked = head.parse(content)
        self._chunks = chunks.Chunks() if asked.length is None else None
        self._missing = 1 if asked.length is None else asked.length
        self._dropped = 0
        if not self._missing:
            self._deadline = math.inf
        if not self.finished:
            self.finished = True
            self._server.finished(self)
        self._exchange = exchange.Exchange(self, asked)
        self._server.start(self._exchange)
        if self._missing:
            self.read_on()
        elif self._buffer:
            self._pause()

    def _read_body(self) -> None:
        exchanged = self._exchange
        assert exchanged is not None  # noqa: S101
        if self._chunks is not None:
            content, rest = self._chunks.feed(bytes(self._buffer))
            self._missing = 0 if self._chunks.ended else 1
        else:
            content, rest = bytes(self._buffer[: self._missing]), bytes(self._buffer[self._missing :])
            self._missing -= len(content)
        taken = len(self._buffer) - len(rest)
        self._buffer[:] = rest
        if exchanged.complete:
            self._drop(taken)
        else:
            exchanged.feed(content, ended=not self._missing)
        if self._lingering:
            return
        if not self._missing:
            self._body_ended(exchanged)
        elif exchanged.held > BODY_HELD:
            self._pause()

    def _body_ended(self, exchanged: exchange.Exchange) -> None:
        self._chunks = None
        self._deadline = math.inf
        if exchanged.complete:
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

    def stays(self) -> bool:
        """Whether the connection goes on after this answer."""
        return not self._leaving and self._missing <= DROP_LIMIT

    def answered(self, exchanged: exchange.Exchange) -> None:
        if self._exchange is not exchanged:
            return
        if not exchanged.keep_alive or self._leaving:
            self._end()
        elif self._missing:
            self.read_on()
        else:
            self._next_request()

    def _next_request(self) -> None:
        """Not before the client has taken most of the answer: else answers would pile up here."""
        if self.drained is not None:
            return
        self._exchange = None
        if self._leaving:
            self._end()
            return
        now = self._loop.time()
        self._deadline = now + (REQUEST_SECONDS if self._buffer else IDLE_SECONDS)
        if self._buffer:
            self._advance()
        else:
            self.read_on()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """An answer of this server's own, and the end."""
        exchanged, self._exchange = self._exchange, None
        if exchanged is not None:
            exchanged.disconnect()
        if exchanged is None or not exchanged.started:
            content = json.dumps(errors.body(code, message, str(uuid.uuid4()))).encode()
            phrase = http.HTTPStatus(status).phrase
            lines = (
                f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            )
            self.write(lines.encode() + self._server.date + b"Connection: close\r\n\r\n" + content)
        self._linger()

    # -- the end

    def _end(self) -> None:
        """All was said to this client. It may not have said all."""
        self._exchange = None
        if self._missing or self._buffer:
            self._linger()
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Who closes while the client sends resets the connection, and the client may lose the answer."""
        self._lingering = True
        self._missing = self._dropped = 0
        self._chunks = None
        self._buffer.clear()
        self._deadline = self._loop.time() + LINGER_SECONDS
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self.read_on()

    def leave(self) -> None:
        """The service ends: what is in work is answered, and nothing more."""
        self._leaving = True
        if self._exchange is None and not self._lingering:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def look(self, now: float) -> None:
        """Ends what takes too long."""
        if now >= self._next_stall_look:
            self._next_stall_look = now + STALL_SECONDS
            self._look_for_stall()
        if now >= self._deadline:
            self._deadline = math.inf
            self._too_late(now)

    def _too_late(self, now: float) -> None:
        if self._exchange is not None and self._exchange.late:
            self.abort()
        elif self._exchange is not None and not self._exchange.complete:
            self._exchange.expire()
            self._leaving = True
            self._deadline = now + STALL_SECONDS  # it has so long to answer
        elif self._exchange is None and not self._lingering and self._buffer:
            self._refuse(*errors.TOO_LATE)
        else:
            self._transport.close()

    def _look_for_stall(self) -> None:
        """What was not taken at the last look is not taken at all. A connection that is ended may confirm it, once.

        A client that takes one answer after another may leave as many bytes untaken at each look: then more was written.
        """
        unsent = self._bytes_unsent() or int(self._transport.is_closing())
        look = (self._written, unsent)
        if unsent and look == self._last_look:
            self.abort()
        self._last_look = look

    def _bytes_unsent(self) -> int:
        """What the client has not taken of answers: here, and in the kernel."""
        wire = self._transport.get_extra_info("socket")
        file = -1 if wire is None else wire.fileno()
        if file < 0:  # it is just being closed
            return 0
        in_kernel = int.from_bytes(fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self._transport.get_write_buffer_size() + in_kernel
