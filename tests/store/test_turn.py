"""Turns of processes at the one database."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landbridge.store.turn import Turn

pytestmark = pytest.mark.process

HOLD = """
import sys
from pathlib import Path
from landbridge.store.turn import Turn
turn = Turn(Path(sys.argv[1]))
for line in sys.stdin:
    turn.acquire()
    print("mine", flush=True)
    sys.stdin.readline()
    turn.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "turn"


@pytest.fixture
def other(path: Path) -> Iterator[Any]:
    """Another process: a line makes it wait for its turn, the next one give it up."""
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def _say(other: Any) -> None:
    other.stdin.write(b"\n")
    other.stdin.flush()


def test_one_process_at_a_time_has_the_turn(path: Path, other: Any):
    turn = Turn(path)
    _say(other)
    assert other.stdout.readline() == b"mine\n"
    assert not turn.acquire(blocking=False)
    _say(other)
    assert turn.acquire()
    turn.release()


def test_a_process_that_is_killed_gives_up_its_turn(path: Path, other: Any):
    turn = Turn(path)
    _say(other)
    assert other.stdout.readline() == b"mine\n"
    other.kill()
    assert turn.acquire()
    turn.release()


def test_who_waits_comes_before_who_just_had_it(path: Path, other: Any, until: Any):
    """However quickly this process asks again."""
    turn = Turn(path)
    for _ in range(20):
        assert turn.acquire()
        _say(other)
        until(lambda: not _place_is_free(path), "the other one to stand in line")
        turn.release()
        assert not turn.acquire(blocking=False)
        assert other.stdout.readline() == b"mine\n"
        _say(other)
        assert turn.acquire()
        turn.release()


def _place_is_free(path: Path) -> bool:
    """Asked by a process of its own: locks of a process do not hinder itself."""
    look = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)"
    return subprocess.run([sys.executable, "-c", look, path], stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_threads_take_turns_too(path: Path):
    turn, inside, most = Turn(path), [], []

    def work() -> None:
        for _ in range(50):
            turn.acquire()
            inside.append(1)
            most.append(len(inside))
            time.sleep(0)
            inside.pop()
            turn.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (200, 1)
