"""The life cycle of a daemon that is not charon: start, adopt, stop."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.engine.strongswan import daemon

pytestmark = pytest.mark.process

#: The daemon's configuration is the program that it runs. It listens, and answers nobody.
LISTEN = """\
import signal, socket
listening = socket.socket(socket.AF_UNIX)
listening.bind({socket!r})
listening.listen()
signal.pause()
"""
LISTENER = daemon.Daemon(
    name="listener",
    program=Path(sys.executable).resolve(),
    socket_file="listener.ctl",
    configuration_file="listener.py",
    output_file="listener.out",
    log_file="listener.log",
    arguments=("{configuration}",),
)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def folder(tmp_path: Path, namespace: str) -> Iterator[Path]:
    folder = tmp_path / "0123456789ab"
    folder.mkdir()
    yield folder
    LISTENER.end(pids(namespace))


def start(folder: Path, namespace: str, launch: daemon.Launch = daemon.AS_CHILDREN) -> None:
    LISTENER.start(folder, namespace, lambda socket: LISTEN.format(socket=str(socket)), launch)


def pids(namespace: str) -> list[int]:
    found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid in found.split()]


def test_a_daemon_is_started_in_the_namespace_adopted_and_stopped(folder: Path, namespace: str, tmp_path: Path):
    start(folder, namespace, daemon.Launch(sockets=tmp_path / "run"))
    (pid,) = pids(namespace)
    assert os.getsid(pid) != os.getsid(0)  # it outlives us
    assert LISTENER.is_alive(folder)
    with pytest.raises(OSError, match="a listener runs already"):
        start(folder, namespace)
    LISTENER.stop(folder)
    assert (pids(namespace), LISTENER.is_alive(folder)) == ([], False)
    assert list((tmp_path / "run").iterdir()) == []
    LISTENER.stop(folder)


def test_a_daemon_that_nobody_can_reach_is_replaced(folder: Path, namespace: str):
    start(folder, namespace)
    (lost,) = pids(namespace)
    LISTENER.socket_path(folder).unlink()
    start(folder, namespace)
    (pid,) = pids(namespace)
    assert pid != lost
    assert LISTENER.is_alive(folder)


def test_a_daemon_that_does_not_start_is_quoted(folder: Path, namespace: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "START_TIMEOUT", 0.5)
    with pytest.raises(OSError, match="listener did not start: no such peer"):
        LISTENER.start(folder, namespace, lambda _: "raise SystemExit('no such peer')")


def test_a_daemon_whose_log_is_a_fifo_is_not_waited_for(folder: Path, namespace: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daemon, "START_TIMEOUT", 0.5)
    os.mkfifo(folder / "listener.log")
    with pytest.raises(OSError, match=r"listener did not start: .*/listener\.log is a FIFO"):
        LISTENER.start(folder, namespace, lambda _: f"open('{folder}/listener.log', 'a')")
