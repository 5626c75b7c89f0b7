"""What the simulated engine says of a negotiation: charon's words, in their order, growing with time."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import specs
from landbridge.engine.simulated import script

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OVER = script.NEGOTIATION_SECONDS


def _lines(one: Any, wish: str, elapsed: float = OVER) -> list[str]:
    return [each.line for each in script.log_lines(one, wish, "a" * 16, SINCE, elapsed)]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("wish", ["active", *script.FAILURES])
def test_a_log_grows_and_never_changes_what_it_said(version: str, wish: str):
    one = specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode="main"))
    grown = [script.log_lines(one, wish, "a" * 16, SINCE, OVER * step / 20) for step in range(21)]
    assert len(grown[0]) == (1 if wish == "active" else len(_lines(one, wish, script.NEGOTIATION_SECONDS)))
    for before, after in itertools.pairwise(grown):
        assert after[: len(before)] == before
    moments = [each.at for each in grown[-1]]
    assert moments == sorted(moments)
    assert moments[0] == SINCE


@pytest.mark.parametrize(
    ("version", "wish", "last"),
    [
        ("v2", "active", "established with SPIs aaaaaaaa_i aaaaaaaa_o and TS"),
        ("v2", "down", "establishing IKE_SA failed, peer not responding"),
        ("v2", "down:psk", "but MAC mismatched"),
        ("v2", "down:proposal", "received NO_PROPOSAL_CHOSEN notify error"),
        ("v2", "down:selectors", "failed to establish CHILD_SA, keeping IKE_SA"),
        ("v1", "down:proposal", "received NO_PROPOSAL_CHOSEN error notify"),
        ("v1", "down:selectors", "received INVALID_ID_INFORMATION error notify"),
    ],
)
def test_the_end_of_a_negotiation_is_in_charons_words(version: str, wish: str, last: str):
    one = specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode="main"))
    assert last in _lines(one, wish)[-1]
    assert all("{}" not in line and "None" not in line for line in _lines(one, wish))


def test_what_failed_is_tried_again_and_the_log_has_a_limit():
    one = specs.connection()
    once = _lines(one, "down:proposal")
    assert _lines(one, "down:proposal", script.RETRY_SECONDS + OVER) == once * 2
    day = script.log_lines(one, "down", "a" * 16, SINCE, 86400.0)
    assert len(day) == script.KEPT
    assert (day[-1].at - SINCE).total_seconds() > 86380
    assert _lines(one, "active", 86400.0) == _lines(one, "active")


def test_a_device_without_an_address_begins_itself():
    one = replace(specs.connection(), peer_address=None)
    assert _lines(one, "active")[0] == f"{script.ROAMING_PEER} is initiating an IKE_SA"
