"""The lines of the service's log, on standard error."""

import logging
from typing import Any

#: Characters of a message, and of the traceback below it. What is logged may come from outside: no client writes long lines.
MESSAGE_LIMIT = 1000
TRACEBACK_LIMIT = 8000


class _Lines(logging.Formatter):
    """Formats the time once a second: a line a request is a tenth of what the request costs. Messages and tracebacks have a length."""

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
        """The end of a traceback says what went wrong."""
        text = super().formatException(ei)
        return text if len(text) <= TRACEBACK_LIMIT else f"… {text[-TRACEBACK_LIMIT:]}"


def start() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the manual's way to spare a walk of the stack
    for noisy in ("alembic", "pyroute2", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
