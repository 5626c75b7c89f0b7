"""What a line of the log has besides its message."""

import contextvars
from typing import Any

#: The id of the request that is answered; empty outside of a request.
REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def of(**fields: Any) -> dict[str, Any]:
    """The `extra` of a call of the logger: fields of the line. No secret."""
    return {"fields": fields}
