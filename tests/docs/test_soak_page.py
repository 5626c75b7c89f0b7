"""The page of the soak has the rows of the table of events, on each data plane."""

import re

import pytest

from lab import soak_events, soak_page

PAGE = soak_page.PATH.read_text()


@pytest.mark.parametrize("plane", ["userland", "kernel"])
def test_each_event_of_the_table_is_a_row_or_said_to_be_missing(plane: str):
    missing = soak_page.missing(PAGE, plane)
    found = soak_page.rows(PAGE, plane)
    events = [one.name for one in soak_events.EVENTS if plane in one.planes]
    assert found == [name for name in events if name not in missing]
    assert missing == [name for name in events if name not in found]


def test_each_event_converged_and_the_others_lost_nothing():
    found = re.findall(r"^\| (?!event)(?!-)(.+?) \|.*\| ([\d,]+) \| [\d,]+ \| (.+) \|$", PAGE, re.MULTILINE)
    assert [name for name, others, seconds in found if others != "0" or not re.fullmatch(r"\d+\.\d", seconds)] == []


def test_a_section_is_replaced_and_the_other_one_stays():
    one = soak_page.Outcome(name="a change", changed=3, disturbed=None, others=7, dropped=5, sent=100, seconds=0.4)
    run = soak_page.Run(plane="userland", gateways=2, connections=3, interval=0.02, day="2026-11-30", outcomes=[one])
    page = "# Title\n\n## Userland data plane\n\nold\n\n## Kernel data plane\n\nkept\n"
    found = soak_page.replaced(page, run, ["a change", "a fault"])
    assert "| a change | 3 |  | 2 | 5 | 0.4 |" in found
    assert "old" not in found
    assert found.endswith("\n\n## Kernel data plane\n\nkept\n")
    assert soak_page.replaced(found, run, ["a change", "a fault"]) == found
    assert soak_page.rows(found, "userland") == ["a change"]
    assert soak_page.missing(found, "userland") == ["a fault"]
    assert "Not measured" not in soak_page.replaced(found, run, ["a change"])
