"""Parses the body of a request into a value of the right shape. It names every wrong field, and every unknown field.

JSON is read strictly: UTF-8, no duplicate keys, no NaN or Infinity, nesting of at most 32. null is the same as absent. An integer is
a JSON number without fraction, or a string of decimal digits; a bool is not a number. A body that would take long to check is
refused before it is checked, since the event loop answers nobody else meanwhile.
"""

import codecs
import collections
import dataclasses
import functools
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, NoReturn, TypeVar

import pydantic

from landbridge import errors, model
from landbridge.wire import schema

BODY_LIMIT = 1 << 20
NESTING_LIMIT = 32
#: Objects and arrays of a body. The fullest batch has a tenth of them.
OPENINGS_LIMIT = 20_000
#: Entries of all arrays of one object together. The rules allow less than half of them.
ENTRIES_LIMIT = 1000
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


class Shape(pydantic.BaseModel):
    """Base of request shapes. Types are strict. Unknown fields are left out, and `parse` names them; a shape with `extra="forbid"` refuses
    them.
    """

    model_config = pydantic.ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)
    #: True for the shape of an update: the document gives its fields no defaults, and none is mandatory.
    is_change: ClassVar[bool] = False
    #: Name -> a valid body, for the document.
    examples: ClassVar[dict[str, Any]] = {}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: pydantic.GetJsonSchemaHandler) -> dict[str, Any]:
        generated = handler(core)
        schema.complete(handler.resolve_ref_schema(generated), change=cls.is_change)
        return generated


def _digits(value: object) -> object:
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


Integer = Annotated[int, pydantic.BeforeValidator(_digits, json_schema_input_type=int)]

S = TypeVar("S", bound=Shape)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A parsed value. `violations`: the wrong shapes; the fields that they name are absent from `value`, so that rules can check the
    rest. `ignored`: the paths of unknown fields.
    """

    value: T
    violations: tuple[model.Violation, ...] = ()
    ignored: tuple[str, ...] = ()


def load(content: bytes) -> Any:
    """The JSON value of a body. Raises Invalid."""
    openings = content.count(b"{") + content.count(b"[")
    if openings > OPENINGS_LIMIT:
        _refuse(f"has {openings} objects and arrays", f"at most {OPENINGS_LIMIT}")
    try:
        if content.startswith(codecs.BOM_UTF8):
            _refuse("starts with a byte order mark", "JSON in UTF-8 without one")
        value = _STRICT.decode(content.decode())
    except UnicodeDecodeError as error:
        _refuse(f"is not UTF-8 (byte {error.start})", "JSON in UTF-8")
    except _NotPlainError as error:
        _refuse(str(error), "plain JSON")
    except json.JSONDecodeError as error:
        _refuse(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", "one JSON object")
    except RecursionError:
        _refuse("is nested too deep", f"at most {NESTING_LIMIT} levels")
    except ValueError:  # Python's own limit on the digits of an integer
        _refuse("has a number of thousands of digits", "numbers of a reasonable size")
    if b"\\u" in content and _has_half_a_pair(value):
        _refuse("has half a surrogate pair in a string", "whole Unicode characters")
    if openings > NESTING_LIMIT and _depth(value) > NESTING_LIMIT:
        _refuse("is nested too deep", f"at most {NESTING_LIMIT} levels")
    return value


def _refuse(wrong: str, allowed: str) -> NoReturn:
    raise errors.Invalid([model.Violation("body", wrong, allowed)])


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        counted = collections.Counter(key for key, _ in pairs)
        twice = next(key for key, count in counted.items() if count > 1)
        raise _NotPlainError(f"has the key {twice!r} twice in one object")
    return values


def _no_constant(name: str) -> NoReturn:
    raise _NotPlainError(f"has {name}, which is not JSON")


class _NotPlainError(Exception):
    """JSON that Python reads and other parsers do not."""


_STRICT = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _has_half_a_pair(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _depth(value: Any) -> int:
    level, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        level += 1
        layer = [inner for outer in layer for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return level


def parse(shape: type[S], envelope: str, content: bytes) -> Parsed[S]:
    """The object under the key `envelope` as a `shape`; the whole body when `envelope` is "". Raises Invalid when there
    is no such object.
    """
    return parse_value(shape, envelope, load(content), len(content))


def parse_value(shape: type[S], envelope: str, document: Any, size: int = BODY_LIMIT) -> Parsed[S]:
    """As `parse`, of the JSON value of a body of `size` bytes."""
    if not isinstance(document, dict):
        _refuse("is not an object", f'{{"{envelope}": {{…}}}}' if envelope else "an object")
    given = document.get(envelope) if envelope else document
    if not isinstance(given, dict):
        wrong = "is mandatory" if given is None else "is not an object"
        raise errors.Invalid([model.Violation(envelope, wrong, "an object")])
    value, violations = _validate(shape, given, size)
    beside = [key for key in document if key != envelope] if envelope else []
    return Parsed(value, violations, (*beside, *_unknown(shape, given, "")))


def parse_many(shape: type[S], envelope: str, content: bytes, limit: int) -> tuple[list[Parsed[S]], tuple[str, ...]]:
    """The items of the array under the key `envelope`, each as a `shape` with violations of its own, and the unknown keys beside the array.
    Raises Invalid when there is no such array, or when it has more than `limit` items.
    """
    document = load(content)
    items = document.get(envelope) if isinstance(document, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= limit:
        counted = f"has {len(items)} entries" if isinstance(items, list) else f"is {_name(items)}"
        wrong = "is mandatory" if items is None else counted
        raise errors.Invalid([model.Violation(envelope, wrong, f"an array of 1 to {limit} objects")])
    parsed = [_item(shape, item, f"{envelope}[{number}]", len(content)) for number, item in enumerate(items)]
    return parsed, tuple(key for key in document if key != envelope)


def _item(shape: type[S], item: Any, place: str, size: int) -> Parsed[S]:
    if not isinstance(item, dict):
        return Parsed(shape(), (model.Violation("", f"is {_name(item)}", "an object"),), ())
    try:
        value, violations = _validate(shape, item, size)
    except errors.Invalid as error:
        raise errors.Invalid([dataclasses.replace(v, field=f"{place}.{v.field}") for v in error.violations]) from None
    return Parsed(value, violations, tuple(_unknown(shape, item, "")))


def _validate(shape: type[S], content: dict[str, Any], size: int) -> tuple[S, tuple[model.Violation, ...]]:
    """`size`: bytes of the whole body. Raises Invalid when there are more violations than an answer lists."""
    overfull = _overfull(content) if size > 2 * ENTRIES_LIMIT else {}  # an entry takes two bytes
    for place in overfull:
        content = _without(content, place)
    try:
        return shape.model_validate(content), tuple(overfull.values())
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    wrong = (
        _unknown_field(fault["loc"], shape)
        if fault["type"] == "extra_forbidden"
        else _violation(fault["loc"], fault["type"], fault["input"])
        for fault in faults
    )
    violations = (*overfull.values(), *wrong)
    if len(violations) > errors.MAX_REPORTED:
        raise errors.Invalid(list(violations))
    sound = content
    for fault in faults:
        sound = _without(sound, fault["loc"])
    return shape.model_validate(sound), violations


def _overfull(content: dict[str, Any]) -> dict[tuple[int | str, ...], model.Violation]:
    """Place -> violation, of each array that has more entries than the arrays before it leave of ENTRIES_LIMIT. Its own entries, and the arrays
    in it, do not count for later arrays. Raises Invalid when an answer cannot list all of these arrays.
    """
    left, last = ENTRIES_LIMIT, None
    violations: dict[tuple[int | str, ...], model.Violation] = {}
    for place, array in _arrays(content, ()):
        if last is not None and place[: len(last)] == last:
            continue
        if len(array) <= left:
            left -= len(array)
            continue
        last, allowed = place, f"at most {ENTRIES_LIMIT} in all arrays together"
        violations[place] = model.Violation(path(place), f"has {len(array)} entries", allowed)
        if len(violations) > errors.MAX_REPORTED:
            raise errors.Invalid(list(violations.values()))
    return violations


def _arrays(value: Any, place: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], list[Any]]]:
    """Each array in the value with its place, an outer array before the arrays inside it."""
    if isinstance(value, list):
        yield place, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from _arrays(inner, (*place, key))


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number with a fraction"),
    (str, "a string"),
    (dict, "an object"),
    (list, "an array"),
)
_WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "bool_type": "true or false",
    "tuple_type": "an array",
    "list_type": "an array",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _violation(loc: tuple[int | str, ...], kind: str, given: Any) -> model.Violation:
    return model.Violation(path(loc), f"is {_name(given)}", _WANTED.get(kind, "a value of another type"))


def _unknown_field(loc: tuple[int | str, ...], shape: type[Shape]) -> model.Violation:
    return model.Violation(path(loc), "is not a field of this body", " or ".join(sorted(_known(shape)[0])))


def _name(value: Any) -> str:
    """The name of the value's type in JSON."""
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "null"


