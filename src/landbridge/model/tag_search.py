"""The requests about tags: a change of one resource's tags, and a search for resources by their tags."""

from dataclasses import dataclass

from landbridge.model.connection import Tag, TagRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedRef:
    """Names a resource that has tags. `resource_type`: vpn-gateway, customer-gateway or vpn-connection."""

    resource_type: str
    resource_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChangeRequest:
    """Tags to add to a resource, or to remove from it."""

    resource: TaggedRef
    tags: tuple[TagRequest, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagListRequest:
    """The tags of all resources of a type."""

    resource_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedResource:
    id: str
    name: str
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagValuesRequest:
    """A key with any of these values. Without values: a key with any value."""

    key: str | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSearchRequest:
    """A search for resources that have all these keys and this name, or with `without_any_tag` for resources without tags."""

    resource_type: str
    without_any_tag: bool | None = None
    tags: tuple[TagValuesRequest, ...] = ()
    matches: tuple[MatchRequest, ...] = ()
    limit: int = 0
    offset: int = 0
