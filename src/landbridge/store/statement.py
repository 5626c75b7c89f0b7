"""Statements of SQLAlchemy Core, compiled once and run on the driver's own cursor.

Built on each call, or run through Core's result machinery, statements would be the largest part of a create (decision
0003). So a Statement is a Core expression, its text made once.
"""

import sqlite3
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Statement:
    """A Core expression with bind parameters, as text and the order of its parameters.

    Constants of the expression are parameters too; they are the same at every run.
    """

    __slots__ = ("_order", "names", "text")

    def __init__(self, expression: ClauseElement) -> None:
        compiled: Any = expression.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.text: str = compiled.string
        self.names: list[str] = compiled.positiontup
        self._order = _orderer(self.names, {k: v for k, v in compiled.params.items() if v is not None})

    def run(self, cursor: sqlite3.Cursor, given: dict[str, Any]) -> sqlite3.Cursor:
        return cursor.execute(self.text, self._order(given))

    def run_many(self, cursor: sqlite3.Cursor, rows: list[dict[str, Any]]) -> None:
        """One many-row insert."""
        cursor.executemany(self.text, [self._order(row) for row in rows])


def _orderer(names: list[str], constants: Mapping[str, Any]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """From parameters by name to a tuple in their order."""
    if not names:
        return lambda _: ()
    if len(names) == 1:
        (name,) = names
        return lambda given: (given[name],)
    pick: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
    return (lambda given: pick({**constants, **given})) if constants else pick
