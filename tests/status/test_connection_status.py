"""What a connection's status is: deleting, applied, refused, failing, up, partly up, down, out of sight."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from landbridge import model
from landbridge.status import connection
from tests.status import examples

UNSEEN_AFTER = timedelta(seconds=90)
FAILING = "the engine could not apply it and tries again: no such device"
WAITING = "waiting for the engine to apply it"


def _judge(given: Any, *, age: int = 0, **words: Any) -> model.ConnectionStatus:
    sound: dict[str, Any] = {
        "connection": given.connection,
        "generation": 2,
        "deleting": False,
        "applied": 2,
        "observation": given.seen(applied_generation=2),
        "seen_at": given.now - timedelta(seconds=age),
    }
    return connection.derive(model.KnownConnection(**(sound | words)), given.now, UNSEEN_AFTER)


def _expected(*, deleting: bool, applied: int | None, refused: bool, failure: bool, up: bool) -> tuple[str, str | None]:
    """The table, read from the top: the first row that fits decides."""
    rows = [
        (deleting, "PENDING_DELETE", FAILING if failure else None),
        (applied is None, "PENDING_CREATE", FAILING if failure else WAITING),
        (applied == 1, "PENDING_UPDATE", FAILING if failure else WAITING),
        (refused, "ERROR", "no data plane"),
        (up, "ACTIVE", None),
        (failure, "DOWN", FAILING),
        (True, "DOWN", "negotiating, nothing has been refused yet"),
    ]
    return next((word, reason) for fits, word, reason in rows if fits)


@pytest.mark.parametrize(
    ("deleting", "applied", "refused", "failure", "up", "stale"),
    list(product([True, False], [None, 1, 2], *[[True, False]] * 4)),
)
def test_the_status_of_everything_that_can_be_seen(
    given: Any, *, deleting: bool, applied: int | None, refused: bool, failure: bool, up: bool, stale: bool
):
    observation = given.seen(
        refused="no data plane" if refused else None,
        failure="no such device" if failure else None,
        children=(given.child(),) if up else (),
        expected_children=1,
    )
    age = 91 if stale else 90
    status = _judge(given, age=age, deleting=deleting, applied=applied, observation=observation)
    word, reason = _expected(deleting=deleting, applied=applied, refused=refused, failure=failure, up=up)
    assert (word, reason) == (status.status, status.explanation.reason if status.explanation else None)
    assert observation is status.observation
    assert (status.seen_at if stale else None) == status.not_seen_since


@pytest.mark.parametrize(
    ("words", "word", "reason"),
    [
        pytest.param({"applied": None}, "PENDING_CREATE", WAITING, id="new"),
        pytest.param({"applied": 1}, "PENDING_UPDATE", WAITING, id="changed"),
        pytest.param({}, "PENDING_CREATE", WAITING, id="applied-and-never-seen"),
        pytest.param({"deleting": True}, "PENDING_DELETE", None, id="leaving"),
    ],
)
def test_what_was_never_seen_is_pending_and_not_out_of_sight(
    given: Any, words: dict[str, Any], word: str, reason: str | None
):
    status = _judge(given, observation=None, **({"seen_at": None} | words))
    assert (word, reason) == (status.status, status.explanation.reason if status.explanation else None)
    assert (status.seen_at, status.not_seen_since) == (None, None)


@pytest.mark.parametrize(("age", "out_of_sight"), [(0, False), (90, False), (91, True), (10**6, True)])
@pytest.mark.parametrize("up", [True, False])
def test_out_of_sight_keeps_the_last_word(given: Any, age: int, up: bool, out_of_sight: bool):
    observation = given.seen(children=(given.child(),) if up else (), expected_children=1)
    status = _judge(given, age=age, observation=observation)
    assert status.status == ("ACTIVE" if up else "DOWN")
    assert status.not_seen_since == (status.seen_at if out_of_sight else None)


def test_a_gm_connection_that_the_engine_refuses_is_in_error_with_its_reason(given: Any):
    reason = "this engine has no data plane for SM2, SM3 and SM4"
    status = _judge(given, observation=given.seen(applied_generation=2, refused=reason))
    assert ("ERROR", model.Explanation(reason=reason)) == (status.status, status.explanation)


@pytest.mark.parametrize(
    ("peers", "expected", "reason"),
    [
        pytest.param(["10.2.0.0/24"], 1, None, id="one-of-one"),
        pytest.param(["10.2.0.0/24"], 3, "1 of 3 traffic selector pairs are up", id="one-of-three"),
        pytest.param(["10.2.0.0/24", "10.3.0.0/24"], 3, "2 of 3 traffic selector pairs are up", id="two-of-three"),
        pytest.param(["10.2.0.0/24"] * 2, 2, "1 of 2 traffic selector pairs are up", id="a-rekey-counts-once"),
        pytest.param(["10.2.0.0/24"] * 2, 1, None, id="a-rekey-of-the-only-one"),
    ],
)
def test_a_partly_up_tunnel_is_active_and_says_how_much(
    given: Any, peers: list[str], expected: int, reason: str | None
):
    children = tuple(given.child(peer, f"c000000{n}") for n, peer in enumerate(peers))
    status = _judge(given, observation=given.seen(children=children, expected_children=expected))
    assert ("ACTIVE", reason) == (status.status, status.explanation.reason if status.explanation else None)


@pytest.mark.parametrize(
    ("missing", "expected", "reason"),
    [
        pytest.param(("a - b",), 2, "1 of 2 traffic selector pairs are up; missing: a - b", id="one"),
        pytest.param(
            tuple(f"a - b{n}" for n in range(7)),
            8,
            "1 of 8 traffic selector pairs are up; missing: a - b0, a - b1, a - b2, a - b3, a - b4 and 2 more",
            id="more-than-are-shown",
        ),
        pytest.param(("a - b",), 1, "the device carries only a part of the subnets; not carried: a - b", id="narrowed"),
    ],
)
def test_missing_pairs_are_named(given: Any, missing: tuple[str, ...], expected: int, reason: str):
    observation = given.seen(children=(given.child(),), expected_children=expected, missing_pairs=missing)
    status = _judge(given, observation=observation)
    assert ("ACTIVE", reason) == (status.status, status.explanation.reason if status.explanation else None)


def _seen(*attempts: model.Attempt, **words: Any) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id="c1", configuration="now", attempts=attempts, **words)


def test_missing_pairs_say_why_when_an_attempt_shows_it(given: Any):
    """What was said of phase 1 is of another time: phase 1 is up."""
    said = [
        examples.attempt(0, examples.key(1, "differs"), by="device"),
        examples.attempt(2, examples.up(3), examples.refused(4, "TS_UNACCEPTABLE", 2)),
    ]
    status = _judge(
        given, observation=_seen(*said, children=(given.child(),), expected_children=2, missing_pairs=("a - b",))
    )
    assert status.explanation is not None
    assert status.explanation.reason.endswith("missing: a - b; the subnets of the two sides do not fit (phase 1 is up)")
    assert [line.line for line in status.explanation.evidence] == ["received TS_UNACCEPTABLE"]
    assert [one.code for one in status.explanation.causes] == ["selectors_partly", "selectors_mismatch"]


def test_a_refusal_from_before_a_narrowed_tunnel_came_up_is_no_cause(given: Any):
    attempts = (
        examples.attempt(0, examples.up(1), examples.refused(2, "TS_UNACCEPTABLE", 2)),
        examples.attempt(12, examples.up(12, 2), within_sa=True, outcome="up"),
    )
    children = (given.child(),)
    status = _judge(
        given, observation=_seen(*attempts, children=children, expected_children=1, missing_pairs=("a - b",))
    )
    assert status.explanation is not None
    assert status.explanation.reason == "the device carries only a part of the subnets; not carried: a - b"
    assert [one.code for one in status.explanation.causes] == ["selectors_narrowed"]
    assert [one.code for one in status.warnings] == ["selectors_narrowed"]


def test_the_warnings_of_an_active_connection_are_whole(given: Any):
    refused = examples.attempt(2, examples.up(3), examples.refused(4, "TS_UNACCEPTABLE", 2))
    children = (given.child(),)
    observation = _seen(refused, children=children, expected_children=2, is_key_unproved=True)
    status = _judge(given, observation=observation)
    assert [one.code for one in status.warnings] == ["selectors_partly", "selectors_mismatch", "key_not_proved"]
    assert status.causes == status.warnings


def test_a_down_connection_has_the_causes_of_its_attempts(given: Any):
    status = _judge(given, observation=_seen(examples.attempt(0, examples.refused(1, "NO_PROPOSAL_CHOSEN"))))
    assert status.status == "DOWN"
    assert status.explanation is not None
    first, *others = status.explanation.causes
    assert [one.code for one in (first, *others)] == [
        "ike_proposal_mismatch",
        "ike_version_mismatch",
        "no_connection_on_device",
    ]
    assert (first.reason, first.remedy, first.evidence) == (
        status.explanation.reason,
        status.explanation.remedy,
        status.explanation.evidence,
    )


def test_a_pause_is_the_reason_only_where_nothing_else_is_known(given: Any):
    refused = examples.attempt(0, examples.refused(1, "NO_PROPOSAL_CHOSEN"))
    for observation, reason in ((_seen(), "paused since"), (_seen(refused), "the device refused the phase 1 proposal")):
        known = model.KnownConnection(given.connection, 2, False, 2, observation, given.now)
        status = connection.derive(known, given.now, UNSEEN_AFTER, paused_since=given.now)
        assert status.explanation is not None
        assert status.explanation.reason.startswith(reason)


def test_a_device_without_an_address_is_waited_for(given: Any):
    status = _judge(given, observation=given.seen(waits_for_peer=True))
    assert status.status == "DOWN"
    assert status.explanation is not None
    assert "waiting for the device" in status.explanation.reason
    assert "branch.example" in (status.explanation.remedy or "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param({"children": True}, "the VPN gateway is FAULT: no bridge", id="up"),
        pytest.param({}, "the VPN gateway is FAULT: no bridge", id="down"),
        pytest.param({"failure": "no such device"}, "the VPN gateway is FAULT: no bridge", id="failing"),
        pytest.param({"refused": "no data plane"}, "no data plane", id="refused"),
    ],
)
def test_a_fault_of_the_gateway_shows_in_its_connections(given: Any, words: dict[str, Any], reason: str):
    children = (given.child(),) if words.pop("children", False) else ()
    known = model.KnownConnection(
        connection=given.connection,
        generation=2,
        deleting=False,
        applied=2,
        observation=given.seen(applied_generation=2, children=children, expected_children=1, **words),
        seen_at=given.now,
    )
    status = connection.derive(known, given.now, UNSEEN_AFTER, gateway_failure="no bridge")
    assert status.explanation is not None
    assert status.explanation.reason == reason
    assert status.status == {"up": "ACTIVE"}.get("up" if children else "", "ERROR" if "refused" in words else "DOWN")
