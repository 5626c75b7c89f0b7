"""Quotas: room for one more, or the words that say that there is none."""

import pytest

from landbridge.rules import quota


@pytest.mark.parametrize(
    ("limit", "used", "refused"),
    [
        pytest.param(0, 10**9, False, id="without-limit"),
        pytest.param(2, 1, False, id="one-left"),
        pytest.param(2, 2, True, id="full"),
        pytest.param(2, 3, True, id="more-than-a-lowered-limit"),
    ],
)
def test_a_project_has_at_most_its_quota(limit: int, used: int, refused: bool):
    assert bool(list(quota.check("vpn_gateway", limit, used))) is refused


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("vpn_gateway", "the project has 3 VPN gateways"),
        ("customer_gateway", "the project has 3 customer gateways"),
        ("vpn_connection", "the project has 3 VPN connections"),
    ],
)
def test_a_full_quota_is_named(kind: str, words: str):
    (wrong,) = quota.check(kind, 3, 3)
    assert (wrong.field, wrong.wrong, wrong.allowed) == (kind, words, "its quota is 3")
