"""The page of the soak has the rows of the table of events, on each data plane."""

import re

import pytest

from lab import soak_events, soak_page

PAGE = soak_page.PATH.read_text()


@pytest.mark.parametrize("plane", ["userland"])
def test_the_rows_are_those_of_the_table(plane: str):
    assert soak_page.rows(PAGE, plane) == [one.name for one in soak_events.EVENTS if plane in one.planes]


def test_each_event_converged_and_the_others_lost_nothing():
    found = re.findall(r"^\| (?!event)(?!-)(.+?) \|.*\| ([\d,]+) \| [\d,]+ \| (.+) \|$", PAGE, re.MULTILINE)
    assert [name for name, others, seconds in found if others != "0" or not re.fullmatch(r"\d+\.\d", seconds)] == []


def test_a_section_is_replaced_and_the_other_one_stays():
    one = soak_page.Outcome(name="a change", changed=3, disturbed=None, others=7, dropped=5, sent=100, seconds=0.4)
    run = soak_page.Run(plane="userland", gateways=2, connections=3, interval=0.02, day="2026-11-30", outcomes=[one])
    page = "# Title\n\n## Userland data plane\n\nold\n\n## Kernel data plane\n\nkept\n"
    found = soak_page.replaced(page, run)
    assert "| a change | 3 |  | 2 | 5 | 0.4 |" in found
    assert "old" not in found
    assert found.endswith("\n\n## Kernel data plane\n\nkept\n")
    assert soak_page.replaced(found, run) == found
    assert soak_page.rows(found, "userland") == ["a change"]
