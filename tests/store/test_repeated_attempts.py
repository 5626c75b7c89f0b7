"""Which attempts are folded, and what a folded attempt says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge import model
from landbridge.model import negotiation
from landbridge.store import repeated_attempts

START = datetime(2026, 1, 1, tzinfo=UTC)


def failed(number: int, *facts: negotiation.Fact, **words: Any) -> model.Attempt:
    at = START + timedelta(seconds=number)
    usual: dict[str, Any] = {
        "began_at": at,
        "ended_at": at,
        "began_by": "us",
        "configuration": "1",
        "outcome": "no_answer",
    }
    return model.Attempt(id=str(1000 + number), facts=facts or (_retransmits(number),), **(usual | words))


def _at(number: int) -> datetime:
    return START + timedelta(seconds=number)


def _retransmits(number: int, count: int = 3, **words: Any) -> negotiation.Fact:
    usual: dict[str, Any] = {"sender": "us", "message": 1, "gave_up": True}
    return negotiation.Retransmits(at=_at(number), line=f"at {number}", count=count, **(usual | words))


def _packet(number: int, port: int) -> negotiation.Fact:
    return negotiation.Packet(
        at=_at(number),
        sender="device",
        peer_address="198.51.100.2",
        peer_port=port,
        local_address="203.0.113.1",
        local_port=500,
    )


def _unknown(number: int, line: str) -> negotiation.Fact:
    return negotiation.Unknown(at=_at(number), line=line, is_refusal=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(failed(1), failed(2), id="times"),
        pytest.param(failed(1), failed(2, _retransmits(2, 9)), id="number-of-retransmits"),
        pytest.param(failed(1, _packet(1, 40001)), failed(2, _packet(2, 40002)), id="port-of-a-NAT"),
        pytest.param(failed(1, _unknown(1, "error 1f")), failed(2, _unknown(2, "error 2f")), id="number-in-a-line"),
    ],
)
def test_attempts_that_differ_by_what_each_has_of_its_own_are_folded(one: model.Attempt, other: model.Attempt):
    assert repeated_attempts.fold([one, other]) == [replace(other, count=2, first_began_at=one.began_at)]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(failed(2, configuration="2"), id="configuration"),
        pytest.param(failed(2, began_by="device"), id="who-began"),
        pytest.param(failed(2, peer_address="192.0.2.1"), id="address"),
        pytest.param(failed(2, outcome="refused_by_device"), id="outcome"),
        pytest.param(failed(2, outcome=None, ended_at=None), id="goes-on"),
        pytest.param(failed(2, outcome="up"), id="up"),
        pytest.param(failed(2, _retransmits(2, message=2)), id="message"),
        pytest.param(failed(2, _retransmits(2), _packet(2, 500)), id="one-fact-more"),
        pytest.param(failed(2, _unknown(2, "another line")), id="line"),
    ],
)
def test_attempts_that_say_something_else_are_not_folded(other: model.Attempt):
    assert repeated_attempts.fold([failed(1), other]) == [failed(1), other]


def test_failures_of_both_sides_in_turns_are_folded_each():
    turns = [failed(number, began_by="device" if number % 2 else "us") for number in range(10)]
    assert [(one.id, one.count) for one in repeated_attempts.fold(turns)] == [("1008", 5), ("1009", 5)]


@pytest.mark.parametrize("outcome", ["up", "deleted", "replaced"])
def test_no_attempt_is_folded_over_a_tunnel_that_was_up(outcome: Any):
    said = [failed(1), failed(2, outcome=outcome), failed(3)]
    assert repeated_attempts.fold(said) == said


def test_an_attempt_that_was_folded_before_a_tunnel_was_up_is_not_counted_again():
    said = [failed(0), failed(1), failed(2, outcome="up"), failed(3), failed(4)]
    once = repeated_attempts.fold(said)
    assert [one.count for one in once] == [2, 1, 2]
    assert repeated_attempts.fold(repeated_attempts.add(once, said)) == once


ATTEMPTS = st.lists(
    st.builds(
        failed,
        st.integers(0, 60),
        began_by=st.sampled_from(["us", "device"]),
        outcome=st.sampled_from(["no_answer", "refused_by_us", "up", None]),
    ),
    unique_by=lambda one: one.id,
).map(lambda found: sorted(found, key=lambda one: one.id))


@given(ATTEMPTS, st.integers(0, 60))
def test_none_is_lost_and_none_is_counted_twice(said: list[model.Attempt], split: int):
    once = repeated_attempts.fold(said)
    assert sum(one.count for one in once) == len(said)
    assert [one.id for one in once] == sorted(one.id for one in once)
    parts = repeated_attempts.fold(repeated_attempts.add(repeated_attempts.fold(said[:split]), said[split:]))
    assert parts == once
    assert repeated_attempts.fold(repeated_attempts.add(once, said[-8:])) == once
