"""What the bench of diagnoses counts as right, and that its table is sound."""

from typing import Any

import pytest

from lab import diagnose, misconfigurations
from landbridge.status import cause_texts

CASES = {case.name: case for case in misconfigurations.cases()}
EXACT = CASES["ike-encryption strongswan/v2/device"]
INEXACT = CASES["ike-encryption strongswan/v2/we"]


def cause(code: str, **given: Any) -> dict[str, Any]:
    whole = {"side": "either", "is_certain": True, "differs": ["encryption_algorithm"]}
    return {"code": code} | whole | {"ours": "aes-128 / sha2-256", "theirs": "aes-256 / sha2-256"} | given


RIGHT = cause("ike_proposal_mismatch")


@pytest.mark.parametrize(
    ("case", "causes", "grade"),
    [
        pytest.param(EXACT, [RIGHT], "alone", id="certain-and-first"),
        pytest.param(EXACT, [RIGHT, cause("no_answer", is_certain=False)], "alone", id="first-of-two"),
        pytest.param(EXACT, [RIGHT | {"is_certain": False}], "alone", id="the-only-one"),
        pytest.param(EXACT, [cause("psk_mismatch"), RIGHT], "wrong", id="another-is-certain"),
        pytest.param(EXACT, [cause("no_connection_on_device", is_certain=False), RIGHT], "among", id="second"),
        pytest.param(
            EXACT, [cause("no_connection_on_device", is_certain=False)], "wrong", id="acceptable-where-it-must-be-exact"
        ),
        pytest.param(INEXACT, [cause("no_connection_on_device", is_certain=False)], "among", id="acceptable"),
        pytest.param(INEXACT, [cause("no_connection_on_device")], "wrong", id="acceptable-but-certain"),
        pytest.param(INEXACT, [RIGHT], "alone", id="exact-where-it-need-not-be"),
        pytest.param(INEXACT, [cause("psk_mismatch")], "wrong", id="neither-right-nor-acceptable"),
        pytest.param(EXACT, [], "silent", id="nothing"),
    ],
)
def test_an_answer_has_the_grade(case: misconfigurations.Case, causes: list[dict[str, Any]], grade: str) -> None:
    assert diagnose.score(case, {}, {"causes": causes}).grade == grade


@pytest.mark.parametrize(
    ("status", "causes", "grade"),
    [
        pytest.param("ACTIVE", [], "alone", id="up"),
        pytest.param("DOWN", [], "silent", id="down"),
        pytest.param("ACTIVE", [cause("psk_mismatch")], "wrong", id="a-repaired-fault"),
    ],
)
def test_where_nothing_is_wrong_a_cause_is(status: str, causes: list[dict[str, Any]], grade: str) -> None:
    case = CASES["nothing-is-wrong strongswan/v2/we"]
    assert diagnose.score(case, {}, {"status": status, "causes": causes}).grade == grade


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        pytest.param({}, (True, True, True), id="whole"),
        pytest.param({"side": "device"}, (False, True, True), id="side"),
        pytest.param({"differs": ["dh_group"]}, (True, False, True), id="differs"),
        pytest.param({"differs": ["encryption_algorithm", "prf"]}, (True, False, True), id="differs-too-much"),
        pytest.param({"ours": None}, (True, True, False), id="ours-is-missing"),
        pytest.param({"theirs": "aes-192"}, (True, True, False), id="theirs-is-another"),
    ],
)
def test_side_differences_and_values_have_a_score(given: dict[str, Any], seen: tuple[bool, bool, bool]) -> None:
    score = diagnose.score(EXACT, {}, {"causes": [RIGHT | given]})
    assert (score.side, score.differs, score.values) == seen


def test_a_case_has_one_name() -> None:
    assert len(CASES) == len(list(misconfigurations.cases()))


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.way.daemon == "strongswan"], ids=str)
def test_a_device_s_configuration_can_be_written(case: misconfigurations.Case) -> None:
    """Each replacement finds its text, and no word in braces is left."""
    words = dict.fromkeys(
        ("device", "elsewhere", "gateway", "other_gateway", "lan", "second_lan", "half_lan", "vpc", "psk"), "192.0.2.7"
    )
    assert "{device}" not in diagnose.swanctl_text(case, words)


def test_a_third_is_made_by_make_test() -> None:
    quick = [case for case in CASES.values() if case.is_quick]
    assert len(CASES) >= 80
    assert len(quick) >= len(CASES) / 3
    assert {case.row.code for case in quick} == {case.row.code for case in CASES.values()}


def test_each_code_is_made() -> None:
    made = {code for case in CASES.values() for code in case.right} - {misconfigurations.NOTHING}
    assert made == set(cause_texts.TEXTS) - {*misconfigurations.UNMADE, *misconfigurations.OF_BGP}
