"""The wizard for a new connection, without a script: the API's words at its fields, one create for any number of submits, the device's configuration."""

import functools
import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from landbridge.console import connection_form, new_connection
from landbridge.model import allowed_values
from tests.conftest import PSK, until
from tests.console.reading import told

PATH = "/new-connection"


def _endpoint(gateway: Any, number: int = 1) -> str:
    return f"{gateway['id']}/{gateway[f'eip{number}']['id']}"


@pytest.fixture
def wizard(person: Callable[..., Any]) -> Any:
    """Somebody with a sound form: `one.form`."""
    one = person()
    one.gateway, one.peer = one.api.gateway(name="hq"), one.api.customer_gateway(name="branch")
    one.form = {
        "endpoint": _endpoint(one.gateway),
        "cgw_id": one.peer["id"],
        "style": "static",
        "peer_subnets": "192.168.44.0/24",
        "psk": PSK,
    }
    return one


def _send(one: Any, do: str, changes: dict[str, str] | None = None, status: int = 200) -> str:
    answer = one.post(f"/console/{one.api.project_id}{PATH}", one.form | (changes or {}) | {"do": do})
    assert answer.status_code == status, answer.text[-400:]
    return answer.text


def _connections(one: Any) -> list[Any]:
    return list(one.api.get("vpn-connection")["vpn_connections"])


def _hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found, name
    return found[1]


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        pytest.param({"endpoint": ""}, "endpoint", "is mandatory", id="no endpoint"),
        pytest.param({"cgw_id": ""}, "cgw_id", "is mandatory", id="no customer gateway"),
        pytest.param({"name": "two words"}, "name", "is not a name", id="a name with a space"),
        pytest.param({"peer_subnets": ""}, "peer_subnets", "is mandatory", id="no subnet"),
        pytest.param({"peer_subnets": "192.168.1.0/24\n192.168.44.1/24"}, "peer_subnets", "host bits", id="host bits"),
        pytest.param({"peer_subnets": "10.0.0.0/25"}, "peer_subnets", "local subnet", id="our own subnet"),
        pytest.param({"tunnel_local_address": "10.1.1.1/30"}, "tunnel_local_address", "", id="tunnel address"),
        pytest.param({"psk": "short"}, "psk", "has 5 characters", id="a short key"),
        pytest.param({"psk": ""}, "psk", "is mandatory", id="no key"),
        pytest.param({"ikepolicy.lifetime_seconds": "5"}, "ikepolicy.lifetime_seconds", "out of range", id="lifetime"),
        pytest.param({"ikepolicy.lifetime_seconds": "day"}, "ikepolicy.lifetime_seconds", "string", id="no number"),
        pytest.param({"ikepolicy.dpd.timeout": "90"}, "ikepolicy.dpd.timeout", "out of range", id="dpd"),
        pytest.param({"ikepolicy.peer_id_type": "fqdn"}, "ikepolicy.peer_id", "is mandatory when", id="no identity"),
        pytest.param(
            {"ikepolicy.ike_version": "v1", "ikepolicy.encryption_algorithm": "aes-256-gcm-16"},
            "ikepolicy.encryption_algorithm",
            "cannot be negotiated by IKEv1",
            id="gcm in IKEv1",
        ),
        pytest.param({"tags": "site=berlin\nsite=paris"}, "tags", "given twice", id="a tag twice"),
        pytest.param(
            {
                "style": "policy",
                "policy_rules[2].source": "10.0.0.1/24",
                "policy_rules[2].destination": "192.168.44.0/24",
            },
            "policy_rules[2].source",
            "host bits",
            id="a rule after empty rows",
        ),
        pytest.param(
            {"style": "policy", "policy_rules[0].source": "10.0.0.0/24"},
            "policy_rules[0].destination",
            "is mandatory in a rule",
            id="a rule without destinations",
        ),
        pytest.param(
            {"cgw_id": "new", "customer_gateway.id_value": "nowhere"},
            "customer_gateway.id_value",
            "",
            id="a new customer gateway",
        ),
    ],
)
def test_a_violation_stands_at_its_field_and_nothing_is_created(wizard: Any, changes: Any, field: str, says: str):
    for do in ("check", "create"):
        text = _send(wizard, do, changes, 400)
        found = told(text)
        assert list(found) == [field], found
        assert says in found[field]
        (place,) = re.findall(rf'id="([^"]+)" name="{re.escape(field)}"', text)
        assert f'<a href="#{place}">' in text
    assert _connections(wizard) == []


