"""The ASGI application: the routes of the table, and the one way that every request takes.

authenticate -> perform (allow, parse, run inside a transaction) -> render. A caller who cannot be authenticated is refused before the
body of the request is read.
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
from landbridge.api import authentication, key_queues, metrics, openapi, responses, routes, signing
from landbridge.api.table import TABLE
from landbridge.operations import access, call, ids, measurements
from landbridge.telemetry import exposition, log_fields, shared_metrics
from landbridge.wire import body, parameters

log = logging.getLogger(__name__)

TOKEN_HEADERS = ("x-client-token", "idempotency-key")
#: Characters of a path in a line of the log. The longest path of the table has 200.
PATH_LOGGED = 300
Endpoint = Callable[[Request], Awaitable[Response]]
_SECONDS = shared_metrics.Histogram(
    "landbridge_api_request_seconds",
    "Duration of a request from its head to its answer, in seconds.",
    operation=tuple(sorted({route.name for route in TABLE})),
    code=("2xx", "4xx", "5xx"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the HTTP edge needs. `readiness` tells whether the service is ready, what `/readyz` tells anybody, and what it tells
    operators besides (ids and versions). `agent_age`: seconds since the agent last looked; None without an agent. `series_limit`:
    connections that get series of their own in `/metrics`.
    """

    service: call.Service
    credentials: access.Credentials
    readiness: Callable[[], tuple[bool, dict[str, Any], dict[str, Any]]]
    queues: key_queues.KeyQueues = dataclasses.field(default_factory=key_queues.KeyQueues)
    agent_age: Callable[[], float] | None = None
    series_limit: int = 0


def build(dependencies: Dependencies) -> Starlette:
    served: dict[str, dict[str, Endpoint]] = {}
    for route in TABLE:
        served.setdefault(route.path, {})[route.method] = _endpoint(dependencies, route)
    paths: list[routing.BaseRoute] = []
    for end in ("", "/"):  # some clients add a slash; a path is matched sooner where these come last
        paths += [routing.Route(path + end, _Served(of), methods=list(of)) for path, of in served.items()]
    paths += [
        routing.Route("/healthz", _healthz),
        routing.Route("/readyz", _readyz(dependencies)),
        routing.Route("/metrics", _metrics(dependencies)),
        routing.Route("/openapi.json", lambda _: Response(_document(), media_type="application/json")),
        routing.Route("/docs", lambda _: HTMLResponse(DOCS_PAGE)),
        routing.Mount("/docs/assets", StaticFiles(packages=[("swagger_ui", "static")])),
    ]
    handlers: dict[Any, Any] = {HTTPException: _unserved}
    served_app = Starlette(routes=paths, exception_handlers=handlers)
    served_app.router.redirect_slashes = False  # a redirect would lead to the host that the client names
    return served_app


@functools.cache
def _document() -> bytes:
    """The OpenAPI document as JSON. The first request builds it, so that a start does not wait for it."""
    return json.dumps(openapi.document(TABLE)).encode()


class _Served:
    """The methods of one path in one route, so that a 405 names them all. HEAD is a GET without its body.

    It is an application, since Starlette wraps a function in error handling of its own.
    """

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints["GET" if scope["method"] == "HEAD" else scope["method"]]
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


def _endpoint(dependencies: Dependencies, route: routes.Route[routes.Request, routes.Result]) -> Endpoint:
    operation = route.operation

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        request_id = ids.new_id()
        log_fields.REQUEST_ID.set(request_id)  # of this request's own task
        try:
            response = await answer(request, request_id)
        except errors.LandbridgeError as error:
            response = responses.refusal(error, request_id)
        except HTTPException as error:
            response = responses.http_error(error, request_id)
        except Exception:
            log.exception("%s failed for a reason of ours", operation.name)
            response = responses.our_fault(request_id)
        _note(operation.name, request, response.status_code, time.perf_counter() - started)
        return response

    async def answer(request: Request, request_id: str) -> Response:
        head = _head(request)
        finish = authentication.begin(dependencies.credentials, head)
        content = await _content(request)
        caller = finish(content)
        if operation.transacts == "read":  # short reads do not queue
            return await perform(request, request_id, head, content, caller)
        await dependencies.queues.acquire(caller.access_key, writes=operation.writes)
        try:
            return await perform(request, request_id, head, content, caller)
        finally:
            dependencies.queues.release(caller.access_key, writes=operation.writes)

    async def perform(
        request: Request, request_id: str, head: signing.RequestHead, content: bytes, caller: call.Caller
    ) -> Response:
        ignored: list[str] = []

        def submit() -> operations.Submission[routes.Request]:
            query = parameters.read(route.query, request.query_params) if route.query else {}
            parsed = route.parse(routes.Incoming(path=request.path_params, query=query, content=content))
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
            dependencies.service,
            caller,
            operation,
            submit,
            lambda result: responses.render(route, result, ignored, request_id),
            project_id=request.path_params["project_id"],
            request_id=request_id,
        )

    return endpoint


