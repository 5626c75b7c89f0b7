"""The key that the database's secrets are encrypted under, and its rotation."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.data_folder import folder
from landbridge.operations import clock
from landbridge.store import audit_trail, rotation, vault
from landbridge.store.database import Transaction
from landbridge.store.sqlite import backup


def path_of(settings: config.Settings) -> Path:
    # Unlike `Path.resolve`, it takes a loop of links. Opening the key says why it cannot be read.
    return Path(os.path.realpath(settings.secrets.master_key or Path(settings.serve.data) / paths.MASTER_KEY))


def open_vault(key: Path, database: Path) -> vault.Vault:
    """The vault of the key that fits: an interrupted rotation leaves two keys. Makes a key where nothing is encrypted yet.

    Raises ConfigError when the key is missing or is no key. A key that does not fit shows when a secret is opened.
    """
    if database.exists() and not folder.is_there(key):
        raise errors.ConfigError(f"{key}: is missing, and secrets in {database} are encrypted under it")
    safe = read(key)
    sealed = backup.sealed_keys(database)
    if _pending(key).exists() and not fits(safe, sealed):
        safe = read(_pending(key))
    if vault.DIGEST_KEY in sealed:
        safe.digest_key = safe.open(sealed[vault.DIGEST_KEY], vault.DIGEST_KEY)
    return safe


def read(key: Path) -> vault.Vault:
    with folder.config_errors(key):
        return vault.Vault(vault.read_key(key))


def fits(safe: vault.Vault, sealed: dict[str, bytes]) -> bool:
    value = sealed.get(vault.FINGERPRINT_KEY)
    return value is None or safe.try_open(value, vault.FINGERPRINT_KEY) is not None


def _pending(key: Path) -> Path:
    """Returns where a new key waits until the database is encrypted under it."""
    return key.with_name(key.name + ".new")


def finish_rotation(path: Path, key: Path) -> None:
    """Finishes an interrupted rotation unless somebody else works on the folder: the key that fits stays."""
    if _pending(key).exists():
        with contextlib.suppress(errors.ConfigError), folder.locked(path, exclusive=True), folder.config_errors(key):
            _end_rotation(key, path / paths.DATABASE)


def _end_rotation(key: Path, database: Path) -> None:
    sealed = backup.sealed_keys(database)
    if not _pending(key).exists():
        return
    if fits(read(key), sealed):
        _pending(key).unlink()
    elif fits(read(_pending(key)), sealed):
        _replace(key)


def _replace(key: Path) -> Path:
    """Puts the new key in its place. Returns where the old one stays, for the backups that were made under it."""
    kept = key.with_name(f"{key.name}.{read(key).fingerprint}")
    kept.unlink(missing_ok=True)
    os.link(key, kept)
    _pending(key).replace(key)
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
    """Encrypts all secrets anew under a new master key. Raises ConfigError, also while anybody uses the folder.

    The new key is on disk before the database is under it, and the old key has its name until after that.
    """
    path = folder.find(settings)
    key = path_of(settings)
    with folder.locked(path, exclusive=True), folder.config_errors(key):
        _end_rotation(key, path / paths.DATABASE)
        old = open_vault(key, path / paths.DATABASE)
        with contextlib.closing(folder.open_database(path, None)) as database:
            new = vault.Vault(vault.write_key(_pending(key)))
            values = database.write(lambda tx: _rotate(tx, old, new))
        kept = _replace(key)
    return Rotated(values=values, key=key, kept=kept, fingerprint=new.fingerprint)


def _rotate(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    values = rotation.rotate(tx, old, new)
    audit_trail.append_local(tx, "rotate_master_key", new.fingerprint, clock.now())
    return values
