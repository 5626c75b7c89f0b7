"""Tags of gateways, customer gateways and connections: change, show, and find resources by them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from landbridge import errors, model
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import tags as rules
from landbridge.store import resources, tags
from landbridge.store.database import Transaction

Change = Callable[[tuple[model.Tag, ...], tuple[model.TagRequest, ...]], tuple[model.Tag, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedResources:
    """The resources of a page, and the number of resources on all pages."""

    resources: list[model.TaggedResource]
    total: int


@operation("batch_create_resource_tags", "admin", "write")
def add(tx: Transaction, call: Call, request: model.TagChangeRequest) -> None:
    _change(tx, call, request, rules.added, add.name)


@operation("batch_delete_resource_tags", "admin", "write")
def remove(tx: Transaction, call: Call, request: model.TagChangeRequest) -> None:
    _change(tx, call, request, rules.removed, remove.name)


def _change(tx: Transaction, call: Call, request: model.TagChangeRequest, change: Change, action: str) -> None:
    kind, resource = _find(tx, call, request.resource)
    if resources.is_deleting(tx, kind, resource.id):
        raise errors.Deleting(f"{kind.name} {resource.id}")
    call.refuse(rules.check_change(request.tags))
    after = change(resource.tags, request.tags or ())
    call.refuse(rules.check_sum(after))
    if after != resource.tags:
        tags.replace(tx, kind, resource, after)
        call.audit(tx, action, resource.id)


def _kind(resource_type: str) -> resources.ResourceKind:
    violations = list(rules.check_type(resource_type))
    if violations:
        raise errors.Invalid(violations)
    return resources.KINDS[resource_type]


def _find(tx: Transaction, call: Call, ref: model.TaggedRef) -> tuple[resources.ResourceKind, Any]:
    kind = _kind(ref.resource_type)
    resource = resources.find(tx, kind, call.project_id, ref.resource_id.lower())
    if resource is None:
        raise errors.NotFound(f"{kind.name} {ref.resource_id[:64]}")
    return kind, resource


@operation("show_resource_tags", "reader", "read")
def show(tx: Transaction, call: Call, request: model.TaggedRef) -> tuple[model.Tag, ...]:
    _, resource = _find(tx, call, request)
    shown: tuple[model.Tag, ...] = resource.tags
    return shown


@operation("list_project_tags", "reader", "long read")
def of_project(tx: Transaction, call: Call, request: model.TagListRequest) -> list[model.Tag]:
    """All different tags that resources of the type have."""
    pairs = tags.of_project(tx, call.project_id, _kind(request.resource_type))
    return [model.Tag(key, value) for key, value in pairs]


@operation("list_resources_by_tags", "reader", "long read")
def search(tx: Transaction, call: Call, request: model.TagSearchRequest) -> TaggedResources:
    call.refuse(rules.check_search(request))
    resources, total = tags.search(tx, call.project_id, request)
    return TaggedResources(
        resources=[model.TaggedResource(id=id_, name=name, tags=tags) for id_, name, tags in resources], total=total
    )


@operation("count_resources_by_tags", "reader", "long read")
def count(tx: Transaction, call: Call, request: model.TagSearchRequest) -> int:
    call.refuse(rules.check_search(request))
    return tags.count(tx, call.project_id, request)
