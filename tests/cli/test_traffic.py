"""What `connection traffic` makes of the API's answer."""

import pytest

from landbridge.api import examples, table
from landbridge.cli import connection_inspection
from landbridge.client import output

ANSWER = examples.find(next(each for each in table.TABLE if each.path.endswith("/traffic")))["example"]["traffic"]


def test_a_row_has_units():
    (row,) = (connection_inspection._sample(each) for each in ANSWER["samples"])
    assert row == ("2026-11-26 13:40", "100%", "12.5 Mbit/s", "1 Mbit/s", "0.8%", "12.6 ms")


def test_what_is_not_known_is_empty():
    unseen = {
        "at": "2026-11-26T13:40:00.000Z",
        "observed_seconds": 0.0,
        "up_seconds": 0.0,
        "bytes_in": 0,
        "bytes_out": 0,
    }
    assert connection_inspection._sample(unseen) == ("2026-11-26 13:40", None, None, None, None, None)
    lost = unseen | {"monitor": {"sent": 10, "lost": 10}}
    assert connection_inspection._sample(lost)[4:] == ("100.0%", None)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0 bit/s"), (999, "999 bit/s"), (1500, "1.5 kbit/s"), (12_345_678, "12.3 Mbit/s"), (4e10, "40 Gbit/s")],
)
def test_a_rate_has_the_unit_that_fits(rate: float, text: str):
    assert connection_inspection._bits(rate) == text


def test_bars_have_a_place_for_each_slot_and_a_space_for_a_gap():
    rates = {"2026-11-26T13:40:00.000Z": 8.0, "2026-11-26T13:41:00.000Z": 0.0, "2026-11-26T13:38:00.000Z": 4.0}
    bars = connection_inspection._bars(ANSWER, rates)
    assert len(bars) == 60
    assert bars.strip(" ") == "▅ █▁"
    assert bars.endswith("▅ █▁")


def test_a_terminal_has_the_bars_beside_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    connection_inspection.show_bars(ANSWER)
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in said] == ["in", "out"]
    assert said[0].endswith("█  at most 12.5 Mbit/s")
