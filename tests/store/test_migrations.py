"""The migrations and the schema meet, and a second start changes nothing."""

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from landbridge import errors
from landbridge.store import tables
from landbridge.store.sqlite import migrate
from landbridge.store.sqlite.database import Database


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


def test_a_database_of_a_newer_version_is_refused_in_words(tmp_path: Path):
    path = tmp_path / "newer.db"
    migrate.upgrade(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(errors.ConfigError, match=r"newer\.db: was made by a newer version of Landbridge \(.*9999"):
        Database(path)


#: A schema and the content of a damaged database -> how the error names the row.
DAMAGED = {
    "connection": ("0012", "UPDATE connection SET spec = '{' WHERE id = 'b'", "spec of connection b"),
    "customer_gateway": ("0007", "UPDATE customer_gateway SET spec = '' WHERE id = 'c'", "spec of customer_gateway c"),
}


@pytest.mark.parametrize(("schema", "damage", "named"), DAMAGED.values(), ids=DAMAGED)
def test_a_row_that_is_not_json_is_named_and_nothing_is_migrated(tmp_path: Path, schema: str, damage: str, named: str):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path, schema)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE_0013.partition("INSERT INTO gateway_observation")[0] + damage)
    before = _dump(path)
    refusal = _refusal(path)
    assert f"landbridge.db: was not migrated, and is as before: {named} is not JSON" in refusal
    assert _dump(path) == before
    [mend] = re.findall(r"with sqlite3: (UPDATE .*)\)$", refusal)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(mend.replace("…", "{}"))
    Database(path).close()


def _dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def _refusal(path: Path) -> str:
    with pytest.raises(errors.ConfigError) as refused:
        Database(path)
    return str(refused.value)


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
    migrate.upgrade(path, "0004")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT id, project_id, connection_id FROM connection_monitor").fetchall()
    assert found == [("m", "p", "monitored")]


#: Two gateways and two customer gateways whose seqs and ids have nothing in common, three connections, one of them gone.
BEFORE_0006 = """
    INSERT INTO project VALUES ('p', 'ours', 1);
    INSERT INTO vpn_gateway (seq, id, project_id, generation, deleting, spec_version, spec)
        VALUES (3, 'g-b', 'p', 1, 0, 1, '{}'), (7, 'g-a', 'p', 1, 0, 1, '{}');
    INSERT INTO customer_gateway (seq, id, project_id, spec_version, spec)
        VALUES (2, 'c-b', 'p', 1, '{}'), (9, 'c-a', 'p', 1, '{}');
    INSERT INTO connection (seq, id, project_id, gateway_id, customer_gateway_id, endpoint, identity, tunnel_block,
        if_id, generation, deleting, simulate, psk, spec_version, spec, resets) VALUES
        (5, 'a', 'p', 'g-a', 'c-b', 1, 'i', 4, 11, 12, 0, 'active', x'00ff', 1, '{"name": "a"}', 13),
        (6, 'b', 'p', 'g-b', 'c-a', 2, 'i', NULL, 21, 22, 1, NULL, NULL, 1, '{"name": "b"}', 0),
        (8, 'c', 'p', 'g-b', 'c-a', 1, 'j', NULL, 31, 32, 0, NULL, NULL, 1, '{"name": "c"}', 0);
    DELETE FROM connection WHERE id = 'c';
    INSERT INTO connection_monitor (id, project_id, connection_id) VALUES ('m', 'p', 'a');
    INSERT INTO observation VALUES ('g-a', 'g-a', 1, 'broken', '{"restarts": 1}', 99), ('a', 'g-a', 12, NULL, '{}', 98),
        ('of nothing', 'g-b', 1, NULL, '{}', 97);
"""
ROWS_OF_0006 = {
    "SELECT * FROM connection": [
        (5, "a", "p", 7, 2, 1, "i", 4, 11, 12, 0, "active", b"\x00\xff", 1, '{"name": "a"}', 13),
        (6, "b", "p", 3, 9, 2, "i", None, 21, 22, 1, None, None, 1, '{"name": "b"}', 0),
    ],
    "SELECT * FROM connection_monitor": [(1, "m", "p", "a")],
    "SELECT * FROM gateway_observation": [(7, 1, "broken", '{"restarts": 1}', 99)],
    "SELECT * FROM connection_observation": [(5, 12, "{}")],
    "SELECT name, seq FROM sqlite_sequence WHERE name LIKE 'connection%' ORDER BY name": [
        ("connection", 8),
        ("connection_monitor", 1),
    ],
    "PRAGMA foreign_key_check": [],
    "PRAGMA integrity_check": [("ok",)],
}


def _at_0005(path: Path) -> Path:
    migrate.upgrade(path, "0005")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE_0006)
    return path


def test_connections_and_what_was_seen_get_the_seqs_of_what_they_name(tmp_path: Path):
    path = _at_0005(tmp_path / "landbridge.db")
    migrate.upgrade(path, "0006")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert {query: connection.execute(query).fetchall() for query in ROWS_OF_0006} == ROWS_OF_0006


