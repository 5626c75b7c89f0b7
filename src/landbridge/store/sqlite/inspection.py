"""Reads a database file as it is, without creating or migrating it, also while a service writes.

A long read keeps the write-ahead log from restarting meanwhile.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from landbridge import errors
from landbridge.store.sqlite import migrate
from landbridge.store.sqlite.database import Transaction


@contextlib.contextmanager
def open_file(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """Opens a file that must exist. In a read-only folder without a log nothing is written, and SQLite must be told so."""
    read_only = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
    address = f"{path.absolute().as_uri()}?{'mode=ro&immutable=1' if read_only else f'mode={mode}'}"
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=5)) as connection:
        yield connection


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Transaction]:
    """One transaction that reads. Raises ConfigError for a file that is no database."""
    try:
        with open_file(path, "ro") as connection:
            connection.execute("BEGIN")
            yield Transaction(connection.cursor())
    except sqlite3.DatabaseError as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def find_damage(tx: Transaction) -> list[str]:
    """Finds damage after which no further check makes sense: a damaged file, or the schema of another version."""
    lines = [line for (line,) in tx.cursor.execute("PRAGMA integrity_check").fetchall()]
    return [f"the file is damaged: {line}" for line in lines if line != "ok"] or _check_schema(tx)


def _check_schema(tx: Transaction) -> list[str]:
    try:
        versions = [version for (version,) in tx.cursor.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.OperationalError:
        versions = []
    head = migrate.head()
    if versions == [head]:
        return []
    return [f"the schema is {' '.join(versions) or 'none of ours'}, this program's is {head}"]


def check_references(tx: Transaction) -> Iterator[str]:
    for table, row, parent, _ in tx.cursor.execute("PRAGMA foreign_key_check").fetchall():
        yield f"{table} row {row}: its {parent} is not there"
