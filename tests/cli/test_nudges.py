"""Nudges from a worker to the process with the agent: whole ids, or nothing. And how a worker is asked to stop."""

import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.server import workers


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A worker's standard output: a write to it does not wait."""
    output, into = os.pipe()
    os.set_blocking(into, False)
    yield output, into
    for end in (output, into):
        with contextlib.suppress(OSError):
            os.close(end)


def _ids(number: int) -> set[str]:
    return {str(uuid.uuid4()) for _ in range(number)}


def _heard(output: int, into: int) -> set[str]:
    os.close(into)
    found: set[str] = set()
    workers.receive_nudges(output, found.update)
    return found


def test_what_is_told_is_heard(pipe: tuple[int, int]):
    named = _ids(800)
    workers.send_nudge(named, pipe[1])
    assert _heard(*pipe) == named


@pytest.mark.parametrize("free", [0, 1, 36, 37, 100, 4095, 4096, 4097, 8000])
def test_a_pipe_that_is_nearly_full_cuts_no_id(pipe: tuple[int, int], free: int):
    """In one write of 800 ids a pipe takes what fits, and the next line goes on where it ended."""
    full = os.fpathconf(pipe[1], "PC_PIPE_BUF") * 16
    before = [str(uuid.uuid4()) for _ in range((full - free) // 37)]
    os.write(pipe[1], b"".join(f"{one}\n".encode() for one in before))
    os.write(pipe[1], b"\n" * (full - free - 37 * len(before)))
    named, later = _ids(800), _ids(3)
    workers.send_nudge(named, pipe[1])
    found: set[str] = set()
    thread = threading.Thread(target=workers.receive_nudges, args=(pipe[0], found.update))
    thread.start()
    os.set_blocking(pipe[1], True)
    workers.send_nudge(later, pipe[1])
    os.close(pipe[1])
    thread.join()
    assert {*before, *later} <= found <= {*before, *later, *named}


def test_what_is_no_id_is_dropped_and_logged_in_few_words(pipe: tuple[int, int], caplog: pytest.LogCaptureFixture):
    good = str(uuid.uuid4())
    wrong = [b"x" * 1_000_000, good.upper().encode(), good[:20].encode() + good.encode(), b"\xff\xfe", b""]
    writer = threading.Thread(target=_write, args=(pipe[1], [*wrong, good.encode(), b"%s" * 40]))
    with caplog.at_level(logging.WARNING):
        writer.start()
        found: set[str] = set()
        workers.receive_nudges(pipe[0], found.update)
        writer.join()
    assert found == {good}
    assert all(len(one.getMessage()) < 200 for one in caplog.records)
    assert any("no gateway's id" in one.getMessage() for one in caplog.records)


def _write(into: int, lines: list[bytes]) -> None:
    os.set_blocking(into, True)
    with os.fdopen(into, "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def test_nobody_who_hears_is_no_error(pipe: tuple[int, int]):
    os.close(pipe[0])
    workers.send_nudge(_ids(3), pipe[1])


@pytest.mark.process
def test_a_process_that_reads_nothing_holds_up_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A signal handler calls `request_stop`: it never waits, and it may be called again."""
    (tmp_path / "deaf.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(workers, "STOP_SECONDS", 0.2)
    deaf = workers.Workers("deaf", lambda _: None)
    deaf.start(b"x" * 1_000_000, ())
    ended = threading.Thread(target=lambda: [deaf.request_stop() for _ in range(10_000)], daemon=True)
    ended.start()
    ended.join(60)
    assert not ended.is_alive()
    deaf.stop()
    assert not deaf._running
