"""The pure parts of pages: grids of tunnels, sequences of negotiations, and tables of both sides' values."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.console import grid
from landbridge.console import negotiation as drawing
from landbridge.model import negotiation
from landbridge.operations.overview import Tunnel

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _tunnels(letters: str) -> list[Tunnel]:
    names = {"u": "up", "d": "down", "w": "warning", "p": "pending", "e": "error", "x": "deleting", "?": "unknown"}
    return [
        Tunnel(n, f"id-{n}", f"name-{n}", 1, names[letter], None, 0, f"peer-{n}", "192.0.2.1")  # type: ignore[arg-type]
        for n, letter in enumerate(letters)
    ]


@pytest.mark.parametrize(
    ("letters", "strokes"),
    [
        ("u", "M1 5h8"),
        ("uuu", "M1 5h28"),
        ("uud", "M1 5h18"),
        ("udu", "M1 5h8M21 5h8"),
        ("ddu", "M21 5h8"),
        ("u" * 33, "M1 5h318M1 15h8"),
    ],
)
def test_a_run_of_tunnels_that_are_up_is_one_stroke(letters: str, strokes: str):
    assert dict(grid.draw(_tunnels(letters), 10).paths)["up"] == strokes


def test_every_other_health_has_a_shape_of_its_own():
    drawn = grid.draw(_tunnels("dwpex?"), 10)
    shapes = [re.sub(r"^M\d+ \d+", "", link.path) for link in drawn.links]
    assert len(set(shapes)) == 6
    assert drawn.label == "6 tunnels: 1 down, 1 error, 1 warning, 1 pending, 1 unknown, 1 deleting"


def test_links_are_bounded_and_the_others_are_drawn_all_the_same():
    drawn = grid.draw(_tunnels("d" * 10), 4)
    assert len(drawn.links) == 4
    assert dict(drawn.paths)["down"].count("M") == 6


def test_a_grid_of_thousands_is_small():
    drawn = grid.draw(_tunnels(("u" * 99 + "d") * 100), 0)
    assert sum(len(path) for _, path in drawn.paths) < 10_000


def _attempt(*facts: Any, outcome: Any) -> negotiation.Attempt:
    return negotiation.Attempt(
        id="1", configuration="c", began_at=AT, began_by="us", ike_version="v2", outcome=outcome, facts=facts
    )


def _message(sender: str, exchange: str, number: int, *, request: bool, seconds: int) -> Any:
    return negotiation.Message(
        at=AT + timedelta(seconds=seconds),
        sender=sender,
        exchange=exchange,
        is_request=request,
        id=number,  # type: ignore[arg-type]
    )


ASKED = _message("us", "IKE_SA_INIT", 0, request=True, seconds=0)
ANSWERED = _message("device", "IKE_SA_INIT", 0, request=False, seconds=1)
REFUSED = negotiation.Refusal(at=AT, sender="device", phase=1, notify="NO_PROPOSAL_CHOSEN")


@pytest.mark.parametrize(
    ("facts", "outcome", "failed"),
    [
        ((ASKED, ANSWERED), "up", []),
        ((ASKED, ANSWERED), None, []),
        ((ASKED, ANSWERED, REFUSED), "refused_by_device", [2]),
        ((ASKED,), "no_answer", [0]),
        ((ASKED, negotiation.Retransmits(at=AT, sender="us", count=5, message=0, gave_up=True)), "no_answer", [1]),
        ((REFUSED, ASKED, ANSWERED), "refused_by_device", [0]),
        ((), "no_answer", []),
    ],
)
def test_the_step_that_failed_is_marked(facts: tuple[Any, ...], outcome: Any, failed: list[int]):
    steps = drawing.draw(_attempt(*facts, outcome=outcome)).steps
    assert [n for n, step in enumerate(steps) if step.failed] == failed


_TIMES = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(st.one_of([st.builds(kind, at=_TIMES) for kind in get_args(negotiation.Fact)]), max_size=40), st.data())
def test_any_facts_have_a_drawing_with_a_sentence_for_each_step(facts: list[Any], data: Any):
    outcome = data.draw(st.sampled_from((None, *get_args(negotiation.Outcome))))
    drawn = drawing.draw(_attempt(*facts, outcome=outcome))
    shown = [fact for fact in facts if not isinstance(fact, negotiation.Packet)]
    assert len(drawn.steps) + drawn.omitted == len(shown)
    assert all(len(step.label) <= drawing.LABEL for step in drawn.steps)
    assert sum(step.failed for step in drawn.steps) <= 1
    assert drawn.y(len(drawn.steps) - 1) <= drawn.height


def test_an_event_of_a_tunnel_that_was_up_is_not_the_last_negotiation():
    rekey = negotiation.Attempt(id="2", configuration="c", began_at=AT, began_by="us", within_sa=True)
    first = _attempt(ASKED, outcome="up")
    assert drawing.shown((first, rekey)) is first
    assert drawing.shown((rekey,)) is rekey
    assert drawing.shown(()) is None
