"""Queries know no database: only `store.sqlite` does."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError

import landbridge
from landbridge import store
from landbridge.store import expressions
from landbridge.store.sqlite import dialect
from landbridge.store.statement import Statement

ROOT = Path(landbridge.__file__).parent
#: Functions that every database has.
STANDARD = {"coalesce", "count", "lag", "max", "min", "sum"}
ELEMENTS = tuple(
    element
    for element in vars(expressions).values()
    if isinstance(element, type)
    and element.__module__ == expressions.__name__
    and issubclass(element, sqlalchemy.ClauseElement)
    and not element.__name__.startswith("_")
)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _statements(found: Any) -> Iterator[Statement]:
    if isinstance(found, Statement):
        yield found
    elif isinstance(found, dict):
        yield from _statements(list(found.values()))
    elif isinstance(found, list | tuple):
        for each in found:
            yield from _statements(each)


def _modules() -> list[str]:
    names = [name for _, name, _ in pkgutil.iter_modules(store.__path__, "landbridge.store.")]
    return [name for name in names if name != "landbridge.store.sqlite"]


def test_nothing_outside_store_sqlite_imports_sqlite_or_a_dialect():
    foreign = ("sqlite3", "alembic", "sqlalchemy.dialects", "sqlalchemy.ext.compiler")
    paths = [path for path in ROOT.rglob("*.py") if ROOT / "store" / "sqlite" not in path.parents]
    assert len(paths) > 100
    found = {(path.relative_to(ROOT), name) for path in paths for name in _imports(path) if name.startswith(foreign)}
    assert found == set()


def test_queries_call_only_functions_that_every_database_has():
    called = {
        node.attr
        for path in (ROOT / "store").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "func"
    }
    assert "count" in called
    assert called <= STANDARD


def test_sqlite_has_words_for_every_element():
    assert set(dialect.TRANSLATIONS) == set(ELEMENTS)


def _postgresql(expression: Any) -> str:
    if isinstance(expression, expressions.Upsert):
        new = postgresql.insert(expression.table).values(dict.fromkeys(expression.names))
        expression = new.on_conflict_do_update(index_elements=expression.keys, set_=expression.update)
    return str(expression.compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("module", _modules())
def test_every_statement_compiles_for_another_database_but_for_the_elements(module: str):
    for statement in _statements(vars(importlib.import_module(module))):
        try:
            assert _postgresql(statement.expression)
        except CompileError as error:
            assert any(element.__name__ in str(error) for element in ELEMENTS), error  # noqa: PT017
