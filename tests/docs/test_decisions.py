"""Decision records have one form: a title with a number, a status, a date, its sections, and one page."""

import datetime as dt
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs/decisions"
RECORDS = sorted(FOLDER.glob("*.md"))
SECTIONS = ("Context", "Decision", "Consequences")
#: A page of text.
WORDS = 660
LINK = re.compile(r"\[(\d+)\]\((\S+?\.md)\)")


def _number(record: Path) -> int:
    return int(record.name.split("-", 1)[0])


@pytest.fixture(params=RECORDS, ids=lambda record: record.name)
def record(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_the_numbers_have_no_gap():
    assert [_number(record) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_a_record_begins_with_its_title_its_status_and_its_date(record: Path):
    title, blank, status, date, *_ = record.read_text().splitlines()
    assert re.fullmatch(rf"# {_number(record)}\. \S.*[^.]", title)
    assert blank == ""
    assert re.fullmatch(r"- Status: (proposed|accepted|rejected|superseded)([,;] .*\[\d+\].*)?", status)
    assert dt.date.fromisoformat(date.removeprefix("- Date: ")) >= dt.date(2026, 11, 23)


def test_a_status_names_later_records_that_exist(record: Path):
    """A record is not edited when a later record changes its decision: its status leads there."""
    for number, file in LINK.findall(record.read_text().splitlines()[2]):
        later = FOLDER / file
        assert later.exists()
        assert _number(later) == int(number) > _number(record)


def test_a_record_that_is_superseded_says_by_which():
    statuses = [record.read_text().splitlines()[2] for record in RECORDS]
    assert [line for line in statuses if "superseded" in line and not LINK.search(line)] == []


def test_a_record_has_its_sections(record: Path):
    text = record.read_text()
    found = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert [section for section in found if section in SECTIONS] == list(SECTIONS)
    assert "Alternatives" in found or "| trial |" in text


def test_a_record_is_one_page(record: Path):
    assert len(record.read_text().split()) <= WORDS
