"""Shapes and renderings that several resources share: tags, times and pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydantic
import pydantic_core

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema

TAG_CHARACTERS = str(allowed_values.TAG_TEXT)


class TagShape(body.Shape):
    """VpnResourceTag."""

    key: str | None = schema.field(schema.tag_text(allowed_values.TAG_KEY_LENGTH), TAG_CHARACTERS, mandatory=True)
    value: str | None = schema.field(schema.tag_text(allowed_values.TAG_VALUE_LENGTH), TAG_CHARACTERS, mandatory=True)


def tag_requests(tags: tuple[TagShape, ...] | None) -> tuple[model.TagRequest, ...] | None:
    return None if tags is None else tuple(model.TagRequest(key=t.key, value=t.value) for t in tags)


class TagAnswer(schema.Answer):
    """VpnResourceTag."""

    key: str
    value: str


def tags(given: Sequence[model.Tag]) -> list[dict[str, str]]:
    return [{"key": t.key, "value": t.value} for t in given]


def time(moment: datetime) -> str:
    """The time in ISO 8601: UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def encode(answer: Mapping[str, Any]) -> bytes:
    """The answer as JSON. A value of type bytes is JSON already."""
    texts = [
        b'"%s":%s' % (name.encode(), value if isinstance(value, bytes) else pydantic_core.to_json(value))
        for name, value in answer.items()
    ]
    return b"{%s}" % b",".join(texts)


class PageInfo(schema.Answer):
    next_marker: str | None = pydantic.Field(
        None, description="send it as `marker` for the next page; absent on the last"
    )
    current_count: int = pydantic.Field(description="how many this page has")


def page_info(next_marker: str | None, count: int) -> dict[str, Any]:
    return without_none(next_marker=next_marker, current_count=count)


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: the API leaves out what a resource does not have."""
    return {name: value for name, value in fields.items() if value is not None}
