"""What a hostile caller tried once: small requests that cost much, and requests that are more than one."""

import re
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from landbridge.api import table


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("vpn-connection", b'{"vpn_connection":{"tags":[' + b'{"key":1},' * 20000 + b"{}]}}", id="tags"),
        pytest.param(
            "vpn-connection",
            b'{"vpn_connection":{' + b",".join(b'"k%d":0' % n for n in range(60000)) + b',"k59999":1}}',
            id="duplicate-key",
        ),
        pytest.param(
            "vpn-gateways",
            b'{"vpn_gateway":{"availability_zone_ids":[' + b",".join(b'"z%d"' % n for n in range(60000)) + b"]}}",
            id="zones",
        ),
        pytest.param(
            "vpn-connection",
            b'{"vpn_connection":{"peer_subnets":[' + b",".join(b'"x%d"' % n for n in range(60000)) + b"]}}",
            id="subnets",
        ),
    ],
)
def test_a_large_wrong_body_is_refused_in_few_words(api: Any, path: str, content: bytes):
    answer = api.send("POST", path, content=content)
    assert answer.status_code == 400
    assert len(answer.content) < 60000


def _full(before: bytes, entry: bytes, after: bytes) -> bytes:
    """A body of 1 MiB."""
    return before + b",".join([entry] * (((1 << 20) - len(before + after)) // (len(entry) + 1))) + after


@pytest.mark.parametrize(
    ("method", "path", "content", "field"),
    [
        pytest.param("POST", "{t}/count", _full(b'{"tags":[', b"1", b"]}"), "tags", id="tags"),
        pytest.param("POST", "{t}/count", _full(b'{"tags":[', b"{}", b"]}"), "body", id="empty-tags"),
        pytest.param("POST", "{t}/filter", _full(b'{"matches":[', b"1", b"]}"), "matches", id="matches"),
        pytest.param(
            "POST",
            "{t}/filter",
            _full(b'{"tags":[{"key":"a","values":[', b"1", b"]}]}"),
            "tags[0].values",
            id="values-of-a-tag",
        ),
        pytest.param(
            "PUT", "{c}", _full(b'{"vpn_connection":{"peer_subnets":[', b"1", b"]}}"), "peer_subnets", id="subnets"
        ),
        pytest.param("PUT", "{c}", _full(b'{"vpn_connection":{"policy_rules":[', b"{}", b"]}}"), "body", id="rules"),
        pytest.param(
            "PUT",
            "{c}",
            _full(
                b'{"vpn_connection":{"policy_rules":[', b'{"destination":[' + b",".join([b"1"] * 600) + b"]}", b"]}}"
            ),
            "policy_rules[0].destination",
            id="destinations-of-many-rules",
        ),
        pytest.param("PUT", "{c}", _full(b'{"vpn_connection":{"more":[', b"1", b"]}}"), "more", id="unknown"),
        pytest.param(
            "POST",
            "vpn-gateways",
            _full(b'{"vpn_gateway":{"local_subnets":[', b"1", b"]}}"),
            "local_subnets",
            id="gateway",
        ),
        pytest.param(
            "POST",
            "vpn-connections/batch-create",
            _full(b'{"vpn_connections":[{},{"tags":[', b"1", b"]}]}"),
            "vpn_connections[1].tags",
            id="batch",
        ),
    ],
)
def test_a_body_full_of_entries_is_refused_before_each_is_judged(
    api: Any, method: str, path: str, content: bytes, field: str
):
    connection = f"vpn-connection/{api.connection(api.gateway())['id']}" if "{c}" in path else ""
    answer = api.send(method, path.format(t="vpn-connection/resource-instances", c=connection), content=content)
    assert answer.status_code == 400
    said = {each["field"]: each["message"] for each in answer.json()["details"]}
    assert "(wanted: at most " in said[field]
    assert not any(each.startswith(f"{field}[") for each in said)


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param("", id="none"),
        pytest.param("X-Auth-Token: guessed\r\n", id="unknown-token"),
        pytest.param(
            f"Authorization: SDK-HMAC-SHA256 Access=NOBODY, SignedHeaders=host, Signature={'0' * 64}\r\nX-Sdk-Date: {{date}}\r\n",
            id="unknown-key",
        ),
        pytest.param(
            "Authorization: SDK-HMAC-SHA256 Access={access_key}, SignedHeaders=host, Signature="
            + "0" * 64
            + "\r\nX-Sdk-Date: 20200101T000000Z\r\n",
            id="old-date",
        ),
    ],
)
def test_nobodys_body_is_waited_for(server: Any, credentials: str):
    where, project = urlsplit(server.credentials["endpoint"]), server.credentials["project_id"]
    head = f"POST /v5/{project}/vpn-connection HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n{credentials}\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=60) as wire:
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        wire.sendall(head.replace("{access_key}", server.credentials["access_key"]).replace("{date}", now).encode())
        assert wire.recv(65536).startswith(b"HTTP/1.1 401")


