"""Tags on the wire: changes, searches and what they find. Their bodies have no envelope."""

from collections.abc import Sequence
from typing import Annotated, Any

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.wire import body, parameters, shapes

SEARCH_LIMIT = 1000
#: The part of what is found that is told.
WINDOW = (
    parameters.number("limit", "how many", 1, SEARCH_LIMIT, SEARCH_LIMIT),
    parameters.number("offset", "how many to leave out", 0, 10**12 - 1, 0),
)


def _truth(value: object) -> object:
    """The page's own example writes a truth as a string."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Truth = Annotated[bool, pydantic.BeforeValidator(_truth, json_schema_input_type=bool)]


class TagsShape(body.Shape):
    """CreateResourcesTagsRequestBody and DeleteResourcesTagsRequestBody."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [{"tags": [{"key": "site", "value": "berlin"}]}]})

    tags: tuple[shapes.TagShape, ...] | None = Field(
        None, strict=False, description="at most 20; a value that is left out is empty; mandatory"
    )

    def ask(self, resource_type: str, resource_id: str) -> model.AskTags:
        return model.AskTags(resource_type=resource_type, resource_id=resource_id, tags=shapes.ask_tags(self.tags))


class TagValuesShape(body.Shape):
    """Tag: a key with any of its values."""

    key: str | None = Field(None, description="1 to 128 characters; mandatory")
    values: tuple[str, ...] | None = Field(
        None, strict=False, description="at most 20 of 0 to 255 characters; an empty array is any value; mandatory"
    )


class MatchShape(body.Shape):
    """Match."""

    key: str | None = shapes.choice(("resource_name",), description="resource_name; mandatory")
    value: str | None = Field(None, description="the whole name, 0 to 255 characters; mandatory")


class SearchShape(body.Shape):
    """QueryResourcesRequestBody."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"tags": [{"key": "site", "values": ["berlin", "bonn"]}]}]}
    )

    without_any_tag: Truth | None = Field(None, description="true: only resources without tags; `tags` is ignored then")
    tags: tuple[TagValuesShape, ...] | None = Field(
        None, strict=False, description="at most 20; a resource must have each of them"
    )
    matches: tuple[MatchShape, ...] | None = Field(None, strict=False, description="the resource's name")

    def ask(self, resource_type: str, limit: int = 0, offset: int = 0) -> model.AskTagSearch:
        return model.AskTagSearch(
            resource_type=resource_type,
            without_any_tag=self.without_any_tag,
            tags=tuple(model.AskTagValues(key=tag.key, values=tag.values) for tag in self.tags or ()),
            matches=tuple(model.AskMatch(key=match.key, value=match.value) for match in self.matches or ()),
            limit=limit,
            offset=offset,
        )


class ResourceTags(pydantic.BaseModel):
    tags: list[shapes.TagAnswer]
    request_id: str


class TagValuesAnswer(pydantic.BaseModel):
    """Tag."""

    key: str
    values: list[str]


class ProjectTags(pydantic.BaseModel):
    tags: list[TagValuesAnswer]
    request_id: str


class ResourceAnswer(pydantic.BaseModel):
    """Resource."""

    resource_id: str
    resource_name: str
    resource_detail: dict[str, Any] = Field(description="reserved, empty")
    tags: list[shapes.TagAnswer]


class Resources(pydantic.BaseModel):
    resources: list[ResourceAnswer]
    total_count: int
    request_id: str


class Count(pydantic.BaseModel):
    total_count: int
    request_id: str


def of_project(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """(key, value), in the order of the keys: each key once, with its values."""
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {"tags": [{"key": key, "values": found} for key, found in values.items()]}


def resources(found: Sequence[tuple[str, str, Sequence[model.Tag]]], total: int) -> dict[str, Any]:
    """Of (id, name, tags)."""
    listed = [
        {"resource_id": id_, "resource_name": name, "resource_detail": {}, "tags": shapes.tags(tags)}
        for id_, name, tags in found
    ]
    return {"resources": listed, "total_count": total}
