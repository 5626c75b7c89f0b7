"""Responses: the rendered result of a route, and the error body for everything else."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from landbridge import errors
from landbridge.api.routes import Request, Result, Route
from landbridge.wire import errors as wire_errors
from landbridge.wire import shapes

HEADER_LIMIT = 1000


def render(route: Route[Request, Result], result: Result, ignored: Sequence[str], request_id: str) -> Response:
    """The success of a route. `ignored`: the paths of fields, and the names of query parameters, that the route does not know."""
    headers = {"X-Request-Id": request_id}
    if ignored:
        headers["Landbridge-Ignored-Fields"] = _header(ignored)
    warnings = route.warnings(result)
    if warnings:
        headers["Landbridge-Warnings"] = _header(map(str, warnings))
    etag = route.etag(result)
    if etag is not None:
        headers["ETag"] = etag
    if route.success == 204:
        return Response(status_code=204, headers=headers)
    content = shapes.encode(route.render(result) | {"request_id": request_id})
    return Response(content, route.success, headers, "application/json")


def refusal(error: errors.LandbridgeError, request_id: str) -> Response:
    status, answer = wire_errors.render(error, request_id)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return _json(answer, status, headers | {"X-Request-Id": request_id})


def http_error(error: HTTPException, request_id: str) -> Response:
    """The response to a path or a method that is not in the table, and to a body that is too large or not complete."""
    known = {
        404: wire_errors.NO_SUCH_PATH,
        405: wire_errors.WRONG_METHOD,
        408: wire_errors.TOO_LATE,
        413: wire_errors.TOO_LARGE,
    }
    status, code, message = known.get(error.status_code, (error.status_code, "VPN.0001", str(error.detail)))
    where = "; GET /docs lists what there is" if status == 404 else ""
    return _error(status, code, message + where, request_id, **(error.headers or {}))


def our_fault(request_id: str) -> Response:
    return _error(*wire_errors.OUR_FAULT, request_id)


def _error(status: int, code: str, message: str, request_id: str, **headers: str) -> Response:
    return _json(wire_errors.body(code, message, request_id), status, {**headers, "X-Request-Id": request_id})


def _json(value: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return Response(content, status, headers, "application/json")


def _header(texts: Iterable[str]) -> str:
    """The texts as the value of a header: ASCII, one line, at most HEADER_LIMIT characters."""
    text = ", ".join(texts)[:HEADER_LIMIT].encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else " " for c in text)[:HEADER_LIMIT]