def test_what_comes_of_a_refused_body_is_not_taken_for_a_request(server: Any):
    where, project = urlsplit(server.credentials["endpoint"]), server.credentials["project_id"]
    hidden = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    head = f"POST /v5/{project}/vpn-connection HTTP/1.1\r\nHost: a\r\nContent-Length: {len(hidden)}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=60) as wire:
        wire.sendall(head.encode())
        assert wire.recv(65536).startswith(b"HTTP/1.1 401")
        wire.sendall(hidden + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while more := wire.recv(65536):
            received += more
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "keep-alive"])
def test_a_request_that_offers_an_upgrade_is_served_without_it(server: Any, connection: str):
    """As curl --http2 and Java's HttpClient send it (RFC 9110, section 7.8)."""
    endpoint = server.credentials["endpoint"]
    offered = {"Connection": connection, "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    assert httpx.get(endpoint + "/healthz", headers=offered).json() == {"status": "ok"}
    path = f"/v5/{server.credentials['project_id']}/customer-gateways"
    offered["X-Auth-Token"] = server.credentials["token"]
    answer = httpx.post(endpoint + path, headers=offered, json={"customer_gateway": {"id_value": "198.51.100.78"}})
    assert answer.status_code == 201


def test_the_body_of_a_request_for_an_upgrade_is_no_request(server: Any):
    where = urlsplit(server.credentials["endpoint"])
    hidden = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /v5/x/vpn-connection HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=60) as wire:
        wire.sendall(head % len(hidden) + hidden + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b""
        while more := wire.recv(65536):
            received += more
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"401", b"200"]
    assert received.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("path", ["vpn-connection//", "vpn-connections/", "//vpn-connection"])
def test_no_redirect_leads_elsewhere(api: Any, path: str):
    answer = api.send("POST", path, {})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
    assert answer.json()["error_msg"].endswith("GET /docs lists what there is")


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE])
def test_a_trailing_slash_changes_nothing(api: Any, route: Any):
    path = re.sub("{.+?}", "vpn-connection", route.path.replace("{project_id}", api.project_id))
    plain, slashed = (
        api.send(route.method, each, None if route.method in {"GET", "DELETE"} else {}) for each in (path, path + "/")
    )
    assert plain.status_code == slashed.status_code
    assert plain.json() | {"request_id": ""} == slashed.json() | {"request_id": ""}


def test_an_unknown_field_of_control_characters_is_answered(api: Any):
    for code in range(128):
        body = {"customer_gateway": {"id_value": "198.51.100.77"}, f"a{chr(code)}b": 1}
        assert api.send("POST", "customer-gateways", body).status_code == 201


def test_markers_are_sealed_and_belong_to_their_project(api: Any, shared_service: Any):
    for _ in range(3):
        api.customer_gateway()
    marker = api.get("customer-gateways?limit=2")["page_info"]["next_marker"]
    assert len(api.get(f"customer-gateways?limit=2&marker={marker}")["customer_gateways"]) == 1
    for wrong in ("41", "abc", marker[:-4], marker + "AAAA"):
        assert api.send("GET", f"customer-gateways?marker={wrong}").status_code == 400
    stranger = shared_service.api()
    assert stranger.send("GET", f"customer-gateways?marker={marker}").status_code == 400


def test_a_marker_is_of_use_to_its_own_list_alone(api: Any):
    gateway = api.gateway()
    for _ in range(2):
        api.connection(gateway)
    lists = ["customer-gateways", "vpn-connection"]
    for one, other in (lists, lists[::-1]):
        marker = api.get(f"{one}?limit=1")["page_info"]["next_marker"]
        for path in (other, f"vpn-gateways/{gateway['id']}/routing-table"):
            answer = api.send("GET", f"{path}?marker={marker}")
            assert [detail["field"] for detail in answer.json()["details"]] == ["marker"]


def test_a_marker_of_a_routing_table_is_its_gateways_own(api: Any):
    one, other = api.gateway(), api.gateway()
    for gateway in (one, other):
        for _ in range(2):
            api.connection_as(api.connection(gateway)["id"], "ACTIVE")
    tables = [f"vpn-gateways/{gateway['id']}/routing-table" for gateway in (one, other)]
    marker = api.get(f"{tables[0]}?limit=1")["page_info"]["next_marker"]
    assert api.send("GET", f"{tables[0]}?marker={marker}").status_code == 200
    assert api.send("GET", f"{tables[1]}?marker={marker}").status_code == 400


def test_the_list_of_gateways_keeps_its_filters(api: Any):
    one, other = api.gateway(), api.gateway(enterprise_project_id="0d1f4a9e-6b1c-4f57-9d50-0a6f5d1f2f11")
    third = api.gateway(enterprise_project_id="a2b7c3d4-6b1c-4f57-9d50-0a6f5d1f2f11")
    two = f"enterprise_project_id={third['enterprise_project_id']}&enterprise_project_id=0"
    assert [g["id"] for g in api.get(f"vpn-gateways?{two}")["vpn_gateways"]] == [one["id"], third["id"]]
    assert len(api.get("vpn-gateways?enterprise_project_id=")["vpn_gateways"]) == 3
    assert [g["id"] for g in api.get(f"vpn-gateways?vgw_id={one['id']}")["vpn_gateways"]] == [one["id"]]
    found = api.get("vpn-gateways?enterprise_project_id=0d1f4a9e-6b1c-4f57-9d50-0a6f5d1f2f11")["vpn_gateways"]
    assert [g["id"] for g in found] == [other["id"]]
    assert api.send("GET", "vpn-gateways?vgw_id=foo").status_code == 400


def test_a_device_at_an_endpoint_of_the_gateway_itself_is_refused(api: Any):
    gateway = api.gateway()
    peer = api.customer_gateway(id_value=gateway["eip2"]["ip_address"])
    assert "itself" in api.refused("vpn-connection", "vpn_connection", api.connection_body(gateway, peer))["cgw_id"]
