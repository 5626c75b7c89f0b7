"""A create request as a whole: the complete connection, its styles and options, and many violations at once."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from landbridge import model
from landbridge.wire import connections

STYLES = ("static", "policy", "bgp", "policy-template")
RULES = [{"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}]


def test_the_smallest_request_becomes_a_complete_static_connection(given: Any):
    made = given.made({})
    assert made == model.Connection(
        id=given.generated.id,
        project_id="f" * 32,
        name="vpn-13be",
        gateway_id=given.id,
        endpoint=1,
        gateway_endpoint="e1e1e1e1-0000-4000-8000-000000000001",
        style="static",
        customer_gateway_id=given.peer,
        peer_subnets=("192.168.44.0/24",),
        tunnel_local_address="169.254.56.225/30",
        tunnel_peer_address="169.254.56.226/30",
        enable_nqa=False,
        enable_hub=None,
        policy_rules=(),
        ike_policy=made.ike_policy,  # test_the_default_policies
        ipsec_policy=made.ipsec_policy,
        ha_role="master",
        enterprise_project_id="0",
        monitor_id=None,
        tags=(),
        created_at=given.generated.now,
        updated_at=given.generated.now,
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("attachment_type", ["vpc", "er"])
@pytest.mark.parametrize("network_type", ["public", "private"])
@pytest.mark.parametrize("flavor", ["Basic", "Professional1", "GM"])
@pytest.mark.parametrize("peer", ["ip", "fqdn"])
def test_every_style_is_carried_on_every_gateway(
    given: Any, style: str, attachment_type: str, network_type: str, flavor: str, peer: str
):
    endpoint = {} if network_type == "public" else {"vgw_ip": "10.1.0.5"}
    changes = {"style": style, "policy_rules": RULES if style == "policy" else None, **endpoint}
    made = given.made(changes, attachment_type=attachment_type, network_type=network_type, flavor=flavor, peer=peer)
    assert style == made.style
    assert (style == "policy-template") == (made.tunnel_local_address is None)
    assert (style == "policy") == bool(made.policy_rules)
    assert (attachment_type == "er" and style in ("policy", "bgp")) == (made.peer_subnets is None)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_taken_as_answers_spell_it(given: Any, style: str):
    rules = RULES if style == "policy" else None
    assert given.made({"style": style.upper(), "policy_rules": rules}).style == style


@pytest.mark.parametrize("style", ["", "Static", "route", "vti"])
def test_an_unknown_style_is_refused_with_those_there_are(given: Any, style: str):
    given.only(given.refusals({"style": style}), "style", "one of policy, static, bgp, policy-template")


@pytest.mark.parametrize(
    ("asked", "kept"), [pytest.param(None, False, id="default"), pytest.param(False, False), pytest.param(True, True)]
)
def test_nqa_is_kept_for_static(given: Any, asked: bool | None, kept: bool):
    assert kept is given.made({"enable_nqa": asked}).enable_nqa


@pytest.mark.parametrize("style", ["policy", "bgp", "policy-template"])
@pytest.mark.parametrize("asked", [None, False, True])
def test_nqa_with_another_style_is_refused_even_when_false(given: Any, style: str, asked: bool | None):
    found = given.refusals({"style": style, "enable_nqa": asked})
    if asked is None:
        assert given.made({"style": style}).enable_nqa is None
    else:
        given.only(found, "enable_nqa", "enable_nqa must not be filled if style is not static")


@pytest.mark.parametrize("asked", [None, False, True])
def test_enable_hub_is_stored_as_sent(given: Any, asked: bool | None):
    assert asked is given.made({"enable_hub": asked}).enable_hub


@pytest.mark.parametrize(("asked", "monitored"), [(None, False), (False, False), (True, True)])
def test_only_a_health_check_makes_a_monitor(given: Any, asked: bool | None, monitored: bool):
    expected = given.generated.other_ids[0] if monitored else None
    assert expected == given.made({"enable_health_check": asked}).monitor_id


def test_a_health_check_needs_tunnel_addresses(given: Any):
    found = given.refusals({"style": "policy-template", "enable_health_check": True})
    assert [each.split(": ")[0] for each in found] == ["enable_health_check"]
    assert given.refusals({"style": "policy-template", "enable_health_check": False}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("peer_subnets_v6", ["2001:db8::/32"], id="peer-subnets"),
        pytest.param("policy_rules_v6", [{"source": "2001:db8::/32"}], id="policy-rules"),
    ],
)
def test_ipv6_is_refused(given: Any, field: str, value: list):
    given.only(given.refusals({field: value}), field, "IPv6 is not carried yet")


def test_the_enterprise_project_is_the_gateway_s(given: Any):
    project = "cccccccc-0000-4000-8000-00000000000c"
    assert project == given.made({}, enterprise_project_id=project).enterprise_project_id


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param([], id="none"),
        pytest.param([{"key": f"k{n}", "value": ""} for n in range(20)], id="twenty-with-empty-values"),
        pytest.param([{"key": "k" * 128, "value": "v" * 255}], id="longest"),
        pytest.param([{"key": "año ção", "value": "ñ_.:=+-@ 09"}], id="spanish-portuguese-and-specials"),
        pytest.param([{"key": "部门", "value": "отдел"}], id="any-script"),
        pytest.param([{"key": "a", "value": "x"}, {"key": "A", "value": "x"}], id="keys-differ-in-case"),
    ],
)
def test_sound_tags_are_kept_in_order(given: Any, tags: list[dict[str, str]]):
    assert given.made({"tags": tags}).tags == tuple(model.Tag(t["key"], t["value"]) for t in tags)


@pytest.mark.parametrize(
    ("tags", "field", "text"),
    [
        pytest.param([{"key": f"k{n}", "value": ""} for n in range(21)], "tags", "has 21 entries", id="21"),
        pytest.param([{"value": "v"}], "tags[0].key", "is mandatory", id="no-key"),
        pytest.param([{"key": "k"}], "tags[0].value", "is mandatory", id="no-value"),
        pytest.param([{"key": "", "value": "v"}], "tags[0].key", "has 0 characters", id="empty-key"),
        pytest.param([{"key": "k" * 129, "value": ""}], "tags[0].key", "has 129 characters", id="key-of-129"),
        pytest.param([{"key": "k", "value": "v" * 256}], "tags[0].value", "has 256 characters", id="value-of-256"),
        pytest.param([{"key": "a/b*", "value": ""}], "tags[0].key", "may not contain '*' '/'", id="key-characters"),
        pytest.param([{"key": "k", "value": "a\nb"}], "tags[0].value", r"may not contain '\n'", id="value-line-end"),
        pytest.param([{"key": "k", "value": ""}] * 2, "tags[1].key", "'k' is given twice", id="key-twice"),
    ],
)
def test_unsound_tags_are_refused_at_their_place(given: Any, tags: list[dict[str, str]], field: str, text: str):
    given.only(given.refusals({"tags": tags}), field, text)


def test_a_request_wrong_in_many_places_hears_of_all_of_them(given: Any):
    wrong = {
        "name": "",
        "vgw_id": None,
        "vgw_ip": "x",
        "style": "bgp",
        "cgw_id": "y",
        "peer_subnets": ["192.168.44.1/24", "127.0.0.0/8"],
        "tunnel_local_address": "169.254.195.1/30",
        "tunnel_peer_address": "10.0.0.1/30",
        "enable_nqa": False,
        "psk": "short",
        "policy_rules": RULES,
        "ikepolicy": {
            "ike_version": "v3",
            "local_id_type": "fqdn",
            "peer_id": "z",
            "lifetime_seconds": 59,
            "dpd": {"timeout": 1, "interval": 9, "msg": "w"},
        },
        "ipsecpolicy": {"pfs": "group3", "lifetime_seconds": 29},
        "ha_role": "both",
        "tags": [{"key": "k"}],
        "peer_subnets_v6": ["2001:db8::/32"],
    }
    assert [one.split(": ")[0] for one in given.refusals(wrong)] == [
        "name",
        "vgw_id",
        "vgw_ip",
        "cgw_id",
        "peer_subnets[0]",
        "peer_subnets[1]",
        "tunnel_local_address",
        "tunnel_peer_address",
        "enable_nqa",
        "psk",
        "policy_rules",
        "ikepolicy.ike_version",
        "ikepolicy.lifetime_seconds",
        "ikepolicy.dpd.interval",
        "ikepolicy.dpd.timeout",
        "ikepolicy.dpd.msg",
        "ikepolicy.local_id",
        "ikepolicy.peer_id",
        "ipsecpolicy.pfs",
        "ipsecpolicy.lifetime_seconds",
        "ha_role",
        "tags[0].value",
        "peer_subnets_v6",
    ]


def test_an_empty_request_hears_of_everything_mandatory(given: Any):
    found = given.refusals(dict.fromkeys(("vgw_id", "vgw_ip", "cgw_id", "peer_subnets", "psk")), found=False)
    assert [one.split(": ")[0] for one in found] == ["vgw_id", "vgw_ip", "cgw_id", "peer_subnets", "psk"]


def test_a_refused_request_cannot_be_completed(given: Any):
    facts = given.facts()
    with pytest.raises(ValueError, match="check"):
        given.complete(given.request({"vgw_ip": "x"}), facts, given.generated, facts.gateway.gateway)


def _maybe(**fields: Any) -> Any:
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in fields.items()})


GROUPS = ("group1", "group14", "group15", "group21")
IKE = _maybe(
    ike_version=("v1", "v2"),
    phase1_negotiation_mode=("main", "aggressive"),
    authentication_algorithm=("sha2-512", "md5"),
    encryption_algorithm=("aes-256", "3des"),
    dh_group=GROUPS,
    lifetime_seconds=(0, 60, 604800),
    local_id=("192.168.1.2",),
    dpd=({}, {"interval": 10}, {"timeout": 60, "msg": "seq-notify-hash"}, {"interval": 0, "timeout": 0}),
)
IDS = st.sampled_from([{}, {"local_id_type": "fqdn", "local_id": "Us"}, {"peer_id_type": "fqdn", "peer_id": "Them"}])
GM_IKE = _maybe(phase1_negotiation_mode=("main",), dh_group=GROUPS, lifetime_seconds=(60, 0))
IPSEC = _maybe(
    authentication_algorithm=("sha2-384", "sha1"),
    encryption_algorithm=("aes-256-gcm-16", "aes-192"),
    pfs=(*GROUPS, "disable"),
    lifetime_seconds=(0, 30, 604800),
)
OPTIONS = _maybe(
    name=("my.vpn",),
    tunnel_local_address=("169.254.7.1/30", "169.254.7.2/30"),
    enable_hub=(True, False),
    enable_health_check=(True, False),
    ha_role=("master",),
    peer_subnets=(["192.168.44.0/24"], ["0.0.0.0/0", "192.168.9.0/24"]),
    tags=([], [{"key": "k", "value": ""}]),
)
INDEXES = st.lists(
    st.none() | st.integers(0, 50), min_size=1, max_size=5, unique_by=lambda n: object() if n is None else n
)
WHERE = _maybe(
    attachment_type=("vpc", "er"), ha_mode=("active-active", "active-standby"), flavor=("Basic", "GM"), peer=("fqdn",)
)


@st.composite
def sound_requests(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    where = draw(WHERE)
    style = draw(st.sampled_from(STYLES))
    body = draw(OPTIONS) | {"style": style}
    gm = where.get("flavor") == "GM"
    body["ikepolicy"] = draw(GM_IKE) if gm else draw(IKE) | draw(IDS)
    body["ipsecpolicy"] = {} if gm else draw(IPSEC)
    if style == "policy-template":
        body.pop("tunnel_local_address", None)
        body.pop("enable_health_check", None)
    if style == "static":
        body["enable_nqa"] = draw(st.sampled_from([None, False, True]))
    if style == "policy" and (where.get("attachment_type") == "er" or draw(st.booleans())):
        body["policy_rules"] = [
            {"rule_index": index, "source": f"10.{n}.0.0/16", "destination": ["192.168.44.0/24"]}
            for n, index in enumerate(draw(INDEXES))
        ]
    return body, where


@each(sound_requests())
def test_what_was_answered_asks_for_the_same_again(given: Any, request_and_where: tuple[dict, dict]):
    body, where = request_and_where
    if body["ikepolicy"].get("local_id_type") == "fqdn":
        body["ikepolicy"]["local_id"] = "Us"
    first = given.made(body, **where)
    answer = connections.connection(first, None)
    again = answer | {"enable_health_check": body.get("enable_health_check")}
    again |= {"peer_subnets": answer.get("peer_subnets"), "psk": "Abcd1234"}
    others = replace(given.generated, suffix="ffff", tunnel_blocks=(9,))
    second = given.made(again, generated=others, **where)
    assert first == replace(second, policy_rules_given=first.policy_rules_given)  # rules that are sent are given
