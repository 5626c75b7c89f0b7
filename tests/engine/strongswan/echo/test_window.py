"""What a sequence of answered and lost echoes makes of a path."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.engine.strongswan.echo.window import MOST, PENDING, Timing, Window

TIMING = Timing(interval=0.5, losses=3, stable=10.0)
WALL = 1_800_000_000.0
RTT = 0.02


def run(answers: str, *, timing: Timing = TIMING, of: Window | None = None, start: float = 0.0):
    """Sends an echo for each sign: `+` is answered, `-` is not. Returns the window and the state after each interval."""
    window, states = of or Window(timing), []
    for at, sign in enumerate(answers):
        now = start + at * timing.interval
        number = window.send(now, WALL + now)
        if sign == "+":
            window.answer(number, now + RTT, WALL + now + RTT)
        states.append(window.state)
    return window, states


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        pytest.param("", "unknown", id="nothing-sent"),
        pytest.param("---", "unknown", id="three-sent-and-the-last-may-be-answered-yet"),
        pytest.param("----", "down", id="never-answered"),
        pytest.param("+", "up", id="the-first-answer"),
        pytest.param("--+", "up", id="an-answer-before-the-third-loss"),
        pytest.param("+---", "up", id="the-third-loss-is-not-certain-yet"),
        pytest.param("+----", "down", id="three-lost"),
        pytest.param("+--+--+--+--", "up", id="never-three-in-a-row"),
        pytest.param("+----+", "down", id="one-answer-is-not-stable"),
        pytest.param("+----" + "+" * 20, "down", id="almost-stable"),
        pytest.param("+----" + "+" * 21, "up", id="stable"),
        pytest.param("+----" + "+" * 15 + "---" + "+" * 10, "down", id="three-more-lost-begin-the-time-anew"),
        pytest.param("+----" + "++-" * 7, "up", id="single-losses-do-not"),
    ],
)
def test_the_state_follows_losses_in_a_row_and_a_stable_time(answers: str, state: str):
    assert run(answers)[0].state == state


def test_a_dead_path_is_down_before_the_fourth_interval_is_over():
    """The path is cut right after an answer: three echoes are lost, and each had one interval to be answered."""
    _, states = run("+" * 50 + "-" * 4)
    assert states[-2:] == ["up", "down"]


def test_a_round_trip_that_is_longer_than_the_interval_is_no_loss():
    window = Window(TIMING)
    for at in range(30):
        number = window.send(at * 0.5, WALL)
        if at >= 2:
            window.answer(number - 2, at * 0.5 + 0.2, WALL)
    assert window.state == "up"
    found = window.reachability("a", "b", 14.9)
    assert (found.lost, found.rtt_min) == (0, 1200.0)


def test_counts_are_those_of_the_last_minute():
    window, _ = run("-" * 10 + "+" * 200)
    found = window.reachability("169.254.70.1", "169.254.70.2", 209 * 0.5)
    assert (found.lost, found.rtt_min, found.rtt_average, found.rtt_max) == (0, 20.0, 20.0, 20.0)
    assert found.sent in (120, 121)


def test_an_echo_that_may_be_answered_yet_is_not_counted():
    window, _ = run("+--")
    assert window.reachability("a", "b", 0.5 + PENDING - 0.01).lost == 0
    assert window.reachability("a", "b", 0.5 + PENDING).lost == 1


def test_an_answer_that_comes_twice_or_from_another_time_changes_nothing():
    window, _ = run("+-")
    before = window.reachability("a", "b", 5.0)
    for stranger in (0, 2, 77, 65535):
        window.answer(stranger, 4.0, WALL)
    assert window.reachability("a", "b", 5.0) == before


def test_sequence_numbers_begin_again_after_65535():
    window = Window(Timing(interval=0.5, losses=3, stable=1.0))
    numbers = []
    for at in range(65540):
        numbers.append(window.send(at * 0.5, WALL))
        window.answer(numbers[-1], at * 0.5 + RTT, WALL)
    assert numbers[-5:] == [65535, 0, 1, 2, 3]
    assert window.state == "up"
    assert window.reachability("a", "b", 65539 * 0.5).lost == 0


timings = st.builds(
    Timing,
    interval=st.floats(0.01, 30),
    losses=st.integers(1, 50),
    stable=st.floats(0, 100),
)


@given(timings, st.text("+-", max_size=200))
def test_whatever_is_lost_the_state_and_the_counts_agree_with_it(timing: Timing, answers: str):
    window, states = run(answers, timing=timing)
    for before, after in itertools.pairwise(states):
        assert not (before != "unknown" and after == "unknown")
    if "-" * timing.losses not in answers:
        assert "down" not in states
    if answers and "+" not in answers:
        assert states[-1] == ("down" if len(answers) > timing.losses else "unknown")
    found = window.reachability("a", "b", len(answers) * timing.interval + PENDING)
    assert 0 <= found.lost <= found.sent <= min(len(answers), MOST)
    assert (found.rtt_min is None) == (found.sent == found.lost)