def test_the_words_are_those_of_the_api(wizard: Any):
    wish = wizard.api.connection_body(wizard.gateway, wizard.peer, psk="aaaaaaaa", peer_subnets=["192.168.44.1/24"])
    api = wizard.api.refused("vpn-connection", "vpn_connection", wish)
    found = told(_send(wizard, "check", {"psk": "aaaaaaaa", "peer_subnets": "192.168.44.1/24"}, 400))
    assert found == {"psk": api["psk"], "peer_subnets": api["peer_subnets[0]"]}


def test_while_a_person_types_an_empty_field_is_not_called_wrong(wizard: Any):
    text = _send(wizard, "live", {"psk": "", "peer_subnets": "192.168.44.1/24"})
    assert list(told(text)) == ["peer_subnets"]
    assert list(told(_send(wizard, "live", {"psk": "", "strict": "true"}))) == ["psk"]


FIELDS = {
    "static": {"peer_subnets", "tunnel_local_address", "tunnel_peer_address", "enable_nqa"},
    "policy": {"peer_subnets", "policy_rules[0].source", "policy_rules[0].destination"},
    "bgp": {"peer_subnets", "tunnel_local_address", "tunnel_peer_address"},
    "policy-template": {"peer_subnets"},
}


@pytest.mark.parametrize("style", FIELDS)
def test_a_style_has_only_its_fields(wizard: Any, style: str):
    names = set(re.findall(r'name="([^"]+)"', _send(wizard, "live", {"style": style})))
    assert names & set().union(*FIELDS.values()) == FIELDS[style]


@pytest.mark.parametrize("style", FIELDS)
def test_no_two_fields_have_the_same_label(wizard: Any, style: str):
    changes = {"style": style, "cgw_id": "new", "policy_rules[0].source": "10.0.0.0/24"}
    labels = re.findall(r'<label for="[^"]+">([^<]+)</label>', _send(wizard, "live", changes))
    assert "Name of the customer gateway" in labels
    assert sorted(labels) == sorted(set(labels))


def test_the_first_values_are_the_defaults_of_the_api(wizard: Any):
    text = wizard.page(PATH)
    chosen = dict(
        re.findall(r'<select[^>]* name="(ik[^"]+|ips[^"]+)"[^>]*>.*?<option value="([^"]+)" selected', text, re.DOTALL)
    )
    for path, value in chosen.items():
        policy, _, name = path.partition(".")
        table = allowed_values.IKE if policy == "ikepolicy" else allowed_values.IPSEC
        assert value == getattr(table, name).default
    assert {"ikepolicy.dh_group", "ipsecpolicy.pfs", "ipsecpolicy.encryption_algorithm"} <= set(chosen)


def test_every_choice_of_the_form_is_sent(wizard: Any):
    made = _made(
        wizard,
        {
            "name": "chosen",
            "endpoint": _endpoint(wizard.gateway, 2),
            "enable_nqa": "true",
            "tunnel_local_address": "169.254.70.1/30",
            "ikepolicy.dh_group": "group20",
            "ikepolicy.lifetime_seconds": "7200",
            "ikepolicy.peer_id_type": "fqdn",
            "ikepolicy.peer_id": "branch.example",
            "ikepolicy.dpd.interval": "20",
            "ipsecpolicy.pfs": "disable",
            "tags": "site = berlin",
        },
    )
    assert (made["name"], made["vgw_ip"], made["ha_role"]) == ("chosen", wizard.gateway["eip2"]["id"], "slave")
    assert (made["tunnel_local_address"], made["enable_nqa"]) == ("169.254.70.1/30", True)
    assert (made["ikepolicy"]["dh_group"], made["ikepolicy"]["lifetime_seconds"]) == ("group20", 7200)
    assert (made["ikepolicy"]["peer_id"], made["ikepolicy"]["dpd"]["interval"]) == ("branch.example", 20)
    assert (made["ipsecpolicy"]["pfs"], made["tags"]) == ("disable", [{"key": "site", "value": "berlin"}])


