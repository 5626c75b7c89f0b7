"""Parameters of paths and queries. A Parameter tells how the document describes it and how its text is parsed.

An empty text of a query counts as absent.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from landbridge import errors, model
from landbridge.model import allowed_values

PAGE_LIMIT = 2000
_SEALED = "^[0-9A-Za-z_-]{1,200}=*$"
_TIME = (
    "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`schema`: of the text, in the document. `read` parses a text, or raises ValueError; the error's answer says what is `allowed`. A
    `repeated` parameter has a set of values.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    read: Callable[[str], Any]
    allowed: str
    default: Any = None
    repeated: bool = False


def read(parameters: Iterable[Parameter], query: Mapping[str, str]) -> dict[str, Any]:
    """The value of each parameter. Raises Invalid with every violation."""
    values, wrong = {}, []
    for parameter in parameters:
        try:
            values[parameter.name] = _value(parameter, query)
        except ValueError:
            given = query.get(parameter.name)
            wrong.append(model.Violation(parameter.name, f"{given!r} is not allowed", parameter.allowed))
    if wrong:
        raise errors.Invalid(wrong)
    return values


def unknown(parameters: Iterable[Parameter], query: Iterable[str]) -> tuple[str, ...]:
    """The names in a query that are no parameter, each once, with a question mark before it."""
    known = {parameter.name for parameter in parameters}
    return tuple(dict.fromkeys(f"?{name}" for name in query if name not in known))


def _value(parameter: Parameter, query: Mapping[str, str]) -> Any:
    if parameter.repeated:
        pairs = getattr(query, "multi_items", query.items)()  # a mapping alone would give the last one
        return frozenset(parameter.read(text) for name, text in pairs if name == parameter.name and text)
    text = query.get(parameter.name, "")
    return parameter.read(text) if text else parameter.default


def integer(name: str, description: str, low: int, high: int, default: int | None = None) -> Parameter:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
            raise ValueError(text)
        return int(text)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(
        name=name, description=description, schema=schema, read=parse, allowed=f"{low} to {high}", default=default
    )


def choice(name: str, description: str, values: tuple[str, ...]) -> Parameter:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    schema = {"type": "string", "enum": list(values)}
    return Parameter(name=name, description=description, schema=schema, read=parse, allowed=" or ".join(values))


def string(name: str, description: str) -> Parameter:
    return Parameter(name=name, description=description, schema={"type": "string"}, read=str, allowed="")


def boolean(name: str, description: str) -> Parameter:
    """Takes any letter case: Python's clients write True."""

    def parse(text: str) -> bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError(text)
        return _BOOLEANS[text.lower()]

    schema = {"type": "boolean", "default": False}
    return Parameter(
        name=name, description=description, schema=schema, read=parse, allowed="true or false", default=False
    )


def uuid(name: str, description: str) -> Parameter:
    return _lower_case(name, description, {"format": "uuid"}, allowed_values.UUID)


def endpoint(name: str, description: str) -> Parameter:
    return _lower_case(name, description, {}, allowed_values.ENDPOINT)


def strings(name: str, description: str) -> Parameter:
    """A parameter that a query may repeat."""
    schema = {"type": "array", "items": {"type": "string"}}
    return Parameter(name=name, description=description, schema=schema, read=str.lower, allowed="", repeated=True)


def marker(description: str = "the next_marker of the page before") -> Parameter:
    """The content is sealed: only the list that gave the marker can open it."""
    parse, schema = _matching(_SEALED), {"type": "string", "pattern": _SEALED}
    return Parameter(
        name="marker", description=description, schema=schema, read=parse, allowed="the next_marker of an earlier page"
    )


def time_marker() -> Parameter:
    text = "the created_at of the last one of the page before"
    return time("marker", text, allowed=text)


def time(name: str, description: str, allowed: str = "a time as in 2026-11-30T08:00:00Z") -> Parameter:
    """A time with its offset to UTC (RFC 3339)."""
    matching = _matching(_TIME)

    def parse(given: str) -> datetime:
        return datetime.fromisoformat(matching(given))

    schema = {"type": "string", "format": "date-time", "pattern": _TIME}
    return Parameter(name=name, description=description, schema=schema, read=parse, allowed=allowed)


def _lower_case(name: str, description: str, schema: Mapping[str, str], pattern: allowed_values.Pattern) -> Parameter:
    matching = _matching(pattern.regex)
    return Parameter(
        name=name,
        description=description,
        schema={"type": "string", "pattern": pattern.regex, **schema},
        read=lambda text: matching(text).lower(),
        allowed=str(pattern),
    )


def _matching(pattern: str) -> Callable[[str], str]:
    """A parser for texts that match the pattern of the document."""
    compiled = re.compile(pattern.replace("$", r"\Z"), re.ASCII)  # Python's own $ would let a line end pass

    def parse(text: str) -> str:
        if not compiled.search(text):
            raise ValueError(text)
        return text

    return parse


LIMIT = integer("limit", "how many", 1, PAGE_LIMIT, PAGE_LIMIT)
PAGE = (LIMIT, marker())
ENTERPRISE_PROJECT = strings(
    "enterprise_project_id", "only those of this enterprise project; may be given several times"
)


#: Every parameter of a path. The answer to an unknown id is a 404.
OF_PATHS: Mapping[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            name="project_id",
            description="the project that the key is for",
            schema={"type": "string", "pattern": "^[0-9a-f]{32}$"},
            read=str,
            allowed="32 hex digits",
        ),
        uuid("vgw_id", "a VPN gateway"),
        uuid("customer_gateway_id", "a customer gateway"),
        uuid("vpn_connection_id", "a VPN connection"),
        uuid("connection_monitor_id", "a connection monitor"),
        uuid("certificate_id", "a gateway's certificate"),
        uuid("job_id", "an upgrade of a VPN gateway"),
        uuid("resource_id", "a resource of the type in the path"),
        choice("resource_type", "what is tagged", allowed_values.TAGGED),
    )
}
