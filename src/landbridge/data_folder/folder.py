"""Finds the data folder, and locks it for the process that works on it.

Every command on the folder holds a shared lock on the folder itself. A command that replaces the database or the master key holds an
exclusive lock, so that no service runs meanwhile.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.store import sqlite
from landbridge.store.sqlite import backup


def ensure(settings: config.Settings) -> Path:
    """The path of the folder, which it makes where there is none. Raises ConfigError."""
    path = Path(settings.serve.data).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        is_there(path)  # raises a better error for a loop of links
        raise errors.ConfigError(f"{path}: is not a folder") from None
    except OSError as error:
        raise errors.ConfigError(f"{error.filename}: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise errors.ConfigError(f"{path}: this user may not write there")
    return path


def find(settings: config.Settings) -> Path:
    """The path of a folder with a database. Raises ConfigError where there is none."""
    path = Path(settings.serve.data).absolute()
    if not is_there(path / paths.DATABASE):
        raise errors.ConfigError(f"{path}: no such data folder (--data names it)")
    return path


def is_there(path: Path) -> bool:
    """Whether something is at the path. Unlike `Path.exists`, this raises ConfigError where nothing can be, such as below a file or a loop of
    links.
    """
    with config_errors(path):
        try:
            path.stat()
        except FileNotFoundError:
            return False
    return True


def open_database(path: Path, before_migration: Callable[[], None] | None) -> sqlite.Database:
    """Opens the database of the folder `path`. Before it migrates a database with an older schema, it calls `before_migration` and keeps a copy.
    Raises ConfigError, also for an older schema when `before_migration` is None.
    """
    database = path / paths.DATABASE

    def keep_or_refuse() -> None:
        if before_migration is None:
            raise errors.ConfigError(
                f"{database}: has the schema {backup.schema(database)} of an older version: the service migrates it when this version"
                " starts it; until then, use the command of the older version"
            )
        before_migration()
        backup.keep_older(database)

    return sqlite.Database(database, keep_or_refuse)


@contextlib.contextmanager
def locked(path: Path, *, exclusive: bool = False) -> Iterator[None]:
    """Locks the folder, shared with others unless `exclusive`. Raises ConfigError at once when another process excludes this lock."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(folder, path, exclusive=exclusive)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path, *, exclusive: bool) -> None:
    try:
        fcntl.flock(folder, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        why = "is in use: stop the service first" if exclusive else "its database or master key is being exchanged"
        raise errors.ConfigError(f"{path}: {why}") from None


@contextlib.contextmanager
def config_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into a ConfigError of one line."""
    try:
        yield
    except OSError as error:
        raise errors.ConfigError(f"{error.filename or path}: {error.strerror}") from None


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
    """Raises ConfigError when a service runs on the folder. `serve` calls this before it opens its port: the error of a second start names
    the running service, and not the busy port.
    """
    # Where the lock cannot be opened, opening the folder says why.
    with contextlib.suppress(OSError), (path / paths.LOCK).open(), sole_service(path):
        pass
