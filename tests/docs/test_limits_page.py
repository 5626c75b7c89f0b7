"""Keeps docs/reference/limits.md true: every constant, setting and test that it names exists."""

import ast
import dataclasses
import importlib
import re
import typing
from pathlib import Path

import pytest

from landbridge import config

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs/reference/limits.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| what ")
]
CELLS = [[cell.strip() for cell in line.strip("|").split(" |")] for line in LINES]


@pytest.mark.parametrize("cells", CELLS, ids=[cells[0] for cells in CELLS])
def test_a_row_says_where_its_bound_is_set(cells: list[str]):
    places = re.findall(r"`(.+?)`", cells[2])
    assert places
    for place in places:
        setting = re.fullmatch(r"\[(\w+)\] (\w+)", place)
        if setting:
            group = typing.get_type_hints(config.Settings)[setting[1]]
            assert setting[2] in {field.name for field in dataclasses.fields(group)}, place
        else:
            module, _, name = place.rpartition(".")
            assert hasattr(importlib.import_module(f"landbridge.{module}"), name), place


@pytest.mark.parametrize("cells", CELLS, ids=[cells[0] for cells in CELLS])
def test_a_row_names_tests_that_exist(cells: list[str]):
    tests = re.findall(r"`(.+?)`", cells[4])
    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test
