"""Keeps docs/reference/limits.md true: every constant, setting and test that it names exists."""

import ast
import dataclasses
import functools
import importlib
import re
import typing
from pathlib import Path

from landbridge import config

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs/reference/limits.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| what ")
]
CELLS = [[cell.strip() for cell in line.strip("|").split(" |")] for line in LINES]


def test_a_row_says_where_its_bound_is_set():
    for cells in CELLS:
        places = re.findall(r"`(.+?)`", cells[2])
        assert places, cells[0]
        for place in places:
            setting = re.fullmatch(r"\[(\w+)\] (\w+)", place)
            if setting:
                group = typing.get_type_hints(config.Settings)[setting[1]]
                assert setting[2] in {field.name for field in dataclasses.fields(group)}, place
            else:
                module, _, name = place.rpartition(".")
                assert hasattr(importlib.import_module(f"landbridge.{module}"), name), place


def _numbers(value: object) -> list[str]:
    """The ways in which a row may write a bound; none for what is no number."""
    number = getattr(value, "high", value)
    if isinstance(number, bool) or not isinstance(number, int | float) or number == 0:
        return []
    exact = int(number)
    powers = [f"2^{exact.bit_length() - 1}"] if exact & (exact - 1) == 0 else []
    sizes = [f"{exact >> shift} {unit}" for shift, unit in ((10, "KiB"), (20, "MiB"), (30, "GiB")) if exact >> shift]
    return [f"{exact}", f"{exact:,}", *powers, *sizes]


def _value(place: str) -> object:
    """What a constant is, or a setting by default."""
    setting = re.fullmatch(r"\[(\w+)\] (\w+)", place)
    if setting:
        return getattr(getattr(config.Settings(), setting[1]), setting[2])
    module, _, name = place.rpartition(".")
    return getattr(importlib.import_module(f"landbridge.{module}"), name, None)


def test_a_row_says_the_bound_itself():
    for cells in CELLS:
        for place in re.findall(r"`(.+?)`", cells[2]):
            ways = _numbers(_value(place))
            said = [way for way in ways if re.search(rf"(?<![\w,.]){re.escape(way)}(?![\w,]*\d)", cells[1])]
            assert said or not ways, (place, ways)


def test_a_row_names_tests_that_exist():
    for cells in CELLS:
        tests = re.findall(r"`(.+?)`", cells[4])
        assert tests, cells[0]
        for test in tests:
            file, _, name = test.partition("::")
            assert name in _functions(file), test


@functools.cache
def _functions(file: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}
