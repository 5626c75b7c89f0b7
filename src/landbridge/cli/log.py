"""The lines of the service's log, on standard error."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from landbridge import config
from landbridge.telemetry import log_fields

#: Characters of a message, and of the traceback below it. A message may contain text of a client, which must not fill the log.
MESSAGE_LIMIT = 1000
TRACEBACK_LIMIT = 8000


class Text(logging.Formatter):
    """A line for people: time, level, logger, message, and `name=value` for each field that the message does not contain.

    It limits the length of messages and tracebacks. It formats the time only once a second, since most lines come many a second.
    """

    _second = 0
    _text = ""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        second = int(record.created)
        if second != self._second:
            self._second, self._text = second, super().formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        more = (f"{key}={text}" for key, text in _fields(record).items() if str(text) not in record.message)
        record.message = " ".join((_short(record.message), *more))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Keeps the end of a long traceback, which says what went wrong."""
        text = super().formatException(ei)
        return text if len(text) <= TRACEBACK_LIMIT else f"… {text[-TRACEBACK_LIMIT:]}"


class Json(Text):
    """An object a line: `time` (UTC, RFC 3339), `level`, `logger`, `message`, the fields, and `exception` for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _short(record.getMessage()),
        } | _fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _short(message: str) -> str:
    if len(message) <= MESSAGE_LIMIT:
        return message
    return f"{message[:MESSAGE_LIMIT]}… ({len(message) - MESSAGE_LIMIT} characters more)"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of the line, and the id of the request that this thread or task answers."""
    request_id = log_fields.REQUEST_ID.get()
    return getattr(record, "fields", {}) | ({"request_id": request_id} if request_id else {})


FORMATS: dict[str, type[Text]] = {"text": Text, "json": Json}


def configure(chosen: config.Log) -> None:
    """Sends the log of this process to its standard error. Another call replaces the format and the level."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[chosen.format]())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("landbridge").setLevel(chosen.level.upper())
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - Python's logging how-to ("Optimization") spares a walk of the stack so
    for noisy in ("alembic", "pyroute2", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
