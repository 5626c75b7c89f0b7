"""Misconfigurations that are really made, and the cause that the service names for each.

`make diagnose-bench` makes all of them, in more ways.
"""

import dataclasses
import fcntl
import json
from typing import cast

import pytest

from lab import diagnose, misconfigurations, testbed

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(300)]

CALLED_ONCE = "psk-and-the-device-calls-once strongswan/v2/device"
CASES = [case for case in misconfigurations.cases() if case.is_quick]


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, str]:
    """What was wrong with each case, empty when its cause was named and no other connection blamed. All are made at once, by the worker
    that comes first; others wait.
    """
    if worker_id == "master":
        return _make_all()
    shared = tmp_path_factory.getbasetemp().parent / "diagnoses.json"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            shared.write_text(json.dumps(_make_all()))
    return cast("dict[str, str]", json.loads(shared.read_text()))


def _make_all() -> dict[str, str]:
    return {
        one.case.name: "" if one.is_right and not one.blamed else diagnose.report([one]) for one in diagnose.run(CASES)
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_cause_of_what_was_made_is_named(case: misconfigurations.Case, problems: dict[str, str]) -> None:
    assert problems[case.name] == ""


def test_a_restart_of_the_service_forgets_no_cause() -> None:
    """The device initiates once, before the restart, so that no later attempt has the cause."""
    (once,) = (each for each in misconfigurations.cases() if each.name == CALLED_ONCE)
    case = dataclasses.replace(once, row=dataclasses.replace(once.row, stays=0.0))
    with testbed.testbeds(1) as (place,), testbed.running_case(place) as one:
        assert diagnose.make(one, case).is_right
        place.restart_service()
        score = diagnose.score(case, one.words, one.diagnosis())
        assert (score.grade, score.code) == ("alone", "psk_mismatch")