def _made(one: Any, changes: dict[str, str] | None = None) -> Any:
    """The connection that a create of the form makes."""
    seen = _hidden(_send(one, "live", changes), "seen")
    _send(one, "create", (changes or {}) | {"seen": seen}, 303)
    (found,) = _connections(one)
    return found


def test_rules_of_a_form_are_the_rules_of_the_connection(wizard: Any):
    made = _made(
        wizard,
        {
            "style": "policy",
            "policy_rules[1].source": "10.0.0.0/25",
            "policy_rules[1].destination": "192.168.44.0/25, 192.168.44.128/25",
        },
    )
    assert [(one["source"], one["destination"]) for one in made["policy_rules"]] == [
        ("10.0.0.0/25", ["192.168.44.0/25", "192.168.44.128/25"])
    ]


def test_a_weak_choice_is_warned_of_before_the_create(wizard: Any):
    weak = {"ikepolicy.dh_group": "group2"}
    text = _send(wizard, "create", weak)
    assert "Read the warnings" in text
    assert "Warning: group2 is weak" in text
    assert _connections(wizard) == []
    other = weak | {"seen": _hidden(text, "seen"), "ikepolicy.encryption_algorithm": "3des"}
    assert "3des is weak" in _send(wizard, "create", other)
    assert _connections(wizard) == []
    _send(wizard, "create", weak | {"seen": _hidden(text, "seen")}, 303)
    assert len(_connections(wizard)) == 1


@pytest.mark.parametrize("changes", [{}, {"ikepolicy.dh_group": "group2"}], ids=["sound", "with a warning"])
def test_a_form_that_is_sent_twice_creates_once(wizard: Any, changes: dict[str, str]):
    text = _send(wizard, "live", changes)
    sent = changes | {"token": _hidden(text, "token"), "seen": _hidden(text, "seen"), "do": "create"}
    answers = [
        wizard.post(f"/console/{wizard.api.project_id}{PATH}", wizard.form | sent).headers["location"] for _ in "ab"
    ]
    assert answers[0] == answers[1]
    assert len(_connections(wizard)) == 1
    again = _send(wizard, "create", sent | {"peer_subnets": "192.168.45.0/24", "cgw_id": wizard.peer["id"]}, 400)
    assert "was used before" in again


def test_a_new_customer_gateway_is_created_once_with_its_connection(wizard: Any):
    form = {"cgw_id": "new", "customer_gateway.name": "fresh", "customer_gateway.id_value": "198.51.100.9"}
    text = _send(wizard, "live", form)
    sent = wizard.form | form | {"token": _hidden(text, "token"), "seen": _hidden(text, "seen"), "do": "create"}
    for _ in "ab":
        assert wizard.post(f"/console/{wizard.api.project_id}{PATH}", sent).status_code == 303
    found = wizard.api.get("customer-gateways")["customer_gateways"]
    assert [(one["name"], one["id_value"]) for one in found if one["id"] != wizard.peer["id"]] == [
        ("fresh", "198.51.100.9")
    ]
    (made,) = _connections(wizard)
    assert made["cgw_id"] in [one["id"] for one in found if one["name"] == "fresh"]
    events = wizard.api.get(f"/landbridge/v1/{wizard.api.project_id}/audit")["audit_events"]
    assert [event["action"] for event in events[:2]] == ["create_vpn_connection", "create_cgw"]
    assert {event["actor"] for event in events[:2]} == {wizard.api.key.access_key}


