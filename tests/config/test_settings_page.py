"""The reference page names every setting."""

from pathlib import Path

import pytest

from landbridge import site_file
from tests.config import descriptions

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def _variable(group: str, key: str) -> str:
    return "LANDBRIDGE_" + (key if group == "serve" else f"{group}_{key}").upper()


@pytest.mark.parametrize(("group", "key", "default", "text"), descriptions.describe())
def test_the_page_has_every_setting(page: str, group: str, key: str, default: str, text: str):
    section = page.split(f"## [{group}]")[1].split("\n## ", maxsplit=1)[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `{key}` |")]
    assert f"`{_variable(group, key)}`" in row
    assert text in row
    assert key == "data" or f"`{default}`" in row or (default == "" and "| (empty) |" in row)


def test_the_page_has_no_setting_that_is_not_there(page: str):
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "LANDBRIDGE_" in line]
    assert sorted(rows) == sorted(key for _, key, _, _ in descriptions.describe())


def test_the_page_has_every_key_of_the_site_file(page: str):
    section = page.split("## The site file")[1].split("\n## ", maxsplit=1)[0]
    for kind, keys in site_file.KEYS.items():
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `[[{kind}]]` |")]
        assert [key for key in keys if f"`{key}`" not in row] == []
