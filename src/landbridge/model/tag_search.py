"""What requests about tags ask: a change of one resource's tags, and a search for resources by their tags."""

from dataclasses import dataclass

from landbridge.model.connection import TagRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsRequest:
    """Tags to put on a resource, or to take off it."""

    resource_type: str
    resource_id: str
    tags: tuple[TagRequest, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagValuesRequest:
    """A key with any of these values; none at all is any value."""

    key: str | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSearchRequest:
    """Resources that have each of these keys, and this name; or, `without_any_tag`, no tag at all."""

    resource_type: str
    without_any_tag: bool | None = None
    tags: tuple[TagValuesRequest, ...] = ()
    matches: tuple[MatchRequest, ...] = ()
    limit: int = 0
    offset: int = 0
