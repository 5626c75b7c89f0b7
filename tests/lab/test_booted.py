"""A copy of this machine with systemd: the command's status and output, and what is left afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.process


def _booted(*command: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "lab.booted", "--", *command]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def _left() -> list[Path]:
    return [*Path("/sys/fs/cgroup").glob("**/booted-*"), *Path("/tmp").glob("booted-*/memory")]


def test_systemd_runs_and_the_status_is_that_of_the_command():
    before = _left()
    done = _booted("sh", "-c", "systemctl is-system-running; systemctl --failed --plain --no-legend; pwd; exit 3")
    assert (done.returncode, done.stdout) == (3, f"running\n{ROOT}\n"), done.stderr
    assert _left() == before


def test_what_the_command_changes_is_gone_afterwards():
    name = f"landbridge-test-{os.getpid()}"
    done = _booted("sh", "-c", f"touch /etc/{name} && ip link add {name[-15:]} type veth && ls /etc/{name}")
    assert done.stdout == f"/etc/{name}\n", done.stderr
    assert not Path("/etc", name).exists()
    assert name[-15:] not in {path.name for path in Path("/sys/class/net").iterdir()}


def test_an_interrupt_ends_the_copy():
    before = _left()
    words = [sys.executable, "-m", "lab.booted", "--", "sh", "-c", "echo here; exec sleep 1000"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        (group, *_) = [path for path in _left() if path not in before]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    end = time.monotonic() + 60
    while group.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not group.exists()
