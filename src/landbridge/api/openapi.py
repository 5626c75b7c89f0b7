"""The OpenAPI 3.1 document, made of the table of routes and pydantic's schemas."""

import re
from collections.abc import Iterable
from typing import Any

import pydantic
from pydantic.json_schema import models_json_schema

from landbridge import __version__
from landbridge.api import examples, introduction, links
from landbridge.api.routes import TOKEN_LIMIT, Route, no_etag, no_warnings
from landbridge.api.table import PUBLIC
from landbridge.model import allowed_values
from landbridge.wire import body, parameters
from landbridge.wire.errors import ErrorAnswer

_REF = "#/components/schemas/{model}"
_ERRORS = {
    "400": (
        "The request breaks rules; all violations are listed",
        "VPN.0001",
        "invalid request: psk: is mandatory (…)",
    ),
    "401": ("No valid token or signature", "APIGW.0301", "Incorrect IAM authentication information: …"),
    "403": ("The key's role or project does not allow it", "VPN.0003", "Authentication failed: …"),
    "404": ("No such resource in this project", "VPN.0004", "resource not found: …"),
    "408": ("The request was not complete in time", "VPN.0001", "invalid request: it was not complete in time"),
    "412": (
        "If-Match names another version, or the operation compares none",
        "VPN.0001",
        "precondition failed: If-Match is …",
    ),
    "413": ("The body is larger than 1 MiB", "VPN.0001", "invalid request: the body is larger than 1 MiB"),
    "425": ("It is being deleted", "VPN.0009", "VPN connection … is being deleted"),
    "503": ("Nothing was stored; try again", "VPN.0030", "the system is busy, try later: …"),
}
_RETRY_AFTER = {"description": "seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}}
_IF_MATCH = {"type": "string", "examples": ['"1-0c464dad3a3b4d0e"', "*"]}
_CLIENT_TOKEN = {"type": "string", "maxLength": TOKEN_LIMIT}
_DONE = {
    200: "the result",
    201: "stored on disk; the engine applies it afterwards",
    202: "stored on disk; the service carries it out soon",
    204: "done; no content",
}
_HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "as in the service's log", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "the version of what is shown, for If-Match",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
    },
    "Landbridge-Ignored-Fields": {
        "description": "fields and query parameters that the operation does not know, each by its path; absent when there are none",
        "schema": {"type": "string", "maxLength": 1000},
    },
    "Landbridge-Warnings": {
        "description": "what is carried out and should not have been asked; absent when there is nothing",
        "schema": {"type": "string", "maxLength": 1000},
    },
}


def document(table: Iterable[Route[Any, Any]]) -> dict[str, Any]:
    routes = list(table)
    models: list[tuple[type[pydantic.BaseModel], Any]] = [(ErrorAnswer, "validation")]
    models += [(route.answer, "validation") for route in routes if route.answer is not None]
    models += [(route.accepts[1], "validation") for route in routes if route.accepts is not None]
    references, definitions = models_json_schema(models, by_alias=True, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, references, links.find(route, routes)
        )
    for path in PUBLIC:
        paths[path] = {"get": _public(path)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Landbridge",
            "version": __version__,
            "summary": "Site-to-site VPN with the Huawei Cloud VPN v5 API",
            "description": introduction.TEXT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in introduction.CHAPTERS.items()],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "SDK-HMAC-SHA256 with access key and secret key, as the SDKs sign",
                },
            },
        },
        "security": [{"token": []}, {"signature": []}],
    }


def _operation(route: Route[Any, Any], references: dict[Any, Any], follow: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": _DONE[route.success], "headers": _headers(route)}
    if route.answer is not None:
        media = {"schema": references[route.answer, "validation"], **examples.find(route)}
        success["content"] = {"application/json": media}
    if follow:
        success["links"] = follow
    described: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_chapter(route.path)],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(route.success): success, **{status: _error(status) for status in _error_statuses(route)}},
    }
    if route.accepts is not None:
        described["requestBody"] = _request_body(*route.accepts, references, many=route.many)
    return described