def _note(operation: str, request: Request, status: int, seconds: float) -> None:
    """Counts and logs a request that was answered."""
    _SECONDS.observe(seconds, operation, f"{status // 100}xx")
    level = logging.WARNING if status >= 500 else logging.DEBUG
    if log.isEnabledFor(level):
        path = request.scope["raw_path"][:PATH_LOGGED].decode("latin-1")  # still escaped: the line stays one line
        log.log(level, "%s %s %d %.1f ms", request.method, path, status, seconds * 1000)


async def _content(request: Request) -> bytes:
    """The body. Raises HTTPException when it is larger than BODY_LIMIT, or is not complete in time."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > body.BODY_LIMIT:
                raise HTTPException(413)
            chunks.append(chunk)
    except ClientDisconnect:  # the client is gone, or its body is late
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
            if len(given) > routes.TOKEN_LIMIT:
                raise errors.Invalid([model.Violation(name, "is too long", f"at most {routes.TOKEN_LIMIT} characters")])
            return given
    return None


def _if_match(head: signing.RequestHead, route: routes.Route[Any, Any]) -> str | None:
    """Raises Changed when the operation changes something and compares no versions: `If-Match` must prevent that change."""
    given = head.headers.get("if-match")
    if given is None:
        return None
    if route.operation.writes and not route.versions:
        raise errors.Changed("this operation compares no versions, send it without If-Match")
    return given.decode("latin-1")


async def _unserved(_: Request, error: HTTPException) -> Response:
    return responses.http_error(error, ids.new_id())


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _is_from_operator(dependencies: Dependencies, request: Request) -> bool:
    """Whether an operator sent the request. Everybody else gets the public answer."""
    try:
        return authentication.begin(dependencies.credentials, _head(request))(b"").role == "operator"
    except errors.LandbridgeError:
        return False


def _readyz(dependencies: Dependencies) -> Endpoint:
    async def readyz(request: Request) -> Response:
        try:
            ready, info, details = dependencies.readiness()
        except Exception:
            log.exception("not ready")
            ready, info, details = False, {"status": "not ready: the log says why"}, {}
        if details and _is_from_operator(dependencies, request):
            info = info | details
        return JSONResponse(info, 200 if ready else 503)

    return readyz


def _metrics(dependencies: Dependencies) -> Endpoint:
    """The key of a project reads the series of the project. The key of an operator or a monitor reads all series, also those of the service."""
    database = dependencies.service.database

    async def answer(request: Request) -> Response:
        caller = authentication.begin(dependencies.credentials, _bearer(_head(request)))(b"")
        await dependencies.queues.acquire(caller.access_key, writes=False)
        try:
            content = await database.read_soon(
                lambda tx: metrics.render(measurements.load(tx, caller.project_id, dependencies.series_limit))
            )
        finally:
            dependencies.queues.release(caller.access_key, writes=False)
        if caller.project_id is None:
            content += metrics.render_service(dependencies.agent_age and dependencies.agent_age())
        return Response(content, headers={"Content-Type": exposition.CONTENT_TYPE})

    async def endpoint(request: Request) -> Response:
        request_id = ids.new_id()
        log_fields.REQUEST_ID.set(request_id)
        try:
            return await answer(request)
        except errors.LandbridgeError as error:
            return responses.refusal(error, request_id)
        except Exception:
            log.exception("/metrics failed for a reason of ours")
            return responses.our_fault(request_id)

    return endpoint


def _bearer(head: signing.RequestHead) -> signing.RequestHead:
    """Takes the token from `Authorization: Bearer`, as Prometheus sends it."""
    scheme, _, token = head.headers.get("authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        return head
    return dataclasses.replace(head, headers={**head.headers, "x-auth-token": token.strip()})


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
