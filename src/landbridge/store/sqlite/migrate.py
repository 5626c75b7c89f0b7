"""Migrates a database file to the schema of this version, with Alembic: completely or not at all."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
import sqlalchemy.exc
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from landbridge import errors

#: Tables whose `spec` migrations read with functions for JSON.
_WITH_SPEC = ("connection", "customer_gateway")
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_SECONDS = 30


def upgrade(path: Path, version: str = "head", *, before: Callable[[], None] = lambda: None) -> None:
    """Creates or migrates the file; does nothing to one that is up to date. Calls `before` when a file with an older schema is about to change: nobody else
    writes to it then.

    Python's driver begins no transaction before a CREATE by itself: left to it, a power cut between two of them would
    leave a file that no later start could migrate.

    Raises ConfigError, which names the row, when a migration finds a row whose `spec` is not JSON. The file is as before then.
    """
    # In a URL that is text, a ? or a % of the path would have a meaning.
    address = sqlalchemy.URL.create("sqlite", database=str(path))
    engine = sqlalchemy.create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    sqlalchemy.event.listen(engine, "connect", _leave_transactions_to_us)
    sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    config = _config()
    try:
        with engine.begin() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            if version == "head" and revision == head():
                return
            if revision in revisions():
                before()
            config.attributes["connection"] = connection
            command.upgrade(config, version)
    except sqlalchemy.exc.OperationalError:
        _check_json(path, engine)
        raise
    finally:
        engine.dispose()


def _check_json(path: Path, engine: sqlalchemy.Engine) -> None:
    """Raises ConfigError that names the first row whose JSON is malformed: SQLite's own error names none."""
    with engine.connect() as connection:
        for table in _WITH_SPEC:
            query = f"SELECT id FROM {table} WHERE NOT json_valid(spec) LIMIT 1"  # noqa: S608 - tables of this file
            if row := connection.exec_driver_sql(query).fetchone():
                mend = f"UPDATE {table} SET spec = '…' WHERE id = '{row[0]}'"  # noqa: S608 - for the reader
                raise errors.ConfigError(
                    f"{path}: was not migrated, and is as before: spec of {table} {row[0]} is not JSON"
                    f" (restore a backup; or write the JSON object of this row with sqlite3: {mend})"
                )


def head() -> str:
    """The schema of this version."""
    return _head_of(MIGRATIONS)


@functools.cache
def _head_of(_: Path) -> str:
    """Cached for each folder, since Alembic imports every migration to find the last one."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revisions() -> set[str]:
    """The schemas that this version can read."""
    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    connection.isolation_level = None
