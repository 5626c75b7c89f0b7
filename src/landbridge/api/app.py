"""The application: routes from the table, and the one way that every request takes.

authenticate -> perform (allow, parse, run inside a transaction) -> render. Errors of ours become the API's error body. Who cannot be
authenticated is refused before a body is waited for.
"""

import dataclasses
import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from landbridge import errors, model, operations
from landbridge.api import authentication, key_queues, openapi, signing
from landbridge.api.routes import TOKEN_LIMIT, Incoming, Route
from landbridge.api.table import TABLE
from landbridge.operations import access, call, ids
from landbridge.wire import body, parameters, shapes
from landbridge.wire import errors as wire_errors

log = logging.getLogger(__name__)

TOKEN_HEADERS = ("x-client-token", "idempotency-key")
#: Characters of a path in a line of the log. The longest path that is served has 200.
PATH_LOGGED = 300
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the HTTP edge needs. `readiness` tells whether the service is ready, what `/readyz` tells anybody, and what it tells
    operators besides (ids and versions).
    """

    service: call.Service
    credentials: access.Credentials
    readiness: Callable[[], tuple[bool, dict[str, Any], dict[str, Any]]]
    queues: key_queues.KeyQueues = dataclasses.field(default_factory=key_queues.KeyQueues)


def build(parts: Parts) -> Starlette:
    served: dict[str, dict[str, Endpoint]] = {}
    for route in TABLE:
        served.setdefault(route.path, {})[route.method] = _endpoint(parts, route)
    routes: list[routing.BaseRoute] = [
        routing.Route(path, _Served(of), methods=list(of)) for path, of in served.items()
    ]
    routes += [
        routing.Route(path + "/", _Served(of), methods=list(of)) for path, of in served.items()
    ]  # some clients add one
    routes += [
        routing.Route("/healthz", _healthz),
        routing.Route("/readyz", _readyz(parts)),
        routing.Route("/openapi.json", lambda _: Response(_document(), media_type="application/json")),
        routing.Route("/docs", lambda _: HTMLResponse(DOCS_PAGE)),
        routing.Mount("/docs/assets", StaticFiles(packages=[("swagger_ui", "static")])),
    ]
    handlers: dict[Any, Any] = {HTTPException: _unserved}
    served_app = Starlette(routes=routes, exception_handlers=handlers)
    served_app.router.redirect_slashes = False  # a redirect would go to whatever the client calls this host
    return served_app


@functools.cache
def _document() -> bytes:
    """Made when it is first asked for: a start has better things to do."""
    return json.dumps(openapi.document(TABLE)).encode()


class _Served:
    """The methods of one path, in one route, so that a 405 can name them all. HEAD is a GET without its body.

    An application and not a function: Starlette would wrap a function in a second handling of errors.
    """

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints["GET" if scope["method"] == "HEAD" else scope["method"]]
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


def _endpoint(parts: Parts, route: Route[Any, Any]) -> Endpoint:
    operation = route.operation

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        request_id = ids.new_id()
        try:
            response = await answer(request, request_id)
        except errors.LandbridgeError as error:
            response = _refusal(error, request_id)
        except HTTPException as error:
            response = _foreign_error(error, request_id)
        except Exception:
            log.exception("%s failed for a reason of ours", request_id)
            response = _error(*wire_errors.OUR_FAULT, request_id)
        took = (time.perf_counter() - started) * 1000
        path = request.scope["raw_path"][:PATH_LOGGED].decode("latin-1")  # as it came, escaped: a line stays one line
        log.info("%s %s %s %d %.1f ms", request_id, route.method, path, response.status_code, took)
        return response

    async def answer(request: Request, request_id: str) -> Response:
        head = _head(request)
        finish = authentication.begin(parts.credentials, head)
        content = await _content(request)
        caller = finish(content)
        if operation.transacts == "read":  # a short one
            return await perform(request, request_id, head, content, caller)
        await parts.queues.acquire(caller.access_key, writes=operation.writes)
        try:
            return await perform(request, request_id, head, content, caller)
        finally:
            parts.queues.release(caller.access_key, writes=operation.writes)

    async def perform(
        request: Request, request_id: str, head: signing.RequestHead, content: bytes, caller: call.Caller
    ) -> Response:
        ignored: list[str] = []

        def submit() -> operations.Submission[Any]:
            query = parameters.read(route.query, request.query_params) if route.query else {}
            parsed = route.parse(Incoming(path=request.path_params, query=query, content=content))
            if head.query:
                ignored.extend(parameters.unknown(route.query, request.query_params))
            ignored.extend(parsed.ignored)
            return operations.Submission(
                request=parsed.value,
                violations=parsed.violations,
                token=_token(head) if route.success == 201 else None,
                if_match=_if_match(head, route),
                body=content,
            )

        return await operations.perform(
            parts.service,
            caller,
            operation,
            submit,
            lambda result: _response(route, ignored, request_id, result),
            project_id=request.path_params["project_id"],
            request_id=request_id,
        )

    return endpoint


def _response(route: Route[Any, Any], ignored: list[str], request_id: str, result: Any) -> Response:
    headers = {"X-Request-Id": request_id}
    if ignored:
        headers["Landbridge-Ignored-Fields"] = _header(ignored)
    warnings = route.warnings(result)
    if warnings:
        headers["Landbridge-Warnings"] = _header(str(warning) for warning in warnings)
    etag = route.etag(result)
    if etag is not None:
        headers["ETag"] = etag
    if route.success == 204:
        return Response(status_code=204, headers=headers)
    content = shapes.encode(route.render(result) | {"request_id": request_id})
    return Response(content, route.success, headers, "application/json")


def _header(texts: Any) -> str:
    """Readable in a header: ASCII, one line, at most 1,000 characters."""
    text = ", ".join(texts)[:1000].encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else " " for c in text)[:1000]


def _json(value: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return Response(content, status, headers, "application/json")


def _refusal(error: errors.LandbridgeError, request_id: str) -> Response:
    status, answer = wire_errors.render(error, request_id)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return _json(answer, status, headers | {"X-Request-Id": request_id})


async def _content(request: Request) -> bytes:
    """The body, which may not be larger than the API allows."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > body.BODY_LIMIT:
                raise HTTPException(413)
            chunks.append(chunk)
    except ClientDisconnect:  # it went away, or its body is late
        raise HTTPException(408) from None
    return b"".join(chunks)


