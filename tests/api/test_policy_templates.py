"""The policy template of a gateway for devices without a fixed address: what its connections of style policy-template have of it."""

from typing import Any

import pytest

FLAVOR = "Professional1-NonFixedIP"
STYLE = {"style": "policy-template"}


def _change(api: Any, gateway: Any, **template: Any) -> Any:
    return api.send("PUT", f"vpn-gateways/{gateway['id']}", {"vpn_gateway": {"policy_template": template}})


def _shown(api: Any, connection: Any) -> Any:
    return api.get(f"vpn-connection/{connection['id']}")["vpn_connection"]


def test_a_connection_begins_with_the_template(api: Any):
    gateway = api.gateway(flavor=FLAVOR)
    template = {"ike_policy": {"dh_group": "group20"}, "ipsec_policy": {"pfs": "disable", "lifetime_seconds": 7200}}
    assert _change(api, gateway, **template).status_code == 200
    made = api.connection(gateway, **STYLE)
    assert made["ikepolicy"]["dh_group"] == "group20"
    assert (made["ipsecpolicy"]["pfs"], made["ipsecpolicy"]["lifetime_seconds"]) == ("disable", 7200)


@pytest.mark.parametrize(
    ("policies", "field"),
    [
        pytest.param({"ikepolicy": {"encryption_algorithm": "aes-256"}}, "ikepolicy.encryption_algorithm", id="ike"),
        pytest.param({"ikepolicy": {"lifetime_seconds": 3600}}, "ikepolicy.lifetime_seconds", id="ike-lifetime"),
        pytest.param({"ipsecpolicy": {"pfs": "group20"}}, "ipsecpolicy.pfs", id="ipsec"),
    ],
)
def test_another_value_than_the_template_s_is_refused_with_that_value(api: Any, policies: Any, field: str):
    gateway, peer = api.gateway(flavor=FLAVOR), api.customer_gateway()
    [(place, message)] = api.refused(
        "vpn-connection", "vpn_connection", api.connection_body(gateway, peer, **STYLE, **policies)
    ).items()
    assert place == field
    assert "differs from the gateway's policy_template" in message
    default = api.connection(gateway, peer, **STYLE)
    assert f"(wanted: {default[field.split('.', maxsplit=1)[0]][field.split('.')[1]]}, or leave it out" in message


@pytest.mark.parametrize(
    ("flavor", "style"), [pytest.param("Professional1", "policy-template", id="no-template"), (FLAVOR, "static")]
)
def test_other_connections_have_policies_of_their_own(api: Any, flavor: str, style: str):
    made = api.connection(api.gateway(flavor=flavor), style=style, ikepolicy={"dh_group": "group21"})
    assert made["ikepolicy"]["dh_group"] == "group21"


def test_an_update_of_the_template_changes_its_connections_and_no_other(api: Any):
    gateway = api.gateway(flavor=FLAVOR)
    ours, other = api.connection(gateway, **STYLE), api.connection(gateway)
    before = _shown(api, other)
    assert _change(api, gateway, ike_policy={"encryption_algorithm": "aes-256"}).status_code == 200
    assert _shown(api, ours)["ikepolicy"] == ours["ikepolicy"] | {"encryption_algorithm": "aes-256"}
    assert _shown(api, other)["ikepolicy"] == before["ikepolicy"]
    api.connection_as(ours["id"], "DOWN")


def test_a_connection_that_is_sent_back_as_it_was_read_is_taken(api: Any):
    gateway = api.gateway(flavor=FLAVOR)
    ours = api.connection(gateway, **STYLE)
    _change(api, gateway, ipsec_policy={"encryption_algorithm": "aes-256"})
    read = {key: value for key, value in _shown(api, ours).items() if key in ("name", "ikepolicy", "ipsecpolicy")}
    answer = api.send("PUT", f"vpn-connection/{ours['id']}", {"vpn_connection": read | {"name": "renamed"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["vpn_connection"]["ipsecpolicy"]["encryption_algorithm"] == "aes-256"


def test_a_cipher_that_a_connection_s_ike_version_lacks_is_refused(api: Any):
    gateway = api.gateway(flavor=FLAVOR)
    ours = api.connection(gateway, **STYLE, ikepolicy={"ike_version": "v1"})
    answer = _change(api, gateway, ike_policy={"encryption_algorithm": "aes-256-gcm-16"})
    assert answer.status_code == 400
    [detail] = answer.json()["details"]
    assert detail["field"] == "policy_template.ike_policy.encryption_algorithm"
    assert f"cannot be negotiated by IKEv1, which connection {ours['id']} has" in detail["message"]


def test_a_flavor_with_a_template_gives_it_to_the_connections(api: Any):
    gateway = api.gateway()
    ours = api.connection(gateway, **STYLE, ikepolicy={"dh_group": "group21"})
    body = {"vpn_gateway": {"flavor": FLAVOR}}
    assert api.send("POST", f"vpn-gateways/{gateway['id']}/update-specification", body).status_code == 200
    assert _shown(api, ours)["ikepolicy"]["dh_group"] == "group15"
