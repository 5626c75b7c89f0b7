"""Tags by resource and resources by tags. A resource's tags stand in its spec, in their order, and in the table `tag`."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, func, insert, literal_column, select

from landbridge import model
from landbridge.store import expressions, resources, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_tag = tables.tag
_ADD = Statement(
    insert(_tag).values(
        {name: bindparam(name) for name in ("resource_id", "key", "value", "resource_type", "project_id")}
    )
)
_DELETE = Statement(delete(_tag).where(_tag.c.resource_id == bindparam("id")))
_OF_PROJECT = Statement(
    select(_tag.c.key, _tag.c.value)
    .where(_tag.c.project_id == bindparam("project_id"), _tag.c.resource_type == bindparam("kind"))
    .distinct()
    .order_by(_tag.c.key, _tag.c.value)
)


def add(tx: Transaction, project_id: str, kind: str, resource_id: str, tags: tuple[model.Tag, ...]) -> None:
    """Adds rows for the tags in a resource's spec. `kind` is a `ResourceKind.name`."""
    resource_ids = {"resource_id": resource_id, "resource_type": kind, "project_id": project_id}
    tx.run_many(_ADD, [{**resource_ids, "key": tag.key, "value": tag.value} for tag in tags])


def replace(tx: Transaction, kind: resources.ResourceKind, resource: Any, tags: tuple[model.Tag, ...]) -> None:
    tx.run(_DELETE, id=resource.id)
    add(tx, resource.project_id, kind.name, resource.id, tags)
    resources.rewrite(tx, kind, dataclasses.replace(resource, tags=tags))


def of_project(tx: Transaction, project_id: str, kind: resources.ResourceKind) -> list[tuple[str, str]]:
    """All different (key, value), by key and value."""
    return [(key, value) for key, value in tx.all(_OF_PROJECT, project_id=project_id, kind=kind.name)]


@dataclass(frozen=True, slots=True)
class _Form:
    """The values that decide the SQL of a search: the number of values of each tag, and the other conditions."""

    kind: str
    values: tuple[int, ...]
    named: bool
    untagged: bool


def search(
    tx: Transaction, project_id: str, request: model.TagSearchRequest
) -> tuple[list[tuple[str, str, tuple[model.Tag, ...]]], int]:
    """A page of the resources that match, (id, name, tags) each, oldest first, and the number of all matches."""
    page, _ = _statements(_form(request))
    rows = tx.all(page, **_given(project_id, request), limit=request.limit, offset=request.offset)
    kind = resources.KINDS[request.resource_type]
    tagged = [kind.codec.validate_json(spec) for (spec,) in rows]
    return [(resource.id, resource.name, resource.tags) for resource in tagged], count(tx, project_id, request)


def count(tx: Transaction, project_id: str, request: model.TagSearchRequest) -> int:
    _, number = _statements(_form(request))
    row = tx.one(number, **_given(project_id, request))
    return row[0] if row is not None else 0


def _wanted(request: model.TagSearchRequest) -> tuple[model.TagValuesRequest, ...]:
    return () if request.without_any_tag else request.tags


def _form(request: model.TagSearchRequest) -> _Form:
    return _Form(
        kind=request.resource_type,
        values=tuple(len(tag.values or ()) for tag in _wanted(request)),
        named=bool(request.matches),
        untagged=bool(request.without_any_tag),
    )


def _given(project_id: str, request: model.TagSearchRequest) -> dict[str, Any]:
    given: dict[str, Any] = {"project_id": project_id, "kind": request.resource_type}
    for number, tag in enumerate(_wanted(request)):
        given[f"key_{number}"] = tag.key
        given |= {f"value_{number}_{n}": value for n, value in enumerate(tag.values or ())}
    return given | ({"name": request.matches[0].value} if request.matches else {})


@functools.lru_cache(maxsize=64)
def _statements(form: _Form) -> tuple[Statement, Statement]:
    """The statements (page, count) of all searches of this form."""
    table = resources.KINDS[form.kind].table
    matching, shown = _found(form, table), table.alias("shown")
    of_page = matching.order_by(table.c.seq).limit(bindparam("limit")).offset(bindparam("offset"))
    return (
        Statement(select(shown.c.spec).where(shown.c.seq.in_(of_page)).order_by(shown.c.seq)),
        Statement(select(func.count()).select_from(matching.subquery())),
    )


def _found(form: _Form, table: Table) -> Select[Any]:
    """Selects the `seq` of the resources. Where tags are asked for, only they are compared with the project, so that SQLite begins with
    the index of tags and not with the project's list.
    """
    statement = select(table.c.seq)
    if not form.values:
        statement = statement.where(table.c.project_id == bindparam("project_id"))
    for number, values in enumerate(form.values):
        tag = _tag.alias(f"tag_{number}")
        statement = statement.join(tag, tag.c.resource_id == table.c.id).where(*_conditions(tag, number, values))
    if form.untagged:
        statement = statement.where(~select(_tag.c.key).where(_tag.c.resource_id == table.c.id).exists())
    if form.named:  # the second condition decides; the first spares it the parsing of almost every spec
        quoted = literal_column("'\"'").concat(bindparam("name")).concat(literal_column("'\"'"))
        named = expressions.JsonValue(table.c.spec, "name") == bindparam("name")
        statement = statement.where(expressions.Contains(table.c.spec, quoted), named)
    return statement


def _conditions(tag: Any, number: int, values: int) -> list[Any]:
    """Returns what a tag must have to be the search's tag of this number. A resource has a key once, so no resource is found twice."""
    wanted: list[Any] = [bindparam(f"value_{number}_{n}") for n in range(values)]
    return [
        tag.c.project_id == bindparam("project_id"),
        tag.c.resource_type == bindparam("kind"),
        tag.c.key == bindparam(f"key_{number}"),
        *([tag.c.value.in_(wanted)] if wanted else []),
    ]
