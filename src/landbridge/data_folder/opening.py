"""Opens the data folder for a command, or inspects it without a change."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.data_folder import folder, master_key
from landbridge.operations import check
from landbridge.store import consistency, keys, sealed_keys, vault
from landbridge.store.database import Database, Transaction
from landbridge.store.sqlite import inspection


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """An open data folder."""

    path: Path
    database: Database
    vault: vault.Vault
    fingerprint_key: bytes = dataclasses.field(repr=False)


@contextlib.contextmanager
def open_data(
    settings: config.Settings, *, make: bool = True, before_migration: Callable[[], None] = lambda: None
) -> Iterator[Data]:
    """Opens the folder and reads the master key. `make` is for the service: it makes the folder if need be, migrates the database and keeps a copy of it as
    it was. A command may run beside a service of an older version, so it migrates nothing. Raises ConfigError.
    """
    path = folder.ensure(settings) if make else folder.find(settings)
    _check_complete(path)
    key = master_key.path_of(settings)
    master_key.finish_rotation(path, key)
    with folder.locked(path):
        safe = master_key.open_vault(key, path / paths.DATABASE)
        database = folder.open_database(path, before_migration if make else None)
        try:
            fingerprint_key = _read_fingerprint_key(database, safe, path)
            yield Data(path=path, database=database, vault=safe, fingerprint_key=fingerprint_key)
        finally:
            database.close()


def check_data(settings: config.Settings) -> tuple[list[str], dict[str, int]]:
    """Returns the faults of the data folder, and the number of rows of each table. It changes nothing. Raises ConfigError."""
    path = folder.find(settings)
    with folder.locked(path):
        safe = master_key.open_vault(master_key.path_of(settings), path / paths.DATABASE)
        with inspection.snapshot(path / paths.DATABASE) as tx:
            damage = inspection.find_damage(tx) or [*inspection.check_references(tx), *check.contents(tx, safe)]
            return damage, {} if damage else consistency.count_rows(tx)


def known_projects(settings: config.Settings) -> set[str] | None:
    """The ids of all projects; None where there is no data folder. Changes nothing. Raises ConfigError."""
    path = Path(settings.serve.data).absolute() / paths.DATABASE
    if not folder.is_there(path):
        return None
    with inspection.snapshot(path) as tx:
        return {project_id for project_id, _ in keys.projects(tx)}


def _check_complete(path: Path) -> None:
    """With an empty database in place of a lost one the agent would take every tunnel for an orphan."""
    left = [name for name in (paths.CREDENTIALS, paths.ENGINE) if (path / name).exists()]
    if left and not (path / paths.DATABASE).exists():
        raise errors.ConfigError(
            f"{path / paths.DATABASE}: is missing, and an earlier start left {' and '.join(left)} beside it"
            " (put the database back; or run `landbridge engine stop`, which asks at a terminal, and use an empty folder)"
        )


def _read_fingerprint_key(database: Database, safe: vault.Vault, path: Path) -> bytes:
    try:
        return database.write(lambda tx: _fingerprint_key(tx, safe))
    except errors.Busy as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _fingerprint_key(tx: Transaction, safe: vault.Vault) -> bytes:
    """Made at the first start; not rotated with the master key, since names in running engines were made with it."""
    sealed = sealed_keys.find(tx, vault.FINGERPRINT_KEY)
    if sealed is None:
        sealed = safe.seal(os.urandom(32), vault.FINGERPRINT_KEY)
        sealed_keys.add(tx, vault.FINGERPRINT_KEY, sealed)
    return safe.open(sealed, vault.FINGERPRINT_KEY)
