"""The commands of a newer version on a data folder of an older one, whose service may run: none of them migrates the database."""

import contextlib
import hashlib
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from landbridge import config, data_folder
from landbridge.store.sqlite import backup, migrate
from tests.cli.conftest import Cli
from tests.conftest import PATIENCE_SECONDS, Server

FIXTURE = Path(__file__).parents[1] / "compatibility/2026-11-30-bgp"
COMMANDS = [
    "keys list",
    "keys create --role operator",
    "keys revoke x",
    "keys rotate-master",
    "projects list",
    "projects create p",
    "pause",
    "resume",
    "console",
]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    folder = shutil.copytree(FIXTURE / "data", tmp_path / "data")
    (folder / "master.key").chmod(0o600)
    return folder


def _content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_an_older_database_and_leaves_it_as_it_is(cli: Cli, older: Path, command: str):
    before = _content(older)
    err = cli(*command.split(), "--data", str(older), ends=1).err
    schema = backup.schema(older / "landbridge.db")
    assert err.startswith(f"landbridge: {older}/landbridge.db: has the schema {schema} of an older version")
    assert err.count("\n") == 1
    assert _content(older) == before


def test_a_backup_of_an_older_database_is_one_of_the_older_version(cli: Cli, older: Path, tmp_path: Path):
    before = _content(older)
    cli("backup", str(tmp_path / "saved"), "--data", str(older))
    assert _content(older) == before
    assert backup.schema(tmp_path / "saved") == backup.schema(older / "landbridge.db")


def test_a_backup_that_cannot_be_migrated_is_named_and_the_database_stays(cli: Cli, older: Path, tmp_path: Path):
    damaged = tmp_path / "damaged.db"
    shutil.copy(FIXTURE / "backup.db", damaged)
    with contextlib.closing(sqlite3.connect(damaged)) as database, database:
        database.execute("UPDATE connection SET spec = '{' WHERE seq = 1")
    before = _content(older)
    err = cli("restore", str(damaged), "--force", "--data", str(older), ends=1).err
    assert err.startswith(f"landbridge: {damaged}: was not migrated, and is as before: spec of connection ")
    assert err.count("\n") == 1
    assert _content(older) == before


def test_what_a_restore_makes_has_the_schema_of_this_version(cli: Cli, older: Path, tmp_path: Path):
    (tmp_path / "new").mkdir()
    shutil.copy(older / "master.key", tmp_path / "new/master.key")
    cli("restore", str(FIXTURE / "backup.db"), "--data", str(tmp_path / "new"))
    assert backup.schema(tmp_path / "new/landbridge.db") == migrate.head()


@pytest.mark.process
def test_a_start_that_migrates_asks_systemd_for_more_time(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_SECONDS)
        for wanted in (["EXTEND_TIMEOUT_USEC=3600000000", "READY=1"], ["READY=1"]):
            running = Server(older, "--processes", "1")
            try:
                assert [systemd.recv(100).decode() for _ in wanted] == wanted
            finally:
                running.stop()


def test_the_service_migrates_it_and_then_every_command_works(cli: Cli, older: Path):
    with data_folder.open_data(config.load({"data": str(older)}, {})):
        pass
    assert backup.schema(older / "landbridge.db") == migrate.head()
    assert backup.older(older / "landbridge.db", migrate.head()).exists()
    cli("keys", "list", "--data", str(older))
