"""A restore and a rotation that are killed at any moment: the next start finds a whole folder.

Only what is on disk outlives a process that is killed. So one run of the work notes, before each line of it, what is on
disk; and for every line before which that is new, a process of its own does the work on a copy of the folder and dies there.

This file is that program too: `python test_backup_broken_off.py WORK FOLDER`.
"""

import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from lab import folder
from landbridge import data_folder
from landbridge.operations import access, clock
from landbridge.store import connections, rotation, vault
from landbridge.store.sqlite import backup, database

pytestmark = pytest.mark.process

KILLED = 9
#: Whose lines count.
WATCHED = frozenset(inspect.getfile(module) for module in (data_folder, backup, database, rotation, vault))
Work = Callable[[Path, Path], None]


def _rotate(data: Path, _: Path) -> None:
    data_folder.rotate_master(folder.settings(data))


def _restore(data: Path, source: Path) -> None:
    data_folder.restore(folder.settings(data), source, force=True)


WORKS: dict[str, Work] = {"rotate": _rotate, "restore": _restore}


def _in_a_child(work: Callable[[], None], before_line: Callable[[int], None]) -> int:
    """Does the work in a process of its own, asking `before_line` at each line; gives the exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    passed = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            sys.settrace(None)
            before_line(passed)
            sys.settrace(trace)
            passed += 1
        return trace

    sys.settrace(trace)
    work()
    os._exit(0)


def _on_disk(data: Path) -> str:
    """Without SQLite's shared memory, which is made anew from the log."""
    files = sorted(path for path in data.iterdir() if not path.name.endswith("-shm"))
    held = {path.name.split(".db.")[0]: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return json.dumps(held)


def _moments(work: Work, data: Path, source: Path) -> list[int]:
    """The lines before which the folder is as it was before no earlier line."""
    notes = data.with_name("notes")
    seen: dict[str, int] = {}

    def note(line: int) -> None:
        if seen.setdefault(_on_disk(data), line) == line:
            notes.write_text(json.dumps(list(seen.values())))

    assert _in_a_child(lambda: work(data, source), note) == 0
    return list(json.loads(notes.read_text()))


def _look(data: Path) -> tuple[str, list[str], bytes, str]:
    """What a service would find: a PSK, the projects, the key of names, the digest of a body."""
    with data_folder.open_data(folder.settings(data)) as opened:
        ((gateway,),) = opened.database.read(lambda tx: tx.cursor.execute("SELECT seq FROM vpn_gateway").fetchall())
        (one,) = opened.database.read(lambda tx: connections.desired(tx, gateway))
        assert one.psk is not None
        psk = opened.vault.open(one.psk, one.connection.id).decode()
        names = [name for _, name in opened.database.read(access.list_projects)]
        for key in opened.database.read(access.list_keys):
            opened.vault.open(key.secret, key.access_key)
        return psk, names, opened.fingerprint_key, opened.vault.digest(b"body")


def _run(name: str, pattern: Path) -> None:
    work, source, data = WORKS[name], pattern.with_name("backup"), pattern.with_name("data")
    data_folder.save(folder.settings(pattern), source, force=False)
    with data_folder.open_data(folder.settings(pattern)) as opened:
        opened.database.write(lambda tx: access.create_project(tx, "later", clock.now()))
    psk, names, *rest = _look(pattern)
    results = [names] if name == "rotate" else [names, names[:-1]]
    found = []
    for moment in _moments(work, shutil.copytree(pattern, data), source):
        shutil.rmtree(data)
        shutil.copytree(pattern, data)

        def die(line: int, at: int = moment) -> None:
            if line == at:
                os._exit(KILLED)

        assert _in_a_child(lambda: work(data, source), die) == KILLED
        for _ in range(2):  # the second time nothing hinders the work, whatever was left
            looked = _look(data)
            assert looked in [(psk, each, *rest) for each in results], f"line {moment}: {looked}"
            assert not data.joinpath("master.key.new").exists()
            found.append(looked[1])
            work(data, source)
        assert list(data.glob(".*")) == []
    sys.stdout.write(f"{len(found)} {len({*map(tuple, found)})}\n")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder where fsync costs nothing: whoever is killed loses no page that he wrote."""
    with tempfile.TemporaryDirectory(prefix="landbridge-", dir="/dev/shm") as path:
        yield Path(path)


@pytest.mark.parametrize(("work", "ends"), [("rotate", 1), ("restore", 2)])
def test_killed_at_any_moment_the_folder_is_whole(memory: Path, work: str, ends: int):
    """`ends`: how many different folders may be the result: the old one, the restored one."""
    folder.fill(memory / "pattern")
    done = subprocess.run(
        [sys.executable, __file__, work, str(memory / "pattern")],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    moments, found = map(int, done.stdout.split())
    assert moments >= 8
    assert found == ends


if __name__ == "__main__":
    _run(sys.argv[1], Path(sys.argv[2]))
