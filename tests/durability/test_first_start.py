"""A first start that is killed anywhere is done by the next one: master key, migration, first project, credentials."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.durability.conftest import ALONE, findings

#: A tracer of its own kills the server when it enters this system call for the time of this number.
KILLED = """
import subprocess, time
tracer = ["strace", "-f", "-p", str(os.getpid()), "-o", "{trace}", "-e", "trace={calls}"]
tracer += ["-e", "inject={calls}:signal=KILL:when={number}"]
subprocess.Popen(tracer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while "TracerPid:\\t0\\n" in open("/proc/self/status").read():
    time.sleep(0.002)
"""


@pytest.mark.parametrize(
    ("calls", "number"),
    [
        pytest.param("fsync", 1, id="before-the-master-key-is-on-disk"),
        pytest.param("link,linkat", 1, id="before-the-master-key-has-its-name"),
        pytest.param("pwrite64", 4, id="in-the-migrations-commit"),
        pytest.param("fdatasync", 4, id="before-the-migration-is-on-disk"),
        pytest.param("fdatasync", 7, id="before-the-write-ahead-log"),
        pytest.param("rename", 1, id="before-the-credentials-have-their-name"),
        pytest.param("fsync", 4, id="between-credentials-and-the-commit-of-their-key"),
        pytest.param("fdatasync", 11, id="before-the-fingerprint-key-is-on-disk"),
    ],
)
def test_a_first_start_that_is_killed_is_done_by_the_next(
    start: Any, until: Any, tmp_path: Path, calls: str, number: int
):
    folder = tmp_path / "data"
    server = start(folder, *ALONE, beforehand=KILLED.format(calls=calls, number=number, trace=tmp_path / "trace"))
    until(lambda: not server.alive() or "listening on" in server.log, "the server to be killed")
    assert "listening on" not in server.log
    with contextlib.closing(start(folder).ready(until).caller()) as caller:
        assert caller.ask("GET", "vpn-gateways")[0] == 200
    with contextlib.closing(sqlite3.connect(folder / "landbridge.db")) as connection:
        assert connection.execute("SELECT count(*) FROM project").fetchone() == (1,)
    assert findings(folder) == []