def test_no_seq_of_a_connection_is_given_again_where_none_is_left(tmp_path: Path):
    path = _at_0005(tmp_path / "landbridge.db")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM connection_monitor")
        connection.execute("DELETE FROM connection")
    migrate.upgrade(path, "0006")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'connection'").fetchall() == [(8,)]


def test_a_connection_without_its_end_stops_the_migration_and_nothing_is_changed(tmp_path: Path):
    path = _at_0005(tmp_path / "landbridge.db")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM customer_gateway WHERE id = 'c-a'")
    before = _dump(path)
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        migrate.upgrade(path)
    assert _dump(path) == before


def _dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


BEFORE_0009 = """
    INSERT INTO project VALUES ('p', 'ours', 1);
    INSERT INTO vpn_gateway (seq, id, project_id, generation, deleting, spec_version, spec) VALUES (7, 'g', 'p', 1, 0, 1, '{}');
    INSERT INTO setting VALUES ('fingerprint-key', x'01'), ('digest-key', x'02'), ('backup-master-key', x'03'),
        ('paused', CAST('1000' AS BLOB)), ('paused g', CAST('2000' AS BLOB)), ('paused gone', CAST('3000' AS BLOB));
"""
ROWS_OF_0009 = {
    "SELECT name, value FROM sealed_key ORDER BY name": [("digest-key", b"\x02"), ("fingerprint-key", b"\x01")],
    "SELECT gateway_seq, since FROM pause ORDER BY since": [(None, 1000), (7, 2000)],
    "SELECT name, value FROM setting": [("backup-master-key", b"\x03")],
    "PRAGMA foreign_key_check": [],
}


def test_pauses_and_sealed_keys_move_out_of_the_settings(tmp_path: Path):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path, "0008")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE_0009)
    migrate.upgrade(path, "0009")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert {query: connection.execute(query).fetchall() for query in ROWS_OF_0009} == ROWS_OF_0009


BEFORE_0013 = """
    INSERT INTO project VALUES ('p', 'ours', 1);
    INSERT INTO vpn_gateway (seq, id, project_id, generation, deleting, spec_version, spec) VALUES (7, 'g', 'p', 1, 0, 1, '{}');
    INSERT INTO customer_gateway (seq, id, project_id, spec_version, spec) VALUES (9, 'c', 'p', 1, '{}');
    INSERT INTO connection (seq, id, project_id, gateway_seq, customer_gateway_seq, endpoint, identity, if_id, generation, deleting,
        spec_version, spec) VALUES (5, 'a', 'p', 7, 9, 1, 'i', 1, 1, 0, 1, '{}'), (6, 'b', 'p', 7, 9, 2, 'i', 2, 1, 0, 1, '{}');
    INSERT INTO gateway_observation (gateway_seq, report, seen_at) VALUES (7, '{}', 1767326645250);
    INSERT INTO connection_observation (connection_seq, report) VALUES
        (5, '{"children":[{"rule":"0","installed_seconds":5},{"rule":"1","installed_seconds":0}]}'), (6, '{"children":[]}');
"""
REPORTS_OF_0013 = [
    (
        5,
        (
            '{"children":[{"rule":"0","installed_at":"2026-01-02T04:04:00.250000+00:00"},'
            '{"rule":"1","installed_at":"2026-01-02T04:04:05.250000+00:00"}]}'
        ),
    ),
    (6, '{"children":[]}'),
]


def test_stored_child_sas_get_the_time_of_their_installation(tmp_path: Path):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path, "0012")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE_0013)
    migrate.upgrade(path, "0013")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT connection_seq, report FROM connection_observation").fetchall()
    assert found == REPORTS_OF_0013


BEFORE_0017 = """
    INSERT INTO project VALUES ('p', 'ours', 1);
    INSERT INTO vpn_gateway (seq, id, project_id, generation, deleting, spec_version, spec) VALUES (7, 'g', 'p', 1, 0, 1, '{}');
    INSERT INTO customer_gateway (seq, id, project_id, spec_version, spec)
    VALUES (1, 'c-1', 'p', 1, '{}'), (2, 'c-2', 'p', 1, '{}'), (3, 'c-3', 'p', 1, '{}');
    INSERT INTO connection (id, project_id, gateway_seq, customer_gateway_seq, endpoint, identity, if_id, generation, deleting, spec_version, spec)
    VALUES ('static', 'p', 7, 1, 1, '1.2.3.4' || char(10) || 'ours', 1, 1, 0, 1, '{"style": "static"}'),
           ('template', 'p', 7, 2, 1, '1.2.3.5' || char(10) || 'ours', 2, 1, 0, 1, '{"style": "policy-template"}'),
           ('same', 'p', 7, 3, 1, '1.2.3.6' || char(10) || 'ours', 3, 1, 0, 1, '{"style": "policy-template"}');
"""


def test_a_policy_template_has_no_address_on_the_wire(tmp_path: Path):
    path = tmp_path / "landbridge.db"
    migrate.upgrade(path, "0013")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(BEFORE_0017)
    migrate.upgrade(path, "0017")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = dict(connection.execute("SELECT id, identity FROM connection"))
    assert found == {"static": "1.2.3.4\nours", "template": "any\nours", "same": "1.2.3.6\nours"}
