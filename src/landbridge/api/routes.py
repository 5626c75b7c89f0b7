"""A route: an operation with its method, its path, its parser and its rendering; and the parsers that several routes share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pydantic

from landbridge import model
from landbridge.operations import Operation
from landbridge.wire import body, parameters

#: Characters of a token that makes a retry safe.
TOKEN_LIMIT = 128

Request = TypeVar("Request")
Result = TypeVar("Result")
S = TypeVar("S", bound=body.Shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request, taken apart: the ids of its path, the values of its query, and its body, not parsed yet."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    content: bytes = field(repr=False)


Parse = Callable[[Incoming], body.Parsed[Request]]


def no_content(_: object) -> dict[str, Any]:
    return {}


def no_warnings(_: object) -> tuple[model.Warning, ...]:
    return ()


def no_etag(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[Request, Result]):
    """An operation with its method, path, parser and rendering.

    mypy checks that `parse` makes the request of the operation, and that `render`, `warnings` and `etag` take its result.

    `accepts`: the envelope ("" for none) and the shape of the body; with `many`, the body is an array of this shape.
    `etag`: the version of the resource, for the header of the answer.
    `compares_versions`: whether the operation compares `If-Match` with the version of its resource.
    `refused_while_deleting`: whether the operation is refused while its resource is being deleted.
    """

    operation: Operation[Request, Result]
    method: str
    path: str
    summary: str
    success: int
    parse: Callable[[Incoming], body.Parsed[Request]]
    render: Callable[[Result], dict[str, Any]] = no_content
    answer: type[pydantic.BaseModel] | None = None
    accepts: tuple[str, type[body.Shape]] | None = None
    many: bool = False
    query: tuple[parameters.Parameter, ...] = ()
    warnings: Callable[[Result], tuple[model.Warning, ...]] = no_warnings
    etag: Callable[[Result], str | None] = no_etag
    compares_versions: bool = False
    refused_while_deleting: bool = False

    @property
    def name(self) -> str:
        return self.operation.name


def empty(_: Incoming) -> body.Parsed[model.EmptyRequest]:
    return body.Parsed(model.EmptyRequest())


def parse_body(shape: type[S], envelope: str, request: Callable[[Incoming, S], Request]) -> Parse[Request]:
    """A parser for a body. `request` makes the operation's request of the whole request and its shaped body."""

    def parse(incoming: Incoming) -> body.Parsed[Request]:
        parsed = body.parse(shape, envelope, incoming.content)
        return body.Parsed(request(incoming, parsed.value), parsed.violations, parsed.ignored)

    return parse
