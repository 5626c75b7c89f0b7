"""Each command and each option with a path that cannot be used: one line, and an exit status. A path with odd characters can be used."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from landbridge import config, data_folder
from landbridge.data_folder import credentials
from landbridge.store.sqlite import migrate
from tests.cli.conftest import Cli

pytestmark = pytest.mark.process  # `doctor` and `engine stop` look at the machine

#: Names below a folder in which `loop` is a link to itself, `dangling` a link to nothing, and `file` a file -> what the line says.
UNUSABLE = {
    "component": ("x" * 256, "File name too long"),
    "component-below": (f"{'ä' * 200}/below", "File name too long"),
    "whole": ("a/" * 3000, "File name too long"),
    "loop": ("loop", "Too many levels of symbolic links"),
    "below-loop": ("loop/a/b", "Too many levels of symbolic links"),
    "below-file": ("file/below", "Not a directory"),
}
_SERVE = "serve --listen 127.0.0.1:0 --engine none --processes 1"
#: A command with {bad}, the path; {data} is a good data folder, {backup} a backup of it, {new} a name that is free.
COMMANDS = [
    f"{_SERVE} --data {{bad}}",
    "console --data {bad} --key x",
    "keys create --project default --data {bad}",
    "keys list --data {bad}",
    "keys revoke x --data {bad}",
    "keys rotate-master --data {bad}",
    "projects create p --data {bad}",
    "projects list --data {bad}",
    "pause --data {bad}",
    "resume --data {bad}",
    "backup {new} --data {bad}",
    "restore {backup} --data {bad}",
    "db check --data {bad}",
    "check-config --data {bad}",
    "status --data {bad}",
    f"{_SERVE} --data {{data}} --site {{bad}}",
    f"{_SERVE} --data {{data}} --config {{bad}}",
    f"{_SERVE} --data {{data}} --tls-certificate {{bad}} --tls-key {{bad}}",
    "engine stop --data {data} --site {bad}",
    "check-config --site {bad}",
    "doctor --site {bad}",
    "keys list --config {bad}",
    "uninstall --dry-run --config {bad}",
    "backup {bad} --data {data}",
    "restore {bad} --data {new}",
    "restore {bad} --data {data} --force",
    "gateway create --file {bad}",
    "api POST /v5/x --file {bad}",
    "connection create --psk-file {bad}",
    "customer-gateway create --ca-certificate {bad}",
    "certificate create 00000000-0000-4000-8000-000000000000 --name y --certificate {bad}",
    "quota --data {data} --ca-file {bad}",
    "context add x --file {bad}",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "file").touch()
    return tmp_path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with credentials, and a backup beside it."""
    path = tmp_path_factory.mktemp("service") / "data"
    _make(path)
    data_folder.save(config.load({"data": str(path)}, {}), path.with_name("backup"), force=False)
    return path


def _make(path: Path) -> None:
    with data_folder.open_data(config.load({"data": str(path)}, {})) as opened:
        credentials.write(opened, "https://127.0.0.1:1")


@pytest.mark.parametrize("bad", UNUSABLE)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_path_that_cannot_be_used_is_one_line(
    cli: Cli, folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, command: str, bad: str
):
    monkeypatch.setenv("LANDBRIDGE_DATA", str(data))
    name, why = UNUSABLE[bad]
    given = {"bad": f"{folder}/{name}", "data": str(data), "backup": f"{data}/../backup", "new": f"{folder}/new"}
    ran = cli.any_end(*(word.format(**given) for word in command.split()), stdin="secret")
    assert ran.status != 0
    assert ran.err.startswith("landbridge: ")
    assert ran.err.count("\n") == 1
    assert why in ran.err or (command.startswith("backup {bad}") and "exists already" in ran.err)


@pytest.mark.parametrize("variable", ["LANDBRIDGE_DATA", "LANDBRIDGE_CONFIG", "LANDBRIDGE_SECRETS_MASTER_KEY"])
@pytest.mark.parametrize("bad", UNUSABLE)
def test_a_variable_with_a_path_that_cannot_be_used_is_one_line(
    cli: Cli, folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, variable: str, bad: str
):
    name, why = UNUSABLE[bad]
    monkeypatch.setenv("LANDBRIDGE_DATA", str(data))
    monkeypatch.setenv(variable, f"{folder}/{name}")
    err = cli("keys", "list", ends=1).err
    assert why in err
    assert err.count("\n") == 1


_NO_FOLDER = [row for row in UNUSABLE.values() if "file" not in row[0]] + [
    ("file/below", "is not a folder"),
    ("file", "is not a folder"),
]


@pytest.mark.parametrize(("bad", "why"), [*_NO_FOLDER, ("dangling", "is a link to nothing")])
def test_doctor_names_a_data_folder_that_cannot_be(cli: Cli, folder: Path, bad: str, why: str):
    rows = cli("doctor", "--data", f"{folder}/{bad}", ends=1).out.splitlines()
    assert [row for row in rows if row.startswith("missing\tdisk\t") and why in row]


def test_doctor_takes_a_data_folder_that_is_not_made_yet(cli: Cli, folder: Path):
    rows = cli.any_end("doctor", "--data", f"{folder}/new/data").out.splitlines()
    assert [row for row in rows if row.split("\t")[1:2] == ["disk"] and f"free for {folder}/new/data" in row]


@pytest.mark.parametrize("bad", [*(name for name, _ in UNUSABLE.values()), "dangling", "file"])
def test_engine_stop_finds_nothing_below_a_path_that_cannot_be(cli: Cli, folder: Path, bad: str):
    err = cli("engine", "stop", "--data", f"{folder}/{bad}", ends=1).err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["keys list --data", "backup", "doctor --site", "context add x --file"])
def test_an_argument_that_is_not_utf8_is_refused(cli: Cli, data: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setenv("LANDBRIDGE_DATA", str(data))
    assert "a\\udcffb' is not text in UTF-8" in cli(*command.split(), f"{data}-a\udcffb", ends=2).err


def test_a_setting_that_is_not_utf8_is_refused(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANDBRIDGE_DATA", f"{folder}/a\udcffb")
    assert "LANDBRIDGE_DATA: '" in cli("keys", "list", ends=1).err


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "a b", "a;b", "ä", "a'b", 'a"b'])
def test_every_character_of_a_data_folder_is_a_character(cli: Cli, folder: Path, name: str):
    _make(folder / name)
    cli("backup", f"{folder}/{name}.backup", "--data", f"{folder}/{name}")
    assert cli("keys", "list", "--data", f"{folder}/{name}").out.count("admin") == 1
    with contextlib.closing(sqlite3.connect(folder / name / "landbridge.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.head(),)
