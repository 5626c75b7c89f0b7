"""Backups: a copy of the whole database in one file, and the checks before such a file becomes the database.

The copy is one snapshot, taken while the service writes (VACUUM INTO). It has no free pages, and so no deleted data. Secrets in it are
sealed as they are in the database; a backup has the fingerprint of the master key, not the key.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from landbridge import errors
from landbridge.store import restore, vault
from landbridge.store.sqlite import migrate
from landbridge.store.sqlite.inspection import open_file

#: What SQLite keeps beside a database.
SIDE_FILES = ("-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a backup needs to be read: `sealed` is a value that only its master key opens, `fingerprint` names that key."""

    sealed: bytes
    fingerprint: str | None


def write(source: Path, target: Path, fingerprint: str) -> None:
    """Writes a backup. `target` appears when it is whole and on disk. Raises ConfigError or OSError."""
    with _temporary_file(target) as temporary:
        with open_file(source) as database:
            database.execute("VACUUM INTO ?", (str(temporary),))
        with open_file(temporary) as copy:
            copy.execute(
                "INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)",
                (restore.FINGERPRINT, fingerprint.encode()),
            )
        replace_file(temporary, target)


def keep_older(database: Path) -> None:
    """Copies a database that is about to be migrated, to `older(database)`. The copies of earlier migrations are deleted. Raises ConfigError."""
    kept = older(database, migrate.head())
    try:
        with _temporary_file(kept) as temporary:
            with open_file(database) as source:
                source.execute("VACUUM INTO ?", (str(temporary),))
            replace_file(temporary, kept)
        for other in database.parent.glob(older(database, "*").name):
            if other != kept:
                other.unlink()
    except OSError as error:
        raise errors.ConfigError(f"{kept}: {error.strerror}") from None


def older(database: Path, schema: str) -> Path:
    """Returns where a database is kept as it was before it was migrated to `schema`."""
    return database.with_name(f"{database.name}.before-schema-{schema}")


def put_back(database: Path, kept: Path) -> None:
    """Makes `kept` the database, and deletes the database that it replaces, with its log. Nobody may have that one open. Raises OSError."""
    aside = database.with_name(f".{database.name}.aside")
    set_aside(database, aside)
    replace_file(kept, database)
    for ending in ("", *SIDE_FILES):
        aside.with_name(aside.name + ending).unlink(missing_ok=True)


def schema(path: Path) -> str | None:
    """The schema of a database; None where there is no database of ours. Raises ConfigError."""
    if not path.exists():
        return None
    try:
        with open_file(path, "ro") as database:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise errors.ConfigError(f"{path}: {error}") from None
    return str(row[0]) if row else None


@contextlib.contextmanager
def copy_beside(source: Path, database: Path) -> Iterator[Path]:
    """A copy of the backup `source`, beside the database that it is to become."""
    for left in database.parent.glob(f".{database.name}.*"):  # of a restore that was broken off
        left.unlink()
    with _temporary_file(database) as temporary:
        shutil.copyfile(source, temporary)
        yield temporary


@contextlib.contextmanager
def _temporary_file(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, readable by its owner only, deleted afterwards when it is still there."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    except sqlite3.Error as error:
        raise errors.ConfigError(f"{target}: {error}") from None
    finally:
        for ending in ("", *SIDE_FILES):
            Path(name + ending).unlink(missing_ok=True)


def replace_file(temporary: Path, target: Path) -> None:
    """Renames a file durably: after a power cut `target` is either the file of before or the whole new one."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    vault.sync_folder(target.parent)


def inspect(path: Path) -> Content:
    """Reads the metadata of a backup. Raises ConfigError, without the file's name, for one that is damaged, not ours, or newer."""
    try:
        with open_file(path) as database:
            return _content(database)
    except sqlite3.OperationalError as error:
        raise errors.ConfigError(f"is no backup of Landbridge ({error})") from None
    except sqlite3.DatabaseError as error:
        raise errors.ConfigError(f"is damaged, or no backup of Landbridge ({error})") from None


def _content(database: sqlite3.Connection) -> Content:
    ((verdict, *_), *_) = database.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise errors.ConfigError(f"is damaged ({verdict.splitlines()[-1]})")
    for (revision,) in database.execute("SELECT version_num FROM alembic_version").fetchall():
        if revision not in migrate.revisions():
            raise errors.ConfigError(f"was made by a newer version of Landbridge (schema {revision})")
    sealed = _sealed_keys(database)
    if vault.FINGERPRINT_KEY not in sealed:
        raise errors.ConfigError("is from a data folder without a started service")
    row = database.execute("SELECT value FROM setting WHERE name = ?", (restore.FINGERPRINT,)).fetchone()
    return Content(sealed=sealed[vault.FINGERPRINT_KEY], fingerprint=row[0].decode() if row else None)


def _sealed_keys(database: sqlite3.Connection) -> dict[str, bytes]:
    """They have a table of their own since schema 0009; before, they were rows of `setting`."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in ("sealed_key", "setting"):
        if table in tables:
            query = f"SELECT name, value FROM {table} WHERE name IN (?, ?)"  # noqa: S608
            return dict(database.execute(query, (vault.FINGERPRINT_KEY, vault.DIGEST_KEY)).fetchall())
    return {}


def sealed_keys(path: Path) -> dict[str, bytes]:
    """The sealed keys of a database, whatever its schema; none when it is not made yet. Raises ConfigError."""
    if not path.exists():
        return {}
    broken_off = path.with_name(path.name + "-journal").exists()  # then SQLite has to put the file right first
    try:
        with open_file(path, "rw" if broken_off else "ro") as database:
            return _sealed_keys(database)
    except sqlite3.Error as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def set_aside(database: Path, kept: Path) -> None:
    """Gives a database a second name, `kept`. Its own name is never without a whole database.

    A write-ahead log that stayed would be replayed into whatever comes next under the name: it is copied into the
    database, or kept aside with one that is too damaged for that.
    """
    with contextlib.suppress(sqlite3.Error), open_file(database) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for ending in ("", *SIDE_FILES):
        if (file := database.with_name(database.name + ending)).exists():
            os.link(file, kept.with_name(kept.name + ending))
    vault.sync_folder(database.parent)
    for ending in SIDE_FILES:
        database.with_name(database.name + ending).unlink(missing_ok=True)
