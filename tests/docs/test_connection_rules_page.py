"""Keeps docs/reference/connection-rules.md true: what it names exists, and nothing that it ought to name is missing."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/connection-rules.md"
ROOMS = ("tests/rules", "tests/wire", "tests/status")
#: Proved through HTTP.
EDGE = (
    "tests/api/test_create_connection_http.py",
    "tests/api/test_connection_update.py",
    "tests/api/test_connection_batch.py",
    "tests/api/test_main_mode_keys.py",
)
READINGS = range(1, 41)
#: The readings that differ from the page's letter on purpose.
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


def _rows() -> list[Row]:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [a-z]", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines if not line.startswith("| id ")]
    return [
        Row(id_, source, rule, tuple(re.findall(r"`(.+?)`", where)), tuple(re.findall(r"`(.+?)`", tests)), deviation)
        for id_, source, rule, where, tests, deviation in cells
    ]


ROWS = _rows()


@pytest.fixture(scope="module")
def collected() -> frozenset[str]:
    """Every test by its node id, with and without its parameters."""
    paths = [path for path in (*ROOMS, *EDGE) if (ROOT / path).exists()]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    ids = [line for line in run.stdout.splitlines() if "::" in line]
    return frozenset(ids) | {each.split("[", 1)[0] for each in ids}


def test_every_line_of_the_tables_is_a_row():
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| id ")]
    assert len(lines) == len(ROWS)
    assert [row.id for row in ROWS if not (row.source and row.rule and row.where and row.tests)] == []


def test_no_id_repeats():
    ids = [row.id for row in ROWS]
    assert sorted(ids) == sorted(set(ids))
    assert [each for each in ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each)] == []


@pytest.mark.parametrize("module", sorted({module for row in ROWS for module in row.where}))
def test_every_named_module_exists(module: str):
    assert importlib.util.find_spec(f"landbridge.{module}") is not None


def test_every_named_test_exists(collected: frozenset[str]):
    named = {test for row in ROWS for test in row.tests if not test.startswith(EDGE)}
    assert sorted(named - collected) == []


def test_every_named_test_of_the_edge_exists(collected: frozenset[str]):
    named = {test for row in ROWS for test in row.tests if test.startswith(EDGE)}
    assert sorted(named - collected) == []


def test_every_test_of_the_connection_s_rules_is_named(collected: frozenset[str]):
    named = {test.split("[", 1)[0] for row in ROWS for test in row.tests}
    ours = {each.split("[", 1)[0] for each in collected if re.match(r"tests/rules/test_\w*connection\w*\.py::", each)}
    assert ours
    assert sorted(ours - named) == []


@pytest.mark.parametrize("number", READINGS)
def test_every_reading_has_a_row(number: int):
    assert [row.id for row in ROWS if number in row.readings] != []


@pytest.mark.parametrize("number", DEVIATIONS)
def test_every_deviation_says_why(number: int):
    assert [row.id for row in ROWS if number in row.readings and row.deviation] != []


def test_no_row_names_a_reading_that_does_not_exist():
    assert [row.id for row in ROWS if row.readings - set(READINGS)] == []
