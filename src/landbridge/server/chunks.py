"""Parses a chunked body (RFC 9112, section 7.1). Pure.

Everything beside the content is bounded: a line with a size and its extensions, all lines together, and the trailers. Trailers are dropped.
"""

import re

from landbridge.server import head
from landbridge.wire import errors

#: Bytes of a line with a chunk's size and its extensions.
LINE_LIMIT = 1024
#: Bytes of all trailers.
TRAILER_LIMIT = 8192
#: Bytes of all lines between the content: this number, plus the number of bytes of the content.
LINES_LIMIT = 16384
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")


class Chunks:
    """One body. `feed` until `ended`."""

    __slots__ = ("_content", "_left", "_line", "_lines", "_next", "ended")

    def __init__(self) -> None:
        self._line = bytearray()
        # A function, not a bound method: a cycle of references would keep the body until the garbage collector runs.
        self._next = Chunks._size
        self._left = 0
        self._content = 0
        self._lines = 0
        self.ended = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The content that `data` has, and what comes after the body's end. Raises head.RefusedError."""
        content = []
        at = 0
        while at < len(data) and not self.ended:
            if self._left:
                piece = data[at : at + self._left]
                content.append(piece)
                self._left -= len(piece)
            else:
                end = data.find(b"\n", at, at + LINE_LIMIT + 1)
                piece = data[at : end + 1] if end >= 0 else data[at : at + LINE_LIMIT + 1]
                self._read(piece, whole=end >= 0)
            at += len(piece)
        return b"".join(content), data[at:]

    def _read(self, piece: bytes, *, whole: bool) -> None:
        self._line += piece
        self._lines += len(piece)
        if len(self._line) > LINE_LIMIT or self._lines > LINES_LIMIT + self._content:
            in_trailers = self._next is Chunks._trailer
            raise head.RefusedError(errors.HEAD_TOO_LARGE if in_trailers else errors.WRONG_CHUNKS)
        if whole:
            line = bytes(self._line)
            self._line.clear()
            self._next(self, line)

    def _size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise head.RefusedError(errors.NOT_HTTP)
        self._left = int(match[1], 16)
        self._content += self._left
        if self._left:
            self._next = Chunks._end_of_chunk
        else:
            self._lines = LINES_LIMIT + self._content - TRAILER_LIMIT
            self._next = Chunks._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line != b"\r\n":
            raise head.RefusedError(errors.NOT_HTTP)
        self._next = Chunks._size

    def _trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.ended = True
        elif _TRAILER.fullmatch(line) is None:
            raise head.RefusedError(errors.NOT_HTTP)
