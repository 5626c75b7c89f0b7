"""The migrations and the schema meet, and a second start changes nothing."""

import contextlib
import re
import sqlite3
from pathlib import Path

import sqlalchemy

from landbridge.store import migrate, tables


def _schema(path: Path) -> dict[str, list[str]]:
    """What SQLite says that it has: the parts of each thing, whatever their order, spaces and quotes."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: _parts(sql) for name, sql in rows if not name.startswith("alembic")}


def _parts(sql: str) -> list[str]:
    plain = " ".join(sql.replace('"', "").split()).replace("( ", "(").replace(" )", ")")
    head, _, body = plain.partition("(")
    return [head, *sorted(part.strip() for part in re.split(r",(?![^()]*\))", body.removesuffix(")")))]


def _columns(path: Path, table: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA table_info({table})").fetchall()


def _fresh(path: Path) -> Path:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    tables.metadata.create_all(engine)
    engine.dispose()
    return path


def test_migrations_make_the_schema_that_the_code_expects(tmp_path: Path):
    migrated = tmp_path / "migrated.db"
    migrate.upgrade(migrated)
    assert _schema(migrated) == _schema(_fresh(tmp_path / "fresh.db"))


def test_migrations_make_every_table_with_its_columns(tmp_path: Path):
    migrated, fresh = tmp_path / "migrated.db", _fresh(tmp_path / "fresh.db")
    migrate.upgrade(migrated)
    for table in tables.metadata.tables:
        assert _columns(migrated, table) == _columns(fresh, table)
        assert _columns(migrated, table)


def test_migrations_do_not_lean_on_the_schema_of_today():
    """A migration that calls create_all would change with every later version."""
    versions = (migrate.MIGRATIONS / "versions").glob("*.py")
    assert [path.name for path in versions if "tables" in path.read_text()] == []


def test_a_second_upgrade_changes_nothing(tmp_path: Path):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path)
    before = _schema(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO project VALUES ('p', 'kept', 1)")
    migrate.upgrade(path)
    assert _schema(path) == before
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM project").fetchall() == [("kept",)]


def test_monitors_of_connections_that_are_there_get_their_rows(tmp_path: Path):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path, "0002")
    rows = [
        ("monitored", 0, '{"monitor_id": "m"}'),
        ("plain", 0, '{"monitor_id": null}'),
        ("going", 1, '{"monitor_id": "n"}'),
    ]
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for number, (id_, deleting, spec) in enumerate(rows):
            connection.execute(
                "INSERT INTO connection (id, project_id, gateway_id, customer_gateway_id, endpoint, identity, if_id, "
                "generation, deleting, spec_version, spec) VALUES (?, 'p', 'g', 'c', ?, ?, 1, 1, ?, 1, ?)",
                (id_, number, str(number), deleting, spec),
            )
    migrate.upgrade(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT id, project_id, connection_id FROM connection_monitor").fetchall()
    assert found == [("m", "p", "monitored")]
