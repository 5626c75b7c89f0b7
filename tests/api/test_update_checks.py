"""An update that is only checked: what the update would change, what that does to tunnels, and nothing stored."""

from typing import Any

import pytest

from tests.conftest import VPC

OURS = {"vpn-connection": "vpn-connections", "vpn-gateways": "vpn-gateways", "customer-gateways": "customer-gateways"}
ENVELOPES = {"vpn-connection": "vpn_connection", "vpn-gateways": "vpn_gateway", "customer-gateways": "customer_gateway"}
KINDS = tuple(OURS)
PSK = "Another-Horse-8"


@pytest.fixture
def made(api: Any) -> dict[str, Any]:
    """Kind -> a resource of it. The connection leads from the gateway to the customer gateway."""
    gateway, peer = api.gateway(), api.customer_gateway()
    return {"vpn-gateways": gateway, "customer-gateways": peer, "vpn-connection": api.connection(gateway, peer)}


def _send(api: Any, kind: str, id_: str, change: Any, query: str = "", **more: Any) -> Any:
    path = f"/landbridge/v1/{api.project_id}/{OURS[kind]}/{id_}/check{query}"
    return api.send("POST", path, {ENVELOPES[kind]: change}, **more)


def _checked(api: Any, kind: str, id_: str, change: Any, query: str = "") -> Any:
    answer = _send(api, kind, id_, change, query)
    assert answer.status_code == 200, answer.text
    return answer.json()["check"]


def _stored(api: Any, made: dict[str, Any]) -> Any:
    """The versions of the resources, which change with their generations too, and the audit trail."""
    tags = [api.send("GET", f"{kind}/{one['id']}").headers["ETag"] for kind, one in made.items()]
    return tags, api.get(f"/landbridge/v1/{api.project_id}/audit")["audit_events"]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {key: one for name, inner in value.items() for key, one in _flat(inner, f"{prefix}.{name}").items()}


TUNNEL = {
    "none": "The tunnel does not change.",
    "applied": "No SA is negotiated anew.",
    "child": "CHILD_SAs (phase 2) are negotiated anew.",
    "ike": "The IKE_SA (phase 1) and all its CHILD_SAs are negotiated anew.",
}


@pytest.mark.parametrize(
    ("kind", "change", "changes", "effect"),
    [
        pytest.param("vpn-connection", {}, {}, "none", id="nothing"),
        pytest.param("vpn-connection", {"name": "renamed"}, {"name"}, "none", id="a name"),
        pytest.param("vpn-connection", {"peer_subnets": ["172.16.9.0/24"]}, {"peer_subnets"}, "applied", id="subnets"),
        pytest.param(
            "vpn-connection",
            {"ipsecpolicy": {"pfs": "group20"}, "name": "renamed"},
            {"ipsecpolicy.pfs", "name"},
            "child",
            id="pfs",
        ),
        pytest.param(
            "vpn-connection",
            {"ikepolicy": {"dh_group": "group20", "dpd": {"interval": 45}}},
            {"ikepolicy.dh_group", "ikepolicy.dpd.interval"},
            "ike",
            id="ike",
        ),
        pytest.param("vpn-gateways", {"name": "renamed"}, {"name"}, None, id="the name of a gateway"),
        pytest.param("vpn-gateways", {"local_subnets": ["10.0.9.0/24"]}, {"local_subnets"}, None, id="local subnets"),
        pytest.param("customer-gateways", {"name": "renamed"}, {"name"}, None, id="the name of a customer gateway"),
        pytest.param("customer-gateways", {}, {}, None, id="nothing of a customer gateway"),
    ],
)
def test_a_check_says_what_the_update_does_and_stores_nothing(
    api: Any, made: dict[str, Any], kind: str, change: Any, changes: set[str], effect: str | None
):
    path = f"{kind}/{made[kind]['id']}"
    before, was = _stored(api, made), _flat(api.get(path)[ENVELOPES[kind]])
    found = _checked(api, kind, made[kind]["id"], change)
    assert _stored(api, made) == before
    assert (found["valid"], found["details"]) == (True, [])
    assert {one["field"] for one in found["changes"]} == set(changes)
    assert found.get("tunnel_effect") == effect
    assert found.get("effect", "").startswith(TUNNEL.get(effect or "", ""))
    assert api.send("PUT", path, {ENVELOPES[kind]: change}).status_code == 200
    now = _flat(api.get(path)[ENVELOPES[kind]])
    done = {name[1:]: (was.get(name), now[name]) for name in now if was.get(name) != now[name]}
    told = {one["field"]: (one.get("before"), one.get("after")) for one in found["changes"]}
    assert {name: done[name] for name in done if name not in ("updated_at", "status")} == told


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("vpn-connection", {"peer_subnets": ["192.168.44.1/24"], "psk": "short"}, id="rules"),
        pytest.param("vpn-connection", {"name": 5, "ikepolicy": {"dh_group": "group99"}}, id="a shape and a rule"),
        pytest.param("vpn-connection", {"style": "bgp"}, id="a field that cannot change"),
        pytest.param("vpn-gateways", {"local_subnets": ["192.168.0.0/16"], "name": "a b"}, id="a gateway"),
        pytest.param("vpn-gateways", {"eip_id_1": VPC}, id="an EIP that is not there"),
        pytest.param("customer-gateways", {"name": "a b", "id_value": "198.51.100.200"}, id="a customer gateway"),
    ],
)
def test_what_is_wrong_is_what_the_update_would_be_refused_for(api: Any, made: Any, kind: str, change: Any):
    refused = api.send("PUT", f"{kind}/{made[kind]['id']}", {ENVELOPES[kind]: change})
    assert refused.status_code == 400
    found = _checked(api, kind, made[kind]["id"], change)
    details = refused.json()["details"]
    assert found == {"valid": False, "details": details, "warnings": [], "changes": [], "disturbed": []}


