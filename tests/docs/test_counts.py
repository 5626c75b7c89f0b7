"""The numbers that the README and the changelog give are those of the code."""

import re
from pathlib import Path

import pytest

from lab import misconfigurations
from landbridge import peerconfig
from landbridge.api import table

ROOT = Path(__file__).parents[2]
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_families_of_devices_are_counted(page: str):
    counted = re.findall(r"(\w+) families of devices", (ROOT / page).read_text())
    families = {device.name for device in peerconfig.devices()}
    assert counted
    assert set(counted) == {WORDS[len(families)]}


def test_the_operations_of_the_api_are_counted():
    counted = re.findall(r"all (\d+) of the API's site-to-site part", (ROOT / "README.md").read_text())
    assert counted == [str(sum(not route.path.startswith("/landbridge/") for route in table.TABLE))]


def test_the_misconfigurations_are_counted():
    page = (ROOT / "docs/reference/figures.md").read_text()
    counted = re.findall(r"^\| cases: rows, and rows in their ways \| 80 \| (\d+), (\d+) \|$", page, re.MULTILINE)
    assert counted == [(str(len(misconfigurations.ROWS)), str(len(list(misconfigurations.cases()))))]
