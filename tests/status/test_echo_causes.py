"""What echoes without an answer make of a connection: a path that is dead, and a device that does not answer a monitor."""

import dataclasses
from typing import Any

import pytest

from landbridge import model
from landbridge.status import causes, connection, warnings
from tests.status import examples

INNER = {"source": "169.254.70.1", "destination": "169.254.70.2", "sent": 120, "lost": 7}
OUTER = {"source": examples.ENDPOINT, "destination": examples.DEVICE, "sent": 60, "lost": 60}
UNANSWERED = model.Reachability(state="down", since=examples.at(10), **INNER)
BROKEN = dataclasses.replace(UNANSWERED, answered_at=examples.at(8))


def _monitor(state: Any, **given: Any) -> model.Reachability:
    return model.Reachability(state=state, since=examples.at(20), **OUTER, **given)


@pytest.mark.parametrize(
    ("nqa", "has_sa", "state"),
    [
        pytest.param(None, True, "up", id="not-probed"),
        pytest.param(dataclasses.replace(UNANSWERED, state="unknown"), True, "up", id="not-known"),
        pytest.param(dataclasses.replace(UNANSWERED, state="up"), True, "up", id="answered"),
        pytest.param(UNANSWERED, True, "down", id="not-answered"),
        pytest.param(dataclasses.replace(UNANSWERED, state="up"), False, "down", id="answered-before-the-sa-went"),
    ],
)
def test_a_tunnel_whose_echoes_have_no_answer_is_down(nqa: model.Reachability | None, has_sa: bool, state: str):
    seen = model.ConnectionObservation(
        connection_id="c1", children=(examples.child(),) if has_sa else (), nqa=nqa, monitor=_monitor("down")
    )
    assert seen.state == state


@pytest.mark.parametrize(
    ("nqa", "given", "side", "said"),
    [
        pytest.param(UNANSWERED, {}, "device", "no answer of 169.254.70.2 ever came", id="never-answered"),
        pytest.param(
            BROKEN, {}, "network", "the last answer of 169.254.70.2 came at 2026-01-02T03:00:08Z", id="answered-once"
        ),
        pytest.param(
            UNANSWERED,
            {"monitor": _monitor("up")},
            "device",
            "no answer of 169.254.70.2 ever came; its outer address 198.51.100.2 answers",
            id="the-monitor-is-answered",
        ),
        pytest.param(
            BROKEN,
            {"monitor": _monitor("down")},
            "network",
            "198.51.100.2 does not answer either",
            id="nothing-answers",
        ),
        pytest.param(
            UNANSWERED,
            {"traffic": model.Traffic(received_at=examples.at(60))},
            "device",
            "other packets come out of the tunnel",
            id="packets-come",
        ),
    ],
)
def test_the_cause_tells_a_broken_path_from_a_device_that_never_answered(
    nqa: model.Reachability, given: dict[str, Any], side: str, said: str
):
    [cause] = causes.rank(examples.context(examples.whole(0), children=(examples.child(),), nqa=nqa, **given))
    assert (cause.code, cause.side, cause.is_certain) == ("nqa_no_answer", side, True)
    assert cause.reason.startswith("the tunnel is established, and")
    assert said in cause.reason
    [line] = cause.evidence
    assert "7 of 120 echoes from 169.254.70.1 to 169.254.70.2" in line.line


def test_packets_that_came_before_the_path_went_down_say_nothing_of_it():
    traffic = model.Traffic(received_at=examples.at(12))
    [cause] = causes.rank(examples.context(children=(examples.child(),), nqa=BROKEN, traffic=traffic))
    assert "other packets" not in cause.reason


def test_what_ike_noticed_of_the_broken_path_comes_second():
    lost = examples.attempt(0, examples.repeated(12, 5, gave_up=True), outcome="timeout", within_sa=True)
    found = causes.rank(examples.context(examples.whole(0), lost, children=(examples.child(),), nqa=BROKEN))
    assert [one.code for one in found] == ["nqa_no_answer", "peer_dead"]


def test_a_connection_with_a_dead_path_is_down_with_the_cause(given: Any):
    seen = given.seen(applied_generation=1, children=(given.child(),), expected_children=1, nqa=UNANSWERED)
    known = model.KnownConnection(given.connection, 1, False, 1, seen, given.now)
    found = connection.derive(known, given.now, examples.timedelta.max)
    assert (found.status, connection.first_cause(found), found.warnings) == ("DOWN", "nqa_no_answer", ())


@pytest.mark.parametrize(
    ("monitor", "codes"),
    [
        pytest.param(None, [], id="none"),
        pytest.param(_monitor("unknown"), [], id="not-known"),
        pytest.param(_monitor("up"), [], id="answered"),
        pytest.param(_monitor("down", answered_at=examples.at(5)), ["monitor_no_answer"], id="not-answered"),
    ],
)
def test_a_monitor_without_an_answer_is_a_warning(monitor: model.Reachability | None, codes: list[str]):
    found = warnings.find(examples.context(children=(examples.child(),), monitor=monitor))
    assert [one.code for one in found] == codes
