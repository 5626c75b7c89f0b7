"""psk: needed unless GM, 8 to 128 characters, three of four kinds."""

import string
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from landbridge.model import allowed_values

SPECIALS = "~!@#$%^()-_+={ },./:;"


@pytest.mark.parametrize(
    "psk",
    [
        pytest.param("Abcd1234", id="eight-characters"),
        pytest.param("Abcd1234" * 16, id="128-characters"),
        pytest.param("ABCD1234!", id="without-lower-case"),
        pytest.param("abcd1234!", id="without-upper-case"),
        pytest.param("ABCDabcd!", id="without-digits"),
        pytest.param("ABCDabcd1", id="without-specials"),
        pytest.param("Abcd1234" + SPECIALS, id="every-special"),
        pytest.param("abcd 1234", id="the-space-is-a-special"),
        pytest.param(" Abcdefg", id="leading-space"),
        pytest.param("0xAbcd1234", id="looks-like-hexadecimal"),
    ],
)
def test_a_sound_psk_passes(given: Any, psk: str):
    assert given.refusals({"psk": psk}) == []


@pytest.mark.parametrize(
    ("psk", "text"),
    [
        pytest.param(None, "is mandatory", id="absent"),
        pytest.param("Abcd123", "has 7 characters", id="seven-characters"),
        pytest.param("Abcd1234" * 16 + "!", "has 129 characters", id="129-characters"),
        pytest.param("abcd1234", "fewer than three kinds", id="two-kinds"),
        pytest.param("abcdefgh", "fewer than three kinds", id="one-kind"),
        pytest.param("Abcd123\u00e9", "a character that is not allowed", id="accented-letter"),
        pytest.param("Abcd1234\n", "a character that is not allowed", id="line-end"),
        pytest.param("Abcd123\u0663", "a character that is not allowed", id="arabic-digit"),
        *(pytest.param(f"Abcd1234{c}", "that is not allowed", id=f"character-{ord(c)}") for c in "&*<>[]\\|'\"?`\t\0"),
    ],
)
def test_an_unsound_psk_is_refused(given: Any, psk: str | None, text: str):
    given.only(given.refusals({"psk": psk}), "psk", text)


@pytest.mark.parametrize(
    ("psk", "text"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("abc", "has 3 characters and has fewer than three kinds of characters", id="short"),
        pytest.param(
            "abcd****",
            "has a character that is not allowed and has fewer than three kinds of characters",
            id="the-page-s-masked-example",
        ),
    ],
)
def test_everything_wrong_with_a_psk_is_said_at_once_and_the_rule_once(given: Any, psk: str, text: str):
    (found,) = given.refusals({"psk": psk})
    assert found.startswith(f"psk: {text}")


@pytest.mark.parametrize("psk", [None, "Abcd1234", "x", "", "abcd****"])
def test_on_gm_any_psk_is_taken_and_thrown_away(given: Any, psk: str | None):
    assert given.refusals({"psk": psk}, flavor="GM") == []


@each(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_refusal_never_repeats_the_psk(given: Any, psk: str):
    marked = f"Qx7&{psk}"
    assert not any(marked in one for one in given.refusals({"psk": marked}))


def _is_sound(psk: str) -> bool:
    kinds = (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIALS)
    known = "".join(kinds)
    present = [kind for kind in kinds if set(kind) & set(psk)]
    return 8 <= len(psk) <= 128 and set(psk) <= set(known) and len(present) >= 3


@each(st.one_of(st.text(max_size=140), st.text(string.ascii_letters + string.digits + SPECIALS + "&é", max_size=140)))
def test_a_psk_passes_exactly_when_the_page_allows_it(given: Any, psk: str):
    assert _is_sound(psk) == (given.refusals({"psk": psk}) == [])


def test_the_specials_are_the_page_s():
    assert SPECIALS == allowed_values.PSK_SPECIALS
