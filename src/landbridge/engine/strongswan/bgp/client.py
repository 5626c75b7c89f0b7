"""A client of BIRD's control socket, which speaks the language of birdc: a command a line, answers with codes of four digits.

`1002-text` is a line that more lines follow, `0000 text` the last one, and a line that begins with a space has the code of the line before.
Codes from 8000 on are errors.
"""

import socket
from collections import deque
from typing import NamedTuple, Self

#: Codes from here on say that the command failed.
_ERRORS = 8000
_CODE = 4
#: Seconds. BIRD answers in milliseconds.
ANSWER_TIMEOUT = 5.0


class Line(NamedTuple):
    code: int
    text: str


class BirdError(OSError):
    """BIRD refuses a command, or does not answer."""


class Client:
    """`connection`: a socket that is connected to BIRD. `reads_only`: BIRD refuses what would change anything. Raises
    BirdError. `timeout`: the seconds that BIRD may be silent.
    """

    def __init__(self, connection: socket.socket, *, reads_only: bool = True, timeout: float = ANSWER_TIMEOUT) -> None:
        self._socket = connection
        connection.settimeout(timeout)
        self._lines: deque[bytes] = deque()
        self._begun = b""
        try:
            self._read()
            if reads_only:
                self.ask("restrict")
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str) -> list[Line]:
        """The lines of the answer, without the last one when that is empty."""
        try:
            self._socket.sendall(command.encode() + b"\n")
        except OSError as error:
            raise BirdError("BIRD does not answer") from error
        return self._read()

    def _read(self) -> list[Line]:
        lines: list[Line] = []
        code = 0
        while True:
            text = self._line()
            if text[:1] == " ":
                lines.append(Line(code, text[1:]))
                continue
            if not text[:_CODE].isdecimal():  # what BIRD tells all its clients, as its log
                continue
            code, rest = int(text[:_CODE]), text[_CODE + 1 :]
            if code >= _ERRORS:
                raise BirdError(f"BIRD answered: {rest}")
            is_last = text[_CODE : _CODE + 1] != "-"
            if rest or not is_last:
                lines.append(Line(code, rest))
            if is_last:
                return lines

    def _line(self) -> str:
        while not self._lines:
            try:
                data = self._socket.recv(1 << 18)
            except OSError as error:
                raise BirdError("BIRD does not answer") from error
            if not data:
                raise BirdError("BIRD closed the connection")
            *lines, self._begun = (self._begun + data).split(b"\n")
            self._lines.extend(lines)
        return self._lines.popleft().decode(errors="replace")