def _headers(route: Route[Any, Any]) -> dict[str, Any]:
    """The headers of a success."""
    applies = {
        "ETag": route.etag is not no_etag,
        "Landbridge-Warnings": route.warnings is not no_warnings,
    }
    return {name: header for name, header in _HEADERS.items() if applies.get(name, True)}


def _error_statuses(route: Route[Any, Any]) -> list[str]:
    has_body = route.accepts is not None
    only = {"408": has_body, "412": route.operation.writes, "413": has_body, "425": route.refused_while_deleting}
    return [status for status in _ERRORS if only.get(status, True)]


def _chapter(path: str) -> str:
    """The chapter that shows a path: the path's collection, which is a parameter in the paths of tags."""
    return "Landbridge" if path.startswith("/landbridge/") else path.split("/")[3].replace("{resource_type}", "tags")


def _request_body(envelope: str, shape: type[body.Shape], references: dict[Any, Any], *, many: bool) -> dict[str, Any]:
    """A body without an envelope is its shape itself."""
    inner = references[shape, "validation"]
    inner = (
        {"type": "array", "items": inner, "minItems": allowed_values.BATCH.low, "maxItems": allowed_values.BATCH.high}
        if many
        else inner
    )
    schema = {"type": "object", "properties": {envelope: inner}, "required": [envelope]} if envelope else inner
    examples = {
        name: {"value": _wrapped(envelope, [value] if many else value)} for name, value in shape.examples.items()
    }
    media = {"schema": schema, "examples": examples}
    return {"required": True, "content": {"application/json": media}}


def _wrapped(envelope: str, value: Any) -> Any:
    return {envelope: value} if envelope else value


def _path_parameters(path: str) -> list[dict[str, Any]]:
    named = (parameters.OF_PATHS[name] for name in re.findall(r"{(\w+)}", path))
    return [{**_parameter(parameter), "in": "path", "required": True} for parameter in named]


def _query_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    return [{**_parameter(parameter), "in": "query", "allowEmptyValue": True} for parameter in route.query]


def _parameter(parameter: parameters.Parameter) -> dict[str, Any]:
    return {"name": parameter.name, "description": parameter.description, "schema": dict(parameter.schema)}


def _header_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    if route.compares_versions:
        text = (
            "the ETag of an earlier answer: the operation is refused with 412 when the resource has another version by now."
            " Whatever changes what a GET shows makes another version; the status alone does not"
        )
        return [{"name": "If-Match", "in": "header", "description": text, "schema": _IF_MATCH}]
    if route.success != 201:
        return []
    text = "makes a retry safe: the same token and body within 24 hours give the first answer again"
    return [{"name": "X-Client-Token", "in": "header", "description": text, "schema": _CLIENT_TOKEN}]


def _error(status: str) -> dict[str, Any]:
    description, code, message = _ERRORS[status]
    example = {"error_code": code, "error_msg": message, "request_id": "28b795f8-d431-4f1e-93ab-1c401a82b799"}
    schema = {"$ref": _REF.format(model="ErrorAnswer")}
    return {
        "description": description,
        "headers": {
            "X-Request-Id": _HEADERS["X-Request-Id"],
            **({"Retry-After": _RETRY_AFTER} if status == "503" else {}),
        },
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _public(path: str) -> dict[str, Any]:
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": {"/healthz": "Is the process alive", "/readyz": "Can it serve", "/docs": "These pages"}.get(
            path, "This document"
        ),
        "tags": ["Service"],
        "security": [],
        "responses": _public_answers(path),
    }


def _public_answers(path: str) -> dict[str, Any]:
    kind, shape = ("text/html", "string") if path == "/docs" else ("application/json", "object")
    answer = {"content": {kind: {"schema": {"type": shape}}}}
    answers = {"200": {"description": "yes" if path == "/readyz" else "as asked", **answer}}
    return answers | ({"503": {"description": "no", **answer}} if path == "/readyz" else {})
