"""docs/reference/causes.md has a section for each code of a cause, and none is left over."""

import re
from pathlib import Path

import pytest

from landbridge.status import cause_texts

PAGE = (Path(__file__).parents[2] / "docs/reference/causes.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE))


def test_codes_and_sections_are_the_same_in_the_same_order():
    assert list(SECTIONS) == list(cause_texts.TEXTS)


@pytest.mark.parametrize("code", SECTIONS)
def test_a_section_has_the_meaning_the_reasons_and_the_remedy(code: str):
    words = " ".join(SECTIONS[code].split())
    assert [words.count(part) for part in ("**Meaning:**", "**Reasons:**", "**Remedy:**")] == [1, 1, 1]


def test_links_lead_to_sections():
    assert {code for code in re.findall(r"\(#(\w+)\)", PAGE) if code not in SECTIONS} == set()
