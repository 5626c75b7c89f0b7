"""Rows of sealed keys: keys of the service that a rotation of the master key does not change. See `vault`."""

from sqlalchemy import bindparam, insert, select

from landbridge.store import tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_sealed_key = tables.sealed_key
_FIND = Statement(select(_sealed_key.c.value).where(_sealed_key.c.name == bindparam("name")))
_ADD = Statement(insert(_sealed_key).values(name=bindparam("name"), value=bindparam("value")))


def find(tx: Transaction, name: str) -> bytes | None:
    """As it is stored, sealed."""
    row = tx.one(_FIND, name=name)
    return None if row is None else row[0]


def add(tx: Transaction, name: str, value: bytes) -> None:
    tx.run(_ADD, name=name, value=value)
