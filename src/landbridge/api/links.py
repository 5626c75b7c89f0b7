"""Links between operations in the OpenAPI document: from a create to the operations on what it created, from a page to the next page."""

import re
from collections.abc import Iterable
from typing import Any

from landbridge.api.routes import Route
from landbridge.wire import shapes


def find(route: Route[Any, Any], table: Iterable[Route[Any, Any]]) -> dict[str, Any]:
    """Operation name -> link, for the success of a route."""
    if route.answer is not None and shapes.PageInfo in _kinds(route):
        return {route.name: _next_page(route)}
    if route.success != 201 or route.accepts is None or route.many:
        return {}
    return _of_create(route, route.accepts[0], list(table))


def _kinds(route: Route[Any, Any]) -> list[Any]:
    return [field.annotation for field in (route.answer.model_fields.values() if route.answer else ())]


def _next_page(route: Route[Any, Any]) -> dict[str, Any]:
    return {
        "operationId": route.name,
        "description": "the next page",
        "parameters": {**_of_request(route.path), "marker": "$response.body#/page_info/next_marker"},
    }


def _of_create(route: Route[Any, Any], envelope: str, table: list[Route[Any, Any]]) -> dict[str, Any]:
    """Links to all operations whose path has the new id and otherwise only ids of the create's path."""
    pattern = re.compile(re.escape(route.path) + r"/{(\w+)}")
    new = next((match[1] for other in table if (match := pattern.fullmatch(other.path))), None)
    if new is None:
        return {}
    known = _of_request(route.path) | {new: f"$response.body#/{envelope}/id"}
    return {
        other.name: {"operationId": other.name, "parameters": {name: known[name] for name in _names(other.path)}}
        for other in table
        if new in _names(other.path) and set(_names(other.path)) <= set(known)
    }


def _of_request(path: str) -> dict[str, str]:
    return {name: f"$request.path.{name}" for name in _names(path)}


def _names(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)
