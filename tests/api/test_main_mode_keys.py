"""Pre-shared keys of IKEv1 main mode: the gateway picks them by the addresses, before a device says who it is."""

from typing import Any

import pytest

KEY, OTHER = "Correct-Horse-7", "Other-Horse-8"
MAIN = {"ike_version": "v1"}
AGGRESSIVE = {"ike_version": "v1", "phase1_negotiation_mode": "aggressive"}
V2 = {"ike_version": "v2"}


def _device(api: Any, name: str, address: str | None = None) -> Any:
    if address is None:
        return api.customer_gateway(id_type="fqdn", id_value=name)
    return api.customer_gateway(id_value=address)


def _wish(api: Any, gateway: Any, device: Any, ike: Any, psk: str, **fields: Any) -> Any:
    named = ike | {"peer_id_type": "fqdn", "peer_id": device["name"]} if device["id_type"] == "ip" else ike
    return api.connection_body(gateway, device, ikepolicy=named, psk=psk, **fields)


def _refused(answer: Any, other: str) -> None:
    assert answer.status_code == 400, answer.text
    (detail,) = answer.json()["details"]
    assert detail["field"].endswith("psk")
    assert f"connection {other} has another PSK" in detail["message"]
    assert "(wanted: ike_version v2, phase1_negotiation_mode aggressive, or the PSK of connection" in detail["message"]
    assert KEY not in answer.text
    assert OTHER not in answer.text


@pytest.mark.parametrize("address", [None, "198.18.250.30"], ids=["no-address", "one-address"])
def test_a_second_key_for_one_address_is_refused(api: Any, address: str | None):
    gateway = api.gateway()
    devices = [_device(api, name, address) for name in ("one", "two")]
    first = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, devices[0], MAIN, KEY))
    wish = _wish(api, gateway, devices[1], MAIN, OTHER)
    _refused(api.send("POST", "vpn-connection", {"vpn_connection": wish}), first["id"])
    batch = api.send("POST", "vpn-connections/batch-create", {"vpn_connections": [wish]})
    _refused(batch, first["id"])
    assert api.send("POST", "vpn-connection", {"vpn_connection": wish | {"psk": KEY}}).status_code == 201


def test_policy_templates_of_an_endpoint_have_one_key_whatever_address_their_devices_have(api: Any):
    gateway, style = api.gateway(), {"style": "policy-template"}
    devices = [_device(api, name, f"198.18.250.4{number}") for number, name in enumerate(("one", "two"))]
    first = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, devices[0], MAIN, KEY, **style))
    wish = _wish(api, gateway, devices[1], MAIN, OTHER, **style)
    _refused(api.send("POST", "vpn-connection", {"vpn_connection": wish}), first["id"])
    assert api.send("POST", "vpn-connection", {"vpn_connection": wish | {"psk": KEY}}).status_code == 201


def test_two_keys_in_one_batch_are_refused(api: Any):
    gateway = api.gateway()
    wishes = [_wish(api, gateway, _device(api, name), MAIN, psk) for name, psk in (("one", KEY), ("two", OTHER))]
    answer = api.send("POST", "vpn-connections/batch-create", {"vpn_connections": wishes})
    _refused(answer, "vpn_connections[0]")
    assert api.get("vpn-connection")["total_count"] == 0


@pytest.mark.parametrize(
    ("ikes", "address", "endpoints"),
    [
        pytest.param((MAIN, AGGRESSIVE), (None, None), ("eip1", "eip1"), id="aggressive"),
        pytest.param((AGGRESSIVE, MAIN), (None, None), ("eip1", "eip1"), id="main-second"),
        pytest.param((MAIN, V2), (None, None), ("eip1", "eip1"), id="ikev2"),
        pytest.param((MAIN, MAIN), (None, None), ("eip1", "eip2"), id="another-endpoint"),
        pytest.param((MAIN, MAIN), (None, "198.18.250.31"), ("eip1", "eip1"), id="an-address"),
        pytest.param((MAIN, MAIN), ("198.18.250.32", "198.18.250.33"), ("eip1", "eip1"), id="two-addresses"),
        pytest.param((MAIN, MAIN), ("198.18.250.3", "198.18.250.34"), ("eip1", "eip1"), id="one-begins-as-the-other"),
    ],
)
def test_keys_that_can_be_told_apart_are_taken(api: Any, ikes: Any, address: Any, endpoints: Any):
    gateway = api.gateway()
    for name, ike, where, endpoint, psk in zip(("one", "two"), ikes, address, endpoints, (KEY, OTHER), strict=True):
        wish = _wish(api, gateway, _device(api, name, where), ike, psk, vgw_ip=gateway[endpoint]["id"])
        assert api.send("POST", "vpn-connection", {"vpn_connection": wish}).status_code == 201


def _update(api: Any, connection: Any, **fields: Any) -> Any:
    return api.send("PUT", f"vpn-connection/{connection['id']}", {"vpn_connection": fields})


@pytest.mark.parametrize(
    ("ike", "psk", "change"),
    [
        pytest.param(MAIN, KEY, {"psk": OTHER}, id="psk"),
        pytest.param(V2, OTHER, {"ikepolicy": {"ike_version": "v1"}}, id="version"),
        pytest.param(AGGRESSIVE, OTHER, {"ikepolicy": {"phase1_negotiation_mode": "main"}}, id="mode"),
    ],
)
def test_an_update_is_held_to_it_too(api: Any, ike: Any, psk: str, change: Any):
    gateway = api.gateway()
    first = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, _device(api, "one"), MAIN, KEY))
    second = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, _device(api, "two"), ike, psk))
    _refused(_update(api, second, **change), first["id"])
    assert _update(api, second, name="renamed").status_code == 200
    if psk == OTHER:
        assert _update(api, second, **change, psk=KEY).status_code == 200


def test_another_customer_gateway_is_held_to_it(api: Any):
    gateway, dynamic = api.gateway(), _device(api, "two")
    first = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, _device(api, "one"), MAIN, KEY))
    fixed = api.create(
        "vpn-connection",
        "vpn_connection",
        api.connection_body(gateway, api.customer_gateway(), ikepolicy=MAIN, psk=OTHER),
    )
    _refused(_update(api, fixed, cgw_id=dynamic["id"]), first["id"])


def test_a_connection_that_is_being_deleted_is_not_in_the_way(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    first = api.create("vpn-connection", "vpn_connection", _wish(api, gateway, _device(api, "one"), MAIN, KEY))
    service.agent.stop()
    api.delete(f"vpn-connection/{first['id']}")
    wish = _wish(api, gateway, _device(api, "two"), MAIN, OTHER)
    assert api.send("POST", "vpn-connection", {"vpn_connection": wish}).status_code == 201
