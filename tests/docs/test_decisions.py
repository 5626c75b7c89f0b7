"""Decision records have one form: a title with a number, a status, a date, its sections, and one page."""

import datetime as dt
import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/decisions"
RECORDS = sorted(FOLDER.glob("*.md"))
SECTIONS = ("Context", "Decision", "Consequences")
#: A page of text.
WORDS = 660
LINK = re.compile(r"\[(\d+)\]\((\S+?\.md)\)")


def _number(record: Path) -> int:
    return int(record.name.split("-", 1)[0])


def test_the_numbers_have_no_gap():
    assert [_number(record) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_a_record_begins_with_its_title_its_status_and_its_date():
    for record in RECORDS:
        title, blank, status, date, *_ = record.read_text().splitlines()
        assert re.fullmatch(rf"# {_number(record)}\. \S.*[^.]", title), record.name
        assert blank == "", record.name
        known = r"- Status: (proposed|accepted|rejected|superseded)([,;] .*\[\d+\].*)?"
        assert re.fullmatch(known, status), record.name
        assert dt.date.fromisoformat(date.removeprefix("- Date: ")) >= dt.date(2026, 11, 23), record.name


def test_a_status_names_later_records_that_exist():
    """A record is not edited when a later record changes its decision: its status leads there."""
    for record in RECORDS:
        for number, file in LINK.findall(record.read_text().splitlines()[2]):
            later = FOLDER / file
            assert later.exists(), record.name
            assert _number(later) == int(number) > _number(record), record.name


def test_a_record_that_is_superseded_says_by_which():
    statuses = [record.read_text().splitlines()[2] for record in RECORDS]
    assert [line for line in statuses if "superseded" in line and not LINK.search(line)] == []


def test_a_record_has_its_sections():
    for record in RECORDS:
        text = record.read_text()
        found = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert [section for section in found if section in SECTIONS] == list(SECTIONS), record.name
        assert "Alternatives" in found or "| trial |" in text, record.name


def test_a_record_is_one_page():
    assert [record.name for record in RECORDS if len(record.read_text().split()) > WORDS] == []
