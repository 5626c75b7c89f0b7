"""Tags on the wire: changes, searches and their results. The bodies have no envelope."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, parameters, schema, shapes

SEARCH_LIMIT = 1000
#: The resources of an answer: how many, and how many before them are skipped.
WINDOW = (
    parameters.integer("limit", "how many", 1, SEARCH_LIMIT, SEARCH_LIMIT),
    parameters.integer("offset", "how many to leave out", 0, 10**12 - 1, 0),
)


def _boolean(value: object) -> object:
    """The page's own example writes a boolean as a string."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Boolean = Annotated[bool, pydantic.BeforeValidator(_boolean, json_schema_input_type=bool)]


class TagChangeShape(shapes.TagShape):
    """VpnResourceTag with an optional value."""

    value: str | None = schema.field(
        schema.tag_text(allowed_values.TAG_VALUE_LENGTH), f"{shapes.TAG_CHARACTERS}; left out it is empty"
    )


class TagsShape(body.Shape):
    """CreateResourcesTagsRequestBody and DeleteResourcesTagsRequestBody."""

    examples: ClassVar = {"one tag": {"tags": [{"key": "site", "value": "berlin"}]}}

    tags: tuple[TagChangeShape, ...] | None = schema.field(
        schema.objects(allowed_values.TAG_LIMIT), "each key once", mandatory=True
    )

    def request(self) -> tuple[model.TagRequest, ...] | None:
        return shapes.tag_requests(self.tags)


class TagValuesShape(body.Shape):
    """Tag: a key with any of its values."""

    key: str | None = schema.field(schema.length(allowed_values.TAG_KEY_LENGTH), mandatory=True)
    values: tuple[str, ...] | None = schema.field(
        schema.array(
            schema.length(allowed_values.TAG_VALUE_LENGTH), allowed_values.Range(0, allowed_values.TAG_VALUES_LIMIT)
        ),
        "an empty array is any value",
        mandatory=True,
    )


class MatchShape(body.Shape):
    """Match."""

    key: str | None = schema.field(schema.string(enum=[allowed_values.TAG_MATCH]), mandatory=True)
    value: str | None = schema.field(schema.length(allowed_values.TAG_VALUE_LENGTH), "the whole name", mandatory=True)


class SearchShape(body.Shape):
    """QueryResourcesRequestBody."""

    examples: ClassVar = {
        "by tags": {"tags": [{"key": "site", "values": ["berlin", "bonn"]}]},
        "by name": {"matches": [{"key": "resource_name", "value": "cgw-2abf"}]},
        "without tags": {"without_any_tag": True},
    }

    without_any_tag: Boolean | None = schema.field(
        {"anyOf": [schema.boolean(), schema.string(enum=["true", "false"])], "default": False},
        "only resources without tags; `tags` is ignored then",
    )
    tags: tuple[TagValuesShape, ...] | None = schema.field(
        schema.objects(allowed_values.TAG_LIMIT), "a resource must have each of them; each key once"
    )
    matches: tuple[MatchShape, ...] | None = schema.field(schema.objects(1), "the resource's name")

    def request(self, resource_type: str, limit: int = 0, offset: int = 0) -> model.TagSearchRequest:
        return model.TagSearchRequest(
            resource_type=resource_type,
            without_any_tag=self.without_any_tag,
            tags=tuple(model.TagValuesRequest(key=tag.key, values=tag.values) for tag in self.tags or ()),
            matches=tuple(model.MatchRequest(key=match.key, value=match.value) for match in self.matches or ()),
            limit=limit,
            offset=offset,
        )


class ResourceTags(schema.Answer):
    tags: list[shapes.TagAnswer]
    request_id: str


class TagValuesAnswer(schema.Answer):
    """Tag."""

    key: str
    values: list[str]


class ProjectTags(schema.Answer):
    tags: list[TagValuesAnswer]
    request_id: str


class ResourceAnswer(schema.Answer):
    """Resource."""

    resource_id: str
    resource_name: str
    resource_detail: dict[str, Any] = Field(description="reserved, empty")
    tags: list[shapes.TagAnswer]


class Resources(schema.Answer):
    resources: list[ResourceAnswer]
    total_count: int
    request_id: str


class Count(schema.Answer):
    total_count: int
    request_id: str


def of_project(tags: Sequence[model.Tag]) -> dict[str, Any]:
    """Each key once, with all its values, in the order of `tags`."""
    values: dict[str, list[str]] = {}
    for tag in tags:
        values.setdefault(tag.key, []).append(tag.value)
    return {"tags": [{"key": key, "values": of} for key, of in values.items()]}


def resources(tagged: Sequence[model.TaggedResource], total: int) -> dict[str, Any]:
    listed = [
        {
            "resource_id": resource.id,
            "resource_name": resource.name,
            "resource_detail": {},
            "tags": shapes.tags(resource.tags),
        }
        for resource in tagged
    ]
    return {"resources": listed, "total_count": total}
