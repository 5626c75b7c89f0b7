"""What the page for contributors names exists."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/.:]+)`", PAGE))))
def test_a_named_test_exists(named: str):
    path, _, name = named.partition("::")
    assert (ROOT / path).exists()
    assert not name or f"def {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(landbridge(?:\.\w+)+)`", PAGE))))
def test_a_named_module_exists(named: str):
    assert importlib.util.find_spec(named) is not None


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)`", PAGE))))
def test_a_named_target_exists(target: str):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_a_linked_page_exists(link: str):
    assert (ROOT / link).exists()
