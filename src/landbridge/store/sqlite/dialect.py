"""Compiles statements to SQLite's text, and translates `expressions` to SQLite's functions."""

import sqlite3
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, bindparam, column, func, literal_column, select, table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from landbridge.store import expressions
from landbridge.store.statement import Statement

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Compiled:
    """The text of a statement and the order of its parameters, run on the driver's own cursor.

    Constants of the expression are parameters too; they are the same at every run.
    """

    __slots__ = ("_order", "names", "text")

    def __init__(self, statement: Statement) -> None:
        expression = statement.expression
        if isinstance(expression, expressions.Upsert):
            expression = _upsert(expression)
        compiled: Any = expression.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.text: str = compiled.string
        self.names: list[str] = compiled.positiontup
        self._order = _orderer(self.names, {k: v for k, v in compiled.params.items() if v is not None})

    def run(self, cursor: sqlite3.Cursor, given: dict[str, Any]) -> sqlite3.Cursor:
        return cursor.execute(self.text, self._order(given))

    def run_many(self, cursor: sqlite3.Cursor, rows: list[dict[str, Any]]) -> None:
        """Runs the statement for each row (`executemany`)."""
        cursor.executemany(self.text, [self._order(row) for row in rows])


def compiled(statement: Statement) -> Compiled:
    """The compiled statement. The first call compiles."""
    compiled: Compiled | None = statement.compiled.get("sqlite")
    if compiled is None:
        compiled = statement.compiled["sqlite"] = Compiled(statement)
    return compiled


def _orderer(names: list[str], constants: Mapping[str, Any]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Makes a function that turns parameters by name into a tuple in the order of `names`."""
    if not names:
        return lambda _: ()
    if len(names) == 1:
        (name,) = names
        return lambda given: (given[name] if name in given else constants[name],)
    pick: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
    return (lambda given: pick({**constants, **given})) if constants else pick


def _json_value(element: expressions.JsonValue) -> ClauseElement:
    return func.json_extract(*element.clauses, _path(element.path))


def _json_values(element: expressions.JsonValues) -> ClauseElement:
    # From 3.45 on, SQLite takes no value with a subtype from an index, and that of a function of JSON may have one. A text that was joined has none.
    return func.json_extract(*element.clauses, *(_path((name,)) for name in element.names)).op("||")(
        literal_column("''")
    )


def _json_without(element: expressions.JsonWithout) -> ClauseElement:
    return func.json_remove(*element.clauses, *map(_path, element.paths))


def _path(steps: tuple[str | int, ...]) -> ClauseElement:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return literal_column(f"'${path}'")


def _is_among(element: expressions.IsAmong) -> ClauseElement:
    key, values = element.clauses
    return key.in_(select(func.json_each(values).table_valued("value").c.value))


def _last_seq(element: expressions.LastSeq) -> ClauseElement:
    given = table("sqlite_sequence", column("name"), column("seq"))
    return select(given.c.seq).where(given.c.name == literal_column(f"'{element.table_name}'")).scalar_subquery()


def _upsert(upsert: expressions.Upsert) -> ClauseElement:
    new = insert(upsert.table).values({name: bindparam(name) for name in upsert.names})
    return new.on_conflict_do_update(index_elements=upsert.keys, set_=upsert.update)


#: What SQLite has for each element.
TRANSLATIONS: dict[type[ClauseElement], Callable[[Any], ClauseElement]] = {
    expressions.JsonValue: _json_value,
    expressions.JsonValues: _json_values,
    expressions.JsonWithout: _json_without,
    expressions.IsJson: lambda element: func.json_valid(*element.clauses),
    expressions.Contains: lambda element: func.instr(*element.clauses) > literal_column("0"),
    expressions.IsAmong: _is_among,
    expressions.LastSeq: _last_seq,
}


def _register(element: type[ClauseElement], translate: Callable[[Any], ClauseElement]) -> None:
    def render(element: Any, compiler: SQLCompiler, **options: Any) -> str:
        return compiler.process(translate(element), **options)

    compiles(element, "sqlite")(render)


for _element, _translate in TRANSLATIONS.items():
    _register(_element, _translate)
