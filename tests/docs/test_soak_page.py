"""The page of the soak has the rows of the table of events, on each data plane."""

import dataclasses
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


def test_a_part_of_the_events_keeps_the_rows_of_the_others():
    change, fault = (
        soak_page.Outcome(name=name, changed=None, disturbed=None, others=0, sent=100, seconds=seconds)
        for name, seconds in (("a change", 0.4), ("a fault", 7.5))
    )
    first = soak_page.Run(plane="kernel", gateways=2, connections=3, interval=0.1, day="2026-11-30", outcomes=[fault])
    names = ["a change", "a fault"]
    page = soak_page.replaced("## Kernel data plane\n", first, names)
    later = dataclasses.replace(first, day="2026-12-01", outcomes=[change])
    joined = soak_page.replaced(page, later, names)
    assert soak_page.rows(joined, "kernel") == names
    assert "Measured on 2026-11-30, 2026-12-01: " in joined
    assert soak_page.missing(joined, "kernel") == []
    again = dataclasses.replace(later, outcomes=[change, fault])
    assert "Measured on 2026-12-01: " in soak_page.replaced(joined, again, names)
    larger = dataclasses.replace(later, gateways=5)
    assert soak_page.rows(soak_page.replaced(page, larger, names), "kernel") == ["a change"]


def test_saved_parts_become_one_run():
    one = soak_page.Outcome(name="a change", changed=None, disturbed=None, others=0, sent=100, seconds=0.4)
    first = soak_page.Run(plane="kernel", gateways=2, connections=3, interval=0.1, day="2026-11-30", outcomes=[one])
    again = dataclasses.replace(first, day="2026-12-01", outcomes=[dataclasses.replace(one, seconds=0.7)])
    found = soak_page.joined([first, again])
    assert (found.day, found.outcomes) == ("2026-11-30, 2026-12-01", again.outcomes)
