"""The operations on tags of gateways, customer gateways and connections."""

from typing import Any

from landbridge import model
from landbridge.api import routes
from landbridge.operations import tags
from landbridge.wire import body, shapes
from landbridge.wire import tags as wire_tags


def _resource(incoming: routes.Incoming) -> routes.Asked:
    request = model.TagsRequest(resource_type=incoming.path["resource_type"], resource_id=incoming.path["resource_id"])
    return routes.Asked(request=request)


def _change(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse_bare(wire_tags.TagsShape, incoming.content)
    request = parsed.value.request(incoming.path["resource_type"], incoming.path["resource_id"])
    return routes.Asked(request=request, violations=parsed.violations, ignored=parsed.ignored)


def _search(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse_bare(wire_tags.SearchShape, incoming.content)
    request = parsed.value.request(incoming.path["resource_type"], **incoming.query)
    return routes.Asked(request=request, violations=parsed.violations, ignored=parsed.ignored)


def _resource_tags(found: tuple[model.Tag, ...]) -> dict[str, Any]:
    return {"tags": shapes.tags(found)}


#: Its path for connections ends where the path of one connection has its id: it stands before that one in the table.
OF_PROJECT: tuple[routes.Route, ...] = (
    routes.Route(
        name="list_project_tags",
        method="GET",
        path="/v5/{project_id}/{resource_type}/tags",
        summary="List the tags that resources of a type have: vpn-gateway, customer-gateway or vpn-connection",
        success=200,
        run=tags.of_project,
        parse=routes.by("resource_type"),
        render=wire_tags.of_project,
        answer=wire_tags.ProjectTags,
    ),
)

ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="batch_create_resource_tags",
        method="POST",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags/create",
        summary="Add tags to a resource; a key that it has gets the new value",
        success=204,
        run=tags.add,
        parse=_change,
        deleting=True,
        accepts=("", wire_tags.TagsShape),
    ),
    routes.Route(
        name="batch_delete_resource_tags",
        method="POST",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags/delete",
        summary="Remove tags from a resource, by key, or by key and value; those that it does not have are no fault",
        success=204,
        run=tags.remove,
        parse=_change,
        deleting=True,
        accepts=("", wire_tags.TagsShape),
    ),
    routes.Route(
        name="show_resource_tags",
        method="GET",
        path="/v5/{project_id}/{resource_type}/{resource_id}/tags",
        summary="Show the tags of a resource",
        success=200,
        run=tags.show,
        parse=_resource,
        render=_resource_tags,
        answer=wire_tags.ResourceTags,
    ),
    routes.Route(
        name="list_resources_by_tags",
        method="POST",
        path="/v5/{project_id}/{resource_type}/resource-instances/filter",
        summary="Find resources by their tags and name, in the order of their creation",
        success=200,
        run=tags.search,
        parse=_search,
        render=lambda found: wire_tags.resources(found.resources, found.total),
        answer=wire_tags.Resources,
        accepts=("", wire_tags.SearchShape),
        query=wire_tags.WINDOW,
    ),
    routes.Route(
        name="count_resources_by_tags",
        method="POST",
        path="/v5/{project_id}/{resource_type}/resource-instances/count",
        summary="Count resources by their tags and name",
        success=200,
        run=tags.count,
        parse=_search,
        render=lambda total: {"total_count": total},
        answer=wire_tags.Count,
        accepts=("", wire_tags.SearchShape),
    ),
)