def _head(request: Request) -> signing.RequestHead:
    scope = request.scope
    return signing.RequestHead(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value for name, value in reversed(scope["headers"])},
    )


def _token(head: signing.RequestHead) -> str | None:
    for name in TOKEN_HEADERS:
        given = head.headers.get(name, b"").decode("latin-1")
        if given:
            if len(given) > TOKEN_LIMIT:
                raise errors.Invalid([model.Violation(name, "is too long", f"at most {TOKEN_LIMIT} characters")])
            return given
    return None


def _if_match(head: signing.RequestHead, route: Route[Any, Any]) -> str | None:
    """Raises Changed where a change cannot be held against it: to carry it out all the same is what it is to prevent."""
    given = head.headers.get("if-match")
    if given is None:
        return None
    if route.operation.writes and not route.versions:
        raise errors.Changed("this operation compares no versions, send it without If-Match")
    return given.decode("latin-1")


def _foreign_error(error: HTTPException, request_id: str) -> Response:
    """Paths and methods that are not in the table, and bodies that were not read to their end."""
    known = {
        404: wire_errors.NO_SUCH_PATH,
        405: wire_errors.WRONG_METHOD,
        408: wire_errors.TOO_LATE,
        413: wire_errors.TOO_LARGE,
    }
    status, code, message = known.get(error.status_code, (error.status_code, "VPN.0001", str(error.detail)))
    where = "; GET /docs lists what there is" if status == 404 else ""
    return _error(status, code, message + where, request_id, **(error.headers or {}))


def _error(status: int, code: str, message: str, request_id: str, **headers: str) -> Response:
    return _json(wire_errors.body(code, message, request_id), status, {**headers, "X-Request-Id": request_id})


async def _unserved(_: Request, error: HTTPException) -> Response:
    return _foreign_error(error, ids.new_id())


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _asks_an_operator(parts: Parts, request: Request) -> bool:
    """Without a key, or with one that is not an operator's, the answer is anybody's."""
    try:
        return authentication.begin(parts.credentials, _head(request))(b"").role == "operator"
    except errors.LandbridgeError:
        return False


def _readyz(parts: Parts) -> Endpoint:
    async def readyz(request: Request) -> Response:
        try:
            ready, info, details = parts.readiness()
        except Exception:
            log.exception("not ready")
            ready, info, details = False, {"status": "not ready: the log says why"}, {}
        if details and _asks_an_operator(parts, request):
            info = info | details
        return JSONResponse(info, 200 if ready else 503)

    return readyz


#: The document's pages, with their scripts from this machine.
DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Landbridge API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#api", validatorUrl: null})</script>
</body>
</html>
"""
