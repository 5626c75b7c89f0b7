"""Shapes and renderings that several resources share: tags, times, pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydantic

from landbridge import errors, model
from landbridge.wire import body

PAGE_LIMIT = 2000


def choice(values: tuple[str, ...], *, description: str, alias: str | None = None) -> Any:
    """An optional field with the values that the document lists. The rules decide, and name the field themselves."""
    return pydantic.Field(None, alias=alias, description=description, json_schema_extra={"enum": [*values, None]})


class TagShape(body.Shape):
    """VpnResourceTag."""

    key: str | None = pydantic.Field(None, description="1 to 128 letters, digits, spaces and _ . : = + - @; mandatory")
    value: str | None = pydantic.Field(None, description="0 to 255 of the same characters; mandatory")


def ask_tags(tags: tuple[TagShape, ...] | None) -> tuple[model.AskTag, ...] | None:
    return None if tags is None else tuple(model.AskTag(key=t.key, value=t.value) for t in tags)


class TagAnswer(pydantic.BaseModel):
    """VpnResourceTag."""

    key: str
    value: str


def tags(given: Sequence[model.Tag]) -> list[dict[str, str]]:
    return [{"key": t.key, "value": t.value} for t in given]


def time(moment: datetime) -> str:
    """ISO 8601, UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


class PageInfo(pydantic.BaseModel):
    next_marker: str | None = pydantic.Field(
        None, description="send it as `marker` for the next page; absent on the last"
    )
    current_count: int = pydantic.Field(description="how many this page has")


def page(query: Mapping[str, str]) -> tuple[int, int]:
    """(limit, the number after which the page starts) of a list request. Raises Invalid."""
    found: list[model.Violation] = []
    limit = _number(query, "limit", PAGE_LIMIT, 1, PAGE_LIMIT, found)
    marker = _number(query, "marker", 0, 0, 2**62, found)
    if found:
        raise errors.Invalid(found)
    return limit, marker


def _number(
    query: Mapping[str, str], name: str, default: int, low: int, high: int, found: list[model.Violation]
) -> int:
    text = query.get(name, "")
    if text == "":
        return default
    if text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high:
        return int(text)
    allowed = f"{low} to {high}" if name == "limit" else "the next_marker of an earlier page"
    found.append(model.Violation(name, f"{text!r} is not allowed", allowed))
    return default


def page_info(next_marker: int | None, count: int) -> dict[str, Any]:
    info: dict[str, Any] = {} if next_marker is None else {"next_marker": str(next_marker)}
    return info | {"current_count": count}


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: the API leaves out what a resource does not have."""
    return {name: value for name, value in fields.items() if value is not None}
