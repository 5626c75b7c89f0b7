"""The lock that processes and threads take before they write."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landbridge.store.sqlite.writer_lock import WriterLock

pytestmark = pytest.mark.process

HOLD = """
import sys
from pathlib import Path
from landbridge.store.sqlite.writer_lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
for line in sys.stdin:
    lock.acquire()
    print("mine", flush=True)
    sys.stdin.readline()
    lock.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writer.lock"


@pytest.fixture
def other(path: Path) -> Iterator[Any]:
    """Another process: a line makes it acquire the lock, the next one release it."""
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def _say(other: Any) -> None:
    other.stdin.write(b"\n")
    other.stdin.flush()


def test_one_process_at_a_time_has_the_turn(path: Path, other: Any):
    lock = WriterLock(path)
    _say(other)
    assert other.stdout.readline() == b"mine\n"
    assert not lock.acquire(blocking=False)
    _say(other)
    assert lock.acquire()
    lock.release()


def test_a_process_that_is_killed_gives_up_its_turn(path: Path, other: Any):
    lock = WriterLock(path)
    _say(other)
    assert other.stdout.readline() == b"mine\n"
    other.kill()
    assert lock.acquire()
    lock.release()


def test_who_waits_comes_before_who_just_had_it(path: Path, other: Any, until: Any):
    """However quickly this process asks again."""
    lock = WriterLock(path)
    for _ in range(20):
        assert lock.acquire()
        _say(other)
        until(lambda: not _queue_is_empty(path), "the other one to queue")
        lock.release()
        assert not lock.acquire(blocking=False)
        assert other.stdout.readline() == b"mine\n"
        _say(other)
        assert lock.acquire()
        lock.release()


def _queue_is_empty(path: Path) -> bool:
    """Asked by a process of its own: locks of a process do not hinder itself."""
    look = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)"
    return subprocess.run([sys.executable, "-c", look, path], stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_threads_exclude_each_other_too(path: Path):
    lock, inside, most = WriterLock(path), [], []

    def work() -> None:
        for _ in range(50):
            lock.acquire()
            inside.append(1)
            most.append(len(inside))
            time.sleep(0)
            inside.pop()
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (200, 1)