def test_no_customer_gateway_is_created_for_a_connection_that_is_refused(wizard: Any):
    form = {"cgw_id": "new", "customer_gateway.id_value": "198.51.100.9", "psk": ""}
    assert list(told(_send(wizard, "create", form, 400))) == ["psk"]
    assert len(wizard.api.get("customer-gateways")["customer_gateways"]) == 1


def test_a_generated_key_is_shown_and_allowed(wizard: Any):
    text = _send(wizard, "generate", {"psk": ""})
    (field,) = re.findall(r'<input[^>]*name="psk"[^>]*>', text)
    assert 'type="text"' in field
    key = re.search(r'value="([^"]+)"', field)
    assert key
    assert key[1] in allowed_values.PSK
    assert key[1] != new_connection.generate_key()


def test_a_key_in_the_address_is_not_taken(wizard: Any):
    (field,) = re.findall(r'<input[^>]*name="psk"[^>]*>', wizard.page(f"{PATH}?psk={PSK}"))
    assert PSK not in field


def test_a_reader_cannot_open_the_wizard_but_can_wait(wizard: Any, person: Any, shared_service: Any):
    made = _made(wizard)
    reader = person(shared_service.api(wizard.api.project_id, role="reader"))
    path = f"/console/{wizard.api.project_id}{PATH}"
    assert reader.get(path).status_code == 403
    assert reader.post(path, wizard.form | {"do": "create"}).status_code == 403
    assert "New connection" not in reader.page()
    assert "New connection" in wizard.page()
    assert "with the pre-shared key" not in reader.page(f"{PATH}/{made['id']}?device=strongswan")
    assert reader.post(f"{path}/{made['id']}", {"device": "strongswan"}).status_code == 403


def test_the_configuration_has_the_key_only_for_who_asks_and_the_audit_trail_has_it(wizard: Any):
    made = _made(wizard)
    text = wizard.page(f"{PATH}/{made['id']}?device=strongswan")
    assert "PRE-SHARED-KEY" in text
    assert PSK not in text
    shown = wizard.post(f"/console/{wizard.api.project_id}{PATH}/{made['id']}", {"device": "strongswan"})
    text = wizard.follow(shown)
    assert PSK in text
    assert 'data-etag="' not in text
    assert PSK not in wizard.follow(shown)
    events = wizard.api.get(f"/landbridge/v1/{wizard.api.project_id}/audit")["audit_events"]
    assert (events[0]["action"], events[0]["resource_id"]) == ("show_psk", made["id"])


def _page_that(one: Any, path: str, says: str) -> str:
    """The text of a page once it says so; empty before."""
    text = html.unescape(one.page(path))
    return text if says in text else ""


def test_the_wait_ends_with_the_tunnel_or_with_the_cause_and_its_remedy(wizard: Any):
    made = _made(wizard)
    for state, status, says in (
        ("active", "ACTIVE", "The tunnel is up"),
        ("down", "DOWN", "Waiting for the device"),
        ("down:psk", "DOWN", "The tunnel is down: the pre-shared keys"),
    ):
        wizard.api.simulate(made["id"], state)
        wizard.api.connection_as(made["id"], status)
        text = until(functools.partial(_page_that, wizard, f"{PATH}/{made['id']}", says), says)
        remedies = [one["remedy"] for one in wizard.api.diagnosis(made["id"]).get("causes", ())]
        assert all(remedy in text for remedy in remedies[:3])
        assert (status == "ACTIVE") == (remedies == [])


def test_every_field_of_the_form_leads_to_a_field_of_the_api():
    """A field that the API does not know would be ignored in silence."""
    for style in allowed_values.STYLES.values:
        form = {"style": style, "endpoint": "x/y", "ikepolicy.ike_version": "v1", "tags": "a=b", "peer_subnets": "x"}
        chosen = connection_form.choose(form, ())
        fields = connection_form.fields(form, chosen)
        filled = form | {one.path: one.value or "true" for one in fields}
        parsed = connection_form.parse(filled, chosen)
        assert parsed.ignored == ()
