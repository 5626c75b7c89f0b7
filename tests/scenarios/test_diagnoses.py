"""Misconfigurations that are really made, and the cause that the service names for each.

`make diagnose-bench` makes all of them, in more ways.
"""

import dataclasses

import pytest

from lab import diagnose, misconfigurations, testbed

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(600)]

CALLED_ONCE = "psk-and-the-device-calls-once strongswan/v2/device"
CASES = [case for case in misconfigurations.cases() if case.is_quick]


def test_the_cause_of_each_that_was_made_is_named_and_no_other_connection_blamed() -> None:
    """All are made at once, by one worker."""
    results = diagnose.run(CASES)
    wrong = [one for one in results if not one.is_right or one.blamed]
    assert len(results) == len(CASES)
    assert wrong == [], diagnose.report(wrong)


def test_a_restart_of_the_service_forgets_no_cause() -> None:
    """The device initiates once, before the restart, so that no later attempt has the cause."""
    (once,) = (each for each in misconfigurations.cases() if each.name == CALLED_ONCE)
    case = dataclasses.replace(once, row=dataclasses.replace(once.row, stays=0.0))
    with testbed.testbeds(1) as (place,), testbed.running_case(place) as one:
        assert diagnose.make(one, case).is_right
        place.restart_service()
        score = diagnose.score(case, one.words, one.diagnosis())
        assert (score.grade, score.code) == ("alone", "psk_mismatch")
