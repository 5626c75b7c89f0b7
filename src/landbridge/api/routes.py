"""A route: an operation with its method, its path, its parser and its rendering; and the parsers that several routes share."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic

from landbridge import model
from landbridge.operations import call
from landbridge.wire import body, parameters

#: Characters of a token that makes a retry safe.
TOKEN_LIMIT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request, taken apart: the ids of its path, the values of its query, and its body, which is not yet understood."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks: the operation's argument, what was wrong with its shape, and what was not known."""

    request: Any
    violations: tuple[model.Violation, ...] = ()
    ignored: tuple[str, ...] = ()


def no_warnings(_: Any) -> tuple[model.Warning, ...]:
    return ()


def no_etag(_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`name` as the SDK spells it. `accepts`: envelope (or "" for none) and shape of the body, an array of it with `many`.
    `etag`: the version of what is answered. `versions`: it is held against If-Match. `deleting`: it is refused while what it
    names is being deleted.
    """

    name: str
    method: str
    path: str
    summary: str
    success: int
    run: Callable[..., Any]
    parse: Callable[[Incoming], Asked]
    render: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})
    answer: type[pydantic.BaseModel] | None = None
    accepts: tuple[str, type[body.Shape]] | None = None
    many: bool = False
    query: tuple[parameters.Parameter, ...] = ()
    warnings: Callable[[Any], tuple[model.Warning, ...]] = no_warnings
    etag: Callable[[Any], str | None] = no_etag
    versions: bool = False
    deleting: bool = False

    @property
    def writes(self) -> bool:
        return call.NEEDS[self.run].transacts == "write"


def creation(shape: type[body.Shape], envelope: str) -> Callable[[Incoming], Asked]:
    def parse(incoming: Incoming) -> Asked:
        parsed: body.Parsed[Any] = body.parse(shape, envelope, incoming.content)
        return Asked(request=parsed.value.request(), violations=parsed.violations, ignored=parsed.ignored)

    return parse


def change(shape: type[body.Shape], envelope: str, name: str) -> Callable[[Incoming], Asked]:
    """Of the resource that the path names: the operation gets its id and what is asked."""
    request_of = creation(shape, envelope)

    def parse(incoming: Incoming) -> Asked:
        asked = request_of(incoming)
        return dataclasses.replace(asked, request=(incoming.path[name], asked.request))

    return parse


def by(name: str) -> Callable[[Incoming], Asked]:
    return lambda incoming: Asked(request=incoming.path[name])
