"""A data folder on a disk that fills up: whoever is refused is told so, and the service goes on when there is room."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.durability.conftest import ALONE, Answer, Server, findings, peer

pytestmark = pytest.mark.tunnel
CALLERS = 16
SIZE = 32 << 20
PAGE = 4096
#: Pages of half a new database.
HALF = 20


class Disk:
    """A tmpfs of its own, in a mount namespace that ends with its only process."""

    def __init__(self, point: Path) -> None:
        point.mkdir()
        mount = f"mount -t tmpfs -o size={SIZE} tmpfs {point} && echo mounted && exec sleep 600"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n"
        #: Where a server finds the folder, where this process finds it, and how a server gets there.
        self.folder = point / "data"
        self.seen_at = Path(f"/proc/{self._holder.pid}/root{point}") / "data"
        space = f"/proc/{self._holder.pid}/ns/mnt"
        self.enter = f"import ctypes\nassert ctypes.CDLL(None).setns(os.open({space!r}, os.O_RDONLY), 0x20000) == 0"

    def fill(self, left: int) -> None:
        """Leaves so many bytes free."""
        (self.seen_at.parent / "ballast").unlink(missing_ok=True)
        free = os.statvfs(self.seen_at.parent)
        with (self.seen_at.parent / "ballast").open("w") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize - left)

    def make_room(self) -> None:
        (self.seen_at.parent / "ballast").unlink()

    def make_read_only(self) -> None:
        point = str(self.folder.parent)
        space = f"--mount=/proc/{self._holder.pid}/ns/mnt"
        subprocess.run(["nsenter", space, "mount", "-o", "remount,ro", point], check=True, timeout=60)

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.fixture
def start_there(disk: Disk, start: Any, tmp_path: Path) -> Callable[..., Server]:
    """Starts servers on the disk's folder."""

    def there(*flags: str, beforehand: str = "") -> Server:
        server = start(disk.folder, *flags, beforehand=f"{disk.enter}\n{beforehand}", logs=tmp_path)
        server.folder = disk.seen_at
        return server

    return there


class Load:
    """Callers that create customer gateways at the same time, each so many times; and what each of them was told."""

    def __init__(self, server: Server, first: int, rounds: int) -> None:
        self.answers: dict[str, Answer] = {}
        self._server = server
        threads = [
            threading.Thread(target=self._work, args=(first + number * rounds, rounds)) for number in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, first: int, rounds: int) -> None:
        caller = self._server.caller()
        for number in range(first, first + rounds):
            body = peer(number)
            body["customer_gateway"]["tags"] = [{"key": f"key-{n}", "value": "v" * 200} for n in range(10)]
            self.answers[f"peer-{number}"] = caller.ask("POST", "customer-gateways", body, f"token {number}")
        caller.close()

    def named(self, status: int) -> set[str]:
        return {name for name, answer in self.answers.items() if answer[0] == status}


def _stored(server: Server) -> set[str]:
    """Names of all customer gateways, by the API."""
    caller, marker, names = server.caller(), "", set[str]()
    while marker is not None:
        status, page = caller.ask("GET", f"customer-gateways?limit=100&marker={marker}")
        assert status == 200, page
        names |= {each["name"] for each in page["customer_gateways"]}
        marker = page["page_info"].get("next_marker")
    caller.close()
    return names


EAGER = "from landbridge.store.sqlite import database\ndatabase.CHECKPOINT_WRITES = 10"


@pytest.mark.parametrize(
    ("beforehand", "said"),
    [
        pytest.param("", "a group of ", id="in-a-group"),
        pytest.param(EAGER, "could not be copied", id="at-a-checkpoint"),
    ],
)
def test_a_disk_that_fills_up_refuses_and_goes_on_when_there_is_room(
    disk: Disk, prepared: Any, start_there: Any, until: Any, tmp_path: Path, beforehand: str, said: str
):
    shutil.copytree(prepared[0], disk.seen_at)
    server = start_there(*(ALONE if beforehand else ()), beforehand=beforehand).ready(until)
    disk.fill(left=150 * PAGE)
    load = Load(server, 0, 12)
    refused = load.named(503)
    assert load.named(201)
    assert len(refused) > CALLERS
    assert load.named(201) | refused == load.answers.keys()
    for name in refused:
        assert load.answers[name][1]["error_code"] == "VPN.0030"
        assert load.answers[name][1]["error_msg"].startswith("the system is busy, try later: nothing was stored")
    assert _stored(server) == load.named(201)
    assert said in server.log
    disk.make_room()
    again = Load(server, 0, 12)  # the same tokens
    assert again.named(201) == load.answers.keys()
    for name in load.named(201):
        assert again.answers[name][1]["customer_gateway"] == load.answers[name][1]["customer_gateway"]
    assert _stored(server) == load.answers.keys()
    assert "Traceback" not in server.log
    assert server.alive()
    server.end(until)
    assert findings(Path(shutil.copytree(disk.seen_at, tmp_path / "copy"))) == []


#: Room for nothing, for the master key, for half a database, for one without its log, for some of the log.
@pytest.mark.parametrize("pages", [0, 1, HALF, 45, 48, 56, 62])
def test_a_first_start_on_a_full_disk_is_told_in_one_line_and_done_by_the_next(
    disk: Disk, start_there: Any, until: Any, pages: int
):
    disk.fill(left=pages * PAGE)
    server = start_there()
    until(lambda: not server.alive() or "listening on" in server.log, "the server to end, or to have room enough")
    if server.alive():
        assert pages > HALF
        server.end(until)
    else:
        assert server.log.splitlines()[-1].startswith(f"landbridge: {disk.folder}")
    assert "Traceback" not in server.log
    disk.make_room()
    start_there().ready(until)


def test_a_later_start_on_a_full_disk_is_told_in_one_line(
    disk: Disk, folder: Path, start: Any, start_there: Any, until: Any
):
    start(folder).ready(until).end(until)  # killed: its log stays
    shutil.copytree(folder, disk.seen_at)
    (disk.seen_at / "landbridge.db-shm").unlink(missing_ok=True)
    disk.fill(left=0)
    server = start_there()
    until(lambda: not server.alive(), "the server to end")
    (line,) = server.log.splitlines()
    assert line.startswith(f"landbridge: {disk.folder}/landbridge.db: ")
    disk.make_room()
    start_there().ready(until)


def test_a_read_only_data_folder_is_told_in_one_line(disk: Disk, prepared: Any, start_there: Any, until: Any):
    shutil.copytree(prepared[0], disk.seen_at)
    disk.make_read_only()
    server = start_there()
    until(lambda: not server.alive(), "the server to end")
    assert server.log == f"landbridge: {disk.folder}: this user may not write there\n"
