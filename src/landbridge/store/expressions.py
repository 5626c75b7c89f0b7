"""SQL that every database says in its own words. Query modules use these elements; a database's room translates them.

An element has no words of its own: compiled for a database that does not translate it, it raises an error.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Self

from sqlalchemy import Boolean, ColumnElement, Integer, Table, Text, bindparam
from sqlalchemy.sql.functions import FunctionElement


class JsonValue(FunctionElement[str]):
    """What the JSON of a column has at `path`, a key for each depth; null where there is nothing."""

    inherit_cache = False
    type = Text()

    def __init__(self, column: ColumnElement[str], *path: str | int) -> None:
        super().__init__(column)
        self.path = path


class _Condition(FunctionElement[bool]):
    """Stands in a WHERE as it is, also where a database has no booleans."""

    inherit_cache = False
    type = Boolean()

    def self_group(self, against: Any = None) -> Self:
        return self


class IsJson(_Condition):
    """Whether the text of a column is JSON."""

    def __init__(self, column: ColumnElement[str]) -> None:
        super().__init__(column)


class Contains(_Condition):
    """Whether a column has `part` in it, character by character."""

    def __init__(self, column: ColumnElement[str], part: ColumnElement[str]) -> None:
        super().__init__(column, part)


class IsAmong(_Condition):
    """Whether a column is one of the values that the parameter `name` has. Their number may differ at each run."""

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name))


def values(those: Iterable[str | int]) -> str:
    """The parameter of `IsAmong`."""
    return json.dumps(list(those))


class LastSeq(FunctionElement[int]):
    """The last number that the automatic key of a table was given; null before the first one."""

    inherit_cache = False
    type = Integer()

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table_name = table.name


class Upsert:
    """An insert; where there is a row with the same `key` already, that row gets the values of `update` instead.

    `update` is called with the columns of the row that was to be inserted.
    """

    def __init__(
        self, table: Table, names: Iterable[str], *, key: str, update: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.table = table
        self.names = tuple(names)
        self.key = key
        self.update = update(table.alias("excluded").c)
