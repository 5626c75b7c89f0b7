"""Shapes and renderings that several resources share: tags, times, pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydantic
import pydantic_core

from landbridge import model
from landbridge.wire import body


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


def document(answer: Mapping[str, Any]) -> bytes:
    """The answer as JSON. A field that is bytes is JSON already."""
    texts = [
        b'"%s":%s' % (name.encode(), value if isinstance(value, bytes) else pydantic_core.to_json(value))
        for name, value in answer.items()
    ]
    return b"{%s}" % b",".join(texts)


class PageInfo(pydantic.BaseModel):
    next_marker: str | None = pydantic.Field(
        None, description="send it as `marker` for the next page; absent on the last"
    )
    current_count: int = pydantic.Field(description="how many this page has")


def page_info(next_marker: str | None, count: int) -> dict[str, Any]:
    return present(next_marker=next_marker, current_count=count)


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: the API leaves out what a resource does not have."""
    return {name: value for name, value in fields.items() if value is not None}
