"""What a charon adds to its log file is read once and whole, also when the file is cut or replaced; and the file does not fill the disk."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from landbridge.engine.strongswan.ike import charon, log_file

#: As charon 5.9.8 and 6.0 write it.
HEAD = "2026-12-01T13:48:26.604 05[IKE]"
HEAD_LATER = "2026-12-01T13:48:26.605 07[IKE]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log file with a line of before."""
    made = tmp_path / "charon.log"
    made.write_text(f"{HEAD} <hq|1> of before\n")
    return made


@pytest.fixture
def log(path: Path) -> Iterator[log_file.LogFile]:
    with contextlib.closing(log_file.LogFile(path.parent)) as made:
        yield made


def _write(path: Path, *texts: str, head: str = HEAD) -> None:
    with path.open("a") as out:
        out.writelines(f"{head} <hq|7> {text}\n" for text in texts)


def _texts(lines: list[log_file.Line]) -> list[str]:
    return [line.text.decode() for line in lines]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("<hq.proof|7> initiating IKE_SA", (b"hq.proof", b"7", b"initiating IKE_SA")),
        ("<7> no IKE config found", (b"(unnamed)", b"7", b"no IKE config found")),
        ("error writing to socket: x", (b"", b"", b"error writing to socket: x")),
        ("<hq|7> got 'x|8> y'", (b"hq", b"7", b"got 'x|8> y'")),
        ("looking for <hq|8> x", (b"", b"", b"looking for <hq|8> x")),
    ],
)
def test_a_line_names_its_ike_sa_and_its_text_cannot(
    path: Path, log: log_file.LogFile, line: str, found: tuple[bytes, ...]
):
    with path.open("a") as out:
        out.write(f"{HEAD} {line}\n")
    assert [one[1:] for one in log.lines()] == [found]


def test_each_line_is_read_once_and_whole(path: Path, log: log_file.LogFile):
    _write(path, "one", "two")
    with path.open("a") as out:
        out.write(f"{HEAD} <hq|7> thr")
        out.flush()
        assert _texts(log.lines()) == ["one", "two"]
        out.write("ee\n")
    assert _texts(log.keep_up()) == ["three"]
    assert log.lines() == []


@pytest.mark.parametrize("ago", [0.0, 0.25, 29.0])
def test_a_line_has_the_time_at_which_it_was_written_in_any_time_zone(ago: float):
    now = datetime(2026, 12, 1, 12, 0, 10, 604_000, UTC)
    second = f"{(now - timedelta(seconds=ago)).timestamp() % 60:06.3f}".encode()
    assert now - log_file.Line(second, b"", b"", b"").at(now) == timedelta(seconds=ago)


def test_a_line_is_not_of_the_future():
    now = datetime(2026, 12, 1, 12, 0, 10, tzinfo=UTC)
    assert log_file.Line(b"10.900", b"", b"", b"").at(now) == now


def test_a_long_log_is_begun_anew_and_no_line_is_lost(
    path: Path, log: log_file.LogFile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(charon, "LOG_LIMIT", 100)
    for text in ("a" * 101, "b" * 101):
        _write(path, text)
        filled = path.read_text()
        assert _texts(log.keep_up()) == [text]
        assert path.read_text() == ""
        assert path.with_name("charon.log.1").read_text() == filled
        _write(path, "short")
        assert _texts(log.keep_up()) == ["short"]
    assert path.read_text().endswith("short\n")


def test_lines_that_come_while_the_log_is_copied_are_read(
    path: Path, log: log_file.LogFile, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(charon, "LOG_LIMIT", 100)
    _write(path, "a" * 101)
    monkeypatch.setattr("shutil.copyfile", lambda *_: _write(path, "meanwhile"))
    assert _texts(log.keep_up()) == ["a" * 101, "meanwhile"]


def test_a_line_of_the_millisecond_in_which_the_log_is_cut_is_read(
    path: Path, log: log_file.LogFile, monkeypatch: pytest.MonkeyPatch
):
    def cut(_: Path, size: int) -> None:
        assert size == 0
        path.write_text("")
        _write(path, "at once")

    monkeypatch.setattr(charon, "LOG_LIMIT", 100)
    monkeypatch.setattr("os.truncate", cut)
    _write(path, "a" * 101)
    assert _texts(log.keep_up()) == ["a" * 101, "at once"]


def test_a_full_disk_does_not_keep_the_log_long(path: Path, log: log_file.LogFile, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(charon, "LOG_LIMIT", 100)
    monkeypatch.setattr("shutil.copyfile", full)
    _write(path, "a" * 101)
    assert _texts(log.keep_up()) == ["a" * 101]
    assert path.read_text() == ""


def test_a_file_that_somebody_cut_is_read_from_its_beginning(path: Path, log: log_file.LogFile):
    _write(path, "old")
    assert _texts(log.keep_up()) == ["old"]
    path.write_text("")
    assert log.keep_up() == []
    _write(path, "cut", head=HEAD_LATER)
    assert _texts(log.keep_up()) == ["cut"]


def test_a_file_that_somebody_replaced_is_read_on_until_charon_opens_its_log_anew(path: Path, log: log_file.LogFile):
    moved = path.with_name("moved")
    path.rename(moved)
    path.touch()
    _write(moved, "old")
    assert _texts(log.keep_up()) == ["old"]
    assert log.is_replaced
    _write(moved, "still old")
    _write(path, "new", head=HEAD_LATER)
    assert _texts(log.keep_up()) == ["still old", "new"]
    assert not log.is_replaced


def test_old_lines_of_a_file_that_somebody_edited_are_no_news(path: Path, log: log_file.LogFile):
    """As `sed -i` does, and as an editor that writes into the same file."""
    before = path.read_text()
    _write(path, "old")
    assert _texts(log.lines()) == ["old"]
    kept = path.read_text().removeprefix(before)
    path.write_text(kept)
    _write(path, "new", head=HEAD_LATER)
    assert _texts(log.keep_up()) == ["new"]
    copy = path.with_name("copy")
    copy.write_text(path.read_text())
    copy.rename(path)
    log.keep_up()
    assert log.keep_up() == []


def test_a_file_that_is_cut_before_a_line_came_has_no_old_news(path: Path):
    before = path.read_text()
    _write(path, "also of before")
    with contextlib.closing(log_file.LogFile(path.parent)) as log:
        path.write_text(before)
        assert log.keep_up() == []


def test_a_log_that_is_gone_for_good_is_said(path: Path, log: log_file.LogFile):
    path.unlink()
    assert log.keep_up() == []
    with pytest.raises(FileNotFoundError):
        log.keep_up()


@pytest.mark.process
def test_a_file_is_the_log_of_the_process_that_writes_to_it(path: Path, log: log_file.LogFile):
    with path.open("a") as out, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out) as writer:
        assert log.is_open_in(writer.pid)
        path.rename(path.with_name("moved"))
        path.touch()
        with contextlib.closing(log_file.LogFile(path.parent)) as another:
            assert not another.is_open_in(writer.pid)
            assert log.is_open_in(writer.pid)
        writer.communicate()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_regular_file_is_no_log_and_is_not_waited_for(
    path: Path, log: log_file.LogFile, make: Callable[[Path], None]
):
    path.unlink()
    make(path)
    with pytest.raises(OSError, match="no regular file"):
        log.keep_up()
    with pytest.raises(OSError, match="no regular file"):
        log_file.LogFile(path.parent)
