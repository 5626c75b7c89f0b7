"""Statements of SQLAlchemy Core, without a dialect."""

from typing import Any

from sqlalchemy import ClauseElement

from landbridge.store.expressions import Upsert


class Statement:
    """A Core expression with bind parameters, built once at import.

    A database compiles the statement at the first run, and keeps the result in `compiled` under the database's name. Built on each
    call, or run through Core's result machinery, statements would be the largest part of a create (decision 0003).
    """

    __slots__ = ("compiled", "expression")

    def __init__(self, expression: ClauseElement | Upsert) -> None:
        self.expression = expression
        self.compiled: dict[str, Any] = {}
