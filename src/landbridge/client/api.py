"""Requests to the API, and what their failures mean to the caller of a command.

A GET that failed by the network or a busy service is repeated, at most twice. Other requests are not repeated, because the service may have
carried them out.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from landbridge import __version__, signatures
from landbridge.client import failures
from landbridge.client.accounts import Account

#: Seconds that a connection may take to open, and the service may stay silent.
TIMEOUT = 30.0
_TRIES = 3
#: HTTP statuses of a service that is busy.
_BUSY = (502, 503, 504)
_SIGNED = ("host", "x-sdk-date")
_HEADERS = {"landbridge-warnings": "", "landbridge-ignored-fields": "the service does not know "}


class Answer(dict[str, Any]):
    """An object that the service answered with, or one within it. Raises Failure for a field that it does not have."""

    def __missing__(self, name: str) -> Any:
        raise failures.Failure(
            f"the answer has no field {name}: it is not the API of Landbridge, or another version of it"
        )


class Api:
    """A client of the API with the key of an account. `warn` is called with each warning of an answer. `timeout`: in seconds; None:
    TIMEOUT.
    """

    def __init__(
        self, account: Account, warn: Callable[[str], None] = lambda _: None, timeout: float | None = None
    ) -> None:
        self.account = account
        self._warn = warn
        self._timeout = TIMEOUT if timeout is None else timeout
        self._url = urlsplit(account.endpoint)
        self._kept: http.client.HTTPConnection | None = None

    def v5(self, *segments: str) -> str:
        """A path of the API, below the project's."""
        return self._path("v5", segments)

    def ours(self, *segments: str) -> str:
        """A path of our extensions of the API, below the project's."""
        return self._path("landbridge/v1", segments)

    def get(self, path: str, **query: object) -> Answer:
        """The answer to a GET. A value None is left out of the query. Raises Failure."""
        return self._try_again(lambda: self.send("GET", path, None, **query))

    def pages(self, path: str, collection: str, limit: int, **query: object) -> Iterator[dict[str, Any]]:
        """All resources of a list, page by page."""
        marker: str | None = None
        while True:
            page = self.get(path, limit=limit, marker=marker, **query)
            yield from page[collection]
            marker = page.get("page_info", {}).get("next_marker")
            if not marker:
                return

    def send(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """Sends a request once. The answer without content is empty. Raises Failure."""
        given = urlencode({name: value for name, value in query.items() if value is not None})
        content = b"" if body is None else json.dumps(body).encode()
        try:
            answer, received = self._exchange(method, self._url.path.rstrip("/") + path, given, content)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            refused = isinstance(error, (ConnectionRefusedError, ssl.SSLError, socket.gaierror))
            raise failures.Unreachable(self._unreachable(error, method), may_pass=not refused) from None
        if answer.status >= 300:
            raise self._failure(answer.status, received)
        for name, beginning in _HEADERS.items():
            if text := answer.headers.get(name):
                self._warn(beginning + text)
        return self._parsed(received) if received else Answer()

    def close(self) -> None:
        """Closes the connection that is kept for the next GET."""
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def _path(self, root: str, segments: tuple[str, ...]) -> str:
        if not self.account.project_id:
            raise failures.SignIn(f"{self.account.source} has no project_id: --project ID names the project")
        return "/" + "/".join([root, *(quote(segment, safe="") for segment in (self.account.project_id, *segments))])

    def _try_again(self, ask: Callable[[], Answer]) -> Answer:
        for number in range(1, _TRIES):
            try:
                return ask()
            except failures.Unreachable as error:
                if not error.may_pass:
                    raise
                time.sleep(0.3 * number)
        return ask()

    def _exchange(self, method: str, path: str, query: str, content: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        if method != "GET":  # a connection that the service has closed meanwhile would lose the request
            self.close()
        self._kept = self._kept or self._open()
        headers = self._headers(method, path, query, content)
        self._kept.request(method, f"{path}?{query}" if query else path, content or None, headers)
        answer = self._kept.getresponse()
        return answer, answer.read()

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            context = ssl.create_default_context(cafile=self.account.ca_file or None)
        except OSError as error:
            raise failures.SignIn(f"{self.account.ca_file}: {error.strerror or 'no certificate in PEM'}") from None
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)

    def _headers(self, method: str, path: str, query: str, content: bytes) -> dict[str, str]:
        headers = {"Host": self._url.netloc.rpartition("@")[2], "User-Agent": f"landbridge/{__version__}"}
        if content:
            headers["Content-Type"] = "application/json"
        account = self.account
        if not (account.access_key and account.secret_key):
            return headers | {"X-Auth-Token": account.token}
        headers["X-Sdk-Date"] = datetime.now(UTC).strftime(signatures.DATE_FORMAT)
        received = {name.lower(): value.encode() for name, value in headers.items()}
        head = signatures.RequestHead(method=method, path=path, query=query, headers=received)
        digest = signatures.sign(head, content, _SIGNED, account.secret_key)
        return headers | {"Authorization": signatures.authorization(account.access_key, _SIGNED, digest)}

    def _parsed(self, received: bytes) -> Answer:
        try:
            answer = json.loads(received, object_hook=Answer)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, Answer):
            raise failures.Failure(f"{self.account.endpoint} did not answer in JSON: it is not the API of Landbridge")
        return answer

    def _failure(self, status: int, received: bytes) -> failures.Failure:
        try:
            answer = self._parsed(received)
        except failures.Failure:
            answer = Answer()
        message = " ".join(str(answer.get("error_msg") or f"HTTP status {status}, and no reason").split())
        if status == 401:
            return failures.SignIn(f"{message} (the key is that of {self.account.source})")
        if status == 403:
            return failures.SignIn(message)
        if status == 404 and str(answer.get("error_code", "")).startswith("VPN."):
            return failures.NotFound(message)
        if status in _BUSY:
            return failures.Unreachable(f"{self.account.endpoint}: {message}", may_pass=True)
        if status >= 500 or status in (404, 405) or not answer:
            request = f" (request {answer['request_id']})" if answer.get("request_id") else ""
            return failures.Failure(f"{self.account.endpoint}: {message}{request}")
        return failures.Refused(message, _details(answer))

    def _unreachable(self, error: Exception, method: str) -> str:
        place = f"{self.account.endpoint}: {_reason(error)}"
        late = isinstance(error, (TimeoutError, ConnectionResetError, http.client.RemoteDisconnected))
        return f"{place}; the service may have carried out the request" if late and method != "GET" else place


def _details(answer: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(violation["field"]), str(violation["message"])) for violation in answer.get("details") or ())
    except (TypeError, KeyError):
        return ()


def _reason(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message} (--ca-file names a file with the CA's certificate)"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error} (is the URL of a service with TLS?)"
        case ConnectionRefusedError():
            return "connection refused (does the service run, and listen there?)"
        case TimeoutError():
            return "no answer in time"
        case socket.gaierror():
            return "no such host"
        case http.client.RemoteDisconnected() | ConnectionResetError():
            return "the connection was closed without an answer (is the service one with TLS, https://…?)"
        case http.client.HTTPException():
            return "its answer is not HTTP"
        case OSError():
            return error.strerror or str(error)
    return str(error)
