"""A connection's counters go on where an SA takes the place of another one."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from lab import specs
from landbridge import model
from landbridge.operations import traffic

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = ("10.0.0.0/24", "192.168.1.0/24"), ("10.0.0.0/24", "192.168.2.0/24")


def _child(spi: str, number: int, selectors: tuple[str, str] = ONE) -> model.ChildSa:
    return specs.child_sa(
        local_ts=selectors[:1],
        remote_ts=selectors[1:],
        spi_in=spi,
        spi_out=spi,
        bytes_in=number,
        bytes_out=2 * number,
        packets_in=3 * number,
        packets_out=4 * number,
        installed_at=START,
    )


def _seen(*children: model.ChildSa) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id="c", children=children)


def _total(number: int, rekeys: int = 0, received_at: datetime | None = None) -> model.Traffic:
    return model.Traffic(
        bytes_in=number,
        bytes_out=2 * number,
        packets_in=3 * number,
        packets_out=4 * number,
        rekeys=rekeys,
        received_at=received_at,
    )


def test_counters_go_on_over_rekeys_new_selectors_and_a_time_down():
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(6)]
    seen = traffic.count(None, _seen(_child("1", 10)), at[0])
    assert seen.traffic == _total(10, 0, at[0])
    seen = traffic.count(seen, _seen(_child("1", 15)), at[1])
    assert seen.traffic == _total(15, 0, at[1])
    seen = traffic.count(seen, _seen(_child("2", 4), _child("3", 1, OTHER)), at[2])
    assert seen.traffic == _total(20, 1, at[2])
    seen = traffic.count(seen, _seen(_child("2", 4), _child("3", 1, OTHER)), at[3])
    assert seen.traffic == _total(20, 1, at[2])
    seen = traffic.count(seen, _seen(), at[4])
    assert seen.traffic == _total(20, 1, at[2])
    seen = traffic.count(seen, _seen(_child("4", 5)), at[5])
    assert seen.traffic == _total(25, 1, at[5])


def test_an_sa_that_a_look_missed_is_not_counted_again():
    """It is neither a rekey nor new traffic: an SA that takes its place for a moment ends again. What it carries afterwards counts."""
    at = [START + timedelta(seconds=30 * n) for n in range(5)]
    young = dataclasses.replace(_child("2", 1), installed_at=at[1] - timedelta(seconds=5))
    seen = traffic.count(None, _seen(_child("1", 10)), at[0])
    seen = traffic.count(seen, _seen(young), at[1], at[0])
    assert seen.traffic == _total(11, 1, at[1])
    seen = traffic.count(seen, _seen(_child("1", 15)), at[2], at[1])
    assert seen.traffic == _total(11, 1, at[1])
    seen = traffic.count(seen, _seen(_child("1", 18)), at[3], at[2])
    assert seen.traffic == _total(14, 1, at[3])


def test_an_sa_that_came_up_at_the_moment_of_the_last_look_is_new():
    """charon counts whole seconds, and the look had read the SAs when this one came up."""
    at = [START + timedelta(seconds=30 * n) for n in range(3)]
    young = dataclasses.replace(_child("2", 7), installed_at=at[1] - timedelta(seconds=1))
    seen = traffic.count(None, _seen(_child("1", 10)), at[0])
    seen = traffic.count(seen, _seen(_child("1", 10)), at[1], at[0])
    assert traffic.count(seen, _seen(young), at[2], at[1]).traffic == _total(17, 1, at[2])


def test_the_first_look_after_a_start_counts_nothing():
    """What the SA carried before is not carried now: a rate would jump."""
    first = _seen(_child("1", 1000))
    assert traffic.count(first, first, datetime.now(UTC)).traffic == _total(0)


@pytest.mark.parametrize(
    ("looks", "one_way"),
    [
        pytest.param([(0, 0), (0, 9), (0, 20)], ("out", 20, 0, 20), id="nothing comes back"),
        pytest.param([(5, 5), (8, 5), (8, 5)], ("in", 3, 0, 10), id="nothing goes out, and then nothing passes"),
        pytest.param([(0, 0), (1, 1), (1, 5)], ("out", 4, 10, 20), id="something came back before"),
        pytest.param([(0, 0), (0, 5), (1, 6)], None, id="something comes back"),
        pytest.param([(0, 0), (0, 5), (3, 5)], ("in", 3, 10, 20), id="the answers came after the look"),
        pytest.param([(7, 0), (7, 0), (7, 0)], None, id="nothing passes"),
        pytest.param([(0, 50)], None, id="the first look counts nothing"),
    ],
)
def test_what_passes_one_way_alone(looks: list[tuple[int, int]], one_way: tuple[str, int, int, int] | None):
    """`looks`: packets in and out, 10 s apart. `one_way`: direction, packets, and its begin and end in seconds."""
    children = [dataclasses.replace(_child("1", 0), packets_in=came, packets_out=went) for came, went in looks]
    seen = traffic.count(_seen(children[0]), _seen(children[0]), START)
    for number, child in enumerate(children[1:]):
        since, until = (START + timedelta(seconds=10 * count) for count in (number, number + 1))
        seen = traffic.count(seen, _seen(child), until, since)
    assert _told(seen) == ([] if one_way is None else [one_way])
    assert traffic.count(seen, _seen(), START).one_way_pairs == ()


def _told(seen: model.ConnectionObservation) -> list[tuple[str, int, int, int]]:
    return [
        (one.direction, one.packets, (one.since - START).seconds, (one.until - START).seconds)
        for one in seen.one_way_pairs
    ]


def test_a_pair_that_is_answered_hides_none_that_is_not():
    """Also after a rekey of the one that is not."""
    answered, silent, rekeyed = (_child("1", 0), _child("2", 0, OTHER), _child("3", 0, OTHER))
    seen = traffic.count(_seen(answered, silent), _seen(answered, silent), START)
    rekeyed = dataclasses.replace(rekeyed, installed_at=START + timedelta(seconds=15))
    for number, other in enumerate((silent, rekeyed), 1):
        alive = dataclasses.replace(answered, packets_in=9 * number, packets_out=9 * number)
        dead = dataclasses.replace(other, packets_out=5)
        at = START + timedelta(seconds=10 * number)
        seen = traffic.count(seen, _seen(alive, dead), at, at - timedelta(seconds=10))
    assert _told(seen) == [("out", 10, 0, 20)]
    assert (seen.one_way_pairs[0].local_ts, seen.one_way_pairs[0].remote_ts) == (OTHER[:1], OTHER[1:])
