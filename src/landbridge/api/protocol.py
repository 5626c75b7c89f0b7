"""HTTP connections that do not wait for ever. uvicorn's own end only after an answer, when nothing more is said."""

import asyncio
import fcntl
import json
import resource
import sys
import termios

from uvicorn.protocols.http import httptools_impl

from landbridge.operations import call
from landbridge.wire import errors

#: Between two looks at a connection. A request that is not there at the second one is late: in 15 to 30 seconds.
LOOK_SECONDS = 15.0
#: Half of the files that this process may open: the other half is for the database and the engine.
CONNECTION_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2


class Protocol(httptools_impl.HttpToolsProtocol):
    """A client that sends no request, half a head or half a body, or takes nothing of an answer, is sent away."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look, None, 0)
        if len(self.connections) > CONNECTION_LIMIT:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self, scope: object, unsent: int) -> None:
        """With the request and the unsent bytes of the look before. uvicorn makes a scope as soon as a request begins, and a
        cycle when its head is there.
        """
        still_unsent = self._unsent()
        unconfirmed = self.transport.is_closing()  # in TLS the client says that it has seen the end
        if self.scope is scope and still_unsent == unsent and (unsent or unconfirmed):
            self.transport.abort()
            return
        head_there = self.cycle is not None and self.cycle.scope is self.scope
        answered = self.cycle is None or self.cycle.response_complete
        answering = not answered and not (head_there and self.cycle.more_body)
        if self.scope is scope and not answering and not unconfirmed:
            if self.scope is not None and not (head_there and self.cycle.response_started):
                self.transport.write(_too_late())
            self.transport.close()
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look, self.scope, still_unsent)

    def _unsent(self) -> int:
        """What the client has not taken of answers: here, and in the kernel."""
        wire = self.transport.get_extra_info("socket")
        file = -1 if wire is None else wire.fileno()
        if file < 0:  # it is just being closed
            return 0
        in_kernel = int.from_bytes(fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self.transport.get_write_buffer_size() + in_kernel


def _too_late() -> bytes:
    status, code, message = errors.TOO_LATE
    content = json.dumps(errors.body(code, message, call.new_id())).encode()
    head = f"HTTP/1.1 {status} Request Timeout\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + content
