"""Handles every request to a route of the table.

authenticate -> perform (allow, parse, run inside a transaction) -> render. A caller who cannot be authenticated is refused before the
body of the request is read.
"""

import logging
import time
from typing import Any, Generic

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from landbridge import errors, model, operations, signatures
from landbridge.api import authentication, responses, routes
from landbridge.api.table import TABLE
from landbridge.operations import access, call, ids, key_queues
from landbridge.telemetry import log_fields, shared_metrics
from landbridge.wire import body, parameters

log = logging.getLogger(__name__)

TOKEN_HEADERS = ("x-client-token", "idempotency-key")
#: Characters of a path in a line of the log. The longest path of the table has 200.
PATH_LOGGED = 300
_SECONDS = shared_metrics.Histogram(
    "landbridge_api_request_seconds",
    "Duration of a request from its head to its answer, in seconds.",
    operation=tuple(sorted({route.name for route in TABLE})),
    code=("2xx", "4xx", "5xx"),
)


class Endpoint(Generic[routes.Request, routes.Result]):
    """Answers the requests to one route."""

    def __init__(
        self,
        route: routes.Route[routes.Request, routes.Result],
        service: call.Service,
        credentials: access.Credentials,
        queues: key_queues.KeyQueues,
    ) -> None:
        self._route = route
        self._operation = route.operation
        self._service = service
        self._credentials = credentials
        self._queues = queues

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        response = await self._respond(request)
        _note(self._operation.name, request, response.status_code, time.perf_counter() - started)
        return response

    async def _respond(self, request: Request) -> Response:
        """The answer, or the response to an error."""
        request_id = ids.new_id()
        log_fields.REQUEST_ID.set(request_id)  # of this request's own task
        try:
            return await self._answer(request, request_id)
        except errors.LandbridgeError as error:
            return responses.refusal(error, request_id)
        except HTTPException as error:
            return responses.http_error(error, request_id)
        except Exception:
            log.exception("%s failed with an unexpected error", self._operation.name)
            return responses.our_fault(request_id)

    async def _answer(self, request: Request, request_id: str) -> Response:
        head = read_head(request)
        finish = authentication.begin(self._credentials, head)
        content = await _content(request)
        caller = finish(content)
        if self._operation.transacts == "read":  # short reads do not queue
            return await self._perform(request, request_id, head, content, caller)
        await self._queues.acquire(caller.access_key, writes=self._operation.writes)
        try:
            return await self._perform(request, request_id, head, content, caller)
        finally:
            self._queues.release(caller.access_key, writes=self._operation.writes)

    async def _perform(
        self, request: Request, request_id: str, head: signatures.RequestHead, content: bytes, caller: call.Caller
    ) -> Response:
        ignored: list[str] = []
        return await operations.perform(
            self._service,
            caller,
            self._operation,
            lambda: self._submission(request, head, content, ignored),
            lambda result: responses.render(self._route, result, ignored, request_id),
            project_id=request.path_params["project_id"],
            request_id=request_id,
        )

    def _submission(
        self, request: Request, head: signatures.RequestHead, content: bytes, ignored: list[str]
    ) -> operations.Submission[routes.Request]:
        """Parses the request. Adds the unknown fields, and the unknown query parameters, to `ignored`."""
        route = self._route
        query = parameters.read(route.query, request.query_params) if route.query else {}
        parsed = route.parse(routes.Incoming(path=request.path_params, query=query, content=content))
        if head.query:
            ignored += parameters.unknown(route.query, request.query_params)
        ignored += parsed.ignored
        return operations.Submission(
            request=parsed.value,
            violations=parsed.violations,
            token=_token(head) if route.success == 201 else None,
            if_match=_if_match(head, route),
            body=content,
        )


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


def read_head(request: Request) -> signatures.RequestHead:
    scope = request.scope
    return signatures.RequestHead(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value for name, value in reversed(scope["headers"])},
    )


def _token(head: signatures.RequestHead) -> str | None:
    for name in TOKEN_HEADERS:
        given = head.headers.get(name, b"").decode("latin-1")
        if given:
            if len(given) > routes.TOKEN_LIMIT:
                raise errors.Invalid([model.Violation(name, "is too long", f"at most {routes.TOKEN_LIMIT} characters")])
            return given
    return None


def _if_match(head: signatures.RequestHead, route: routes.Route[Any, Any]) -> str | None:
    """The value of `If-Match`. Raises Changed for a write that does not support it: the client wants no change without a comparison."""
    given = head.headers.get("if-match")
    if given is None:
        return None
    if route.operation.writes and not route.compares_versions:
        raise errors.Changed("this operation does not support If-Match: send it without If-Match")
    return given.decode("latin-1")
