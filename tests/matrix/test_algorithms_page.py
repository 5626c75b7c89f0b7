"""Keeps docs/reference/algorithms.md true: every combination that the rules know is there, and passed or is refused."""

import itertools
import re

import pytest

from lab import algorithms, algorithms_page

PAGE = algorithms_page.PATH.read_text()


def _cells(title: str) -> dict[tuple[str, ...], str]:
    """(encryption, authentication, group) -> the word in its cell. Read without the code that wrote it."""
    section = PAGE.split(f"\n## {title}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    rows = [re.findall(r"[^| ]+(?: [^| ]+)*", line) for line in section.splitlines() if line.startswith("|")]
    groups = rows[0][2:]
    return {(*row[:2], group): word for row in rows[2:] for group, word in zip(groups, row[2:], strict=True)}


@pytest.mark.parametrize("mode", algorithms.MODES)
def test_every_ike_policy_of_the_rules_passed_or_is_refused(mode: str) -> None:
    words = {
        algorithms_page.ike_choices(one): "refused" if algorithms.refusal(one) else "pass"
        for one in algorithms.ike_matrix(mode)
    }
    assert _cells(f"{mode}: ikepolicy") == words
    assert set(words) == set(itertools.product(*algorithms.AXES[1:4]))


@pytest.mark.parametrize("mode", algorithms.MODES)
def test_every_ipsec_policy_of_the_rules_passed(mode: str) -> None:
    assert _cells(f"{mode}: ipsecpolicy") == dict.fromkeys(itertools.product(*algorithms.AXES[4:]), "pass")
