"""policy_rules: Table 4, when they are derived, and how they are numbered."""

from typing import Any

import pytest

from landbridge import model

DEST = ["192.168.44.0/24"]


def _rule(source: str | None = "10.0.0.0/24", destination: list[str] | None = DEST, index: int | None = None) -> dict:
    return {"rule_index": index, "source": source, "destination": destination}


def _rules(*indexes: int | None) -> list[dict]:
    return [_rule(f"10.{n}.0.0/24", index=index) for n, index in enumerate(indexes)]


@pytest.mark.parametrize(
    ("asked", "numbered"),
    [
        pytest.param([None], [1], id="one-without"),
        pytest.param([None, None, None], [1, 2, 3], id="from-one-in-order"),
        pytest.param([0], [0], id="lowest"),
        pytest.param([50], [50], id="highest"),
        pytest.param([2, None, 1, None], [2, 3, 1, 4], id="skips-those-given"),
        pytest.param([None, 1], [2, 1], id="skips-one-given-later"),
        pytest.param([0, None, 50, None, 3], [0, 1, 50, 2, 3], id="five-mixed"),
    ],
)
def test_rules_are_numbered(given: Any, asked: list[int | None], numbered: list[int]):
    made = given.made({"style": "policy", "policy_rules": _rules(*asked)})
    assert numbered == [rule.index for rule in made.policy_rules]


def test_rules_come_back_as_sent_with_their_numbers(given: Any):
    destinations = ["192.168.9.0/24", "192.168.1.0/24"]
    made = given.made({"style": "policy", "policy_rules": [_rule("172.20.0.0/16", destinations), _rule(index=7)]})
    assert made.policy_rules == (
        model.PolicyRule(index=1, source="172.20.0.0/16", destinations=tuple(destinations)),
        model.PolicyRule(index=7, source="10.0.0.0/24", destinations=tuple(DEST)),
    )


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(_rule("10.0.0.0/24", ["192.168.0.0/24"]), id="destination-outside-peer-subnets"),
        pytest.param(_rule("172.20.0.0/16", DEST), id="source-outside-local-subnets"),
        pytest.param(_rule("0.0.0.0/0", ["0.0.0.0/0"]), id="everything"),
        pytest.param(_rule(destination=[f"172.16.{n}.0/24" for n in range(50)]), id="fifty-destinations"),
    ],
)
def test_a_rule_need_not_agree_with_the_subnets(given: Any, rule: dict):
    assert given.refusals({"style": "policy", "policy_rules": [rule]}) == []


@pytest.mark.parametrize(
    ("rules", "field", "text"),
    [
        pytest.param(_rules(*[None] * 6), "policy_rules", "has 6 entries (wanted: at most 5)", id="six"),
        pytest.param(
            _rules(-1), "policy_rules[0].rule_index", "-1 is out of range (wanted: 0 to 50)", id="index-below-0"
        ),
        pytest.param(_rules(51), "policy_rules[0].rule_index", "51 is out of range (wanted: 0 to 50)", id="index-51"),
        pytest.param(_rules(3, 3), "policy_rules[1].rule_index", "3 is given twice", id="index-twice"),
        pytest.param([_rule(source=None)], "policy_rules[0].source", "is mandatory in a rule", id="no-source"),
        pytest.param([_rule(), _rule()], "policy_rules[1].source", "10.0.0.0/24 is given twice", id="source-twice"),
        pytest.param([_rule("10.0.0.1/24")], "policy_rules[0].source", "has host bits set", id="source-host-bits"),
        pytest.param([_rule("any")], "policy_rules[0].source", "is not an IPv4 CIDR block", id="source-no-block"),
        pytest.param([_rule(destination=None)], "policy_rules[0].destination", "is mandatory", id="no-destination"),
        pytest.param([_rule(destination=[])], "policy_rules[0].destination", "has 0 entries", id="empty-destination"),
        pytest.param(
            [_rule(destination=[f"172.16.{n}.0/24" for n in range(51)])],
            "policy_rules[0].destination",
            "has 51 entries (wanted: 1 to 50 CIDR blocks)",
            id="51-destinations",
        ),
        pytest.param(
            [_rule(destination=DEST * 2)], "policy_rules[0].destination[1]", "is given twice", id="destination-twice"
        ),
        pytest.param(
            [_rule(destination=["192.168.44.9/24"])],
            "policy_rules[0].destination[0]",
            "its block is 192.168.44.0/24",
            id="destination-host-bits",
        ),
    ],
)
def test_an_unsound_rule_is_refused_at_its_place(given: Any, rules: list[dict], field: str, text: str):
    given.only(given.refusals({"style": "policy", "policy_rules": rules}), field, text)


@pytest.mark.parametrize("style", [None, "static", "bgp", "policy-template"])
def test_rules_with_another_style_are_refused(given: Any, style: str | None):
    found = given.refusals({"style": style, "policy_rules": [_rule()]})
    given.only(found, "policy_rules", "must not be filled if style is not policy")


@pytest.mark.parametrize("style", [None, "static", "bgp", "policy-template"])
def test_an_empty_list_of_rules_is_no_rule(given: Any, style: str | None):
    assert given.made({"style": style, "policy_rules": []}).policy_rules == ()


@pytest.mark.parametrize("asked", [pytest.param(None, id="absent"), pytest.param([], id="empty")])
@pytest.mark.parametrize(
    "local",
    [
        pytest.param(("10.0.0.0/24",), id="one-local-subnet"),
        pytest.param(tuple(f"10.{n}.0.0/16" for n in range(5)), id="five-local-subnets"),
    ],
)
def test_without_rules_each_local_subnet_makes_one(given: Any, asked: list | None, local: tuple[str, ...]):
    peers = ["192.168.44.0/24", "192.168.9.0/24"]
    made = given.made({"style": "policy", "policy_rules": asked, "peer_subnets": peers}, local_subnets=local)
    assert made.policy_rules == tuple(
        model.PolicyRule(index=n, source=subnet, destinations=tuple(peers)) for n, subnet in enumerate(local, 1)
    )


@pytest.mark.parametrize("asked", [pytest.param(None, id="absent"), pytest.param([], id="empty")])
@pytest.mark.parametrize(
    ("where", "text"),
    [
        pytest.param({"attachment_type": "er"}, "on a gateway without local subnets (wanted: 1 to 5 rules)", id="er"),
        pytest.param(
            {"local_subnets": tuple(f"10.{n}.0.0/16" for n in range(6))},
            "6 local subnets would be too many",
            id="six-local-subnets",
        ),
    ],
)
def test_what_cannot_be_derived_must_be_sent(given: Any, asked: list | None, where: dict[str, Any], text: str):
    given.only(given.refusals({"style": "policy", "policy_rules": asked}, **where), "policy_rules", text)
