"""The charts of a connection: what they draw, what they say, and what they say where there is nothing to draw."""

import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.api import examples
from landbridge.console import charts
from landbridge.model.samples import RINGS, EchoSample, Sample
from landbridge.operations import sampler, samples, traffic_series
from landbridge.operations.traffic_series import Point, Series

BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)
CONNECTION = examples.RESULTS[traffic_series.show.name].connection
HOUR = RINGS[0]


def _series(found: dict[int, Sample], ring: Any = HOUR) -> Series:
    """Samples by their slot, counted from the oldest one."""
    step = timedelta(seconds=ring.seconds)
    return Series(
        connection=CONNECTION,
        ring=ring,
        since=BEGIN,
        until=BEGIN + ring.slots * step,
        points=[
            Point(
                at=BEGIN + slot * step,
                sample=one,
                bits_in=samples.rate(one.bytes_in, one),
                bits_out=samples.rate(one.bytes_out, one),
            )
            for slot, one in sorted(found.items())
        ],
    )


def _minute(megabits: float = 0, up: int = 60_000, **words: Any) -> Sample:
    return Sample(60_000, up, int(megabits * 7_500_000), 0, **words)


def _coordinates(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+", path)]


def test_a_line_has_a_step_at_each_slot_and_a_break_at_a_gap():
    drawn = charts.draw(_series({0: _minute(10), 1: _minute(5), 5: _minute(10)}))
    throughput = drawn.charts[0]
    assert throughput.lines[0].path == "M0.0 0.0h10.0V50.0H20.0M50.0 0.0h10.0"
    assert (throughput.top, throughput.middle) == ("10 Mbit/s", "5 Mbit/s")
    assert (
        throughput.summary == "In on average 8.33 Mbit/s, at most 10 Mbit/s. Out on average 0 bit/s, at most 0 bit/s."
    )
    assert drawn.gaps == [("20.0", "30.0")]
    assert drawn.down == []
    assert drawn.times == ["12:00", "12:30", "13:00"]


def test_down_is_no_gap_and_no_zero_alone():
    drawn = charts.draw(_series({0: _minute(1), 1: _minute(up=0), 2: _minute(up=30_000), 3: _minute(1)}))
    assert drawn.down == [("10.0", "20.0")]
    assert drawn.gaps == []
    assert [row.up for row in drawn.rows] == ["100%", "50%", "0%", "100%"]


def test_loss_and_round_trip_times_have_their_range():
    echoes = EchoSample(120, 3, 117 * 12_000, 9_000, 41_000)
    drawn = charts.draw(_series({0: _minute(nqa=echoes, monitor=EchoSample(60, 60)), 1: _minute(nqa=echoes)}))
    _, loss, rtt = drawn.charts
    assert [line.name for line in loss.lines] == ["NQA", "monitor"]
    assert [line.dashed for line in loss.lines] == [False, True]
    assert (loss.top, rtt.top) == ("100 %", "50 ms")
    assert loss.summary == (
        "NQA: 6 of 240 echoes lost (2.5%), at most 2.5 % in a slot. monitor: 60 of 60 echoes lost (100.0%), at most 100.0 % in a slot."
    )
    assert rtt.summary == "NQA: 9.0 to 41.0 ms, on average 12.0 ms."
    assert rtt.lines[0].area.startswith("M0.0 82.0h10.0V18.0h-10.0z")
    assert drawn.rows[0].lost == "2.5 %"


@pytest.mark.parametrize("ring", RINGS, ids=lambda ring: ring.name)
@given(
    found=st.dictionaries(
        st.integers(0, 59),
        st.builds(
            Sample,
            observed=st.integers(0, 60_000),
            up=st.just(0),
            bytes_in=st.integers(0, 2**50),
            bytes_out=st.integers(0, 2**50),
            nqa=st.one_of(
                st.none(),
                st.builds(
                    EchoSample,
                    sent=st.just(10),
                    lost=st.integers(0, 9),
                    rtt_total=st.just(50),
                    rtt_min=st.just(1),
                    rtt_max=st.integers(5, 10**7),
                ),
                st.just(EchoSample(3, 3)),
            ),
        ),
    )
)
def test_whatever_was_seen_stays_in_the_picture(ring: Any, found: dict[int, Sample]):
    drawn = charts.draw(_series(found, ring))
    for line in itertools.chain.from_iterable(chart.lines for chart in drawn.charts):
        for path in (line.path, line.area):
            for command, numbers in re.findall(r"([MHVh])(-?[\d. ]+)", path):
                for number in map(abs, map(float, numbers.split())):
                    assert number <= (charts.HEIGHT if command == "V" else charts.WIDTH), path
    for x, width in (*drawn.down, *drawn.gaps):
        assert 0 <= float(x) + float(width) <= charts.WIDTH + 0.1


def _store(service: Any, connection_id: str, found: dict[int, Sample]) -> None:
    """`found`: by the minutes before now."""
    now = int(time.time()) // 60
    collected = {connection_id: {now - ago: one for ago, one in found.items()}}
    service.data.database.write(partial(sampler.write, collected=collected))


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_page_has_the_time_that_its_address_asks_for(person: Any, shared_service: Any):
    one = person()
    made = one.api.connection(one.api.gateway())
    _store(
        shared_service, made["id"], {2: _minute(8), 1: _minute(4, nqa=EchoSample(120, 12, 108 * 5_000, 5_000, 5_000))}
    )
    path = f"/connections/{made['id']}"
    for query, last in (("", "hour"), ("?last=day", "day"), ("?last=month", "month"), ("?last=%22x", "hour")):
        page = one.page(path + query)
        assert f"Throughput of the last {last}. In on average 6 Mbit/s" in page
        assert page.count('role="img" aria-label="Throughput') == 1
        assert f'aria-current="true">Last {last}</a>' in page
        assert "NQA: 12 of 120 echoes lost (10.0%)" in _text(page)


def test_an_empty_chart_says_why(person: Any):
    one = person()
    gateway = one.api.gateway()
    text = _text(one.page(f"/connections/{one.api.connection(gateway, name='plain', enable_nqa=False)['id']}"))
    assert "No samples yet. They are written once a minute" in text
    assert "landbridge connection update plain --nqa" in text
    assert "landbridge monitor create plain" in text
    plain = one.api.get("vpn-connection")["vpn_connections"][0]["id"]
    (link,) = set(re.findall(r'<a href="([^"]*)">Settings of NQA</a>', one.page(f"/connections/{plain}")))
    path, _, place = link.partition("#")
    assert f'id="{place}"' in one.get(path).text
    probed = one.api.connection(gateway, name="probed", enable_nqa=True)
    assert "No echo was sent in this time." in _text(one.page(f"/connections/{probed['id']}"))
    rules = [{"source": "10.0.0.0/24", "destination": ["192.168.77.0/24"]}]
    policy = one.api.connection(gateway, style="policy", policy_rules=rules)
    text = _text(one.page(f"/connections/{policy['id']}"))
    assert "--nqa" not in text
    assert "Settings of NQA" not in text
    assert "landbridge monitor create" in text
