"""What a connection shares with the others of its gateway."""

import dataclasses
from typing import Any

import pytest

from landbridge import model
from landbridge.rules import connection as rules
from landbridge.rules import overlaps
from tests.rules import conftest as world


def _made(number: int, endpoint: int = 1, **changes: Any) -> model.Connection:
    """Each has a device of its own."""
    facts = world.facts(local_subnets=("10.0.0.0/24", "10.0.1.0/24"))
    changes = {"vgw_ip": world.EIPS[endpoint - 1], "ikepolicy": {"peer_id": f"198.51.100.{number}"}} | changes
    request = world.request(changes)
    made = rules.complete(request, facts, world.GENERATED, facts.gateway.gateway)
    return dataclasses.replace(made, id=f"{number:08}-0000-4000-8000-000000000000", name=f"vpn-{number}")


def _rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    given = [{"source": source, "destination": [destination]} for source, destination in pairs]
    return {"style": "policy", "peer_subnets": ["192.168.0.0/16"], "policy_rules": given}


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        pytest.param({}, {}, ["peer_subnets[0]"], id="the same subnet"),
        pytest.param({}, {"peer_subnets": ["192.168.45.0/24"]}, [], id="another subnet"),
        pytest.param({}, {"peer_subnets": ["192.168.40.0/21"]}, ["peer_subnets[0]"], id="inside"),
        pytest.param({"peer_subnets": ["192.168.0.0/17"]}, {}, ["peer_subnets[0]"], id="around"),
        pytest.param(
            {"peer_subnets": ["192.168.43.0/24", "192.168.44.8/32"]}, {}, ["peer_subnets[1]"], id="the second"
        ),
        pytest.param({}, {"endpoint": 2}, [], id="a pair of endpoints"),
        pytest.param({}, {"endpoint": 2, "peer_subnets": ["192.168.44.0/25"]}, ["peer_subnets[0]"], id="half a pair"),
        pytest.param(
            _rules(("10.0.0.0/24", "192.168.1.0/24")), _rules(("10.0.1.0/24", "192.168.1.0/24")), [], id="other sources"
        ),
        pytest.param(
            _rules(("10.0.0.0/24", "192.168.1.0/24"), ("10.0.1.0/24", "192.168.2.0/24")),
            _rules(("10.0.1.128/25", "192.168.2.0/25")),
            ["policy_rules[1].destination"],
            id="the same source",
        ),
        pytest.param(_rules(("10.0.0.0/24", "192.168.44.0/24")), {}, ["policy_rules[0].destination"], id="both styles"),
        pytest.param({"style": "bgp"}, {"style": "bgp", "peer_subnets": ["10.9.0.0/24"]}, [], id="bgp"),
        pytest.param(
            {"ikepolicy": {"peer_id": "198.51.100.2"}},
            {"peer_subnets": ["10.9.0.0/24"]},
            ["ikepolicy.peer_id"],
            id="ids",
        ),
        pytest.param(
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "Branch"}},
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "branch"}, "peer_subnets": ["10.9.0.0/24"]},
            ["ikepolicy.peer_id"],
            id="ids in another letter case",
        ),
    ],
)
def test_overlaps_and_equal_ids_are_named(ours: dict[str, Any], theirs: dict[str, Any], found: list[str]):
    other = _made(2, **theirs)
    warnings = overlaps.warnings(_made(1, **ours), [_made(3, peer_subnets=["172.16.0.0/24"]), other])
    assert [warning.field for warning in warnings] == found
    assert all(f"connection {other.id} (vpn-2)" in warning.text for warning in warnings)


def test_many_are_counted():
    others = [_made(number) for number in range(2, 2 + overlaps.NAMED)]
    assert len(overlaps.warnings(_made(1), others)) == overlaps.NAMED
    *_, last = overlaps.warnings(_made(1), [*others, _made(90), _made(91)])
    assert last.text.endswith("takes the packets for both, and 2 more connections do")


@pytest.mark.parametrize(
    ("styles", "text"),
    [
        pytest.param(("policy-template", "policy-template"), "must ask for different parts", id="two-templates"),
        pytest.param(("policy-template", "static"), "takes the packets for both", id="one-template"),
    ],
)
def test_devices_that_ask_for_their_parts_may_have_the_same_wide_subnets(styles: tuple[str, str], text: str):
    one, other = (_made(number, style=style) for number, style in enumerate(styles, 1))
    [warning] = overlaps.warnings(one, [other])
    assert text in warning.text
