"""The ASGI application of the console. It handles every request to a page.

session -> ETag -> page -> template. When the browser already has the ETag, a GET is answered with 304 before the page reads anything. A
POST is refused unless a page of the console sent it.
"""

import dataclasses
import functools
import hashlib
import logging
import time
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from landbridge import errors, model
from landbridge.console import origins, pages, rendering, shown_once, sign_in
from landbridge.console.page_context import Answered, Dependencies, Download, Moved, PageContext
from landbridge.operations import access, change_marks, clock, console_sessions, ids
from landbridge.telemetry import log_fields, shared_metrics
from landbridge.wire import body
from landbridge.wire import errors as wire_errors

log = logging.getLogger(__name__)
#: Bytes of a form that somebody without a session may send. Other forms may be as large as a body of the API.
SMALL_FORM_LIMIT = 16 * 1024
#: The header of a refresh by the script. It does not count as a use of the session.
REFRESH = "landbridge-refresh"
NOTICE = "landbridge_notice"
THEMES = ("auto", "light", "dark")
_SECONDS = shared_metrics.Histogram(
    "landbridge_console_request_seconds",
    "Duration of a request to a page of the console, in seconds.",
    page=tuple(sorted({page.name for page in pages.TABLE})),
    code=("2xx", "3xx", "4xx", "5xx"),
)


