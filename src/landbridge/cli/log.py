"""The lines of the service's log, on standard error."""

import logging
from typing import Any

#: Characters of a message, and of the traceback below it. A message may hold what a client sent: no client can fill the log.
MESSAGE_LIMIT = 1000
TRACEBACK_LIMIT = 8000


class _Lines(logging.Formatter):
    """Limits messages and tracebacks. Formats the time once a second: the line of a request takes a tenth of the request's time."""

    _second = 0
    _text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        second = int(record.created)
        if second != self._second:
            self._second, self._text = second, super().formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        if len(record.message) > MESSAGE_LIMIT:
            cut = len(record.message) - MESSAGE_LIMIT
            record.message = f"{record.message[:MESSAGE_LIMIT]}… ({cut} characters more)"
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Keeps the end of a long traceback, which says what went wrong."""
        text = super().formatException(ei)
        return text if len(text) <= TRACEBACK_LIMIT else f"… {text[-TRACEBACK_LIMIT:]}"


def configure() -> None:
    """Sends the log of this process to its standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - Python's logging how-to ("Optimization") spares a walk of the stack so
    for noisy in ("alembic", "pyroute2", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
