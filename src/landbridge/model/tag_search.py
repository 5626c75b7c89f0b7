"""What requests about tags ask: a change of one resource's tags, and a search for resources by their tags."""

from dataclasses import dataclass

from landbridge.model.connection import AskTag


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTags:
    """Tags to put on a resource, or to take off it."""

    resource_type: str
    resource_id: str
    tags: tuple[AskTag, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTagValues:
    """A key with any of these values; none at all is any value."""

    key: str | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskMatch:
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTagSearch:
    """Resources that have each of these keys, and this name; or, `without_any_tag`, no tag at all."""

    resource_type: str
    without_any_tag: bool | None = None
    tags: tuple[AskTagValues, ...] = ()
    matches: tuple[AskMatch, ...] = ()
    limit: int = 0
    offset: int = 0
