"""What a terminal gets, and what a pipe gets: the command in a process of its own, below a pseudo-terminal where it says so."""

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.conftest import LANDBRIDGE, PATIENCE_SECONDS

pytestmark = pytest.mark.process
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command below a pseudo-terminal of 100 columns, unless the environment has COLUMNS."""

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [LANDBRIDGE, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"COLUMNS": "100", "LINES": "40", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character

    def until(self, text: str) -> str:
        """What it has shown once the text is there, without escapes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in _ESCAPES.sub("", self.shown):
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown
        return _ESCAPES.sub("", self.shown)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Reads until the command ends, and returns its exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE_SECONDS)
        assert ready, self.shown
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # all of its ends are closed
            return False
        self.shown += self._decoder.decode(read)
        return bool(read)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell that starts the tests in the background lets them and their children ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "xterm-256color"}


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def start(*words: str, **more: str) -> Terminal:
        made.append(Terminal(words, environment | more))
        return made[-1]

    yield start
    for each in made:
        each.close()


@contextmanager
def _piped(environment: Mapping[str, str], *words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [LANDBRIDGE, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_terminal_has_a_table_with_colours_and_a_pipe_has_whole_lines(
    ours: Cli, terminal: Any, environment: dict[str, str]
):
    ours.pair()
    shown = terminal("connection", "list")
    assert shown.end() == 0
    assert "\x1b[32mACTIVE" in shown.shown
    head, row, *_ = _ESCAPES.sub("", shown.shown).splitlines()
    assert head.split() == ["NAME", "GATEWAY", "STATUS", "SINCE", "CAUSE", "REASON", "ID"]
    assert row.index("hq-branch") == head.index("NAME")
    assert row.index("ACTIVE") == head.index("STATUS")
    assert re.search(r"(\d+ [sm] ago|now)", row)
    with _piped(environment, "connection", "list") as piped:
        (line,) = (piped.stdout or ()).readlines()
    assert "\x1b" not in line
    assert len(line.rstrip("\n").split("\t")) == 7
    plain = terminal("status", NO_COLOR="1")
    assert plain.end() == 0
    assert "\x1b[3" not in plain.shown
    assert "connections  1 ACTIVE" in plain.shown
    assert "hq: redundancy is not met: 192.168.44.0/24 is reached through hq-branch alone" in plain.shown
    dumb = terminal("gateway", "list", TERM="dumb")
    assert dumb.end() == 0
    assert "\x1b" not in dumb.shown


@pytest.mark.parametrize(("columns", "is_below"), [(80, True), (120, False)])
def test_a_reason_is_whole_and_on_few_lines(ours: Cli, terminal: Any, columns: int, is_below: bool):
    ours.pair()
    ours("connection", "simulate", "hq-branch", "down:psk")
    ours("connection", "wait", "hq-branch", "--for", "DOWN")
    shown = terminal("status", COLUMNS=str(columns))
    assert shown.end() == 0
    lines = [line.rstrip() for line in _ESCAPES.sub("", shown.shown).splitlines()]
    assert all(len(line) <= columns or line.startswith("service") for line in lines)
    head, row, *reason = lines[lines.index("PROBLEMS") + 1 : lines.index("RECENT CHANGES") - 1]
    assert "psk_mismatch" in row
    assert ("REASON" not in head) == is_below
    assert not is_below or all(line.startswith("    ") for line in reason)
    assert "→ set the same psk on this connection" in " ".join(" ".join([row, *reason]).split())
    assert len(reason) <= 2


def test_a_terminal_is_asked_before_something_is_deleted(ours: Cli, terminal: Any):
    ours.pair()
    asked = terminal("connection", "delete", "hq-branch")
    asked.until("[y/N]")
    asked.type("n\n")
    assert asked.end() == 130
    asked = terminal("connection", "delete", "hq-branch", "--wait")
    assert "Delete connection hq-branch (" in asked.until("[y/N]")
    asked.type("y\n")
    assert asked.end() == 0
    asked = terminal("gateway", "delete", "hq")
    asked.until("Type its name")
    asked.type("y\n")
    assert asked.end() == 130
    asked = terminal("gateway", "delete", "hq")
    asked.until("Type its name")
    asked.type("hq\n")
    assert asked.end() == 0


def test_a_terminal_is_asked_for_the_psk_and_does_not_show_it(ours: Cli, terminal: Any):
    ours.gateway()
    ours("customer-gateway", "create", "--name", "branch", "--address", "198.51.100.2")
    words = ("--name", "c", "--gateway", "hq", "--customer-gateway", "branch", "--peer-subnet", "192.168.44.0/24")
    asked = terminal("connection", "create", *words, "--wait")
    asked.until("PSK")
    asked.type("Correct-Horse-7\n")
    assert asked.end() == 0
    assert "c: ACTIVE after" in asked.shown
    assert "Correct-Horse-7" not in asked.shown


def test_watch_draws_again_on_a_terminal_and_writes_a_line_a_change_in_a_pipe(
    ours: Cli, terminal: Any, environment: dict[str, str]
):
    ours.pair()
    drawn = terminal("connection", "watch", "hq-branch", "--interval", "0.2")
    drawn.until("ACTIVE")
    with _piped(environment, "connection", "watch", "--interval", "0.2") as piped:
        assert piped.stdout is not None
        first = json.loads(piped.stdout.readline())
        assert (first["change"], first["name"], first["status"]) == ("present", "hq-branch", "ACTIVE")
        ours("connection", "simulate", "hq-branch", "down:psk")
        drawn.until("psk_mismatch")
        change = json.loads(piped.stdout.readline())
        while change.get("cause") != "psk_mismatch":
            assert change["change"] == "changed"
            change = json.loads(piped.stdout.readline())
        ours("connection", "delete", "hq-branch", "--yes", "--wait")
        while change["change"] != "gone":
            change = json.loads(piped.stdout.readline())
        piped.send_signal(signal.SIGINT)
        assert piped.wait(PATIENCE_SECONDS) == 130
        assert piped.stderr is not None
        assert piped.stderr.read().strip() == ""  # Click ends the line of ^C
    drawn.process.send_signal(signal.SIGINT)
    assert drawn.end() == 130


def test_a_pipe_that_is_closed_ends_the_command_without_a_word(ours: Cli, environment: dict[str, str]):
    ours.pair()
    with _piped(environment, "connection", "show", "hq-branch") as piped:
        assert piped.stdout is not None
        piped.stdout.close()
        assert piped.wait(PATIENCE_SECONDS) == 1
        assert piped.stderr is not None
        assert piped.stderr.read() == ""


def test_a_device_cannot_send_escapes_to_a_terminal(capsys: pytest.CaptureFixture[str]):
    from landbridge.client import output  # noqa: PLC0415

    output.table(("A",), [("x\x1b[2Jy\tz\n",)])
    assert capsys.readouterr().out == "x [2Jy z \n"
    output.document({"ä": "\x1b[2J\x9b2J\u202e\x7f\U000e0001"}, "json")
    assert capsys.readouterr().out == '{"ä": "\\u001b[2J\\u009b2J\\u202e\\u007f\\udb40\\udc01"}\n'


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_names(ours: Cli, environment: dict[str, str], shell: str):
    ours.pair()
    assert "_LANDBRIDGE_COMPLETE" in ours("completion", shell).out

    def complete(words: str, number: int) -> str:
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(number) if shell != "fish" else words.rpartition(" ")[2]}
        asked = environment | typed | {"_LANDBRIDGE_COMPLETE": f"{shell}_complete"}
        return subprocess.run([LANDBRIDGE], env=asked, capture_output=True, text=True, check=True).stdout

    assert "customer-gateway" in complete("landbridge c", 1)
    assert "hq-branch" in complete("landbridge connection show hq", 3)
    assert "branch" not in complete("landbridge connection show --context none hq", 5)
