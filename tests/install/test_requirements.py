"""What a wheel of this program may be installed with: what is tested, and nothing that may break it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
REQUIRED = [
    Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]
LOCKED = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda one: one.name)
def test_a_requirement_begins_with_what_is_tested_and_ends_before_what_may_break(requirement: Requirement):
    tested = Version(LOCKED[requirement.name])
    end = Version(f"{tested.major + 1}") if tested.major else Version(f"0.{tested.minor + 1}")
    bounds = {one.operator: Version(one.version) for one in requirement.specifier}
    assert bounds == {">=": tested, "<": end}
