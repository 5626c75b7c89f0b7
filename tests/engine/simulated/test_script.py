"""What the simulated engine says of a negotiation: facts in their order, growing with time."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import specs
from landbridge.engine.simulated import script
from landbridge.model import negotiation

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OVER = script.NEGOTIATION_SECONDS


def _attempts(one: Any, wish: str, elapsed: float = OVER) -> tuple[negotiation.Attempt, ...]:
    return script.attempts(one, wish, "a" * 16, SINCE, elapsed)


def _one(version: str = "v2") -> Any:
    mode = "main" if version == "v1" else None
    return specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode=mode))


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("wish", ["active", *script.FAILURES])
def test_an_attempt_grows_and_never_changes_what_it_said(version: str, wish: str):
    one = _one(version)
    grown = [_attempts(one, wish, OVER * step / 20)[0].facts for step in range(21)]
    assert len(grown[0]) == (1 if wish == "active" else len(grown[-1]))
    for before, after in itertools.pairwise(grown):
        assert after[: len(before)] == before
    moments = [each.at for each in grown[-1]]
    assert moments == sorted(moments)
    assert moments[0] == SINCE


@pytest.mark.parametrize(
    ("version", "wish", "caller", "outcome", "last"),
    [
        ("v2", "active", "us", "up", {"kind": "established", "phase": 2}),
        ("v1", "active", "us", "up", {"kind": "established", "phase": 2}),
        ("v2", "down", "us", "no_answer", {"kind": "retransmits", "gave_up": True}),
        ("v2", "down:psk", "device", "refused_by_us", {"kind": "key_mismatch", "problem": "differs"}),
        ("v2", "down:proposal", "device", "refused_by_us", {"kind": "proposal_mismatch", "phase": 1}),
        ("v2", "down:selectors", "device", "refused_by_us", {"kind": "selectors_refused"}),
        ("v1", "down:selectors", "device", "refused_by_us", {"kind": "selectors_refused"}),
    ],
)
def test_an_attempt_ends_as_was_wished(version: str, wish: str, caller: str, outcome: str, last: dict[str, Any]):
    [attempt] = _attempts(_one(version), wish)
    assert (attempt.began_by, attempt.outcome, attempt.ike_version) == (caller, outcome, version)
    assert {name: getattr(attempt.facts[-1], name) for name in last} == last
    assert all("{}" not in fact.line and "None" not in fact.line for fact in attempt.facts)


def test_a_refused_proposal_has_the_values_of_both_sides():
    [attempt] = _attempts(_one(), "down:proposal")
    refused = attempt.facts[-1]
    assert isinstance(refused, negotiation.ProposalMismatch)
    [offered], [configured] = refused.offered, refused.configured
    assert (offered.encryption, configured.encryption) == (("aes-256",), ("aes-128",))
    assert offered.groups == configured.groups == ("group15",)


def test_what_failed_is_tried_again_and_the_last_attempts_are_kept():
    one = specs.connection()
    again = _attempts(one, "down:proposal", script.RETRY_SECONDS + OVER)
    assert [(each.began_at - SINCE).total_seconds() for each in again] == [0, script.RETRY_SECONDS]
    day = _attempts(one, "down", 86400.0)
    assert len(day) == script.KEPT
    assert (day[-1].began_at - SINCE).total_seconds() > 86380
    assert [int(each.id) for each in day] == sorted({int(each.id) for each in day})
    assert len(_attempts(one, "active", 86400.0)) == 1


def test_a_device_without_an_address_begins_itself():
    [attempt] = _attempts(replace(specs.connection(), peer_address=None), "active")
    assert (attempt.began_by, attempt.peer_address) == ("device", script.ROAMING_PEER)
