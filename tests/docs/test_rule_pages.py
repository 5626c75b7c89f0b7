"""Keeps the rule pages true: what they name exists, and each of them names every test of its rules."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: page -> the test files (glob patterns) whose every test the page must name
PAGES = {
    "connection-rules.md": ("tests/rules/test_*connection*.py",),
    "customer-gateway-rules.md": (
        "tests/rules/test_customer_gateway_rules.py",
        "tests/rules/test_certificate_rules.py",
        "tests/rules/test_monitor_rules.py",
        "tests/rules/test_tag_rules.py",
        "tests/rules/test_quota_rules.py",
        "tests/api/test_customer_gateway_updates.py",
        "tests/api/test_customer_gateway_life.py",
        "tests/api/test_connection_monitors.py",
        "tests/api/test_tags.py",
        "tests/api/test_quotas.py",
    ),
    "gateway-rules.md": (
        "tests/rules/test_gateway_rules.py",
        "tests/rules/test_gateway_update_rules.py",
        "tests/rules/test_gateway_certificates.py",
        "tests/api/test_gateway_life.py",
        "tests/api/test_gateway_update.py",
        "tests/api/test_gateway_upgrade.py",
        "tests/api/test_gateway_routes.py",
        "tests/api/test_gateway_certificates.py",
        "tests/status/test_job_status.py",
    ),
    "clients.md": ("tests/compat/test_contract_page.py",),
}

#: Sentences of the API page that can be read in two ways: the readings of connection-rules.md, and those that differ from the page's letter.
READINGS = range(1, 41)
DEVIATIONS = (2, 7, 9, 10, 12, 13, 14, 15, 22, 25)


@dataclass(frozen=True)
class Row:
    id: str
    source: str
    rule: str
    where: tuple[str, ...]
    tests: tuple[str, ...]
    deviation: str

    @property
    def readings(self) -> set[int]:
        return {int(number) for number in re.findall(r"reading (\d+)", self.source)}


def _lines(page: str) -> list[str]:
    text = (ROOT / "docs/reference" / page).read_text()
    return [
        line
        for line in text[text.index("\n| id ") :].splitlines()
        if line.startswith("| ") and not line.startswith("| id ")
    ]


def _rows(page: str) -> list[Row]:
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in _lines(page)]
    return [
        Row(id_, source, rule, tuple(re.findall(r"`(.+?)`", where)), tuple(re.findall(r"`(.+?)`", tests)), deviation)
        for id_, source, rule, where, tests, deviation in cells
    ]


def _files(page: str) -> set[str]:
    """The test files whose every test the page must name."""
    return {str(path.relative_to(ROOT)) for pattern in PAGES[page] for path in ROOT.glob(pattern)}


@pytest.fixture(scope="module")
def collected() -> frozenset[str]:
    """Every test that a page may name, by its node id with and without its parameters."""
    named = {test.split("::")[0] for page in PAGES for row in _rows(page) for test in row.tests}
    paths = named.union(*map(_files, PAGES))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *sorted(path for path in paths if (ROOT / path).exists())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    ids = [line for line in run.stdout.splitlines() if "::" in line]
    return frozenset(ids) | {each.split("[", 1)[0] for each in ids}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_row_is_whole_and_has_an_id_of_its_own(page: str):
    rows = _rows(page)
    assert [row.id for row in rows if not (row.source and row.rule and row.where and row.tests)] == []
    assert [row.id for row in rows if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id)] == []
    assert sorted({row.id for row in rows}) == sorted(row.id for row in rows)


def test_every_named_module_exists(page: str):
    named = {module for row in _rows(page) for module in row.where}
    assert [each for each in sorted(named) if importlib.util.find_spec(f"landbridge.{each}") is None] == []


def test_every_named_test_exists(page: str, collected: frozenset[str]):
    named = {test for row in _rows(page) for test in row.tests}
    assert sorted(named - collected) == []


def test_every_test_of_its_rules_is_named(page: str, collected: frozenset[str]):
    named = {test.split("[", 1)[0] for row in _rows(page) for test in row.tests}
    ours = {each.split("[", 1)[0] for each in collected if each.split("::")[0] in _files(page)}
    assert ours
    assert sorted(ours - named) == []


def test_every_reading_of_the_api_page_has_a_row_and_every_deviation_says_why():
    rows = _rows("connection-rules.md")
    assert set().union(*(row.readings for row in rows)) == set(READINGS)
    assert set(DEVIATIONS) - set().union(*(row.readings for row in rows if row.deviation)) == set()
