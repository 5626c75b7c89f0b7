"""Tags of gateways, customer gateways and connections: change, show, and find resources by them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations.call import Call
from landbridge.rules import fields
from landbridge.rules import tags as rules
from landbridge.store import resources, tags
from landbridge.store.database import Transaction

Change = Callable[[tuple[model.Tag, ...], tuple[model.TagRequest, ...]], tuple[model.Tag, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedResources:
    """(id, name, tags) of the resources of a page, and how many there are in all."""

    resources: list[tuple[str, str, tuple[model.Tag, ...]]]
    total: int


@calls.operation("admin", "write")
def add(tx: Transaction, call: Call, request: model.TagsRequest) -> None:
    _change(tx, call, request, rules.added, "batch_create_resource_tags")


@calls.operation("admin", "write")
def remove(tx: Transaction, call: Call, request: model.TagsRequest) -> None:
    _change(tx, call, request, rules.removed, "batch_delete_resource_tags")


def _change(tx: Transaction, call: Call, request: model.TagsRequest, change: Change, action: str) -> None:
    kind, resource = _find(tx, call, request)
    if resources.is_deleting(tx, kind, resource.id):
        raise errors.Deleting(f"{kind.name} {resource.id} is deleting")
    _refuse(fields.merge(call.shape, rules.check_change(request.tags)))
    after = change(resource.tags, request.tags or ())
    _refuse(list(rules.check_sum(after)))
    if after != resource.tags:
        tags.replace(tx, kind, resource, after)
        call.audit(tx, action, resource.id)


def _refuse(violations: list[model.Violation]) -> None:
    if violations:
        raise errors.Invalid(violations)


def _kind(resource_type: str) -> resources.ResourceKind:
    _refuse(list(rules.check_type(resource_type)))
    return resources.KINDS[resource_type]


def _find(tx: Transaction, call: Call, request: model.TagsRequest) -> tuple[resources.ResourceKind, Any]:
    kind = _kind(request.resource_type)
    found = resources.find(tx, kind, call.project_id, request.resource_id.lower())
    if found is None:
        raise errors.NotFound(f"{kind.name} {request.resource_id[:64]}")
    return kind, found


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, request: model.TagsRequest) -> tuple[model.Tag, ...]:
    _, resource = _find(tx, call, request)
    shown: tuple[model.Tag, ...] = resource.tags
    return shown


@calls.operation("reader", "long read")
def of_project(tx: Transaction, call: Call, resource_type: str) -> list[tuple[str, str]]:
    """All different (key, value) that resources of the type have."""
    return tags.of_project(tx, call.project_id, _kind(resource_type))


@calls.operation("reader", "long read")
def search(tx: Transaction, call: Call, request: model.TagSearchRequest) -> TaggedResources:
    _refuse(fields.merge(call.shape, rules.check_search(request)))
    found, total = tags.search(tx, call.project_id, request)
    return TaggedResources(resources=found, total=total)


@calls.operation("reader", "long read")
def count(tx: Transaction, call: Call, request: model.TagSearchRequest) -> int:
    _refuse(fields.merge(call.shape, rules.check_search(request)))
    return tags.count(tx, call.project_id, request)
