"""The data folder as a whole: who holds it, its master key, its backups.

Whoever works on the folder holds it together with others (a lock on the folder itself); whoever exchanges its database or its
master key holds it alone, so not while a service runs. Invariant: whenever the power goes, the next start finds a whole
database under its own name, and beside it the master key that opens it.
"""

import contextlib
import dataclasses
import fcntl
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.operations import check
from landbridge.store import audit_trail, consistency, keys, rotation, sqlite, vault
from landbridge.store import restore as restored
from landbridge.store.database import Database, Transaction
from landbridge.store.sqlite import backup, inspection


def ensure(settings: config.Settings) -> Path:
    """The folder, made if need be. Raises ConfigError."""
    path = Path(settings.serve.data).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise errors.ConfigError(f"{path}: is not a folder") from None
    except OSError as error:
        raise errors.ConfigError(f"{error.filename}: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise errors.ConfigError(f"{path}: this user may not write there")
    return path


def find(settings: config.Settings) -> Path:
    """The folder, which must have a database. Raises ConfigError."""
    path = Path(settings.serve.data).absolute()
    if not (path / paths.DATABASE).exists():
        raise errors.ConfigError(f"{path}: no such data folder (--data names it)")
    return path


@contextlib.contextmanager
def held(path: Path, *, alone: bool = False) -> Iterator[None]:
    """Raises ConfigError at once when others hold it in a way that does not go together."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(folder, path, alone=alone)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path, *, alone: bool) -> None:
    try:
        fcntl.flock(folder, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        why = "is in use: stop the service first" if alone else "its database or master key is being exchanged"
        raise errors.ConfigError(f"{path}: {why}") from None


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system refuses is told in a sentence."""
    try:
        yield
    except OSError as error:
        raise errors.ConfigError(f"{error.filename or path}: {error.strerror}") from None


# -- the open folder ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """An open data folder."""

    path: Path
    database: Database
    vault: vault.Vault
    fingerprint_key: bytes = dataclasses.field(repr=False)


@contextlib.contextmanager
def open_data(settings: config.Settings, *, make: bool = True) -> Iterator[Data]:
    """Makes the folder if need be, migrates the database, reads the master key. Raises ConfigError."""
    path = ensure(settings) if make else find(settings)
    _check_complete(path)
    key = key_path(settings)
    settle(path, key)
    with held(path):
        safe = open_vault(key, path / paths.DATABASE)
        database = sqlite.Database(path / paths.DATABASE)
        try:
            fingerprint_key = _read_fingerprint_key(database, safe, path)
            yield Data(path=path, database=database, vault=safe, fingerprint_key=fingerprint_key)
        finally:
            database.close()


def check_data(settings: config.Settings) -> tuple[list[str], dict[str, int]]:
    """What is wrong in the data folder, and how many rows there are of what. Changes nothing. Raises ConfigError."""
    path = find(settings)
    with held(path):
        safe = open_vault(key_path(settings), path / paths.DATABASE)
        with inspection.snapshot(path / paths.DATABASE) as tx:
            found = inspection.find_damage(tx) or [*inspection.check_references(tx), *check.contents(tx, safe)]
            return found, {} if found else consistency.count_rows(tx)


def known_projects(settings: config.Settings) -> set[str] | None:
    """The ids of all projects; None where there is no data folder. Changes nothing. Raises ConfigError."""
    path = Path(settings.serve.data) / paths.DATABASE
    if not path.exists():
        return None
    with inspection.snapshot(path) as tx:
        return {project_id for project_id, _ in keys.projects(tx)}


def _check_complete(path: Path) -> None:
    """With an empty database in place of a lost one the agent would take every tunnel for an orphan."""
    left = [name for name in (paths.CREDENTIALS, paths.ENGINE) if (path / name).exists()]
    if left and not (path / paths.DATABASE).exists():
        raise errors.ConfigError(
            f"{path / paths.DATABASE}: is missing, and {' and '.join(left)} beside it are of an earlier start"
            " (put it back; or `landbridge engine stop`, which asks at a terminal, and begin anew with an empty folder)"
        )


def _read_fingerprint_key(database: Database, safe: vault.Vault, path: Path) -> bytes:
    try:
        return database.write(lambda tx: _fingerprint_key(tx, safe))
    except errors.Busy as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _fingerprint_key(tx: Transaction, safe: vault.Vault) -> bytes:
    """Made at the first start; not rotated with the master key, since names in running engines were made with it."""
    sealed = keys.setting(tx, vault.FINGERPRINT_KEY)
    if sealed is None:
        sealed = safe.seal(os.urandom(32), vault.FINGERPRINT_KEY)
        keys.add_setting(tx, vault.FINGERPRINT_KEY, sealed)
    return safe.open(sealed, vault.FINGERPRINT_KEY)


@contextlib.contextmanager
def sole_service(path: Path) -> Iterator[None]:
    """Keeps other services off the folder: two agents would undo each other's work. Raises ConfigError when one runs already."""
    with (path / paths.LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.ConfigError(f"another landbridge serves {path}") from None
        yield


def check_no_service(path: Path) -> None:
    """Raises ConfigError when a service runs on the folder. `serve` asks before it opens its port: whoever starts the same service twice
    learns that, and not that the port is busy.
    """
    if (path / paths.LOCK).exists():
        with (
            contextlib.suppress(OSError),
            sole_service(path),
        ):  # what opens the folder says why the lock cannot be opened
            pass


# -- the master key ---------------------------------------------------------------------------------------------------


def key_path(settings: config.Settings) -> Path:
    return Path(settings.secrets.master_key or Path(settings.serve.data).absolute() / paths.MASTER_KEY).resolve()


def open_vault(key: Path, database: Path) -> vault.Vault:
    """Under the key that fits, where a rotation that was broken off left two; under a new key where nothing is encrypted yet.

    Raises ConfigError for a key that is missing, or is none. That it does not fit is noticed when something is opened.
    """
    if database.exists() and not key.exists():
        raise errors.ConfigError(f"{key}: is missing, and secrets in {database} are encrypted under it")
    safe = _vault(key)
    sealed = backup.sealed_keys(database)
    if _coming(key).exists() and not _fits(safe, sealed):
        safe = _vault(_coming(key))
    if vault.DIGEST_KEY in sealed:
        safe.digest_key = safe.open(sealed[vault.DIGEST_KEY], vault.DIGEST_KEY)
    return safe


def _vault(key: Path) -> vault.Vault:
    with _told(key):
        return vault.Vault(vault.read_key(key))


def _fits(safe: vault.Vault, sealed: dict[str, bytes]) -> bool:
    value = sealed.get(vault.FINGERPRINT_KEY)
    return value is None or safe.try_open(value, vault.FINGERPRINT_KEY) is not None


def _coming(key: Path) -> Path:
    """Where a new master key waits until the database is under it."""
    return key.with_name(key.name + ".new")


def settle(path: Path, key: Path) -> None:
    """Ends a rotation that was broken off, where nobody else is about: there is one key again, the one that fits."""
    if _coming(key).exists():
        with contextlib.suppress(errors.ConfigError), held(path, alone=True), _told(key):
            _end_rotation(key, path / paths.DATABASE)


def _end_rotation(key: Path, database: Path) -> None:
    sealed = backup.sealed_keys(database)
    if not _coming(key).exists():
        return
    if _fits(_vault(key), sealed):
        _coming(key).unlink()
    elif _fits(_vault(_coming(key)), sealed):
        _put_key(key)


def _put_key(key: Path) -> Path:
    """The new key takes its place; gives where the old one stays, for the backups that were made under it."""
    kept = key.with_name(f"{key.name}.{_vault(key).fingerprint}")
    kept.unlink(missing_ok=True)
    os.link(key, kept)
    _coming(key).replace(key)
    vault.sync_folder(key.parent)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """`kept` is where the old master key went."""

    values: int
    key: Path
    kept: Path
    fingerprint: str


def rotate_master(settings: config.Settings) -> Rotated:
    """Seals all secrets anew under a new master key. Raises ConfigError, also while anybody uses the folder.

    The new key is on disk before the database is under it, and the old key has its name until after that.
    """
    path = find(settings)
    key = key_path(settings)
    with held(path, alone=True), _told(key):
        _end_rotation(key, path / paths.DATABASE)
        old = open_vault(key, path / paths.DATABASE)
        new = vault.Vault(vault.write_key(_coming(key)))
        with contextlib.closing(sqlite.Database(path / paths.DATABASE)) as database:
            values = database.write(lambda tx: _rotate(tx, old, new))
        kept = _put_key(key)
    return Rotated(values=values, key=key, kept=kept, fingerprint=new.fingerprint)


def _rotate(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    values = rotation.rotate(tx, old, new)
    _audit(tx, "rotate_master_key", new.fingerprint)
    return values


def _audit(tx: Transaction, action: str, what: str) -> None:
    audit_trail.append(
        tx,
        at=datetime.now(UTC),
        project_id=None,
        actor="this machine",
        action=action,
        resource_id=what,
        request_id=str(uuid.uuid4()),
    )


# -- backup and restore -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """`fingerprint` names the master key that the backup is of no use without."""

    size: int
    key: Path
    fingerprint: str


def save(settings: config.Settings, target: Path, *, force: bool) -> Saved:
    """Writes a backup, also while a service runs. Raises ConfigError."""
    path = find(settings)
    target = target.absolute()
    if target.resolve().is_relative_to(path.resolve()):
        raise errors.ConfigError(f"{target}: is in the data folder that it is to save (a file elsewhere)")
    if target.exists() and not force:
        raise errors.ConfigError(f"{target}: is there already (--force overwrites it)")
    key = key_path(settings)
    with held(path), _told(target):
        safe = open_vault(key, path / paths.DATABASE)
        if not _fits(safe, backup.sealed_keys(path / paths.DATABASE)):
            raise errors.ConfigError(f"{key}: the master key does not fit this database")
        backup.write(path / paths.DATABASE, target, safe.fingerprint)
        return Saved(size=target.stat().st_size, key=key, fingerprint=safe.fingerprint)


def restore(settings: config.Settings, source: Path, *, force: bool) -> Path | None:
    """Makes a backup the folder's database; gives where the old one went. Raises ConfigError; then the old one stays."""
    path = ensure(settings)
    database = path / paths.DATABASE
    if source.resolve() == database.resolve():
        raise errors.ConfigError(f"{source}: is the database itself (a file that `landbridge backup` made)")
    with held(path, alone=True), _told(source):
        if database.exists() and not force:
            raise errors.ConfigError(f"{database}: is there already (--force restores over it and keeps it aside)")
        with backup.copy_beside(source, database) as fresh:
            _check_backup(source, fresh, key_path(settings))
            with contextlib.closing(sqlite.Database(fresh)) as opened:
                opened.write(lambda tx: _renew(tx, source))
            kept = _set_aside(database)
            backup.replace_file(fresh, database)
    return kept


def _check_backup(source: Path, fresh: Path, key: Path) -> None:
    try:
        content = backup.inspect(fresh)
    except errors.ConfigError as error:
        raise errors.ConfigError(f"{source}: {error}") from None
    fingerprint = content.fingerprint or "that is not known"
    if not key.exists():
        raise errors.ConfigError(f"{key}: is missing: put the backup's master key there (fingerprint {fingerprint})")
    safe = _vault(key)
    if safe.try_open(content.sealed, vault.FINGERPRINT_KEY) is None:
        raise errors.ConfigError(
            f"{source}: needs the master key with the fingerprint {fingerprint}; {key} has {safe.fingerprint}"
        )


def _renew(tx: Transaction, source: Path) -> None:
    restored.prepare(tx)
    _audit(tx, "restore_backup", source.name)


def _set_aside(database: Path) -> Path | None:
    if not any(database.with_name(database.name + ending).exists() for ending in ("", *backup.SIDE_FILES)):
        return None
    kept = database.with_name(f"{database.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    backup.set_aside(database, kept)
    return kept