def build(dependencies: Dependencies) -> Starlette:
    console = _Console(dependencies)
    routes = [
        Route("/console", lambda _: sign_in.moved("/console/")),
        Route("/console/", console.start),
        Route("/console/sign-in", console.show_sign_in),
        Route("/console/sign-in", console.sign_in, methods=["POST"]),
        Route("/console/link/{secret}", console.show_link),
        Route("/console/link/{secret}", console.use_link, methods=["POST"]),
        Route("/console/sign-out", console.sign_out, methods=["POST"]),
        Route("/console/theme", console.set_theme, methods=["POST"]),
        Route("/console/assets/{name}", lambda request: rendering.asset(request.path_params["name"])),
    ]
    for page in pages.TABLE:
        path = "/console/{project_id}" + page.path
        routes.append(Route(path, functools.partial(console.answer, page), methods=[page.method]))
    handlers: dict[Any, Any] = {
        HTTPException: _unserved,
        errors.LandbridgeError: _failed,
        Exception: _failed_for_a_reason_of_ours,
    }
    app = Starlette(
        routes=routes,
        middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    return app


def dispatch(console: ASGIApp, rest: ASGIApp) -> ASGIApp:
    """An application with the console below /console, and the rest of the service elsewhere."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_console = path == "/console" or path.startswith("/console/")
        await (console if is_console else rest)(scope, receive, send)

    return application


async def _unserved(request: Request, error: HTTPException) -> Response:
    heading, message = {
        404: ("No such page", "The console has no page at this address."),
        405: ("No such page", "This address takes forms alone, or none."),
        408: ("Not complete", "The form did not come in time."),
        413: ("Too large", error.detail),
    }.get(error.status_code, ("This did not work", str(error.detail)))
    values = _common(request) | {"heading": heading, "message": message}
    return rendering.respond(rendering.render("message.html", values), error.status_code)


async def _failed(request: Request, error: errors.LandbridgeError) -> Response:
    return _refusal(request, wire_errors.render(error, "")[0], str(error))


async def _failed_for_a_reason_of_ours(request: Request, _: Exception) -> Response:
    """The answer. The server logs the exception, which starlette raises again."""
    return _refusal(request, *wire_errors.OUR_FAULT[::2])


def _refusal(request: Request, status: int, message: str) -> Response:
    headings = {403: "Not allowed", 404: "Not found", 503: "Busy"}
    values = _common(request) | {"heading": headings.get(status, "This did not work"), "message": message}
    return rendering.respond(rendering.render("message.html", values), status)


def _common(request: Request) -> dict[str, Any]:
    """The values that every template has."""
    theme = request.cookies.get("landbridge_theme")
    return {
        "theme": theme if theme in THEMES else "auto",
        "themes": THEMES,
        "address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "context": None,
        "etag": None,
        "notice": None,
        "now": clock.now(),
    }


class _Console:
    """The endpoints of the console."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._database = dependencies.service.database
        self._failures = sign_in.Failures()

    # -- before a session --------------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """The page of the caller's project; for an operator, the list of projects."""
        session = self._session(request)
        if session is None:
            return sign_in.moved("/console/sign-in")
        if session.caller.project_id is not None:
            return sign_in.moved(f"/console/{session.caller.project_id}")
        projects = self._database.read(access.list_projects)
        if len(projects) == 1:
            return sign_in.moved(f"/console/{projects[0][0]}")
        values = _common(request) | {"projects": projects, "caller": session.caller}
        return rendering.respond(rendering.render("projects.html", values))

    async def show_sign_in(self, request: Request) -> Response:
        return self._sign_in_page(request, request.query_params.get("next"))

    def _sign_in_page(self, request: Request, to: str | None, wrong: str = "", status: int = 200) -> Response:
        values = _common(request) | {"next": to or "", "wrong": wrong}
        return rendering.respond(rendering.render("sign_in.html", values), status)

    async def sign_in(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        form = await _form(request, SMALL_FORM_LIMIT)
        to, address = form.get("next"), _address(request)
        given = form.get("access_key", "").strip(), form.get("secret_key", "").strip()
        try:
            caller = console_sessions.check_key(self._dependencies.credentials, *given)
        except errors.LandbridgeError as error:
            self._failures.note(address)
            return self._sign_in_page(request, to, str(error), wire_errors.render(error, "")[0])
        limits, now, request_id = self._dependencies.limits, clock.now(), ids.new_id()
        replaced = sign_in.secret_of(request)
        secret = await self._database.write_soon(
            lambda tx: console_sessions.begin(tx, caller, limits, now, request_id, replaced=replaced)
        )
        return sign_in.start(request, secret.reveal(), sign_in.local(to))

    def _refused(self, request: Request) -> Response | None:
        """The answer to a sign-in that is refused before its key is checked."""
        if request.method == "POST" and not origins.is_own(request.headers):
            return self._sign_in_page(request, None, "the form was sent by another site", 403)
        wait = self._failures.wait_seconds(_address(request))
        if not wait:
            return None
        response = self._sign_in_page(request, None, f"too many failed tries; try again in {wait} s", 429)
        response.headers["Retry-After"] = str(wait)
        return response

    async def show_link(self, request: Request) -> Response:
        """Signs in at once when a person opened the link itself. Another site that leads here must not choose who is signed in: then a
        button asks first.
        """
        if request.method == "GET" and origins.is_typed(request.headers):
            return await self.use_link(request)
        return rendering.respond(rendering.render("link.html", _common(request)))

    async def use_link(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        limits, now, request_id = self._dependencies.limits, clock.now(), ids.new_id()
        link: str = request.path_params["secret"]
        replaced = sign_in.secret_of(request)
        try:
            secret = await self._database.write_soon(
                lambda tx: console_sessions.begin_by_link(tx, link, limits, now, request_id, replaced=replaced)
            )
        except errors.Unauthenticated as error:
            self._failures.note(_address(request))
            return self._sign_in_page(request, None, str(error), wire_errors.render(error, "")[0])
        return sign_in.start(request, secret.reveal(), "/console/")

    async def sign_out(self, request: Request) -> Response:
        if not origins.is_own(request.headers):
            raise errors.Forbidden("the form was sent by another site")
        session, secret = self._session(request), sign_in.secret_of(request)
        if session is not None and secret is not None:
            caller, now, request_id = session.caller, clock.now(), ids.new_id()
            await self._database.write_soon(lambda tx: console_sessions.end(tx, caller, secret, now, request_id))
        return sign_in.stop("/console/sign-in")

    async def set_theme(self, request: Request) -> Response:
        if not origins.is_own(request.headers):
            raise errors.Forbidden("the form was sent by another site")
        form = await _form(request, SMALL_FORM_LIMIT)
        response = sign_in.moved(sign_in.local(form.get("next")))
        if form.get("theme") in THEMES:
            response.set_cookie("landbridge_theme", form["theme"], 365 * 86400, path="/console", samesite="lax")
        return response

    # -- pages -------------------------------------------------------------------------------------------------------

    async def answer(self, page: pages.Page, request: Request) -> Response:
        started = time.perf_counter()
        request_id = ids.new_id()
        log_fields.REQUEST_ID.set(request_id)
        try:
            response = await self._answer(page, request, request_id)
        except HTTPException as error:
            response = await _unserved(request, error)
        except errors.LandbridgeError as error:
            response = await _failed(request, error)
        except Exception as error:
            log.exception("the page %s failed with an unexpected error", page.name)
            response = await _failed_for_a_reason_of_ours(request, error)
        _SECONDS.observe(time.perf_counter() - started, page.name, f"{response.status_code // 100}xx")
        return response

    async def _answer(self, page: pages.Page, request: Request, request_id: str) -> Response:
        session = self._session(request)
        is_refresh = REFRESH in request.headers
        if session is None:
            if is_refresh or request.method == "POST":
                return self._sign_in_page(request, None, "the session has ended: sign in again", 401)
            return sign_in.moved(f"/console/sign-in?next={quote(_common(request)['address'])}")
        if request.method == "POST" and not origins.is_own(request.headers):
            raise errors.Forbidden("the form was sent by another site")
        if session.is_due and not is_refresh:
            await self._note_use(request)
        context = PageContext(
            dependencies=self._dependencies,
            request=request,
            request_id=request_id,
            caller=session.caller,
            project_id=request.path_params["project_id"],
            form=await _form(request) if request.method == "POST" else {},
            shown_once=self._shown_once(request),
        )
        access.allow(session.caller, context.project_id, page.role)
        mark = self._dependencies.cache.mark(
            context.project_id,
            lambda: self._database.read(lambda tx: change_marks.find(tx, context.project_id)),
            is_refresh=is_refresh,
        )
        context = dataclasses.replace(context, mark=mark, minute=int(clock.now().timestamp()) // 60)
        etag = self._etag(context)
        if is_refresh and request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=rendering.HEADERS | {"ETag": etag})
        context = dataclasses.replace(context, common=self._values(context, page, etag))
        return self._respond(request, await page.answer(context), etag)

    def _values(self, context: PageContext, page: pages.Page, etag: str) -> dict[str, Any]:
        notice = None if REFRESH in context.request.headers else context.request.cookies.get(NOTICE)
        return _common(context.request) | {
            "page": page,
            "menu": pages.menu(context),
            "etag": etag if page.is_live and page.method == "GET" and context.shown_once is None else None,
            "notice": unquote(notice) if notice else None,
        }

    def _respond(self, request: Request, answer: Answered, etag: str) -> Response:
        if isinstance(answer, Moved):
            response = sign_in.moved(answer.to)
            if answer.notice:
                response.set_cookie(NOTICE, quote(answer.notice), 60, path="/console", httponly=True, samesite="lax")
            if answer.shown_once is not None:
                session, path = sign_in.secret_of(request) or "", urlsplit(answer.to).path
                sealed = shown_once.seal(self._dependencies.service, answer.shown_once, session, path)
                response.set_cookie(
                    shown_once.COOKIE, sealed, shown_once.LIFETIME_SECONDS, path=path, httponly=True, samesite="strict"
                )
            return response
        if isinstance(answer, Download):
            headers = rendering.HEADERS | {"Content-Disposition": f'attachment; filename="{answer.name}"'}
            return Response(answer.content, 200, headers, "text/csv")
        response = rendering.respond(answer.html, answer.status, {"ETag": etag})
        if (
            REFRESH in request.headers or request.method == "HEAD"
        ):  # no person reads it, so what is for the next page stays
            return response
        if NOTICE in request.cookies:
            response.delete_cookie(NOTICE, path="/console", httponly=True, samesite="lax")
        if shown_once.COOKIE in request.cookies:
            response.delete_cookie(shown_once.COOKIE, path=request.url.path, httponly=True, samesite="strict")
        return response

    def _shown_once(self, request: Request) -> model.Secret | None:
        """The secret that the previous answer left for this page only."""
        sealed, session = request.cookies.get(shown_once.COOKIE), sign_in.secret_of(request)
        if sealed is None or session is None or request.method != "GET" or REFRESH in request.headers:
            return None
        return shown_once.unseal(self._dependencies.service, sealed, session, request.url.path)

    def _etag(self, context: PageContext) -> str:
        """The ETag of what the page shows now. Times that are shown as ages change with the minute."""
        facts = (
            context.mark,
            context.minute,
            context.caller.access_key,
            context.request.cookies.get("landbridge_theme"),
            rendering.VERSION,
        )
        return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:20]}"'

    def _session(self, request: Request) -> console_sessions.Session | None:
        secret, limits, now = sign_in.secret_of(request), self._dependencies.limits, clock.now()
        if secret is None:
            return None
        return self._database.read(lambda tx: console_sessions.find(tx, secret, limits, now))

    async def _note_use(self, request: Request) -> None:
        secret, now = sign_in.secret_of(request) or "", clock.now()
        await self._database.write_soon(lambda tx: console_sessions.use(tx, secret, now))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _form(request: Request, limit: int = body.BODY_LIMIT) -> dict[str, str]:
    """The fields of a form, the last of each name. Raises HTTPException when the form is larger than `limit` bytes, or does not come."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > limit:
                raise HTTPException(413, _too_large(bytes(content), limit))
    except ClientDisconnect:
        raise HTTPException(408) from None
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _too_large(content: bytes, limit: int) -> str:
    largest = unquote(max(content.split(b"&"), key=len).partition(b"=")[0][:100].decode("latin-1"))
    return f"The form has more than {limit // 1024} KiB. Its largest field is {largest}. Nothing is changed."
