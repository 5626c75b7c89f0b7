"""Backup, restore and a new master key: what a data folder holds afterwards, and what is refused."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import folder, upgrade
from landbridge import data_folder, errors
from landbridge.operations import access, clock
from landbridge.store import connections, restore, vault
from landbridge.store.sqlite import backup, migrate

LANDBRIDGE = str(Path(sys.executable).parent / "landbridge")


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pattern") / "data"
    folder.fill(path)
    return path


@pytest.fixture
def data(pattern: Path, tmp_path: Path) -> Path:
    """A folder with a gateway and a connection, which nobody has open."""
    return Path(shutil.copytree(pattern, tmp_path / "data"))


def _save(data: Path, target: Path, *, force: bool = False) -> data_folder.Saved:
    return data_folder.save(folder.settings(data), target, force=force)


def _restore(source: Path, data: Path, *, force: bool = False) -> Path | None:
    return data_folder.restore(folder.settings(data), source, force=force)


def _project(data: Path, name: str) -> None:
    with data_folder.open_data(folder.settings(data)) as opened:
        opened.database.write(lambda tx: access.create_project(tx, name, clock.now()))


def _projects(data: Path) -> list[str]:
    with data_folder.open_data(folder.settings(data)) as opened:
        return [name for _, name in opened.database.read(access.list_projects)]


def _psk(data: Path) -> str:
    """As the agent would get it."""
    with data_folder.open_data(folder.settings(data)) as opened:
        (gateway,) = opened.database.read(
            lambda tx: [row[0] for row in tx.cursor.execute("SELECT seq FROM vpn_gateway")]
        )
        (one,) = opened.database.read(lambda tx: connections.desired(tx, gateway))
        assert one.psk is not None
        return opened.vault.open(one.psk, one.connection.id).decode()


def _sound(data: Path) -> bool:
    findings, counts = data_folder.check_data(folder.settings(data))
    return findings == [] and counts["connection"] == 1


@pytest.fixture
def empty(data: Path, tmp_path: Path) -> Path:
    """Another machine: the master key, and nothing else."""
    path = tmp_path / "other"
    path.mkdir(mode=0o700)
    shutil.copy2(data / "master.key", path)
    return path


# -- backup -----------------------------------------------------------------------------------------------------------


def test_a_restored_backup_is_the_same_service(data: Path, empty: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    assert _restore(tmp_path / "b", empty) is None
    assert _sound(empty)
    assert (_psk(empty), _projects(empty)) == (folder.PSK, _projects(data))
    shutil.copy2(data / "credentials.toml", empty)
    with data_folder.open_data(folder.settings(empty)) as opened:
        there = folder.Folder(opened, folder.settings(empty))
        assert len(there.ask("GET", "vpn-connection").json()["vpn_connections"]) == 1


def test_a_backup_is_one_file_for_its_owner_only(data: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    old = os.umask(0)
    try:
        saved = _save(data, tmp_path / "out" / "b")
    finally:
        os.umask(old)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]
    assert (tmp_path / "out" / "b").stat().st_mode & 0o777 == 0o600
    assert saved.size == (tmp_path / "out" / "b").stat().st_size


def test_a_backup_holds_no_secret_in_the_clear(data: Path, tmp_path: Path):
    saved = _save(data, tmp_path / "b")
    held = (tmp_path / "b").read_bytes()
    key = (data / "master.key").read_bytes()
    with data_folder.open_data(folder.settings(data)) as opened:
        words = folder.Folder(opened, folder.settings(data)).credentials
    for secret in (key, key.hex().encode(), folder.PSK.encode(), words["secret_key"].encode(), words["token"].encode()):
        assert secret not in held
    assert saved.fingerprint.encode() in held
    assert saved.fingerprint not in key.hex()


def test_what_was_deleted_does_not_travel(data: Path, tmp_path: Path):
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there, there:
        there.execute("PRAGMA secure_delete=OFF")
        there.execute("INSERT INTO project VALUES ('x', 'Never-To-Be-Seen-Again', 1)")
        there.commit()
        there.execute("DELETE FROM project WHERE id = 'x'")
    assert b"Never-To-Be-Seen-Again" in (data / "landbridge.db").read_bytes()
    _save(data, tmp_path / "b")
    assert b"Never-To-Be-Seen-Again" not in (tmp_path / "b").read_bytes()


def test_a_backup_under_load_is_one_moment_of_it(data: Path, empty: Path, tmp_path: Path):
    """Two threads write all the while; each transaction is in the backup wholly or not at all."""
    stop = threading.Event()
    written: list[str] = []
    with data_folder.open_data(folder.settings(data)) as opened:

        def write(thread: int) -> None:
            for n in range(10_000):
                if stop.is_set():
                    return
                name = f"{thread}-{n}"
                opened.database.write(lambda tx: access.create_project(tx, name, clock.now()))  # noqa: B023
                written.append(name)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            before, saved = len(written), 0
            while saved < 5 or len(written) == before:  # they are not held up for the whole time
                _save(data, tmp_path / f"b{saved}")
                saved += 1
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    sizes = []
    for n in range(saved):
        _restore(tmp_path / f"b{n}", empty, force=True)
        assert _sound(empty)
        names = [name.split("-") for name in _projects(empty) if name[0].isdigit()]
        for thread in "01":
            numbers = sorted(int(number) for whose, number in names if whose == thread)
            assert numbers == list(range(len(numbers)))  # no later write without the earlier ones
        sizes.append(len(names))
    assert sizes == sorted(sizes)


def test_a_backup_migrates_nothing(data: Path, tmp_path: Path):
    """It may be made by a newer program, right before an upgrade."""
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there, there:
        there.execute("UPDATE alembic_version SET version_num = 'elsewhere'")
    _save(data, tmp_path / "b")
    with contextlib.closing(sqlite3.connect(tmp_path / "b")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("elsewhere",)]


def test_an_older_backup_stays_unless_it_is_to_go(data: Path, tmp_path: Path):
    (tmp_path / "b").write_text("precious")
    with pytest.raises(errors.ConfigError, match=r"b: exists already \(--force"):
        _save(data, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "precious"
    _save(data, tmp_path / "b", force=True)
    assert backup.inspect(tmp_path / "b").fingerprint


@pytest.mark.parametrize("name", ["landbridge.db", "master.key", "backup"])
def test_a_backup_does_not_go_into_the_folder_that_it_saves(data: Path, name: str):
    before = (data / "landbridge.db").read_bytes()
    with pytest.raises(errors.ConfigError, match="is in the data folder"):
        _save(data, data / name, force=True)
    assert (data / "landbridge.db").read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda d: (d / "master.key").unlink(), "master.key: is missing", id="no-key"),
        pytest.param(
            lambda d: (d / "master.key").write_bytes(b"x" * 32), "the master key does not fit", id="other-key"
        ),
        pytest.param(lambda d: (d / "landbridge.db").unlink(), "no such data folder", id="no-database"),
        pytest.param(
            lambda d: (d / "landbridge.db").write_bytes(b"x" * 9999), "landbridge.db: file is not", id="no-db"
        ),
    ],
)
def test_what_cannot_be_saved_is_told(data: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str):
    spoil(data)
    with pytest.raises(errors.ConfigError, match=said):
        _save(data, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert not (data / "master.key").exists() or len((data / "master.key").read_bytes()) == 32


def test_a_folder_that_is_not_there_is_told(data: Path, tmp_path: Path):
    with pytest.raises(errors.ConfigError, match="No such file"):
        _save(data, tmp_path / "nowhere" / "b")


@pytest.mark.process
def test_a_disk_that_is_full_leaves_the_older_backup(data: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "b").write_text("precious")
    refused = subprocess.run(
        ["prlimit", "--fsize=100000", LANDBRIDGE, "backup", str(out / "b"), "--force", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert refused.stderr.startswith(f"landbridge: {out / 'b'}: ")
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("b", "precious")]


# -- a migration ------------------------------------------------------------------------------------------------------


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """This program has one more migration. Returns the schema without it."""
    before = migrate.head()
    later = Path(shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations"))
    upgrade.add_migration(later)
    monkeypatch.setattr(migrate, "MIGRATIONS", later)
    return before


def _read(path: Path) -> tuple[str, set[str]]:
    """The schema and the names of the projects, without a migration."""
    with contextlib.closing(sqlite3.connect(path)) as there:
        (schema,) = there.execute("SELECT version_num FROM alembic_version").fetchone()
        return schema, {name for (name,) in there.execute("SELECT name FROM project")}


def _kept(data: Path) -> Path:
    return data / f"landbridge.db.before-schema-{migrate.head()}"


def test_a_migration_keeps_the_database_as_it_was(data: Path, before: str):
    (data / "landbridge.db.before-schema-0001").write_text("of an earlier migration")
    _project(data, "later")
    assert [path.name for path in data.glob("landbridge.db.before-*")] == [_kept(data).name]
    assert _read(_kept(data)) == (before, {"default"})
    assert _read(data / "landbridge.db") == (migrate.head(), {"default", "later"})
    assert _kept(data).stat().st_mode & 0o777 == 0o600
    assert _sound(data)


def test_a_rotation_of_the_master_key_leaves_an_older_database_as_it_is(data: Path, before: str):
    with pytest.raises(errors.ConfigError, match=f"has the schema {before} of an older version"):
        data_folder.rotate_master(folder.settings(data))
    assert _read(data / "landbridge.db") == (before, {"default"})
    assert not _kept(data).exists()


def test_a_database_that_cannot_be_kept_is_not_migrated(data: Path, before: str):
    _kept(data).mkdir()
    with pytest.raises(errors.ConfigError, match=f"{_kept(data).name}: Is a directory"):
        _projects(data)
    assert _read(data / "landbridge.db") == (before, {"default"})


def test_a_migration_can_be_undone(data: Path, before: str):
    undo = data_folder.watch_migration(data)
    _project(data, "of the version that failed")
    undo()
    assert _read(data / "landbridge.db") == (before, {"default"})
    assert [path.name for path in data.glob("*landbridge.db?*")] == []
    undo()
    _project(data, "later")
    assert _sound(data)


def test_a_migration_is_not_undone_while_somebody_uses_the_folder(data: Path, before: str):
    undo = data_folder.watch_migration(data)
    with data_folder.open_data(folder.settings(data)), pytest.raises(errors.ConfigError, match="data: is in use"):
        undo()
    assert _read(_kept(data))[0] == before
    assert _sound(data)


def test_an_earlier_migration_is_not_undone(data: Path, before: str):
    _project(data, "kept")
    undo = data_folder.watch_migration(data)
    _project(data, "later")
    undo()
    assert _read(_kept(data))[0] == before
    assert _projects(data) == ["default", "kept", "later"]


def test_where_no_service_was_started_yet_there_is_nothing_to_undo(tmp_path: Path):
    undo = data_folder.watch_migration(tmp_path)
    folder.fill(tmp_path / "data")
    undo()
    data_folder.watch_migration(tmp_path / "none")()


# -- restore ----------------------------------------------------------------------------------------------------------


def test_a_restore_keeps_what_was_there_aside(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    _project(data, "later")
    with pytest.raises(errors.ConfigError, match=r"landbridge.db: exists already \(--force"):
        _restore(tmp_path / "b", data)
    assert "later" in _projects(data)
    kept = _restore(tmp_path / "b", data, force=True)
    assert kept is not None
    assert "later" not in _projects(data)
    assert _restore(kept, data, force=True) != kept
    assert "later" in _projects(data)
    assert _sound(data)


def test_a_log_that_was_not_copied_yet_is_kept_too_and_not_replayed(data: Path, tmp_path: Path):
    """As SIGKILL leaves it: what was written last stands in the write-ahead log alone."""
    _save(data, tmp_path / "b")
    with data_folder.open_data(folder.settings(data)) as opened:
        opened.database.write(lambda tx: access.create_project(tx, "later", clock.now()))
        killed = Path(shutil.copytree(data, tmp_path / "killed"))
    assert (killed / "landbridge.db-wal").stat().st_size > 0
    kept = _restore(tmp_path / "b", killed, force=True)
    assert "later" not in _projects(killed)
    assert kept is not None
    _restore(kept, killed, force=True)
    assert "later" in _projects(killed)


def test_a_database_that_is_broken_can_be_restored_over(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    (data / "landbridge.db").write_bytes(b"broken" * 1000)
    kept = _restore(tmp_path / "b", data, force=True)
    assert kept is not None
    assert kept.read_bytes() == b"broken" * 1000
    assert _sound(data)


def test_a_log_without_its_database_is_not_replayed(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    (data / "landbridge.db").unlink()
    (data / "landbridge.db-wal").write_bytes(b"left" * 1000)
    kept = _restore(tmp_path / "b", data)
    assert kept is not None
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"left" * 1000
    assert _sound(data)


def _newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as there, there:
        there.execute("UPDATE alembic_version SET version_num = '9999'")


def _without(path: Path, table: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as there, there:
        there.execute(f"DROP TABLE {table}")


def _flip(path: Path) -> None:
    """A page that is not the first one."""
    held = bytearray(path.read_bytes())
    held[8192:8292] = bytes(100)
    path.write_bytes(held)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda p: p.unlink(), "b: No such file", id="missing"),
        pytest.param(lambda p: p.write_bytes(b""), "b: is no backup of Landbridge", id="empty"),
        pytest.param(lambda p: p.write_bytes(b"x" * 5000), "b: is damaged, or no backup", id="something-else"),
        pytest.param(lambda p: p.write_bytes(p.read_bytes()[:20000]), "b: is damaged", id="cut-off"),
        pytest.param(_flip, "b: is damaged", id="a-page"),
        pytest.param(lambda p: _without(p, "alembic_version"), "b: is no backup of Landbridge", id="not-ours"),
        pytest.param(_newer, r"b: was made by a newer version of Landbridge \(schema 9999\)", id="newer"),
    ],
)
@pytest.mark.parametrize("there", [True, False], ids=["over-a-database", "into-an-empty-folder"])
def test_a_file_that_will_not_do_changes_nothing(
    data: Path, empty: Path, tmp_path: Path, spoil: Callable[[Path], Any], said: str, *, there: bool
):
    _save(data, tmp_path / "b")
    spoil(tmp_path / "b")
    target = data if there else empty
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.raises(errors.ConfigError, match=said):
        _restore(tmp_path / "b", target, force=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_another_master_key_is_named(data: Path, empty: Path, tmp_path: Path):
    needed = _save(data, tmp_path / "b").fingerprint
    (empty / "master.key").write_bytes(b"x" * 32)
    other = vault.Vault(b"x" * 32).fingerprint
    with pytest.raises(errors.ConfigError, match=f"fingerprint {needed}; {empty}/master.key has {other}"):
        _restore(tmp_path / "b", empty)
    (empty / "master.key").unlink()
    with pytest.raises(errors.ConfigError, match=rf"master.key: is missing.*\(fingerprint {needed}\)"):
        _restore(tmp_path / "b", empty)
    assert list(empty.iterdir()) == []


def test_a_plain_copy_of_a_database_will_do(data: Path, empty: Path, tmp_path: Path):
    shutil.copy2(data / "landbridge.db", tmp_path / "copy")
    _restore(tmp_path / "copy", empty)
    assert _sound(empty)


def test_the_database_is_not_its_own_backup(data: Path):
    with pytest.raises(errors.ConfigError, match="is the database itself"):
        _restore(data / "landbridge.db", data, force=True)
    assert _sound(data)


def test_a_backup_of_an_older_schema_is_migrated(
    data: Path, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _save(data, tmp_path / "b")
    later = Path(shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations"))
    upgrade.add_migration(later)
    monkeypatch.setattr(migrate, "MIGRATIONS", later)
    _restore(tmp_path / "b", empty)
    with contextlib.closing(sqlite3.connect(empty / "landbridge.db")) as there:
        assert there.execute("SELECT * FROM later").fetchall() == []
    assert _sound(empty)


def test_a_restore_gives_no_if_id_again(data: Path, tmp_path: Path):
    """What was made after the backup may still live in the engine."""
    _save(data, tmp_path / "b")
    for _ in range(2):
        _restore(tmp_path / "b", data, force=True)
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there:
        (following,) = there.execute("SELECT next_if_id FROM gateway_count").fetchone()
        (given,) = there.execute("SELECT if_id FROM connection").fetchone()
        settings = [name for (name,) in there.execute("SELECT name FROM setting")]
    assert (given, following) == (1, 2 + restore.IF_ID_GAP)
    assert restore.FINGERPRINT not in settings


def test_a_restore_is_refused_when_a_gateway_has_no_interface_ids_left_for_it(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    with contextlib.closing(sqlite3.connect(tmp_path / "b")) as there:
        there.execute("UPDATE gateway_count SET next_if_id = ?", (2**29 - restore.IF_ID_GAP - 1,))
        there.commit()
        _restore(tmp_path / "b", data, force=True)
        there.execute("UPDATE gateway_count SET next_if_id = ?", (2**29 - restore.IF_ID_GAP,))
        there.commit()
    before = (data / "landbridge.db").read_bytes()
    with pytest.raises(errors.ConfigError, match=r"has had 535,822,336 interface ids .* to a new gateway"):
        _restore(tmp_path / "b", data, force=True)
    assert (data / "landbridge.db").read_bytes() == before


def test_a_restore_is_in_the_audit_trail(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    _restore(tmp_path / "b", data, force=True)
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there:
        last = there.execute("SELECT actor, action, resource_id FROM audit ORDER BY seq DESC").fetchone()
    assert last == ("this machine", "restore_backup", "b")


# -- who holds the folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda data, source: _restore(source, data, force=True), id="restore"),
        pytest.param(lambda data, _: data_folder.rotate_master(folder.settings(data)), id="rotate-master"),
    ],
)
def test_a_folder_in_use_is_left_alone(data: Path, tmp_path: Path, work: Callable[[Path, Path], Any]):
    _save(data, tmp_path / "b")
    with (
        data_folder.open_data(folder.settings(data)),
        pytest.raises(errors.ConfigError, match="data: is in use: stop the service first"),
    ):
        work(data, tmp_path / "b")
    assert _sound(data)


def test_a_folder_that_is_being_exchanged_is_not_opened(data: Path, tmp_path: Path):
    with data_folder.locked(data, exclusive=True):
        with (
            pytest.raises(errors.ConfigError, match="its database or master key is being exchanged"),
            data_folder.open_data(folder.settings(data)),
        ):
            pass
        with pytest.raises(errors.ConfigError, match="is being exchanged"):
            _save(data, tmp_path / "b")


# -- a new master key -------------------------------------------------------------------------------------------------


def _sealed(data: Path) -> list[tuple[bytes, str]]:
    """Every value of bytes in the database, with what it belongs to."""
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there:
        return [
            *there.execute("SELECT value, name FROM sealed_key"),
            *there.execute("SELECT secret, access_key FROM access_key"),
            *there.execute("SELECT psk, id FROM connection WHERE psk IS NOT NULL"),
        ]


def test_after_a_rotation_the_old_key_opens_nothing_and_the_new_one_everything(data: Path):
    old = vault.Vault((data / "master.key").read_bytes())
    rotated = data_folder.rotate_master(folder.settings(data))
    new = vault.Vault((data / "master.key").read_bytes())
    values = _sealed(data)
    assert len(values) == rotated.values == 4
    assert [whose for sealed, whose in values if old.try_open(sealed, whose) is not None] == []
    assert [whose for sealed, whose in values if new.try_open(sealed, whose) is None] == []
    assert rotated.fingerprint == new.fingerprint != old.fingerprint
    assert vault.Vault(rotated.kept.read_bytes()).fingerprint == old.fingerprint
    assert {path.stat().st_mode & 0o777 for path in (rotated.key, rotated.kept)} == {0o600}
    assert (_psk(data), _sound(data)) == (folder.PSK, True)


def test_names_in_engines_and_retries_outlive_a_rotation(data: Path):
    """Else every tunnel would be made anew, and a retry be refused as another request."""
    with data_folder.open_data(folder.settings(data)) as opened:
        before = opened.fingerprint_key
    for _ in range(2):
        data_folder.rotate_master(folder.settings(data))
    with data_folder.open_data(folder.settings(data)) as opened:
        assert opened.fingerprint_key == before
        there = folder.Folder(opened, folder.settings(data))
        (gateway,) = there.ask("GET", "vpn-gateways").json()["vpn_gateways"]
        (made,) = there.ask("GET", "vpn-connection").json()["vpn_connections"]
        assert there.connection(gateway)["id"] == made["id"]


def test_a_rotation_is_in_the_audit_trail(data: Path):
    rotated = data_folder.rotate_master(folder.settings(data))
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there:
        last = there.execute("SELECT action, resource_id FROM audit ORDER BY seq DESC").fetchone()
    assert last == ("rotate_master_key", rotated.fingerprint)


def test_a_backup_from_before_a_rotation_needs_the_key_that_was_kept(data: Path, tmp_path: Path):
    _save(data, tmp_path / "b")
    rotated = data_folder.rotate_master(folder.settings(data))
    with pytest.raises(errors.ConfigError, match="needs the master key with the fingerprint"):
        _restore(tmp_path / "b", data, force=True)
    shutil.copy2(rotated.kept, data / "master.key")
    _restore(tmp_path / "b", data, force=True)
    assert (_psk(data), _sound(data)) == (folder.PSK, True)


def test_a_value_that_does_not_open_stops_the_rotation(data: Path):
    with contextlib.closing(sqlite3.connect(data / "landbridge.db")) as there, there:
        there.execute("UPDATE access_key SET secret = x'00'")
    before = (data / "master.key").read_bytes()
    with pytest.raises(errors.ConfigError, match="does not fit"):
        data_folder.rotate_master(folder.settings(data))
    assert (data / "master.key").read_bytes() == before
    assert _psk(data) == folder.PSK
    assert [path.name for path in data.iterdir() if path.name.startswith("master.key")] == ["master.key"]


def test_a_master_key_elsewhere_is_rotated_where_it_is(data: Path, tmp_path: Path):
    (tmp_path / "safe").mkdir()
    key = shutil.move(data / "master.key", tmp_path / "safe" / "key")
    (tmp_path / "link").symlink_to(key)
    settings = folder.settings(data)
    elsewhere = type(settings)(serve=settings.serve, secrets=type(settings.secrets)(master_key=str(tmp_path / "link")))
    rotated = data_folder.rotate_master(elsewhere)
    assert rotated.key == tmp_path / "safe" / "key"
    assert (tmp_path / "link").is_symlink()
    with data_folder.open_data(elsewhere):
        assert not (data / "master.key").exists()
