"""Walks over the routes and the operations' table: nothing is open, nameless or without a role by accident."""

import inspect
from typing import Any

import pytest
from huaweicloudsdkvpn.v5 import vpn_client
from starlette.routing import Mount, Route

from landbridge.api import routes, table
from landbridge.operations import call

EXTENSIONS = "/landbridge/v1/"
#: They change nothing: what they look for is too long for a path.
READING_POSTS = {"list_resources_by_tags", "count_resources_by_tags", "export_vpn_connection_peer_configuration"}
#: They make nothing: the document has 200 for them.
ACTIONS = {
    "reset_vpn_connection",
    "print_peer_configuration",
    "update_postpaid_vgw_specification",
    "upgrade_vpn_gateway",
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
    assert {route.path + end for route in table.TABLE for end in ("", "/")} == set(checked)


def test_every_public_route_answers_anybody(shared_service: Any):
    api = shared_service.api()
    checked = set()
    for method, path in _calls(shared_service.application):
        if _is_public(path):
            assert api.http.request(method, path).status_code == 200, (method, path)
            checked.add(path)
    assert set(table.PUBLIC) <= checked


def test_every_operation_has_a_role():
    assert {route.name for route in table.TABLE if route.run not in call.NEEDS} == set()


def test_only_reads_are_open_to_readers():
    needed = {(_reads(route), call.NEEDS[route.run].role) for route in table.TABLE}
    assert needed == {(True, "reader"), (False, "admin")}


def test_what_is_not_a_get_writes_and_a_get_does_not():
    transacts = {(_reads(route), call.NEEDS[route.run].transacts.endswith("read")) for route in table.TABLE}
    assert transacts == {(True, True), (False, False)}


def _reads(route: routes.Route) -> bool:
    return route.method == "GET" or route.name in READING_POSTS


def test_no_name_and_no_method_with_its_path_is_there_twice():
    names = [route.name for route in table.TABLE]
    assert sorted(set(names)) == sorted(names)
    places = [(route.method, route.path) for route in table.TABLE]
    assert sorted(set(places)) == sorted(places)


def _sdk_place(name: str) -> str:
    return inspect.getsource(getattr(vpn_client.VpnClient, f"_{name}_http_info"))


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE])
def test_every_operation_is_the_sdks_or_an_extension_of_ours(route: routes.Route):
    if route.path.startswith(EXTENSIONS):
        assert not hasattr(vpn_client.VpnClient, route.name)
        return
    assert hasattr(vpn_client.VpnClient, route.name)
    source = _sdk_place(route.name)
    assert f'"method": "{route.method}"' in source
    assert f'"resource_path": "{route.path}"' in source


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE])
def test_success_codes_are_those_that_clients_take(route: routes.Route):
    expected = {"GET": 200, "PUT": 200, "DELETE": 204, "POST": 204 if route.answer is None else 201}
    assert route.success == (200 if _reads(route) or route.name in ACTIONS else expected[route.method])
