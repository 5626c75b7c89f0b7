"""The page of the replayed scenarios has the rows of the table, and each of them passed."""

import re

from lab import scenarios, scenarios_page

PAGE = scenarios_page.PATH.read_text()
ROWS = re.findall(r"^\| (\S+) \| (userland|kernel) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)


def test_the_rows_are_those_of_the_table():
    wanted = {(one.name, plane, one.shows) for one in scenarios.SCENARIOS for plane in one.planes}
    assert {(name, plane, shows) for name, plane, shows, _ in ROWS} == wanted


def test_each_of_them_passed():
    assert [row for row in ROWS if row[-1] != scenarios_page.PASS] == []
