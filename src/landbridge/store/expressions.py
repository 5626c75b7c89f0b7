"""SQL that databases write differently. Query modules use these elements; a database's room translates them.

Compiling an element for a database without a translation raises an error.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Self

from sqlalchemy import Boolean, ColumnElement, Integer, Table, Text, bindparam
from sqlalchemy.sql.functions import FunctionElement


class JsonValue(FunctionElement[str]):
    """The value at `path` in the JSON of a column: a key or an index for each level. Null where there is none."""

    inherit_cache = False
    type = Text()

    def __init__(self, column: ColumnElement[str], *path: str | int) -> None:
        super().__init__(column)
        self.path = path


class JsonValues(FunctionElement[str]):
    """A JSON array of the values of the keys `names` in the JSON of a column, null where there is none. It parses the JSON once; a `JsonValue` for each
    key parses it once for each.
    """

    inherit_cache = False
    type = Text()

    def __init__(self, column: ColumnElement[str], *names: str) -> None:
        super().__init__(column)
        self.names = names


class JsonWithout(FunctionElement[str]):
    """The JSON of a column without the values at `paths`."""

    inherit_cache = False
    type = Text()

    def __init__(self, column: ColumnElement[str], *paths: tuple[str | int, ...]) -> None:
        super().__init__(column)
        self.paths = paths


class _Condition(FunctionElement[bool]):
    """A condition that a WHERE takes as it is, also where a database has no booleans."""

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
    """Whether a column is one of the values of the parameter `name`. Each run may have another number of values."""

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name))


def values(those: Iterable[str | int]) -> str:
    """The value of the parameter of `IsAmong`."""
    return json.dumps(list(those))


class LastSeq(FunctionElement[int]):
    """The last number that the automatic key of a table gave to a row; null before the first row."""

    inherit_cache = False
    type = Integer()

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table_name = table.name


class Upsert:
    """An insert; where there is a row with the same `keys` already, that row gets the values of `update` instead.

    `update` is called with the columns of the row that was to be inserted.
    """

    def __init__(
        self, table: Table, names: Iterable[str], *, keys: tuple[str, ...], update: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.table = table
        self.names = tuple(names)
        self.keys = keys
        self.update = update(table.alias("excluded").c)
