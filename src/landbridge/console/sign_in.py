"""Sign-in by access key and secret, or by a link that works once; sign-out; the limit of failed tries.

The cookie holds the secret of a session. It is for the console alone, no script reads it, and no other site sends it with a change. Where the
browser came by TLS its name begins with `__Host-`, so that no other host and no plain HTTP can set it.
"""

import time
from collections import OrderedDict
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from landbridge.console import rendering

#: Failed tries of one client address within WINDOW_SECONDS. Further tries are refused, and their keys are not looked at.
MAX_FAILURES = 10
WINDOW_SECONDS = 60.0
#: Addresses that are remembered, the newest.
MAX_ADDRESSES = 10_000
PLAIN, SECURE = "landbridge", "__Host-landbridge"


class Failures:
    """The failed tries of each client address, in this process."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """Seconds until the address may try again; 0: it may now."""
        recent = self._recent(address)
        return 0 if len(recent) < MAX_FAILURES else int(recent[0] + WINDOW_SECONDS - time.monotonic()) + 1

    def note(self, address: str) -> None:
        self._failed[address] = [*self._recent(address), time.monotonic()][-MAX_FAILURES:]
        self._failed.move_to_end(address)
        while len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = time.monotonic() - WINDOW_SECONDS
        return [at for at in self._failed.get(address, ()) if at > since]


def secret_of(request: Request) -> str | None:
    """The secret of the browser's session. Over TLS the plain cookie does not count: another host of the site, or somebody on the way of a request
    over plain HTTP, could have set it.
    """
    return request.cookies.get(SECURE) or (None if _came_by_tls(request) else request.cookies.get(PLAIN))


def start(request: Request, secret: str, to: str) -> Response:
    """Gives the browser the secret of a new session and leads to a page."""
    response = moved(to)
    secure = _came_by_tls(request) or request.headers.get("origin", "").startswith("https://")
    response.set_cookie(SECURE if secure else PLAIN, secret, path="/", secure=secure, httponly=True, samesite="lax")
    return response


def stop(to: str) -> Response:
    """Takes the secret from the browser."""
    response = moved(to)
    response.delete_cookie(PLAIN, path="/", httponly=True, samesite="lax")
    response.delete_cookie(SECURE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def moved(to: str) -> Response:
    return Response(status_code=303, headers=rendering.HEADERS | {"Location": to})


def local(address: str | None) -> str:
    """The page to show after the sign-in: only one of the console."""
    if address is None or not address.startswith("/console/") or "//" in address:
        return "/console/"
    return quote(address, safe="/?&=%+,:")


def _came_by_tls(request: Request) -> bool:
    """Whether the browser came by TLS: to this service, or to a proxy that says so in `X-Forwarded-Proto`. Behind a proxy that does not, the
    `Origin` of a form still tells it. A client that lies here makes its own cookie worthless, and no other one.
    """
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