@pytest.mark.parametrize(
    ("query", "effect", "disturbed"),
    [("", "none", False), ("?landbridge_psk=prove", "none", False), ("?landbridge_psk=replace", "ike", True)],
)
def test_a_new_key_is_told_without_the_key(api: Any, made: Any, query: str, effect: str, disturbed: bool):
    one = made["vpn-connection"]
    api.connection_as(one["id"], "ACTIVE")
    before = _stored(api, made)
    answer = _send(api, "vpn-connection", one["id"], {"psk": PSK}, query)
    found = answer.json()["check"]
    assert PSK not in answer.text
    assert found["changes"] == [{"field": "psk"}]
    assert found["tunnel_effect"] == effect
    assert ("The device needs the new pre-shared key at once." in found["effect"]) == disturbed
    assert [each["id"] for each in found["disturbed"]] == ([one["id"]] if disturbed else [])
    assert _stored(api, made) == before


def test_the_tunnels_that_a_gateway_disturbs_are_named(api: Any, made: Any):
    other = api.gateway()
    api.delete(f"vpn-gateways/{other['id']}")
    api.gone(f"vpn-gateways/{other['id']}")
    eip = other["eip1"]["id"]
    found = _checked(api, "vpn-gateways", made["vpn-gateways"]["id"], {"eip_id_1": eip})
    assert {"eip1.id", "eip1.ip_address"} <= {one["field"] for one in found["changes"]}
    one = made["vpn-connection"]
    assert found["disturbed"] == [{"id": one["id"], "name": one["name"]}]


def test_other_local_subnets_disturb_the_tunnels_that_are_made_of_them(api: Any):
    gateway = api.gateway(flavor="Professional1-NonFixedIP")
    api.connection(gateway)
    disturbed = [
        api.connection(gateway, style="policy"),
        api.connection(gateway, style="policy-template", peer_subnets=["192.168.45.0/24"]),
    ]
    found = _checked(api, "vpn-gateways", gateway["id"], {"local_subnets": ["10.0.9.0/24"]})
    assert found["disturbed"] == [{"id": one["id"], "name": one["name"]} for one in disturbed]


def test_new_warnings_are_told(api: Any, made: Any):
    found = _checked(api, "vpn-connection", made["vpn-connection"]["id"], {"ipsecpolicy": {"pfs": "group2"}})
    assert found["warnings"] == [{"field": "ipsecpolicy.pfs", "message": "group2 is weak"}]


@pytest.mark.parametrize("kind", KINDS)
def test_another_version_is_not_checked(api: Any, made: Any, kind: str):
    assert _send(api, kind, made[kind]["id"], {"name": "renamed"}, if_match='"1-0"').status_code == 412


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_not_found(api: Any, kind: str):
    assert _send(api, kind, VPC, {"name": "renamed"}).status_code == 404
