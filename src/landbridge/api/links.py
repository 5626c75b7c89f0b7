"""Links between operations: what a create made is read, changed and deleted by others, and a page leads to the next one."""

import re
from collections.abc import Iterable
from typing import Any

from landbridge.api.row import Operation
from landbridge.wire import shapes


def of(row: Operation, table: Iterable[Operation]) -> dict[str, Any]:
    """The links of a success, by the names of the operations that they lead to."""
    if row.answer is not None and shapes.PageInfo in _kinds(row):
        return {row.name: _next_page(row)}
    if row.success != 201 or row.accepts is None or row.many:
        return {}
    return _of_create(row, row.accepts[0], list(table))


def _kinds(row: Operation) -> list[Any]:
    return [field.annotation for field in (row.answer.model_fields.values() if row.answer else ())]


def _next_page(row: Operation) -> dict[str, Any]:
    return {
        "operationId": row.name,
        "description": "the next page",
        "parameters": {**_of_request(row.path), "marker": "$response.body#/page_info/next_marker"},
    }


def _of_create(row: Operation, envelope: str, table: list[Operation]) -> dict[str, Any]:
    """To all operations whose path has the new id, and no other that the create did not have."""
    pattern = re.compile(re.escape(row.path) + r"/{(\w+)}")
    new = next((match[1] for other in table if (match := pattern.fullmatch(other.path))), None)
    if new is None:
        return {}
    known = _of_request(row.path) | {new: f"$response.body#/{envelope}/id"}
    return {
        other.name: {"operationId": other.name, "parameters": {name: known[name] for name in _names(other.path)}}
        for other in table
        if new in _names(other.path) and set(_names(other.path)) <= set(known)
    }


def _of_request(path: str) -> dict[str, str]:
    return {name: f"$request.path.{name}" for name in _names(path)}


def _names(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)
