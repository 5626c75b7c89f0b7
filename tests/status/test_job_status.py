"""How an upgrade stands, from what was asked for and what the engine reports."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from landbridge import model
from landbridge.status import job as status

NOW = datetime(2026, 1, 2, tzinfo=UTC)
UPGRADE = model.Restart(id="u", kind="upgrade", number=3, created_at=NOW)
ROLLBACK = model.Restart(id="r", kind="rollback", number=4, created_at=NOW)
STARTED = model.GatewayJob(
    id="j", project_id="p", gateway_id="g", addresses=("203.0.113.1",), restarts=(UPGRADE,), created_at=NOW
)
ROLLED = replace(STARTED, restarts=(replace(UPGRADE, finished_at=NOW), ROLLBACK))
CONFIRMED = replace(STARTED, confirmed_at=NOW)


@pytest.mark.parametrize(
    ("job", "done", "failure", "word", "words"),
    [
        pytest.param(STARTED, 2, None, "upgrading", ("upgrading",), id="asked"),
        pytest.param(STARTED, 3, None, "pending_upgrade_confirm", ("success",), id="restarted"),
        pytest.param(STARTED, 2, "charon did not start", "error", ("error",), id="failed"),
        pytest.param(STARTED, 3, "later trouble", "pending_upgrade_confirm", ("success",), id="failed-later"),
        pytest.param(ROLLED, 3, None, "rolling_back", ("success", "rolling_back"), id="rollback-asked"),
        pytest.param(ROLLED, 4, None, "rollback_success", ("success", "success"), id="rolled-back"),
        pytest.param(ROLLED, 3, "charon did not start", "error", ("success", "error"), id="rollback-failed"),
        pytest.param(CONFIRMED, 3, "later trouble", "success", ("success",), id="confirmed"),
    ],
)
def test_the_word_follows_what_was_asked_and_what_was_done(
    job: model.GatewayJob, done: int, failure: str | None, word: str, words: tuple[str, ...]
):
    found = status.derive(job, model.GatewayReport(restarts=done, restarted_at=NOW), failure)
    assert (found.status, found.statuses) == (word, words)
    assert found.failure == (failure if word == "error" else None)
    assert (found.finished_at is not None) == (word in {"success", "rollback_success"})


def test_a_later_restart_does_not_move_the_end_of_an_earlier_one():
    kept = status.settled(ROLLED, model.GatewayReport(restarts=4, restarted_at=NOW))
    later = model.GatewayReport(restarts=5, restarted_at=NOW + timedelta(days=1))
    assert status.derive(kept, later, None).finished_at == NOW
