"""The combinations that real tunnels try are all that the rules allow, and the few of `make test` have every pair of them."""

import itertools

import pytest

from lab import algorithms, specs
from lab.algorithms import Combination
from landbridge.model import strongswan_proposals


def _places(combination: Combination) -> list[algorithms.Place]:
    return list(enumerate(combination))


def test_the_few_have_every_pair_of_values_that_the_rules_allow() -> None:
    tried = {pair for row in algorithms.pairwise() for pair in itertools.combinations(_places(row), 2)}
    missing = set(algorithms.pairs_of(algorithms.AXES)) - tried
    assert missing == {
        ((0, mode), (1, cipher))
        for mode in ("IKEv1 main", "IKEv1 aggressive")
        for cipher in ("aes-128-gcm-16", "aes-256-gcm-16")
    }


def test_the_few_are_few_and_none_is_refused() -> None:
    few = algorithms.pairwise()
    assert len(few) <= 100
    assert [row for row in few if algorithms.refusal(row)] == []


def test_the_matrix_is_every_combination_of_a_policy_in_every_mode() -> None:
    for mode in algorithms.MODES:
        assert len(set(algorithms.ike_matrix(mode))) == 6 * 5 * 9
        assert len(set(algorithms.esp_matrix(mode))) == 6 * 5 * 10


def test_swanctl_has_a_word_of_its_own_for_every_choice() -> None:
    rows = algorithms.ike_matrix("IKEv2")
    assert len({row.ike for row in rows}) == len(rows)
    cbc = [row for row in algorithms.esp_matrix("IKEv2") if "gcm" not in row.esp_encryption]
    gcm = [row for row in algorithms.esp_matrix("IKEv2") if "gcm" in row.esp_encryption]
    assert len({row.esp for row in cbc}) == len(cbc)
    assert len({row.esp for row in gcm}) == 2 * 10


@pytest.mark.parametrize("mode", algorithms.MODES)
def test_the_engine_asks_for_what_the_device_of_every_combination_has(mode: str) -> None:
    """The words of `lab.algorithms` are written down apart from the engine's, and the tunnels of the page came up with them."""
    for row in algorithms.ike_matrix(mode):
        policy = specs.ike_policy(
            encryption_algorithm=row.ike_encryption,
            authentication_algorithm=row.ike_authentication,
            dh_group=row.ike_group,
        )
        assert strongswan_proposals.ike_proposal(policy) == row.ike
    for row in algorithms.esp_matrix(mode):
        esp = specs.ipsec_policy(
            encryption_algorithm=row.esp_encryption, authentication_algorithm=row.esp_authentication, pfs=row.pfs
        )
        assert strongswan_proposals.esp_proposal(esp) == row.esp
