"""Pictures of the console for the pages of docs: those that pages show, and the command that makes them."""

import re
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from lab import screenshots

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
SHOWN = sorted(
    {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r'(?:\]\(|src(?:set)?=")([^)"\s]+\.png)', page.read_text())
    }
)


def _size(path: Path) -> tuple[int, int]:
    """Width and height, which the first chunk of a PNG has (ISO 15948)."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack("!II", head[16:24])
    return width, height


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_a_picture_of_a_page_is_small_and_one_of_the_commands(path: Path):
    assert path.parent == screenshots.FOLDER
    assert path.stat().st_size <= screenshots.LIMIT
    assert _size(path)[0] == screenshots.WIDTH


def test_readme_shows_the_overview_in_both_schemes():
    readme = (ROOT / "README.md").read_text()
    assert {f"docs/images/overview-{scheme}.png" for scheme in screenshots.SCHEMES} <= set(
        re.findall(r'"(docs/images/[^"]+)"', readme)
    )


@pytest.mark.process
def test_a_picture_that_is_too_large_is_refused_and_leaves_no_file(
    reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = reader.open("/connections")
    path = screenshots.take(page, "connections", tmp_path, height=400)
    assert _size(path) == (1280, 400)
    monkeypatch.setattr(screenshots, "LIMIT", path.stat().st_size - 1)
    with pytest.raises(screenshots.TooLargeError, match=r"connections\.png has [\d,]+ bytes, and may have"):
        screenshots.take(page, "connections", tmp_path, height=400)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tunnel
@pytest.mark.long
def test_the_command_takes_each_page_in_both_schemes(tmp_path: Path, chromium: Browser):
    with screenshots.overview() as there:
        taken = [path.name for path in screenshots.take_all(chromium, there, tmp_path)]
    names = ("sign-in", "overview", "connection", "wizard")
    assert taken == [f"{name}-{scheme}.png" for scheme in screenshots.SCHEMES for name in names]
