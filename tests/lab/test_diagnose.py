"""What the bench of diagnoses counts as right, and that its table is sound."""

from typing import Any

import pytest

from lab import diagnose, misconfigurations
from landbridge.status import cause_texts

CASES = {case.name: case for case in misconfigurations.cases()}
TOLD = CASES["ike-encryption strongswan/v2/device"]
UNTOLD = CASES["ike-encryption strongswan/v2/we"]


def cause(code: str, **given: Any) -> dict[str, Any]:
    whole = {"side": "either", "is_certain": True, "differs": ["encryption_algorithm"]}
    return {"code": code} | whole | {"ours": "aes-128 / sha2-256", "theirs": "aes-256 / sha2-256"} | given


RIGHT = cause("ike_proposal_mismatch")


@pytest.mark.parametrize(
    ("case", "causes", "word"),
    [
        pytest.param(TOLD, [RIGHT], "alone", id="certain-and-first"),
        pytest.param(TOLD, [RIGHT, cause("no_answer", is_certain=False)], "alone", id="first-of-two"),
        pytest.param(TOLD, [RIGHT | {"is_certain": False}], "alone", id="the-only-one"),
        pytest.param(TOLD, [cause("psk_mismatch"), RIGHT], "wrong", id="another-is-certain"),
        pytest.param(TOLD, [cause("no_connection_on_device", is_certain=False), RIGHT], "among", id="second"),
        pytest.param(TOLD, [cause("no_connection_on_device", is_certain=False)], "wrong", id="fair-where-it-was-told"),
        pytest.param(UNTOLD, [cause("no_connection_on_device", is_certain=False)], "among", id="fair-where-it-was-not"),
        pytest.param(UNTOLD, [cause("no_connection_on_device")], "wrong", id="fair-but-certain"),
        pytest.param(UNTOLD, [RIGHT], "alone", id="certain-though-the-wire-did-not-tell"),
        pytest.param(UNTOLD, [cause("psk_mismatch")], "wrong", id="neither-right-nor-fair"),
        pytest.param(TOLD, [], "silent", id="nothing"),
    ],
)
def test_an_answer_is_worth(case: misconfigurations.Case, causes: list[dict[str, Any]], word: str) -> None:
    assert diagnose.judge(case, {}, {"causes": causes}).word == word


@pytest.mark.parametrize(
    ("status", "causes", "word"),
    [
        pytest.param("ACTIVE", [], "alone", id="up"),
        pytest.param("DOWN", [], "silent", id="down"),
        pytest.param("ACTIVE", [cause("pfs_unproved")], "among", id="a-warning-that-is-fair"),
        pytest.param("ACTIVE", [cause("psk_mismatch")], "wrong", id="what-was-mended"),
    ],
)
def test_where_nothing_is_wrong_a_cause_is(status: str, causes: list[dict[str, Any]], word: str) -> None:
    case = CASES["nothing-is-wrong strongswan/v2/we"]
    assert diagnose.judge(case, {}, {"status": status, "causes": causes}).word == word


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
def test_side_differences_and_values_are_judged(given: dict[str, Any], seen: tuple[bool, bool, bool]) -> None:
    judged = diagnose.judge(TOLD, {}, {"causes": [RIGHT | given]})
    assert (judged.side, judged.differs, judged.values) == seen


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
    assert len(quick) >= len(CASES) / 4


def test_each_code_is_made() -> None:
    made = {code for case in CASES.values() for code in case.right} - {misconfigurations.NOTHING}
    assert made == set(cause_texts.TEXTS) - set(misconfigurations.UNMADE)
