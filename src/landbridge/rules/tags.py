"""Tags of a resource: what may be added and removed, and what a search by tags may ask.

Adding a key that is there sets its value. Removing a key that is not there is no error. So a client may repeat each call.
"""

import dataclasses
from collections.abc import Iterator

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import fields

VALUES_LIMIT = allowed_values.TAG_VALUES_LIMIT
KEY_LENGTH, VALUE_LENGTH = allowed_values.TAG_KEY_LENGTH, allowed_values.TAG_VALUE_LENGTH


def check_type(resource_type: str) -> Iterator[model.Violation]:
    if resource_type not in allowed_values.TAGGED:
        yield model.Violation(
            "resource_type", f"{resource_type!r} is not known", f"one of {', '.join(allowed_values.TAGGED)}"
        )


def check_change(requested: tuple[model.TagRequest, ...] | None) -> Iterator[model.Violation]:
    """Checks a list of tags as in a create, except that a value may be left out."""
    if requested is None:
        yield model.Violation("tags", "is mandatory", f"at most {allowed_values.TAG_LIMIT} tags")
    else:
        yield from fields.check_tags(
            "tags", tuple(dataclasses.replace(tag, value=tag.value or "") for tag in requested)
        )


def check_sum(tags: tuple[model.Tag, ...]) -> Iterator[model.Violation]:
    if len(tags) > allowed_values.TAG_LIMIT:
        wrong = f"the resource would have {len(tags)} tags"
        yield model.Violation("tags", wrong, f"at most {allowed_values.TAG_LIMIT}")


def added(before: tuple[model.Tag, ...], requested: tuple[model.TagRequest, ...]) -> tuple[model.Tag, ...]:
    """The tags after the addition. A key that was there keeps its place."""
    return tuple(
        model.Tag(key, value)
        for key, value in (
            {tag.key: tag.value for tag in before} | {t.key: t.value for t in fields.tags(requested)}
        ).items()
    )


def removed(before: tuple[model.Tag, ...], requested: tuple[model.TagRequest, ...]) -> tuple[model.Tag, ...]:
    """The tags after the removal. A given value must be the tag's own, unless it is empty."""
    values = {tag.key: tag.value for tag in requested}
    return tuple(tag for tag in before if tag.key not in values or values[tag.key] not in (None, "", tag.value))


def check_search(request: model.TagSearchRequest) -> Iterator[model.Violation]:
    yield from check_type(request.resource_type)
    if len(request.tags) > allowed_values.TAG_LIMIT and not request.without_any_tag:
        yield model.Violation("tags", f"has {len(request.tags)} entries", f"at most {allowed_values.TAG_LIMIT}")
    elif not request.without_any_tag:
        yield from _check_wanted(request.tags)
    seen: set[str | None] = set()
    for index, match in enumerate(request.matches):
        yield from _check_match(f"matches[{index}]", match, seen)


def _check_wanted(tags: tuple[model.TagValuesRequest, ...]) -> Iterator[model.Violation]:
    seen: set[str | None] = set()
    for index, tag in enumerate(tags):
        place = f"tags[{index}]"
        if tag.key is None or len(tag.key) not in KEY_LENGTH:
            yield model.Violation(f"{place}.key", _length(tag.key), f"{KEY_LENGTH} characters")
        elif tag.key in seen:
            yield model.Violation(f"{place}.key", f"{tag.key!r} is given twice", "each key once, with all its values")
        seen.add(tag.key)
        if tag.values is None:
            yield model.Violation(f"{place}.values", "is mandatory", "an array; an empty one is any value")
        elif len(tag.values) > VALUES_LIMIT:
            yield model.Violation(f"{place}.values", f"has {len(tag.values)} entries", f"at most {VALUES_LIMIT}")
        else:
            for number, value in enumerate(tag.values):
                if len(value) not in VALUE_LENGTH:
                    yield model.Violation(f"{place}.values[{number}]", _length(value), f"{VALUE_LENGTH} characters")


def _check_match(place: str, match: model.MatchRequest, seen: set[str | None]) -> Iterator[model.Violation]:
    if match.key != allowed_values.TAG_MATCH:
        yield model.Violation(f"{place}.key", _unknown(match.key), allowed_values.TAG_MATCH)
    elif match.key in seen:
        yield model.Violation(f"{place}.key", f"{match.key!r} is given twice", "once")
    seen.add(match.key)
    if match.value is None or len(match.value) not in VALUE_LENGTH:
        yield model.Violation(f"{place}.value", _length(match.value), f"{VALUE_LENGTH} characters")


def _length(text: str | None) -> str:
    return "is mandatory" if text is None else f"has {len(text)} characters"


def _unknown(key: str | None) -> str:
    return "is mandatory" if key is None else f"{key!r} is not known"
