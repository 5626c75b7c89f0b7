"""The ASGI application: the routes of the table, and the routes about the service itself."""

import dataclasses
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from landbridge import errors, signatures
from landbridge.api import authentication, endpoints, metrics, openapi, responses
from landbridge.api.table import TABLE
from landbridge.operations import access, call, ids, key_queues, measurements
from landbridge.telemetry import exposition, log_fields

log = logging.getLogger(__name__)

_Answers = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the HTTP edge needs. `readiness`: whether the service is ready, the public answer of `/readyz`, and the additional answer for
    operators (ids and versions). `agent_age`: seconds since the agent last looked; None without an agent. `series_limit`: connections
    that get series of their own in `/metrics`.
    """

    service: call.Service
    credentials: access.Credentials
    readiness: Callable[[], tuple[bool, dict[str, Any], dict[str, Any]]]
    queues: key_queues.KeyQueues = dataclasses.field(default_factory=key_queues.KeyQueues)
    agent_age: Callable[[], float] | None = None
    series_limit: int = 0


def build(dependencies: Dependencies) -> Starlette:
    served: dict[str, dict[str, _Answers]] = {}
    given = (dependencies.service, dependencies.credentials, dependencies.queues)
    for route in TABLE:
        served.setdefault(route.path, {})[route.method] = endpoints.Endpoint(route, *given)
    paths: list[routing.BaseRoute] = []
    for end in ("", "/"):  # some clients add a slash; a path is matched sooner where these come last
        paths += [
            routing.Route(path + end, _Served(answers), methods=list(answers)) for path, answers in served.items()
        ]
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

    It is an ASGI application, because Starlette adds error handling to a function.
    """

    def __init__(self, endpoints: dict[str, _Answers]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints["GET" if scope["method"] == "HEAD" else scope["method"]]
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


async def _unserved(_: Request, error: HTTPException) -> Response:
    return responses.http_error(error, ids.new_id())


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _is_from_operator(dependencies: Dependencies, request: Request) -> bool:
    """Whether an operator sent the request. Everybody else gets the public answer."""
    try:
        return authentication.begin(dependencies.credentials, endpoints.read_head(request))(b"").role == "operator"
    except errors.LandbridgeError:
        return False


def _readyz(dependencies: Dependencies) -> _Answers:
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


def _metrics(dependencies: Dependencies) -> _Answers:
    """The key of a project reads the series of the project. The key of an operator or a monitor reads all series, also those of the service."""
    database = dependencies.service.database

    async def answer(request: Request) -> Response:
        caller = authentication.begin(dependencies.credentials, _bearer(endpoints.read_head(request)))(b"")
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
            log.exception("/metrics failed with an unexpected error")
            return responses.our_fault(request_id)

    return endpoint


def _bearer(head: signatures.RequestHead) -> signatures.RequestHead:
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
