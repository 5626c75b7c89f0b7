"""Walks over the routes and the operations' table: nothing is open, nameless or without a role by accident."""

import collections
import inspect
import json
from typing import Any

import pytest
from huaweicloudsdkvpn.v5 import vpn_client
from starlette.routing import Mount, Route

from landbridge import errors
from landbridge.api import routes, table
from landbridge.wire import body, parameters

EXTENSIONS = "/landbridge/v1/"
#: Reads that show who did what, or whether two connections have the same PSK.
OF_ADMINS = {
    "list_audit_events",
    "check_vpn_connection",
    "check_vpn_connection_update",
    "check_vgw",
    "check_vgw_update",
    "check_cgw",
    "check_cgw_update",
}


def _calls(application: Any) -> list[tuple[str, str]]:
    """(method, path) of everything that is routed."""
    found = []
    for route in application.routes:
        if isinstance(route, Mount):
            found.append(("GET", route.path + "/swagger-ui.css"))
        else:
            assert isinstance(route, Route)
            found += [(method, route.path) for method in sorted(route.methods or ())]
    return found


def _is_public(path: str) -> bool:
    return path in table.PUBLIC or path.startswith("/docs/")


def test_every_route_but_the_public_ones_is_401_without_credentials(shared_service: Any):
    api = shared_service.api()
    checked = []
    for method, path in _calls(shared_service.application):
        if not _is_public(path):
            url = path.replace("{project_id}", api.project_id).replace("{", "").replace("}", "")
            answer = api.http.request(method, url)
            assert answer.status_code == 401, (method, path)
            checked.append(path)
    assert {route.path + end for route in table.TABLE for end in ("", "/")} | {"/metrics"} == set(checked)


def test_every_public_route_answers_anybody(shared_service: Any):
    api = shared_service.api()
    checked = set()
    for method, path in _calls(shared_service.application):
        if _is_public(path):
            assert api.http.request(method, path).status_code == 200, (method, path)
            checked.add(path)
    assert set(table.PUBLIC) <= checked


def test_readers_may_read_and_admins_may_write():
    for route in table.TABLE:
        needs_admin = route.operation.writes or route.name in OF_ADMINS
        assert route.operation.role == ("admin" if needs_admin else "reader"), route.name


def test_a_get_reads_and_a_put_or_delete_writes():
    """A POST may read: where it has a body, for what is too long for a path."""
    assert {route.operation.writes for route in table.TABLE if route.method == "GET"} == {False}
    assert {route.operation.writes for route in table.TABLE if route.method in ("PUT", "DELETE")} == {True}
    reading = [route for route in table.TABLE if route.method == "POST" and not route.operation.writes]
    assert [route.name for route in reading if route.accepts is None] == []


def test_no_name_and_no_method_with_its_path_is_there_twice():
    names = [route.name for route in table.TABLE]
    assert sorted(set(names)) == sorted(names)
    places = [(route.method, route.path) for route in table.TABLE]
    assert sorted(set(places)) == sorted(places)


def _sdk_place(name: str) -> str:
    return inspect.getsource(getattr(vpn_client.VpnClient, f"_{name}_http_info"))


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE])
def test_every_operation_is_the_sdks_or_an_extension_of_ours(route: routes.Route[Any, Any]):
    if route.path.startswith(EXTENSIONS):
        assert not hasattr(vpn_client.VpnClient, route.name)
        return
    assert hasattr(vpn_client.VpnClient, route.name)
    source = _sdk_place(route.name)
    assert f'"method": "{route.method}"' in source
    assert f'"resource_path": "{route.path}"' in source


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE])
def test_success_codes_are_those_that_clients_take(route: routes.Route[Any, Any]):
    """201 is for what the operation creates, 202 for an order that no SDK knows. Any other POST with an answer is an action, or reads."""
    creates = route.name.startswith(("create_", "batch_create_"))
    of_post = 204 if route.answer is None else 201 if creates else 202 if route.name == "probe_vpn_connection" else 200
    assert route.success == {"GET": 200, "PUT": 200, "DELETE": 204, "POST": of_post}[route.method]


def _fields(shape: type[body.Shape]) -> set[str]:
    return {field.alias or name for name, field in shape.model_fields.items()}


def _shapes(shape: type[body.Shape] = body.Shape) -> list[type[body.Shape]]:
    return [shape, *(below for each in shape.__subclasses__() for below in _shapes(each))]


FIELDS = set().union(*map(_fields, _shapes()))


@pytest.mark.parametrize(
    "route", [pytest.param(route, id=route.name) for route in table.TABLE if route.accepts is not None]
)
def test_a_body_is_parsed_by_the_shape_that_the_document_shows(route: routes.Route[Any, Any]):
    """The body has the fields of all shapes. A number with a fraction is wrong in every field that the parser knows. A strict shape also
    refuses the other fields.
    """
    envelope, shape = route.accepts or ("", body.Shape)
    sent: Any = dict.fromkeys(FIELDS, 1.5)
    sent = [sent] if route.many else sent
    content = json.dumps({envelope: sent} if envelope else sent).encode()
    incoming = routes.Incoming(
        path=collections.defaultdict(str), query=parameters.read(route.query, {}), content=content
    )
    try:
        parsed = route.parse(incoming)
        wrong = parsed.value.items[0].violations if route.many else parsed.violations
    except errors.Invalid as refused:
        wrong = refused.violations
    is_strict = shape.model_config.get("extra") == "forbid"
    assert {violation.field for violation in wrong} == (FIELDS if is_strict else _fields(shape))
