"""What a hostile caller tried once: small requests that cost much, and requests that are more than one."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest


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
def test_a_large_wrong_body_is_refused_at_once_and_in_few_words(api: Any, path: str, content: bytes):
    started = time.monotonic()
    answer = api.send("POST", path, content=content)
    assert answer.status_code == 400
    assert time.monotonic() - started < 5
    assert len(answer.content) < 60000


def test_a_request_for_an_upgrade_is_one_request(server: Any):
    where = urlsplit(server.credentials["endpoint"])
    hidden = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /v5/x/vpn-connection HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=10) as wire:
        wire.sendall(head % len(hidden))
        first = wire.recv(65536)
        received = b""
        try:
            wire.sendall(hidden)
            while more := wire.recv(65536):
                received += more
        except ConnectionError:
            pass
    assert first.startswith(b"HTTP/1.1 400")
    assert (first + received).count(b"HTTP/1.1 ") == 1


def test_no_redirect_leads_elsewhere(api: Any):
    answer = api.send("POST", "vpn-connection/", {})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")


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


def test_the_list_of_gateways_keeps_its_filters(api: Any):
    one, other = api.gateway(), api.gateway(enterprise_project_id="0d1f4a9e-6b1c-4f57-9d50-0a6f5d1f2f11")
    assert [g["id"] for g in api.get(f"vpn-gateways?vgw_id={one['id']}")["vpn_gateways"]] == [one["id"]]
    found = api.get("vpn-gateways?enterprise_project_id=0d1f4a9e-6b1c-4f57-9d50-0a6f5d1f2f11")["vpn_gateways"]
    assert [g["id"] for g in found] == [other["id"]]
    assert api.send("GET", "vpn-gateways?vgw_id=foo").status_code == 400


def test_a_device_at_an_endpoint_of_the_gateway_itself_is_refused(api: Any):
    gateway = api.gateway()
    peer = api.customer_gateway(id_value=gateway["eip2"]["ip_address"])
    assert "itself" in api.refused("vpn-connection", "vpn_connection", api.wish(gateway, peer))["cgw_id"]
