"""Updates: what is absent stays, what was read may be sent back, and the rules of the create hold on what comes out."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import connection, connection_update, gateway_update
from landbridge.wire import connection_requests, connections

PSK = model.Secret("Abcd1234")
OTHER_PEER = "6247ae10-9d3e-4f27-b8a7-dd36659a7f5e"
POLICY = {
    "style": "policy",
    "policy_rules": [
        {"rule_index": 0, "source": "10.0.0.0/25", "destination": ["192.168.44.0/24"]},
        {"rule_index": 7, "source": "10.0.0.128/25", "destination": ["192.168.44.0/24", "192.168.45.0/24"]},
    ],
}
BGP = {"style": "bgp", "enable_hub": True, "tunnel_local_address": "169.254.76.1/30"}
V1 = {"ikepolicy": {"ike_version": "v1", "phase1_negotiation_mode": "aggressive"}}
NAMED = {
    "ikepolicy": {"local_id_type": "fqdn", "local_id": "here", "peer_id_type": "fqdn", "peer_id": "there"},
}
#: Requests and their surroundings that become connections of every kind.
KINDS = [
    pytest.param({}, {}, id="static"),
    pytest.param(POLICY, {}, id="policy"),
    pytest.param({"style": "policy"}, {}, id="policy-derived"),
    pytest.param({"style": "policy"}, {"local_subnets": ("10.0.0.0/25", "10.1.0.0/24")}, id="policy-derived-twice"),
    pytest.param(BGP, {}, id="bgp"),
    pytest.param({"style": "policy-template"}, {}, id="policy-template"),
    pytest.param(V1, {}, id="ikev1"),
    pytest.param(NAMED, {}, id="fqdn"),
    pytest.param({}, {"peer": "fqdn"}, id="peer-without-address"),
    pytest.param({}, {"flavor": "GM"}, id="gm"),
    pytest.param({"style": "bgp", "peer_subnets": None}, {"attachment_type": "er"}, id="er"),
    pytest.param({"vgw_ip": "10.1.0.5"}, {"network_type": "private"}, id="private"),
    pytest.param({"enable_health_check": True, "tags": [{"key": "a", "value": "b"}]}, {}, id="monitor-and-tags"),
]


class Change:
    """An update of a connection: what it asks for, what is wrong with it, what it becomes."""

    def __init__(self, given: Any, was: model.Connection, changes: dict[str, Any], **where: Any) -> None:
        self._was, self._ask = was, connection_requests.UpdateConnection.model_validate(changes).request()
        new_peer = where.pop("new_peer", None)
        self._facts = given.facts(**where)
        psk = PSK if was.ike_policy.authentication_method == "pre-share" else None
        present = replace(given.request({}), gateway_endpoint=was.gateway_endpoint)
        ends = connection.ends(present, self._facts)
        local = self._facts.gateway.gateway.local_subnets
        self._wish = connection_update.merge(self._ask, was, psk, ends, local)
        if new_peer is not None:
            self._facts = replace(self._facts, customer_gateway=new_peer)

    @property
    def refusals(self) -> list[str]:
        return [str(v) for v in connection_update.check(self._ask, self._was, self._wish, self._facts)]

    @property
    def made(self) -> model.Connection:
        assert self.refusals == []
        return connection_update.complete(self._wish, self._facts, self._was)


def _told(value: model.Connection) -> dict[str, Any]:
    """All that a client reads of it."""
    return connections.connection(value, None)


@pytest.mark.parametrize(("changes", "where"), KINDS)
def test_an_update_that_asks_for_nothing_changes_nothing(given: Any, changes: dict[str, Any], where: dict[str, Any]):
    was = given.made(changes, **where)
    assert Change(given, was, {}, **where).made == was


@pytest.mark.parametrize(("changes", "where"), KINDS)
def test_what_was_read_may_be_sent_back(given: Any, changes: dict[str, Any], where: dict[str, Any]):
    was = given.made(changes, **where)
    assert Change(given, was, _told(was), **where).made == was


@pytest.mark.parametrize(("changes", "where"), KINDS)
def test_what_terraform_sends_back_changes_nothing(given: Any, changes: dict[str, Any], where: dict[str, Any]):
    """It drops zeros and false, the method, and ids of type ip; tags in any order it does not send."""
    was = given.made(changes, **where)
    told = _told(was)
    told = {
        name: told[name] for name in told if name not in ("vgw_id", "vgw_ip", "style", "ha_role", "tags", "enable_hub")
    }
    ike = {n: v for n, v in told["ikepolicy"].items() if n != "authentication_method"}
    for side in ("local", "peer"):
        if ike.get(f"{side}_id_type") == "ip":
            del ike[f"{side}_id"]
    rules = [{n: v for n, v in rule.items() if v != 0} for rule in told.get("policy_rules", [])]
    sent = {n: v for n, v in (told | {"ikepolicy": ike, "policy_rules": rules}).items() if v}
    assert Change(given, was, sent, **where).made == was


PLAIN = [
    ("name", "renamed"),
    ("peer_subnets", ["192.168.50.0/24", "192.168.49.0/24"]),
    ("enable_nqa", True),
    ("enable_hub", False),
    ("ikepolicy.ike_version", "v1"),
    ("ikepolicy.authentication_algorithm", "sha2-512"),
    ("ikepolicy.encryption_algorithm", "aes-256"),
    ("ikepolicy.dh_group", "group16"),
    ("ikepolicy.lifetime_seconds", 60),
    ("ikepolicy.dpd.timeout", 2),
    ("ikepolicy.dpd.interval", 3600),
    ("ikepolicy.dpd.msg", "seq-notify-hash"),
    ("ipsecpolicy.authentication_algorithm", "sha1"),
    ("ipsecpolicy.encryption_algorithm", "aes-256-gcm-16"),
    ("ipsecpolicy.pfs", "disable"),
    ("ipsecpolicy.lifetime_seconds", 30),
]


def _nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def _read(told: Any, path: str) -> Any:
    for name in path.split("."):
        told = told[name]
    return told


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {p: v for name in value for p, v in _flat(value[name], f"{path}.{name}".lstrip(".")).items()}


@pytest.mark.parametrize(("path", "value"), PLAIN, ids=[path for path, _ in PLAIN])
def test_one_field_alone_changes_and_the_rest_stays(given: Any, path: str, value: Any):
    was = given.made({"enable_hub": True})
    before, after = (_flat(_told(each)) for each in (was, Change(given, was, _nested(path, value)).made))
    assert _read(_told(Change(given, was, _nested(path, value)).made), path) in (
        value,
        tuple(value) if isinstance(value, list) else value,
    )
    others = {p: v for p, v in before.items() if p != path}
    extra = {"ikepolicy.phase1_negotiation_mode": "main"} if path == "ikepolicy.ike_version" else {}
    assert {p: v for p, v in after.items() if p != path} == others | extra


def test_zero_in_a_policy_counts_as_not_given(given: Any):
    was = given.made(
        {"ikepolicy": {"lifetime_seconds": 600, "dpd": {"interval": 60}}, "ipsecpolicy": {"lifetime_seconds": 60}}
    )
    zeros = {
        "ikepolicy": {"lifetime_seconds": 0, "dpd": {"interval": 0, "timeout": 0}},
        "ipsecpolicy": {"lifetime_seconds": 0},
    }
    assert Change(given, was, zeros).made == was


WRONG = [
    ({"name": "a b"}, "name", "is not a name"),
    ({"cgw_id": "x"}, "cgw_id", "is not an id"),
    ({"peer_subnets": []}, "peer_subnets", "has 0 entries"),
    ({"peer_subnets": ["192.168.44.0/24", "10.0.0.0/24"]}, "peer_subnets[1]", "local subnet"),
    ({"tunnel_local_address": "169.254.195.1/30"}, "tunnel_local_address", "reserved"),
    (
        {"tunnel_local_address": "169.254.8.1/30", "tunnel_peer_address": "169.254.9.2/30"},
        "tunnel_peer_address",
        "block",
    ),
    ({"psk": "short"}, "psk", "characters"),
    ({"policy_rules": [{"source": "10.0.0.0/24", "destination": ["192.168.1.0/24"]}]}, "policy_rules", "style"),
    ({"ikepolicy": {"ike_version": "v3"}}, "ikepolicy.ike_version", "one of v1, v2"),
    ({"ikepolicy": {"dpd": {"interval": 9}}}, "ikepolicy.dpd.interval", "10 to 3600"),
    ({"ikepolicy": {"local_id_type": "fqdn"}}, "ikepolicy.local_id", "mandatory"),
    ({"ikepolicy": {"peer_id": "x"}}, "ikepolicy.peer_id", "not an IPv4 address"),
    ({"ikepolicy": {"authentication_method": "digital-envelope-v2"}}, "ikepolicy.authentication_method", "pre-share"),
    ({"ipsecpolicy": {"lifetime_seconds": 29}}, "ipsecpolicy.lifetime_seconds", "30 to 604800"),
    ({"peer_subnets_v6": ["2001:db8::/32"]}, "peer_subnets_v6", "not carried yet"),
]


@pytest.mark.parametrize(("changes", "field", "text"), WRONG, ids=[f"{n}-{row[1]}" for n, row in enumerate(WRONG)])
def test_the_rules_of_the_create_hold_on_what_comes_out(given: Any, changes: dict[str, Any], field: str, text: str):
    found = Change(given, given.made({}), changes).refusals
    assert found[0].split(": ", 1)[0] == field, found
    assert text in found[0]


def test_all_that_is_wrong_with_an_update_is_said_at_once(given: Any):
    found = Change(
        given, given.made({}), {"name": "", "psk": "x", "style": "bgp", "ipsecpolicy": {"pfs": "none"}}
    ).refusals
    assert {each.split(": ", 1)[0] for each in found} == {"name", "psk", "style", "ipsecpolicy.pfs"}


def test_a_new_version_of_ike_is_judged_with_the_cipher_that_stays(given: Any):
    was = given.made({"ikepolicy": {"encryption_algorithm": "aes-256-gcm-16"}})
    given.only(
        Change(given, was, {"ikepolicy": {"ike_version": "v1"}}).refusals, "ikepolicy.encryption_algorithm", "IKEv1"
    )


FIXED = [
    ("vgw_id", "0d32d91a-0c4b-4f57-8f3a-e907174eb11d"),
    ("vgw_ip", "e2e2e2e2-0000-4000-8000-000000000002"),
    ("style", "policy"),
    ("ha_role", "slave"),
    ("enable_health_check", True),
    ("tags", [{"key": "a", "value": "b"}]),
]


@pytest.mark.parametrize(("field", "value"), FIXED, ids=[field for field, _ in FIXED])
def test_what_cannot_be_changed_is_refused_by_its_name(given: Any, field: str, value: Any):
    given.only(Change(given, given.made({}), {field: value}).refusals, field, "cannot be changed")


def test_what_cannot_be_changed_may_be_repeated_in_any_case_and_order(given: Any):
    tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    was = given.made({"tags": tags, "enable_health_check": True})
    same = {
        "style": "STATIC",
        "vgw_id": given.id.upper(),
        "ha_role": "master",
        "tags": tags[::-1],
        "enable_health_check": True,
    }
    assert Change(given, was, same).made == was


# -- ids --------------------------------------------------------------------------------------------------------------


def _peer(given: Any, **words: Any) -> model.CustomerGateway:
    return replace(given.customer_gateway(), id=OTHER_PEER, **words)


@pytest.mark.parametrize("sent", [{}, {"peer_id_type": "ip"}, {"peer_id_type": "ip", "peer_id": "198.51.100.2"}])
def test_a_default_id_follows_the_customer_gateway(given: Any, sent: dict[str, str]):
    peer = _peer(given, id_value="198.51.100.77")
    made = Change(given, given.made({}), {"cgw_id": OTHER_PEER, "ikepolicy": sent}, new_peer=peer).made
    assert (made.customer_gateway_id, made.ike_policy.peer_id) == (OTHER_PEER, "198.51.100.77")


def test_a_default_id_follows_to_a_customer_gateway_without_an_address(given: Any):
    peer = _peer(given, id_type="fqdn", id_value="branch.example")
    made = Change(given, given.made({}), {"cgw_id": OTHER_PEER}, new_peer=peer).made
    assert (made.ike_policy.peer_id_type, made.ike_policy.peer_id) == ("fqdn", "branch.example")


def test_a_chosen_id_stays_with_another_customer_gateway(given: Any):
    was = given.made({"ikepolicy": {"peer_id": "10.9.9.9"}})
    made = Change(given, was, {"cgw_id": OTHER_PEER}, new_peer=_peer(given, id_value="198.51.100.77")).made
    assert made.ike_policy.peer_id == "10.9.9.9"


def test_an_omitted_id_of_type_ip_is_kept(given: Any):
    was = given.made({"ikepolicy": {"local_id": "10.9.9.8", "peer_id": "10.9.9.9"}})
    sent = {"ikepolicy": {"local_id_type": "ip", "peer_id_type": "ip", "lifetime_seconds": 7200}}
    made = Change(given, was, sent).made.ike_policy
    assert (made.local_id, made.peer_id, made.lifetime_seconds) == ("10.9.9.8", "10.9.9.9", 7200)


def test_another_kind_of_id_forgets_the_old_one(given: Any):
    was = given.made(NAMED)
    made = Change(given, was, {"ikepolicy": {"local_id_type": "ip", "peer_id_type": "ip"}}).made.ike_policy
    assert (made.local_id, made.peer_id) == ("203.0.113.1", "198.51.100.2")


def test_a_new_id_of_the_same_kind_is_taken(given: Any):
    made = Change(given, given.made(NAMED), {"ikepolicy": {"peer_id": "elsewhere"}}).made.ike_policy
    assert (made.peer_id_type, made.peer_id, made.local_id) == ("fqdn", "elsewhere", "here")


def test_a_customer_gateway_that_is_not_there_is_named(given: Any):
    change = Change(given, given.made({}), {"cgw_id": OTHER_PEER})
    change._facts = replace(change._facts, customer_gateway=None)
    given.only(change.refusals, "cgw_id", f"customer gateway {OTHER_PEER} does not exist")


# -- rules, addresses, neighbours -------------------------------------------------------------------------------------


def test_rules_are_replaced_as_a_list(given: Any):
    sent = [{"source": "10.0.0.0/26", "destination": ["192.168.1.0/24"]}]
    made = Change(given, given.made(POLICY), {"policy_rules": sent}).made
    assert made.policy_rules == (model.PolicyRule(index=1, source="10.0.0.0/26", destinations=("192.168.1.0/24",)),)


def test_a_rule_without_an_index_keeps_that_of_its_source(given: Any):
    was = given.made(POLICY)
    rules = [{"source": r.source, "destination": ["192.168.9.0/24"]} for r in reversed(was.policy_rules)]
    made = Change(given, was, {"policy_rules": rules}).made
    assert [(r.index, r.source) for r in made.policy_rules] == [(7, "10.0.0.128/25"), (0, "10.0.0.0/25")]


def test_an_index_that_another_rule_takes_is_not_kept(given: Any):
    sent = [
        {"source": "10.0.0.0/25", "destination": ["192.168.1.0/24"]},
        {"rule_index": 0, "source": "10.0.0.128/25", "destination": ["192.168.1.0/24"]},
    ]
    made = Change(given, given.made(POLICY), {"policy_rules": sent}).made
    assert [r.index for r in made.policy_rules] == [1, 0]


@pytest.mark.parametrize("sent", [{}, {"peer_subnets": ["192.168.50.0/24"]}])
def test_rules_that_were_given_stay(given: Any, sent: dict[str, Any]):
    was = given.made(POLICY)
    assert Change(given, was, sent).made.policy_rules == was.policy_rules


PEERS = ["192.168.44.0/24", "192.168.50.0/24"]
#: A derived connection as this version and an earlier one, which did not tell, stored it.
TOLD = pytest.mark.parametrize("told", [False, None], ids=["this-version", "earlier-version"])


@TOLD
@pytest.mark.parametrize("rules", ["absent", "as-read", "empty"])
def test_rules_that_were_derived_follow_the_peer_subnets(given: Any, rules: str, told: bool | None):
    was = replace(given.made({"style": "policy"}), policy_rules_given=told)
    sent = {"as-read": {"policy_rules": _told(was)["policy_rules"]}, "empty": {"policy_rules": []}}.get(rules, {})
    made = Change(given, was, {"peer_subnets": PEERS, **sent}).made
    assert made.policy_rules == (model.PolicyRule(index=1, source="10.0.0.0/24", destinations=tuple(PEERS)),)
    assert made.policy_rules_given is False
    assert given.warnings(made) == ()


def test_rules_of_an_earlier_version_that_are_not_what_is_derived_were_given(given: Any):
    was = replace(given.made(POLICY), policy_rules_given=None)
    made = Change(given, was, {"peer_subnets": PEERS}).made
    assert made.policy_rules == was.policy_rules
    assert made.policy_rules_given is True


def test_rules_that_an_update_gives_are_derived_no_longer(given: Any):
    was = given.made({"style": "policy"})
    rules = [{"source": "10.0.0.0/24", "destination": PEERS[:1]}, {"source": "10.9.0.0/24", "destination": PEERS[:1]}]
    made = Change(given, was, {"policy_rules": rules}).made
    assert made.policy_rules_given is True
    assert Change(given, made, {"peer_subnets": PEERS}).made.policy_rules == made.policy_rules


def test_an_empty_list_derives_the_rules_again(given: Any):
    made = Change(given, given.made(POLICY), {"policy_rules": []}).made
    assert [(rule.source, rule.destinations) for rule in made.policy_rules] == [("10.0.0.0/24", made.peer_subnets)]
    assert made.policy_rules_given is False


@TOLD
def test_a_derived_rule_keeps_the_index_of_its_source(given: Any, told: bool | None):
    """The names of CHILD_SAs have it: another index would end them."""
    was = replace(
        given.made({"style": "policy"}, local_subnets=("10.0.0.0/24", "10.1.0.0/24")), policy_rules_given=told
    )
    present, now = (
        given.gateway(local_subnets=each) for each in (("10.0.0.0/24", "10.1.0.0/24"), ("10.1.0.0/24", "10.2.0.0/24"))
    )
    made, _ = gateway_update.updated_connection(was, present, now, given.customer_gateway())
    assert [(rule.index, rule.source) for rule in made.policy_rules] == [(2, "10.1.0.0/24"), (1, "10.2.0.0/24")]


def test_derived_rules_on_a_private_gateway_follow_and_its_address_stays(given: Any):
    was = given.made({"style": "policy", "vgw_ip": "10.1.0.5"}, network_type="private")
    present, now = (
        given.gateway(network_type="private", local_subnets=(each,)) for each in ("10.0.0.0/24", "10.0.0.0/25")
    )
    made, _ = gateway_update.updated_connection(was, present, now, given.customer_gateway())
    assert (made.gateway_endpoint, made.policy_rules[0].source) == ("10.1.0.5", "10.0.0.0/25")


@pytest.mark.parametrize(
    ("peers", "told"),
    [
        pytest.param(["192.168.44.0/24", "192.168.45.0/25"], (), id="covered"),
        pytest.param(["192.168.44.0/23"], (), id="by-two-rules-together"),
        pytest.param(["192.168.44.0/24", "192.168.46.0/24"], ("peer_subnets[1]",), id="another"),
        pytest.param(["192.168.44.0/22"], ("peer_subnets[0]",), id="wider"),
    ],
)
def test_a_peer_subnet_without_a_rule_is_a_warning(given: Any, peers: list[str], told: tuple[str, ...]):
    made = Change(given, given.made(POLICY), {"peer_subnets": peers}).made
    assert tuple(warning.field for warning in given.warnings(made)) == told
    assert all("no policy rule has" in warning.text for warning in given.warnings(made))


@pytest.mark.parametrize(
    ("changes", "abilities", "field"),
    [
        pytest.param({"style": "bgp"}, ("strongswan", "kernel"), None, id="bgp"),
        pytest.param({"style": "policy-template"}, ("strongswan", "userland"), None, id="policy-template"),
        pytest.param({"peer_subnets": ["0.0.0.0/0"]}, ("strongswan", "userland"), "peer_subnets", id="default-route"),
        pytest.param({"peer_subnets": ["0.0.0.0/0"]}, ("strongswan", "kernel"), None, id="default-route-in-the-kernel"),
        pytest.param({"style": "policy"}, ("strongswan", "userland"), None, id="policy"),
        pytest.param({}, ("strongswan", "userland"), None, id="static"),
        pytest.param({"style": "bgp"}, ("simulated", "kernel"), None, id="simulated"),
        pytest.param({"style": "bgp"}, ("none", "kernel"), None, id="no-engine-here"),
    ],
)
def test_what_the_engine_does_not_carry_is_a_warning(
    given: Any, changes: dict[str, Any], abilities: Any, field: str | None
):
    told = given.warnings(given.made(changes), model.abilities_of(*abilities))
    assert [warning.field for warning in told] == ([field] if field else [])


@pytest.mark.parametrize(("engine", "told"), [("strongswan", True), ("simulated", True), ("none", False)])
def test_gm_connections_are_carried_nowhere(given: Any, engine: str, told: bool):
    warnings = given.warnings(given.made({}, flavor="GM"), model.abilities_of(engine, "kernel"))
    assert bool(warnings) == told


@pytest.mark.parametrize(
    ("sent", "pair"),
    [
        pytest.param({"tunnel_local_address": "169.254.8.1/30"}, ("169.254.8.1/30", "169.254.8.2/30"), id="local"),
        pytest.param({"tunnel_peer_address": "169.254.8.1/30"}, ("169.254.8.2/30", "169.254.8.1/30"), id="peer"),
        pytest.param({"tunnel_local_address": "169.254.76.2/30"}, ("169.254.76.2/30", "169.254.76.1/30"), id="swap"),
        pytest.param({"tunnel_local_address": "169.254.76.1/30"}, ("169.254.76.1/30", "169.254.76.2/30"), id="same"),
    ],
)
def test_one_tunnel_address_brings_the_other(given: Any, sent: dict[str, str], pair: tuple[str, str]):
    made = Change(given, given.made({"tunnel_local_address": "169.254.76.1/30"}), sent).made
    assert (made.tunnel_local_address, made.tunnel_peer_address) == pair


def test_a_block_of_another_connection_is_refused_in_an_update_too(given: Any):
    change = Change(
        given,
        given.made({}),
        {"tunnel_local_address": "169.254.8.1/30"},
        neighbours=(given.neighbour(tunnel_block=512),),
    )
    given.only(change.refusals, "tunnel_local_address", "is used by connection")


def test_an_update_to_a_twin_is_refused_with_its_id(given: Any):
    twin = given.neighbour(customer_gateway_id=OTHER_PEER)
    change = Change(given, given.made({}), {"cgw_id": OTHER_PEER}, new_peer=_peer(given), neighbours=(twin,))
    given.only(change.refusals, "cgw_id", f"connection {twin.id} already leads")


# -- what an engine has to do with it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "bumps_generation"),
    [({"name": "n"}, False), ({"enable_hub": True}, False), ({}, False)]
    + [(_nested(path, value), True) for path, value in PLAIN if path not in ("name", "enable_hub")],
)
def test_a_change_that_needs_no_engine_is_told_apart(given: Any, changes: dict[str, Any], bumps_generation: bool):
    was = given.made({})
    assert connection_update.bumps_generation(was, Change(given, was, changes).made) is bumps_generation


@drawn(
    sent=st.fixed_dictionaries(
        {},
        optional={
            "encryption_algorithm": st.sampled_from(allowed_values.ENCRYPTION),
            "ike_version": st.sampled_from(["v1", "v2"]),
            "phase1_negotiation_mode": st.sampled_from(["main", "aggressive"]),
            "dh_group": st.sampled_from(allowed_values.GROUPS),
            "lifetime_seconds": st.integers(60, 604800),
            "local_id_type": st.just("fqdn"),
            "peer_id": st.sampled_from(["10.9.9.9", "198.51.100.2"]),
            "dpd": st.fixed_dictionaries(
                {}, optional={"interval": st.integers(10, 3600), "timeout": st.integers(2, 60)}
            ),
        },
    )
)
def test_any_update_again_changes_nothing_more(given: Any, sent: dict[str, Any]):
    was = given.made({"ikepolicy": {"local_id_type": "fqdn", "local_id": "here"}})
    change = Change(given, was, {"ikepolicy": sent})
    if not change.refusals:
        once = change.made
        assert Change(given, once, {"ikepolicy": sent}).made == once
        assert Change(given, once, _told(once)).made == once
