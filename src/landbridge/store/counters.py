"""Counters of a project's resources. The transaction that adds or removes a resource updates them, because a count(*) of many rows is slow."""

from sqlalchemy import bindparam, insert, select, update

from landbridge.store import tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Connections are counted by their gateways (`gateway_count`).
KINDS = ("vpn_gateway", "customer_gateway")

_counter = tables.counter
_ADD = Statement(
    update(_counter)
    .where(_counter.c.project_id == bindparam("project"), _counter.c.kind == bindparam("of"))
    .values(value=_counter.c.value + bindparam("by"))
)
_VALUE = Statement(
    select(_counter.c.value).where(
        _counter.c.project_id == bindparam("project_id"), _counter.c.kind == bindparam("kind")
    )
)
_START = Statement(
    insert(_counter).values(project_id=bindparam("project_id"), kind=bindparam("kind"), value=bindparam("value"))
)


def start(tx: Transaction, project_id: str) -> None:
    """Starts every counter of a new project at 0."""
    for kind in KINDS:
        tx.run(_START, project_id=project_id, kind=kind, value=0)


def add(tx: Transaction, project_id: str, kind: str, by: int) -> None:
    tx.run(_ADD, project=project_id, of=kind, by=by)


def value(tx: Transaction, project_id: str, kind: str) -> int:
    row = tx.one(_VALUE, project_id=project_id, kind=kind)
    return row[0] if row is not None else 0
