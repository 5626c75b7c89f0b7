"""A request to a page: who makes it, how the page asks operations, and what a page answers."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from landbridge import config, model, operations
from landbridge.console import read_cache, rendering
from landbridge.operations import access, key_queues
from landbridge.operations.call import Caller, Role, Service

Asked = TypeVar("Asked")
Result = TypeVar("Result")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the console needs. `limits`: how long its sessions last. `cache`: what its pages have read."""

    service: Service
    credentials: access.Credentials
    queues: key_queues.KeyQueues
    limits: config.Console
    cache: read_cache.ReadCache = field(default_factory=read_cache.ReadCache)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An answer with a page."""

    html: str
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An answer that leads to another page. `notice`: what happened, in a sentence that the next page shows. `shown_once`: a secret that only
    that page gets, as `PageContext.shown_once`.
    """

    to: str
    notice: str = ""
    shown_once: model.Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An answer with a file of values separated by commas (RFC 4180)."""

    content: str
    name: str


Answered = Rendered | Moved | Download


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """A request to a page, with its caller and what the page may read and change."""

    dependencies: Dependencies
    #: Starlette's request.
    request: Request
    request_id: str
    caller: Caller
    #: The project in the path.
    project_id: str
    #: The fields of a POST.
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: A secret that the previous answer left for this page only.
    shown_once: model.Secret | None = None
    #: The values that every template has.
    common: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: The change mark of what the page shows.
    mark: read_cache.Mark = ()
    #: The minute whose ages the page shows.
    minute: int = 0

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def path(self, name: str) -> str:
        """A parameter of the path."""
        value: str = self.request.path_params[name]
        return value

    def link(self, rest: str = "") -> str:
        """The address of a page of this project."""
        return f"/console/{self.project_id}{rest}"

    def may(self, role: Role) -> bool:
        """Whether the caller may do what needs this role, so that a page shows no button which would be refused."""
        order = access.ROLES
        return order.index(self.caller.role) >= order.index(role)

    def render(self, template: str, code: int = 200, **values: Any) -> Rendered:
        """The page of a template, with an HTTP status. It may run in any thread."""
        return Rendered(html=rendering.render(template, {**self.common, "context": self, **values}), status=code)

    def part(self, template: str, **values: Any) -> str:
        """A part of a page that is kept for other visits. It must have nothing of its caller."""
        return rendering.render(template, {**self.common, "context": self, **values})

    async def read(
        self,
        operation: operations.Operation[Asked, Result],
        asked: Asked,
        finish: Callable[[Result], Answer] | None = None,
        *,
        key: Hashable = (),
    ) -> Any:
        """Performs a read whose answer is the same for all callers who may perform it, once for each change mark. `key`: what the answer depends on beside the
        request.
        """
        access.allow(self.caller, self.project_id, operation.role)
        mark, name = (*self.mark, self.minute), (operation.name, key)
        return await self.dependencies.cache.get(
            self.project_id, mark, name, lambda: self.perform(operation, asked, finish)
        )

    async def perform(
        self,
        operation: operations.Operation[Asked, Result],
        asked: Asked,
        finish: Callable[[Result], Answer] | None = None,
        *,
        violations: tuple[model.Violation, ...] = (),
        if_match: str | None = None,
        token: str | None = None,
        body: bytes = b"",
    ) -> Any:
        """Performs the operation as the API does, in the queue of the caller's key. `finish` makes the answer of the result: for a long read it
        runs in the thread that read. `violations`: the wrong shapes of the request. `token` makes a second submit of the same `body` safe.
        """
        queues, key = self.dependencies.queues, self.caller.access_key
        queued = operation.transacts != "read"
        if queued:
            await queues.acquire(key, writes=operation.writes)
        try:
            return await operations.perform(
                self.dependencies.service,
                self.caller,
                operation,
                lambda: operations.Submission(
                    request=asked, violations=violations, if_match=if_match, token=token, body=body
                ),
                finish or (lambda result: result),
                project_id=self.project_id,
                request_id=self.request_id,
            )
        finally:
            if queued:
                queues.release(key, writes=operation.writes)
