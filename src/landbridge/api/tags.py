"""The operations on tags of gateways, customer gateways and connections."""

from typing import Any

from landbridge import model
from landbridge.api import routes
from landbridge.operations import tags
from landbridge.wire import body, shapes
from landbridge.wire import tags as wire_tags


def _ref(incoming: routes.Incoming) -> model.TaggedRef:
    return model.TaggedRef(resource_type=incoming.path["resource_type"], resource_id=incoming.path["resource_id"])


_change = routes.parse_body(
    wire_tags.TagsShape,
    "",
    lambda incoming, given: model.TagChangeRequest(resource=_ref(incoming), tags=given.request()),
)
_search = routes.parse_body(
    wire_tags.SearchShape, "", lambda incoming, given: given.request(incoming.path["resource_type"], **incoming.query)
)


def _resource_tags(tags: tuple[model.Tag, ...]) -> dict[str, Any]:
    return {"tags": shapes.tags(tags)}


#: These come first in the table: the path of one connection would match the path of the tags of all connections.
OF_PROJECT = (
    routes.Route(
        operation=tags.of_project,
        method="GET",
        path="/v5/{project_id}/{resource_type}/tags",
        summary="List the tags that resources of a type have: vpn-gateway, customer-gateway or vpn-connection",
        success=200,
        parse=lambda incoming: body.Parsed(model.TagListRequest(resource_type=incoming.path["resource_type"])),
        render=wire_tags.of_project,
        answer=wire_tags.ProjectTags,
    ),
)

ROUTES = (
    routes.Route(
        operation=tags.add,
        method="POST",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags/create",
        summary="Add tags to a resource; a key that it has gets the new value",
        success=204,
        parse=_change,
        refused_while_deleting=True,
        accepts=("", wire_tags.TagsShape),
    ),
    routes.Route(
        operation=tags.remove,
        method="POST",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags/delete",
        summary="Remove tags from a resource, by key, or by key and value; those that it does not have are no fault",
        success=204,
        parse=_change,
        refused_while_deleting=True,
        accepts=("", wire_tags.TagsShape),
    ),
    routes.Route(
        operation=tags.show,
        method="GET",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags",
        summary="Show the tags of a resource",
        success=200,
        parse=lambda incoming: body.Parsed(_ref(incoming)),
        render=_resource_tags,
        answer=wire_tags.ResourceTags,
    ),
    routes.Route(
        operation=tags.search,
        method="POST",
        path="/v5/{project_id}/{resource_type}/resource-instances/filter",
        summary="Find resources by their tags and name, in the order of their creation",
        success=200,
        parse=_search,
        render=lambda tagged: wire_tags.resources(tagged.resources, tagged.total),
        answer=wire_tags.Resources,
        accepts=("", wire_tags.SearchShape),
        query=wire_tags.WINDOW,
    ),
    routes.Route(
        operation=tags.count,
        method="POST",
        path="/v5/{project_id}/{resource_type}/resource-instances/count",
        summary="Count resources by their tags and name",
        success=200,
        parse=_search,
        render=lambda total: {"total_count": total},
        answer=wire_tags.Count,
        accepts=("", wire_tags.SearchShape),
    ),
)
