"""What every database must do: one suite for SQLite and for those that come. Nothing here knows a dialect."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, literal, select, update

from landbridge.store import expressions, sqlite, tables
from landbridge.store.database import Database, Transaction
from landbridge.store.statement import Statement
from landbridge.telemetry import log_fields
from tests import conftest


def _sqlite(folder: Path) -> Database:
    path = folder / "landbridge.db"
    path.write_bytes(conftest.migrated())
    return sqlite.Database(path)


#: Each gives a database without rows.
DATABASES: dict[str, Callable[[Path], Database]] = {"sqlite": _sqlite}
_p, _t = tables.project, tables.token
ADD = Statement(insert(_p).values(id=bindparam("id"), name=bindparam("name"), created_at=bindparam("created_at")))
RENAME = Statement(
    update(_p).where(_p.c.created_at == bindparam("at")).values(name=_p.c.name.concat(bindparam("more")))
)
NAMES = Statement(select(_p.c.id, _p.c.name).order_by(_p.c.id))
FIND = Statement(select(_p.c.name).where(_p.c.id == bindparam("id")))


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = DATABASES[request.param](tmp_path)
    yield opened
    opened.close()


def _add(*names: str) -> Callable[[Transaction], None]:
    rows = [{"id": name, "name": f"project {name}", "created_at": 1} for name in names]
    return lambda tx: tx.run_many(ADD, rows)


def _names(tx: Transaction) -> list[str]:
    return [project_id for project_id, _ in tx.all(NAMES)]


def test_what_was_written_is_read(database: Database):
    database.write(_add("a", "b"))
    assert database.read(lambda tx: tx.one(FIND, id="b")) == ("project b",)
    assert database.read(lambda tx: tx.one(FIND, id="c")) is None
    assert database.write(lambda tx: tx.run(RENAME, at=1, more="!")) == 2
    assert database.write(lambda tx: tx.run(RENAME, at=2, more="!")) == 0
    assert [tuple(row) for row in database.read(lambda tx: tx.all(NAMES))] == [("a", "project a!"), ("b", "project b!")]


def test_rows_come_one_by_one_while_other_statements_run(database: Database):
    database.write(_add("a", "b", "c"))

    def walk(tx: Transaction) -> list[str]:
        return [tx.one(FIND, id=project_id)[0] for project_id, _ in tx.each(NAMES)]  # type: ignore[index]

    assert database.read(walk) == ["project a", "project b", "project c"]


def test_a_write_that_fails_stores_nothing_and_tells_its_caller(database: Database):
    def fail(tx: Transaction) -> None:
        _add("a")(tx)
        raise LookupError("after the insert")

    with pytest.raises(LookupError):
        database.write(fail)
    assert database.read(_names) == []


def test_of_writes_at_once_one_that_fails_takes_no_other_with_it(database: Database):
    def fail(tx: Transaction) -> None:
        _add("z")(tx)
        raise LookupError("after the insert")

    async def all_at_once() -> list[Any]:
        works = [_add("a"), fail, _add("b")]
        return await asyncio.gather(*map(database.write_soon, works), return_exceptions=True)

    first, failed, last = asyncio.run(all_at_once())
    assert (first, type(failed), last) == (None, LookupError, None)
    assert asyncio.run(database.read_soon(_names)) == ["a", "b"]


def test_the_agent_is_nudged_after_the_commit_and_only_for_what_was_stored(database: Database):
    told: list[tuple[set[str], list[str]]] = []
    database.on_nudge = lambda ids: told.append((ids, database.read(_names)))

    def fail(tx: Transaction) -> None:
        tx.nudge("never")
        raise LookupError

    def work(tx: Transaction) -> None:
        _add("a")(tx)
        tx.nudge("gateway")

    with pytest.raises(LookupError):
        database.write(fail)
    database.write(work)
    assert told == [({"gateway"}, ["a"])]


def test_a_read_sees_one_snapshot(database: Database):
    def read(tx: Transaction) -> tuple[list[str], list[str]]:
        before = _names(tx)
        writer = threading.Thread(target=database.write, args=(_add("later"),))
        writer.start()
        writer.join()
        return before, _names(tx)

    assert database.read(read) == ([], [])
    assert database.read(_names) == ["later"]


# -- the elements that each database says in its own words -------------------------------------------------------------


@pytest.fixture
def value(database: Database) -> Callable[..., Any]:
    """What an expression gives."""
    return lambda expression, **given: database.read(lambda tx: tx.one(Statement(select(expression)), **given))[0]


@pytest.mark.parametrize(
    ("path", "found"),
    [(("a",), "x"), (("b", "c"), "y"), (("d", 1), "w"), (("e",), None), (("b", "e"), None), (("n",), None)],
)
def test_a_value_of_json_is_found_by_its_path(value: Any, path: tuple[str | int, ...], found: str | None):
    text = json.dumps({"a": "x", "b": {"c": "y"}, "d": ["v", "w"], "n": None})
    assert value(expressions.JsonValue(literal(text), *path)) == found


def test_several_values_of_json_are_one_array(value: Any):
    text = json.dumps({"a": "x", "b": ["y", {"c": 1}], "n": None})
    assert json.loads(value(expressions.JsonValues(literal(text), "b", "a", "n", "e"))) == [
        ["y", {"c": 1}],
        "x",
        None,
        None,
    ]


def test_json_is_read_without_the_values_at_some_paths(value: Any):
    found = value(
        expressions.JsonWithout(literal(json.dumps({"a": "x", "b": {"c": "y", "d": 1}})), ("a",), ("b", "c"), ("n",))
    )
    assert json.loads(found) == {"b": {"d": 1}}


@pytest.mark.parametrize(("text", "sound"), [("{}", True), ("[1]", True), ("x", False), ("", False)])
def test_what_is_json_is_told_apart(value: Any, text: str, sound: bool):
    assert bool(value(expressions.IsJson(literal(text)))) is sound


@pytest.mark.parametrize(("part", "there"), [("b%", True), ("B%", False), ("a_", False), ("", True)])
def test_a_part_is_found_character_by_character(value: Any, part: str, there: bool):
    assert bool(value(expressions.Contains(literal("ab%c"), literal(part)))) is there


@pytest.mark.parametrize("wanted", [[], ["b"], ["c", "a"], [f"n{n}" for n in range(2000)]])
def test_one_statement_asks_for_any_number_of_values(database: Database, wanted: list[str]):
    database.write(_add("a", "b", "c"))
    some = Statement(select(_p.c.id).where(expressions.IsAmong(_p.c.id, "ids")).order_by(_p.c.id))
    rows = database.read(lambda tx: tx.all(some, ids=expressions.values(wanted)))
    assert [found for (found,) in rows] == sorted({"a", "b", "c"} & set(wanted))


def test_the_last_number_of_a_table_is_known_also_when_its_row_is_gone(database: Database, value: Any):
    given = {"at": 1, "actor": "a", "action": "act", "resource_id": "r", "request_id": "q"}
    event = Statement(insert(tables.audit).values({name: bindparam(name) for name in given}))
    last = expressions.LastSeq(tables.audit)
    assert value(last) is None
    database.write(lambda tx: tx.run_many(event, [given] * 3))
    database.write(lambda tx: tx.run(Statement(tables.audit.delete())))
    assert value(last) == 3


def test_an_upsert_changes_the_row_that_is_there(database: Database):
    upsert = Statement(
        expressions.Upsert(
            _p,
            ("id", "name", "created_at"),
            keys=("id",),
            update=lambda new: {"name": _p.c.name.concat(new.name), "created_at": new.created_at},
        )
    )
    for number, name in enumerate(("one", "two")):
        database.write(lambda tx, n=number, name=name: tx.run(upsert, id="a", name=name, created_at=n))  # type: ignore[misc]
    rows = database.read(lambda tx: tx.all(Statement(select(_p.c.id, _p.c.name, _p.c.created_at))))
    assert [tuple(row) for row in rows] == [("a", "onetwo", 1)]


def test_what_runs_belongs_to_the_request_of_its_caller(database: Database):
    """Also in a group of writes that another caller began, and in another thread: it may write lines of the log."""

    async def ask(request_id: str) -> tuple[str, str]:
        log_fields.REQUEST_ID.set(request_id)
        read = await database.read_soon(lambda _: log_fields.REQUEST_ID.get())
        return read, await database.write_soon(lambda _: log_fields.REQUEST_ID.get())

    async def all_at_once() -> list[tuple[str, str]]:
        return await asyncio.gather(*map(ask, names))

    names = [f"r-{n}" for n in range(20)]
    assert asyncio.run(all_at_once()) == [(name, name) for name in names]