def path(loc: tuple[int | str, ...]) -> str:
    """`("a", "b", 2)` -> `a.b[2]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _without(value: dict[str, Any], loc: tuple[int | str, ...]) -> dict[str, Any]:
    """A copy without the field at `loc`, or without the whole array when `loc` is an item of it."""
    last = max(i for i, part in enumerate(loc) if isinstance(part, str))
    copy: dict[str, Any] = dict(value)
    at: Any = copy
    for part in loc[:last]:
        if isinstance(at, dict) and part not in at:
            return copy  # an outer part of the same path is already gone
        at[part] = at[part].copy()
        at = at[part]
    at.pop(loc[last], None)
    return copy


@functools.cache
def _known(shape: type[Shape]) -> tuple[frozenset[str], tuple[tuple[str, type[Shape]], ...]]:
    """The field names of a shape, and which of them hold shapes (alone or in an array)."""
    names, inner = [], []
    for name, field in shape.model_fields.items():
        names.append(field.alias or name)
        inner += [(field.alias or name, kind) for kind in _shapes_in(field.annotation)]
    return frozenset(names), tuple(inner)


def _shapes_in(annotation: Any) -> list[type[Shape]]:
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return [annotation]
    return [shape for inner in typing.get_args(annotation) for shape in _shapes_in(inner)]


def _unknown(shape: type[Shape], content: Any, prefix: str) -> list[str]:
    """The paths of the fields that the shape does not have."""
    if isinstance(content, list):
        return [path for n, item in enumerate(content) for path in _unknown(shape, item, f"{prefix}[{n}]")]
    if not isinstance(content, dict):
        return []
    names, inner = _known(shape)
    dot = prefix and prefix + "."
    unknown = [dot + key for key in content if key not in names]
    for name, kind in inner:
        if name in content:
            unknown += _unknown(kind, content[name], dot + name)
    return unknown
