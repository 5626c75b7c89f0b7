"""The document, the pages made from it, and the answers held against it; health; errors outside the table."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from landbridge.api import table
from landbridge.model import allowed_values

PATH = "vpn-connection"
CA = (Path(__file__).parents[1] / "rules" / "certificates" / "sm2-ca.pem").read_text()


@pytest.fixture(scope="module")
def ours(shared_service: Any) -> Any:
    return shared_service.api()


@pytest.fixture(scope="module")
def document(ours: Any) -> Any:
    return ours.get("/openapi.json")


def _closed(schemas: Any) -> Any:
    """The schemas with no room for fields that they do not name."""
    closed = copy.deepcopy(schemas)
    for schema in closed.values():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    return closed


def _check(document: Any, schema: Any, value: Any, *, closed: bool = True) -> None:
    schemas = document["components"]["schemas"]
    whole = {"components": {"schemas": _closed(schemas) if closed else schemas}, **schema}
    jsonschema.Draft202012Validator(whole).validate(value)


def _answer_schema(document: Any, name: str, status: int) -> Any:
    for methods in document["paths"].values():
        for described in methods.values():
            if described["operationId"] == name:
                return described["responses"][str(status)]["content"]["application/json"]["schema"]
    raise AssertionError(name)


def test_the_document_is_valid_openapi_3_1(document: Any):
    assert document["openapi"] == "3.1.0"
    openapi_spec_validator.validate(document)


def test_the_document_has_every_operation_and_every_public_path(document: Any):
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    public = {("GET", path) for path in table.PUBLIC}
    assert described == {(route.method, route.path) for route in table.TABLE} | public


def test_every_operation_tells_its_errors_and_fields_their_meaning(document: Any):
    for route in table.TABLE:
        described = document["paths"][route.path][route.method.lower()]
        assert described["summary"]
        assert {"400", "401", "403", "404", "503"} <= set(described["responses"])
    for name in ("CreateConnection", "CreateGateway", "CreateCustomerGateway"):
        fields = document["components"]["schemas"][name]["properties"]
        telling = {"description", "enum", "pattern", "anyOf"}
        assert [field for field, schema in fields.items() if not telling & set(schema)] == []


BODIES = {route.name for route in table.TABLE if route.accepts is not None}
WRITES = {route.name for route in table.TABLE if route.operation.writes}


@pytest.mark.parametrize(("status", "names"), [("408", BODIES), ("412", WRITES), ("413", BODIES)])
def test_an_error_is_told_where_it_is_met_and_nowhere_else(document: Any, status: str, names: set[str]):
    assert _told(document, status) == names


def _told(document: Any, status: str) -> set[str]:
    """The operations that the document gives this status."""
    return {d["operationId"] for of in document["paths"].values() for d in of.values() if status in d["responses"]}


def test_if_match_is_told_where_versions_are_compared(document: Any):
    told = {
        described["operationId"]
        for methods in document["paths"].values()
        for described in methods.values()
        if "If-Match" in {parameter["name"] for parameter in described.get("parameters", ())}
    }
    assert told == {route.name for route in table.TABLE if route.compares_versions}
    assert {route.name for route in table.TABLE if route.method == "PUT"} <= told


def test_a_change_of_what_is_being_deleted_is_425_and_the_document_names_every_such_operation(
    service: Any, document: Any
):
    """Without its agent nothing that is being deleted ever goes."""
    api = service.api()
    gateway, deleting = api.gateway(), api.gateway(flavor="GM")
    connection = api.connection(gateway)
    service.agent.stop()
    api.delete(f"{PATH}/{connection['id']}")
    api.delete(f"vpn-gateways/{deleting['id']}")
    ids = {
        "project_id": api.project_id,
        "vgw_id": deleting["id"],
        "vpn_connection_id": connection["id"],
        "certificate_id": "x",
        "resource_type": "vpn-gateway",
        "resource_id": deleting["id"],
    }
    refused = set()
    for route in table.TABLE:
        if route.method in ("GET", "DELETE") or set(re.findall(r"{(\w+)}", route.path)) - set(ids):
            continue
        envelope = route.accepts[0] if route.accepts else ""
        answer = api.send(route.method, route.path.format(**ids), {envelope: {}} if envelope else {})
        refused |= {route.name} if answer.status_code == 425 else set()
    assert refused == _told(document, "425") != set()


def test_only_public_paths_are_described_as_open(document: Any):
    opened = {p for p, methods in document["paths"].items() for m in methods.values() if m.get("security") == []}
    assert opened == set(table.PUBLIC)
    assert document["security"]


def _bodies() -> list[Any]:
    return [pytest.param(route, id=route.name) for route in table.TABLE if route.accepts is not None]


def _media(document: Any, route: Any) -> Any:
    return document["paths"][route.path][route.method.lower()]["requestBody"]["content"]["application/json"]


@pytest.mark.parametrize("route", _bodies())
def test_the_examples_of_a_request_fit_its_schema(document: Any, route: Any):
    media = _media(document, route)
    assert media["examples"]
    for example in media["examples"].values():
        _check(document, media["schema"], example["value"])


@pytest.mark.parametrize(
    "route", [pytest.param(route, id=route.name) for route in table.TABLE if route.answer is not None]
)
def test_the_example_of_an_answer_fits_its_schema(document: Any, route: Any):
    success = document["paths"][route.path][route.method.lower()]["responses"][str(route.success)]
    media = success["content"]["application/json"]
    assert media["example"]
    _check(document, media["schema"], media["example"])


def _there(ours: Any, example: str) -> str:
    """The example with ids of what is there, and with certificates that are some."""
    gateway, peer = ours.gateway(), ours.customer_gateway()
    names = {
        "b32d91a4-0c4b-4f57-8f3a-e907174eb11d": gateway["id"],
        "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde": gateway["eip1"]["id"],
        "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d": peer["id"],
    }
    if "vpn_connection_id" in example:
        names["98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"] = ours.connection(gateway, peer)["id"]
    for name, there in names.items():
        example = example.replace(name, there)
    return example


@pytest.mark.parametrize(
    "route", [case for case in _bodies() if case.values[0].success == 201 and "{vgw_id}" not in case.values[0].path]
)
def test_the_service_takes_the_examples_of_each_create(ours: Any, document: Any, route: Any):
    path = route.path.replace("{project_id}", ours.project_id)
    for name, example in _media(document, route)["examples"].items():
        sent = json.loads(_there(ours, json.dumps(example["value"])))
        answer = ours.send("POST", path, sent)
        assert answer.status_code == 201, (name, answer.text)
        assert "Landbridge-Ignored-Fields" not in answer.headers


def test_the_answer_to_too_many_requests_says_how_long_to_wait(document: Any):
    for route in table.TABLE:
        told = document["paths"][route.path][route.method.lower()]["responses"]["503"]
        assert set(told["headers"]) == {"X-Request-Id", "Retry-After"}


def test_a_create_leads_to_all_that_its_id_is_good_for(document: Any):
    made = document["paths"]["/v5/{project_id}/customer-gateways"]["post"]["responses"]["201"]["links"]
    ends = {"project_id": "$request.path.project_id", "customer_gateway_id": "$response.body#/customer_gateway/id"}
    names = ("show_cgw", "update_cgw", "check_cgw_update", "delete_cgw")
    assert made == {name: {"operationId": name, "parameters": ends} for name in names}


@pytest.mark.parametrize(
    "route", [pytest.param(route, id=route.name) for route in table.TABLE if route.success == 201 and not route.many]
)
def test_every_create_has_links(document: Any, route: Any):
    links = document["paths"][route.path]["post"]["responses"]["201"]["links"]
    of = {each.name: each for each in table.TABLE}
    for name, link in links.items():
        assert set(link["parameters"]) == set(re.findall(r"{(\w+)}", of[name].path))


@pytest.mark.parametrize("path", ["vpn-connection", "customer-gateways", "vpn-gateways/{vgw_id}/routing-table"])
def test_a_page_leads_to_the_next_one(document: Any, path: str):
    described = document["paths"][f"/v5/{{project_id}}/{path}"]["get"]
    (link,) = described["responses"]["200"]["links"].values()
    assert link["operationId"] == described["operationId"]
    assert link["parameters"]["marker"] == "$response.body#/page_info/next_marker"


def test_the_headers_of_an_answer_are_those_that_are_told(ours: Any, document: Any):
    weak = {"ikepolicy": {"dh_group": "group2"}, "unknown": 1}
    wish = {"vpn_connection": ours.connection_body(ours.gateway(), ours.customer_gateway(), **weak)}
    answer = ours.send("POST", PATH, wish)
    told = document["paths"][f"/v5/{{project_id}}/{PATH}"]["post"]["responses"]["201"]["headers"]
    ours_alone = {name for name in told if name.lower() in answer.headers}
    assert ours_alone == set(told) == {"X-Request-Id", "Landbridge-Ignored-Fields", "Landbridge-Warnings"}
    shown = ours.send("GET", f"{PATH}/{answer.json()['vpn_connection']['id']}")
    told = document["paths"][f"/v5/{{project_id}}/{PATH}/{{vpn_connection_id}}"]["get"]["responses"]["200"]["headers"]
    assert re.fullmatch(told["ETag"]["schema"]["pattern"], shown.headers["ETag"])


def test_the_pages_begin_with_keys_and_the_order_of_calls(document: Any):
    chapters = re.findall(r"^## (.+)$", document["info"]["description"], re.MULTILINE)
    assert chapters == ["Keys", "The first tunnel", "Waiting", "Lists", "Errors", "Retries"]
    used = {tag for of in document["paths"].values() for described in of.values() for tag in described["tags"]}
    assert {tag["name"] for tag in document["tags"]} == used
    named = set(re.findall(r"(?:GET|POST)` ?\$?P?(/[a-z-]+)", document["info"]["description"]))
    assert all(any(name in path for path in document["paths"]) for name in named)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="static"),
        pytest.param({"style": "policy"}, id="policy"),
        pytest.param({"style": "bgp"}, id="bgp"),
        pytest.param({"style": "policy-template"}, id="policy-template"),
        pytest.param({"ikepolicy": {"ike_version": "v1"}, "enable_hub": True, "enable_health_check": True}, id="v1"),
        pytest.param({"tags": [{"key": "k", "value": ""}]}, id="tags"),
    ],
)
def test_answers_of_connections_fit_the_document(ours: Any, document: Any, fields: Any):
    body = {"vpn_connection": ours.connection_body(ours.gateway(), ours.customer_gateway(), **fields)}
    made = ours.send("POST", PATH, body).json()
    _check(document, _answer_schema(document, "create_vpn_connection", 201), made)
    connection_id = made["vpn_connection"]["id"]
    for state in ("active", "down:psk", "error"):
        ours.simulate(connection_id, state)
        wanted = {"active": "ACTIVE", "down:psk": "DOWN", "error": "ERROR"}[state]
        ours.connection_as(connection_id, wanted)
        shown, listed = ours.get(f"{PATH}/{connection_id}"), ours.get(PATH)
        _check(document, _answer_schema(document, "show_vpn_connection", 200), shown)
        _check(document, _answer_schema(document, "list_vpn_connections", 200), listed)
        said = ours.get(f"/landbridge/v1/{ours.project_id}/vpn-connections/{connection_id}/diagnosis")
        _check(document, _answer_schema(document, "diagnose_vpn_connection", 200), said)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="public"),
        pytest.param({"network_type": "private"}, id="private"),
        pytest.param(
            {"attachment_type": "er", "er_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": None}, id="er"
        ),
        pytest.param({"tags": [{"key": "k", "value": "v"}], "ha_mode": "active-standby"}, id="tags"),
    ],
)
def test_answers_of_gateways_fit_the_document(ours: Any, document: Any, fields: Any):
    body = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]} | fields
    sent = {"vpn_gateway": {name: value for name, value in body.items() if value is not None}}
    made = ours.send("POST", "vpn-gateways", sent)
    assert made.status_code == 201, made.text
    _check(document, _answer_schema(document, "create_vgw", 201), made.json())
    shown = ours.get(f"vpn-gateways/{made.json()['vpn_gateway']['id']}")
    _check(document, _answer_schema(document, "show_vgw", 200), shown)
    _check(document, _answer_schema(document, "list_vgws", 200), ours.get("vpn-gateways"))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="address"),
        pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, id="fqdn"),
        pytest.param({"id_value": None, "ip": "198.51.100.4", "route_mode": "static", "bgp_asn": 65000}, id="older"),
    ],
)
def test_answers_of_customer_gateways_fit_the_document(ours: Any, document: Any, fields: Any):
    made = ours.customer_gateway(**fields)
    answer = {"customer_gateway": made, "request_id": "r"}
    _check(document, _answer_schema(document, "create_cgw", 201), answer)
    shown, listed = ours.get(f"customer-gateways/{made['id']}"), ours.get("customer-gateways")
    _check(document, _answer_schema(document, "show_cgw", 200), shown)
    _check(document, _answer_schema(document, "list_cgws", 200), listed)


def test_errors_fit_the_document(ours: Any, document: Any):
    schema = {"$ref": "#/components/schemas/ErrorAnswer"}
    for answer in (
        ours.send("POST", PATH, {"vpn_connection": {}}),
        ours.send("POST", PATH, content=b"{"),
        ours.send("GET", f"{PATH}/x"),
        ours.send("GET", "nowhere"),
        ours.send("PUT", PATH),
        ours.send("GET", f"/v5/{'0' * 32}/{PATH}"),
        ours.http.request("GET", f"/v5/{ours.project_id}/{PATH}"),
    ):
        assert answer.status_code >= 400
        assert answer.headers["content-type"].startswith("application/json")
        _check(document, schema, answer.json())
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


# -- fields -----------------------------------------------------------------------------------------------------------


def test_the_flavors_of_the_document_are_those_of_the_rules(document: Any):
    listed = document["components"]["schemas"]["CreateGateway"]["properties"]["flavor"]["enum"]
    assert [flavor for flavor in listed if flavor is not None] == list(allowed_values.FLAVORS)


@pytest.mark.parametrize(
    "name", sorted(route.accepts[1].__name__ for route in table.TABLE if route.method == "PUT" and route.accepts)
)
def test_nothing_is_mandatory_in_an_update_and_nothing_has_a_default(document: Any, name: str):
    shapes = [name, *re.findall(r"schemas/(\w+)", str(document["components"]["schemas"][name]))]
    told = [document["components"]["schemas"][shape] for shape in shapes if shape not in WHOLE]
    assert [shape.get("required") for shape in told if shape.get("required")] == []
    assert [field for shape in told for field in shape["properties"].values() if "default" in str(field)] == []


#: Items of lists, which an update replaces.
WHOLE = {"PolicyRuleShape", "TagShape"}


def test_what_every_create_needs_is_said(document: Any):
    schemas = document["components"]["schemas"]
    assert schemas["CreateConnection"]["required"] == ["vgw_id", "vgw_ip", "cgw_id"]
    assert schemas["CreateConnection"]["properties"]["style"]["default"] == "static"
    assert schemas["TagShape"]["required"] == ["key", "value"]


def test_answers_about_monitors_tags_quotas_and_certificates_fit_the_document(ours: Any, document: Any):
    tags = [{"key": "k", "value": "v"}]
    peer = ours.customer_gateway(ca_certificate={"content": CA}, tags=tags)
    connection = ours.connection(ours.gateway(), peer)
    wish = {"connection_monitor": {"vpn_connection_id": connection["id"]}}
    made = ours.send("POST", "connection-monitors", wish).json()
    monitor = f"connection-monitors/{made['connection_monitor']['id']}"
    named = {"customer_gateway": {"name": "other"}}
    answers = {
        ("create_connection_monitor", 201): made,
        ("show_connection_monitor", 200): ours.get(monitor),
        ("list_connection_monitors", 200): ours.get("connection-monitors"),
        ("show_cgw", 200): ours.get(f"customer-gateways/{peer['id']}"),
        ("update_cgw", 200): ours.send("PUT", f"customer-gateways/{peer['id']}", named).json(),
        ("show_resource_tags", 200): ours.get(f"customer-gateway/{peer['id']}/tags"),
        ("list_project_tags", 200): ours.get("customer-gateway/tags"),
        ("list_resources_by_tags", 200): ours.send("POST", "customer-gateway/resource-instances/filter", {}).json(),
        ("count_resources_by_tags", 200): ours.send("POST", "customer-gateway/resource-instances/count", {}).json(),
        ("show_quotas_info", 200): ours.get("vpn/quotas"),
    }
    for (name, status), answer in answers.items():
        _check(document, _answer_schema(document, name, status), answer)


# -- pages and health -------------------------------------------------------------------------------------------------


def test_the_pages_need_no_other_machine(ours: Any):
    page = ours.http.request("GET", "/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    places = re.findall(r'(?:src|href|url: )=?"([^"]+)"', page.text)
    assert "/openapi.json" in places
    assert len(places) >= 3
    for place in places:
        assert place.startswith("/")
        assert not place.startswith("//")
        assert ours.http.request("GET", place).status_code == 200
    assert "://" not in page.text


@pytest.mark.parametrize("path", ["/docs/assets/../../../etc/passwd", "/docs/assets/..%2f..%2fapp.py", "/docs/assets/"])
def test_the_pages_serve_nothing_but_their_assets(ours: Any, path: str):
    assert ours.http.request("GET", path).status_code == 404


def test_healthz_and_readyz_answer_anybody(ours: Any):
    assert ours.http.request("GET", "/healthz").json() == {"status": "ok"}
    ready = ours.http.request("GET", "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


@pytest.mark.parametrize(
    "path", ["/", "/v5", "/v5/p", "/v5/p/nowhere", "/v4/p/vpn-connection", "/v5/p/vpn-connection/a/b", "/%2e%2e/x"]
)
def test_an_unknown_path_is_404_in_the_apis_body(ours: Any, path: str):
    answer = ours.send("GET", path)
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "APIGW.0101"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("PATCH", PATH), ("DELETE", PATH), ("POST", f"{PATH}/x")])
def test_a_wrong_method_is_405_in_the_apis_body(ours: Any, method: str, path: str):
    answer = ours.send(method, path)
    assert answer.status_code == 405
    assert answer.json()["error_code"] == "APIGW.0106"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_a_wrong_method_is_told_all_that_are_allowed(ours: Any):
    allowed = set(ours.send("PUT", PATH).headers["Allow"].replace(" ", "").split(","))
    assert {"GET", "POST"} <= allowed
