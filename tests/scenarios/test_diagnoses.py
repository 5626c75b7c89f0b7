"""Misconfigurations that are really made, and the cause that the service names for each.

`make diagnose-bench` makes all of them, in more ways.
"""

import fcntl
import json
from typing import cast

import pytest

from lab import diagnose, misconfigurations

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(300)]

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
