"""peer_subnets: when needed, which blocks, how many."""

from typing import Any

import pytest

STYLES = ("static", "policy", "bgp", "policy-template")
RULES = [{"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}]


def _many(count: int) -> list[str]:
    return [f"172.16.{n}.0/24" for n in range(count)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("attachment_type", ["vpc", "er"])
def test_peer_subnets_are_needed_except_on_er_with_policy_or_bgp(given: Any, attachment_type: str, style: str):
    changes = {"peer_subnets": None, "style": style, "policy_rules": RULES if style == "policy" else None}
    needless = attachment_type == "er" and style in ("policy", "bgp")
    expected = [] if needless else ["peer_subnets: is mandatory (wanted: 1 to 50 CIDR blocks)"]
    assert expected == given.refusals(changes, attachment_type=attachment_type)


@pytest.mark.parametrize("style", ["policy", "bgp"])
@pytest.mark.parametrize("subnets", [["192.168.44.0/24"], ["nonsense"], []])
def test_on_er_with_policy_or_bgp_they_are_taken_and_not_stored(given: Any, style: str, subnets: list[str]):
    changes = {"peer_subnets": subnets, "style": style, "policy_rules": RULES if style == "policy" else None}
    assert given.made(changes, attachment_type="er").peer_subnets is None


@pytest.mark.parametrize(
    "subnets",
    [
        pytest.param(["192.168.44.0/24"], id="one"),
        pytest.param(_many(50), id="fifty"),
        pytest.param(["192.168.9.0/24", "192.168.1.0/24", "172.31.0.0/16"], id="order-kept"),
        pytest.param(["0.0.0.0/0"], id="default-route"),
        pytest.param(["192.168.44.7/32"], id="one-host"),
        pytest.param(["192.168.0.0/16", "192.168.44.0/24"], id="one-inside-another"),
        pytest.param(["10.0.0.0/8"], id="wider-than-the-local-subnet"),
        pytest.param(["100.0.0.0/8"], id="wider-than-a-reserved-block"),
        pytest.param(["100.128.0.0/16"], id="just-after-100.64"),
        pytest.param(["213.255.255.0/24"], id="just-before-214"),
        pytest.param(["215.0.0.0/8"], id="just-after-214"),
        pytest.param(["1.0.0.0/8"], id="just-after-0"),
        pytest.param(["126.0.0.0/8", "128.0.0.0/8"], id="around-loopback"),
        pytest.param(["169.253.0.0/16", "169.255.0.0/16"], id="around-link-local"),
        pytest.param(["223.255.255.0/24"], id="just-before-multicast"),
        pytest.param(["10.0.1.0/24"], id="beside-the-local-subnet"),
    ],
)
def test_sound_peer_subnets_are_kept(given: Any, subnets: list[str]):
    assert given.made({"peer_subnets": subnets}).peer_subnets == tuple(subnets)


@pytest.mark.parametrize(
    ("subnets", "field", "text"),
    [
        pytest.param([], "peer_subnets", "has 0 entries (wanted: 1 to 50 CIDR blocks)", id="none"),
        pytest.param(_many(51), "peer_subnets", "has 51 entries (wanted: 1 to 50 CIDR blocks)", id="fifty-one"),
        pytest.param(["192.168.44.1/24"], "peer_subnets[0]", "its block is 192.168.44.0/24", id="host-bits"),
        pytest.param(["192.168.44.0"], "peer_subnets[0]", "is not an IPv4 CIDR block", id="no-mask"),
        pytest.param(["192.168.44.0/33"], "peer_subnets[0]", "is not an IPv4 CIDR block", id="mask-33"),
        pytest.param(["192.168.44.0/255.255.255.0"], "peer_subnets[0]", "is not an IPv4 CIDR block", id="dotted-mask"),
        pytest.param(["2001:db8::/32"], "peer_subnets[0]", "is not an IPv4 CIDR block", id="ipv6"),
        pytest.param([""], "peer_subnets[0]", "is not an IPv4 CIDR block", id="empty-text"),
        pytest.param([" 192.168.44.0/24"], "peer_subnets[0]", "is not an IPv4 CIDR block", id="leading-space"),
        pytest.param(
            ["192.168.1.0/24", "172.16.0.0/16", "192.168.1.0/24"], "peer_subnets[2]", "is given twice", id="twice"
        ),
        pytest.param(["10.0.0.0/24"], "peer_subnets[0]", "the gateway's local subnet 10.0.0.0/24", id="equal-to-local"),
        pytest.param(["10.0.0.128/25"], "peer_subnets[0]", "the gateway's local subnet", id="inside-local"),
    ],
)
def test_unsound_peer_subnets_are_refused_at_their_place(given: Any, subnets: list[str], field: str, text: str):
    given.only(given.refusals({"peer_subnets": subnets}), field, text)


@pytest.mark.parametrize(
    ("subnet", "reserved"),
    [
        pytest.param("100.64.0.0/10", "100.64.0.0/10", id="shared-address-space"),
        pytest.param("100.127.255.0/24", "100.64.0.0/10", id="shared-address-space-last"),
        pytest.param("214.0.0.0/8", "214.0.0.0/8", id="214"),
        pytest.param("214.255.255.255/32", "214.0.0.0/8", id="214-last"),
        pytest.param("0.0.0.0/8", "0.0.0.0/8", id="this-network"),
        pytest.param("127.0.0.1/32", "127.0.0.0/8", id="loopback"),
        pytest.param("169.254.169.254/32", "169.254.0.0/16", id="link-local"),
        pytest.param("224.0.0.0/4", "224.0.0.0/3", id="multicast"),
        pytest.param("255.255.255.255/32", "224.0.0.0/3", id="broadcast"),
    ],
)
def test_reserved_blocks_are_no_customers_networks(given: Any, subnet: str, reserved: str):
    given.only(given.refusals({"peer_subnets": [subnet]}), "peer_subnets[0]", f"the reserved block {reserved}")


def test_the_same_peer_subnets_on_another_connection_are_a_redundant_pair(given: Any):
    other = given.neighbour(endpoint=2, customer_gateway_id=given.peer)
    towards_another = given.neighbour(endpoint=1)
    assert given.refusals({}, neighbours=(other, towards_another)) == []
