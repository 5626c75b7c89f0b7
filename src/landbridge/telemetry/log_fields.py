"""The fields of a log line besides its message."""

import contextvars
from typing import Any

#: The id of the request that this task answers; empty outside of a request.
REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def extra(**fields: Any) -> dict[str, Any]:
    """The argument `extra` of a call of a logger, with the fields of the line. A field must not be a secret."""
    return {"fields": fields}
