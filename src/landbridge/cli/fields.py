"""Flags that stand for fields of a request's body, and the file that may hold the rest of it."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from landbridge.client import failures

F = TypeVar("F", bound=Callable[..., Any])
#: text and number: one value. many: a list, by commas or by the flag again. switch: --x or --no-x. pairs: KEY=VALUE, many.
Form = Literal["text", "number", "many", "switch", "pairs"]

#: What an answer has beside the resource.
_BESIDE = "request_id"

FILE = click.option(
    "--file", metavar="FILE", help="The body of the request as the API has it (JSON or YAML; - is stdin). Flags win."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`path`: of the field in the body, with dots."""

    flag: str
    path: str
    text: str
    form: Form = "text"
    metavar: str | None = None

    @property
    def parameter(self) -> str:
        return "field_" + self.path.replace(".", "__")


def options(fields: Sequence[Field]) -> Callable[[F], F]:
    """Adds a flag for each field."""

    def add(function: F) -> F:
        for field in reversed(fields):
            function = _option(field)(function)
        return function

    return add


def _option(field: Field) -> Callable[[F], F]:
    names = f"{field.flag}/--no-{field.flag.removeprefix('--')}" if field.form == "switch" else field.flag
    more: dict[str, Any] = {"default": None} if field.form == "switch" else {"metavar": field.metavar}
    if field.form == "number":
        more["type"] = int
    return click.option(names, field.parameter, help=field.text, multiple=field.form in {"many", "pairs"}, **more)


def body(fields: Iterable[Field], arguments: Mapping[str, Any], file: str | None, envelope: str) -> dict[str, Any]:
    """The body of a request: the fields of the file, and over them those of the flags that were given. Raises Usage."""
    made = _read(file, envelope) if file else {}
    for field in fields:
        given = arguments.get(field.parameter)
        if given is None or given == ():
            continue
        inner = made
        *above, last = field.path.split(".")
        for name in above:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise failures.Usage(f"{file}: {name} is no object, and {field.flag} names a field of it")
        inner[last] = _value(field, given)
    return made


def _value(field: Field, given: Any) -> Any:
    if field.form == "many":
        return [part.strip() for text in given for part in text.split(",") if part.strip()]
    if field.form == "pairs":
        return [pair(text, field.flag) for text in given]
    return given


def pair(text: str, flag: str) -> dict[str, str]:
    """A tag, written as KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise failures.Usage(f"{flag}: {text!r} is not KEY=VALUE")
    return {"key": key, "value": value}


def explained(error: failures.Refused, fields: Iterable[Field]) -> failures.Refused:
    """The same refusal, with the flag of each field that has one."""
    flags = {field.path: field.flag for field in fields} | {"psk": "--psk-file"}
    if not error.fields:
        return error
    faults = "; ".join(
        f"{name} ({flags[plain]}): {message}" if (plain := name.split("[")[0]) in flags else f"{name}: {message}"
        for name, message in error.fields
    )
    return failures.Refused(faults, error.fields)


def _read(file: str, envelope: str) -> dict[str, Any]:
    text = read_text(file)
    try:
        content = _parsed(file, text)
        json.dumps(content, default=_no_json)
    except (
        TypeError,
        ValueError,
        RecursionError,
    ) as error:  # a number, a date or an alias of YAML that nothing can hold, too
        raise failures.Usage(f"{file}: has a value that JSON does not have: {error}") from None
    if isinstance(content, dict) and envelope in content:
        if beside := content.keys() - {envelope, _BESIDE}:
            raise failures.Usage(
                f"{file}: {', '.join(sorted(map(str, beside)))}: is outside of {envelope} (wanted: inside it)"
            )
        content = content[envelope]
    if not isinstance(content, dict):
        raise failures.Usage(f"{file}: the body of a request is an object of fields")
    return content


def _parsed(file: str, text: str) -> Any:
    """Raises Usage, in the words of JSON for a text that begins as JSON does."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        is_json = text.lstrip().startswith(("{", "[", '"'))
        wrong = f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}" if is_json else ""
        return _yaml(file, text, wrong)
    except ValueError:  # a number with too many digits
        return _yaml(file, text)


def _no_json(value: object) -> Any:
    """YAML makes dates, bytes and sets of texts without quotes."""
    raise TypeError(f"{value} is a {type(value).__name__} in YAML; in quotes it is a text")


def _yaml(file: str, text: str, wrong: str = "") -> Any:
    """`wrong`: the error for a text that is no YAML either."""
    import yaml  # noqa: PLC0415 - takes as long as all else

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        wrong = wrong or f"neither JSON nor YAML: {' '.join(str(error).split())}"
        raise failures.Usage(f"{file}: {wrong}") from None


def read_text(file: str) -> str:
    """The content of a file; `-` is standard input. Raises Usage."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except OSError as error:
        raise failures.Usage(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise failures.Usage(f"{file}: is not text in UTF-8") from None
