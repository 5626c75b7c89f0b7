"""Samples of looks at a connection, and samples of samples."""

import dataclasses
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import specs
from landbridge import model
from landbridge.model.samples import RINGS, EchoSample, Sample
from landbridge.operations import samples

MINUTE = 60_000
START = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1000)
UP = model.ConnectionObservation(
    connection_id="c",
    children=(
        specs.child_sa(
            local_ts=("10.0.0.0/24",), remote_ts=("192.168.1.0/24",), installed_at=datetime(2026, 1, 1, tzinfo=UTC)
        ),
    ),
)
DOWN = model.ConnectionObservation(connection_id="c")

counts = st.integers(0, 2**50)
#: Looks of any length and phase: milliseconds between them, bytes in, bytes out, whether the tunnel is up.
looks = st.lists(st.tuples(st.integers(1, 10 * MINUTE), counts, counts, st.booleans()), min_size=1, max_size=20)
rtts = st.floats(0.01, 10_000)


@st.composite
def reachabilities(draw: st.DrawFn) -> model.Reachability:
    sent = draw(st.integers(0, 1000))
    lost = draw(st.integers(0, sent))
    shortest, average, longest = sorted(draw(st.tuples(rtts, rtts, rtts)))
    answered = {"rtt_min": shortest, "rtt_average": average, "rtt_max": longest} if lost < sent else {}
    return model.Reachability(source="a", destination="b", sent=sent, lost=lost, **answered)


def _with(look: model.ConnectionObservation, came: int, went: int) -> model.ConnectionObservation:
    return dataclasses.replace(look, traffic=model.Traffic(bytes_in=came, bytes_out=went))


def _taken(given_looks: list[tuple[int, int, int, bool]]) -> tuple[dict[int, Sample], int]:
    """The samples of looks one after another, and the time of the last one."""
    at, before, pieces = START, _with(DOWN, 0, 0), []
    for length, came, went, is_up in given_looks:
        now = _with(UP if is_up else DOWN, before.traffic.bytes_in + came, before.traffic.bytes_out + went)
        pieces += samples.of_traffic(before, now, at, at + length)
        at, before = at + length, now
    return samples.total(pieces), at


@given(looks)
def test_no_byte_and_no_time_is_lost_between_looks_and_the_month(given_looks: list[tuple[int, int, int, bool]]):
    finest, end = _taken(given_looks)
    for ring in RINGS:
        folded = samples.fold(finest, ring)
        assert sum(one.bytes_in for one in folded.values()) == sum(look[1] for look in given_looks)
        assert sum(one.bytes_out for one in folded.values()) == sum(look[2] for look in given_looks)
        assert sum(one.observed for one in folded.values()) == end - START
        assert sum(one.up for one in folded.values()) == sum(one.up for one in finest.values())
        assert set(folded) == {samples.slot_at(ring, at) for at in (*range(START, end, MINUTE), end - 1)}, (
            "a slot for each part of the time, and for no other"
        )
        for one in folded.values():
            assert 0 <= one.up <= one.observed <= ring.seconds * 1000
            assert one.bytes_in >= 0
            assert one.bytes_out >= 0


@given(looks, st.sampled_from(RINGS))
def test_the_order_of_folding_does_not_matter(given_looks: list[tuple[int, int, int, bool]], ring: model.samples.Ring):
    """What is written minute by minute is what would be made of all minutes at once."""
    finest, _ = _taken(given_looks)
    one_by_one: dict[int, Sample] = {}
    for slot, one in reversed(finest.items()):
        for target, folded in samples.fold({slot: one}, ring).items():
            one_by_one[target] = samples.add(folded, one_by_one.get(target, Sample()))
    assert one_by_one == samples.fold(finest, ring)


@given(counts, st.integers(1, 10 * MINUTE), st.integers(0, MINUTE))
def test_bytes_are_spread_evenly(carried: int, length: int, phase: int):
    since = START + phase
    for _, one in samples.of_traffic(_with(UP, 0, 0), _with(UP, carried, 0), since, since + length):
        assert abs(Fraction(carried * one.observed, length) - one.bytes_in) <= 1


@pytest.mark.parametrize("first", [UP, DOWN])
def test_a_counter_that_started_anew_gives_neither_a_negative_nor_a_giant_rate(first: model.ConnectionObservation):
    pieces = samples.of_traffic(_with(first, 10**12, 10**9), _with(UP, 700, 10**9 + 9), START, START + MINUTE)
    ((_, one),) = pieces
    assert (one.bytes_in, one.bytes_out) == (0, 9)


def test_the_state_of_a_look_holds_until_the_next_one():
    times = {
        name: samples.of_traffic(before, now, START, START + 100)
        for name, before, now in (("up", UP, DOWN), ("down", DOWN, UP))
    }
    assert {name: [one.up for _, one in found] for name, found in times.items()} == {"up": [100], "down": [0]}


@given(st.lists(st.tuples(st.integers(1, MINUTE), reachabilities(), reachabilities()), min_size=1, max_size=10))
def test_echoes_keep_their_number_and_their_range(windows: list[tuple[int, model.Reachability, model.Reachability]]):
    at, pieces = START, []
    for length, nqa, monitor in windows:
        pieces += samples.of_echoes(dataclasses.replace(UP, nqa=nqa, monitor=monitor), at, at + length)
        at += length
    for ring in RINGS:
        folded = samples.fold(samples.total(pieces), ring)
        for kind, number in (("nqa", 1), ("monitor", 2)):
            found: list[EchoSample] = [one for each in folded.values() if (one := getattr(each, kind))]
            said = [window[number] for window in windows]
            assert sum(one.sent for one in found) == sum(one.sent for one in said)
            assert sum(one.lost for one in found) <= sum(one.lost for one in said)
            for one in found:
                assert 0 <= one.lost <= one.sent
                assert (one.rtt_min is None) == (one.rtt_average is None)
                if one.rtt_min is not None and one.rtt_max is not None and one.rtt_average is not None:
                    assert one.rtt_min <= one.rtt_average <= one.rtt_max
            answered = [one for one in said if one.rtt_min is not None and one.rtt_max is not None]
            for name, of in (("rtt_min", min), ("rtt_max", max)):
                known = [getattr(one, name) for one in found if one.rtt_min is not None]
                if known:
                    bounds = [round(1000 * getattr(one, name)) for one in answered]
                    assert of(known) in bounds


def test_nothing_is_said_where_no_echo_was_sent():
    silent = model.Reachability(source="a", destination="b")
    assert list(samples.of_echoes(UP, START, START + MINUTE)) == []
    assert list(samples.of_echoes(dataclasses.replace(UP, nqa=silent), START, START + MINUTE)) == []


def test_a_rate_is_of_the_observed_time_alone():
    assert samples.rate(1500, Sample(observed=30_000, bytes_in=1500)) == 400
    assert samples.rate(0, Sample()) is None
