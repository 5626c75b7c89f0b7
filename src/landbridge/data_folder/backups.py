"""Backup and restore of the database. The master key is in no backup."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.data_folder import folder, master_key
from landbridge.operations import clock
from landbridge.store import audit_trail, sqlite, vault
from landbridge.store import restore as restored
from landbridge.store.database import Transaction
from landbridge.store.sqlite import backup


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """`size`: bytes of the backup. `key`: where the master key is that opens the backup. `fingerprint`: that key's name."""

    size: int
    key: Path
    fingerprint: str


def save(settings: config.Settings, target: Path, *, force: bool) -> Saved:
    """Writes a backup, also while a service runs. Raises ConfigError."""
    path = folder.find(settings)
    target = target.absolute()
    if Path(os.path.realpath(target)).is_relative_to(os.path.realpath(path)):
        raise errors.ConfigError(f"{target}: is in the data folder that it is to save (a file elsewhere)")
    if os.path.lexists(target) and not force:
        raise errors.ConfigError(f"{target}: exists already (--force overwrites it)")
    key = master_key.path_of(settings)
    with folder.locked(path), folder.config_errors(target):
        safe = master_key.open_vault(key, path / paths.DATABASE)
        if not master_key.fits(safe, backup.sealed_keys(path / paths.DATABASE)):
            raise errors.ConfigError(f"{key}: the master key does not fit this database")
        backup.write(path / paths.DATABASE, target, safe.fingerprint)
        return Saved(size=target.stat().st_size, key=key, fingerprint=safe.fingerprint)


def restore(settings: config.Settings, source: Path, *, force: bool) -> Path | None:
    """Makes a backup the folder's database. Returns where the old database is kept. When it raises ConfigError, the old database stays."""
    path = folder.ensure(settings)
    database = path / paths.DATABASE
    if os.path.realpath(source) == os.path.realpath(database):
        raise errors.ConfigError(f"{source}: is the database itself (a file that `landbridge backup` made)")
    with folder.locked(path, exclusive=True), folder.config_errors(source):
        if database.exists() and not force:
            raise errors.ConfigError(f"{database}: exists already (--force restores over it and keeps it aside)")
        with backup.copy_beside(source, database) as fresh:
            _check_backup(source, fresh, master_key.path_of(settings))
            try:
                with contextlib.closing(sqlite.Database(fresh)) as opened:
                    opened.write(lambda tx: _renew(tx, source))
            except errors.ConfigError as error:
                raise errors.ConfigError(str(error).replace(str(fresh), str(source))) from None
            kept = _set_aside(database)
            backup.replace_file(fresh, database)
    return kept


def watch_migration(path: Path) -> Callable[[], None]:
    """Returns a function that undoes a migration of the folder `path` since this call: it puts back the database that the migration kept. Call it only when
    no service runs and the new version has acknowledged nothing. Both functions raise ConfigError.
    """
    database = path / paths.DATABASE
    before = backup.schema(database)

    def undo() -> None:
        now = backup.schema(database)
        if before is None or now is None or now == before:
            return
        with folder.locked(path, exclusive=True), folder.config_errors(database):
            backup.put_back(database, backup.older(database, now))

    return undo


def _check_backup(source: Path, fresh: Path, key: Path) -> None:
    try:
        content = backup.inspect(fresh)
    except errors.ConfigError as error:
        raise errors.ConfigError(f"{source}: {error}") from None
    fingerprint = content.fingerprint or "that is not known"
    if not folder.is_there(key):
        raise errors.ConfigError(f"{key}: is missing: put the backup's master key there (fingerprint {fingerprint})")
    safe = master_key.read(key)
    if safe.try_open(content.sealed, vault.FINGERPRINT_KEY) is None:
        raise errors.ConfigError(
            f"{source}: needs the master key with the fingerprint {fingerprint}; {key} has {safe.fingerprint}"
        )


def _renew(tx: Transaction, source: Path) -> None:
    restored.prepare(tx)
    audit_trail.append_local(tx, "restore_backup", source.name, clock.now())


def _set_aside(database: Path) -> Path | None:
    if not any(database.with_name(database.name + ending).exists() for ending in ("", *backup.SIDE_FILES)):
        return None
    kept = database.with_name(f"{database.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    backup.set_aside(database, kept)
    return kept
