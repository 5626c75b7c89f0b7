"""What the three kinds of resources that can be tagged have in common: a row with an id, a project and a spec."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pydantic
from sqlalchemy import Table, bindparam, select, update

from landbridge import model
from landbridge.store import codec, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

Resource = model.VpnGateway | model.CustomerGateway | model.Connection


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """`name` is the word of the tag paths and of the column `tag.resource_type`."""

    name: str
    table: Table
    codec: pydantic.TypeAdapter[Any]


GATEWAY = ResourceKind("vpn-gateway", tables.vpn_gateway, codec.gateway)
CUSTOMER_GATEWAY = ResourceKind("customer-gateway", tables.customer_gateway, codec.customer_gateway)
CONNECTION = ResourceKind("vpn-connection", tables.connection, codec.connection)
KINDS = {kind.name: kind for kind in (GATEWAY, CUSTOMER_GATEWAY, CONNECTION)}

_FIND = {
    name: Statement(
        select(kind.table.c.spec).where(
            kind.table.c.id == bindparam("id"), kind.table.c.project_id == bindparam("project_id")
        )
    )
    for name, kind in KINDS.items()
}
_NAME = tuple(
    Statement(
        select(expressions.JsonValue(kind.table.c.spec, "name")).where(
            kind.table.c.id == bindparam("id"), kind.table.c.project_id == bindparam("project_id")
        )
    )
    for kind in KINDS.values()
)
_DELETING = {
    name: Statement(select(kind.table.c.deleting).where(kind.table.c.id == bindparam("id")))
    for name, kind in KINDS.items()
    if "deleting" in kind.table.c
}
_REWRITE = {
    name: Statement(update(kind.table).where(kind.table.c.id == bindparam("row_id")).values(spec=bindparam("written")))
    for name, kind in KINDS.items()
}


def find(tx: Transaction, kind: ResourceKind, project_id: str, resource_id: str) -> Any | None:
    row = tx.one(_FIND[kind.name], id=resource_id, project_id=project_id)
    return None if row is None else kind.codec.validate_json(row[0])


def names(tx: Transaction, project_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Id -> name of those that are resources of the project, and exist."""
    rows = ((id_, tx.one(statement, id=id_, project_id=project_id)) for id_ in set(ids) for statement in _NAME)
    return {id_: row[0] for id_, row in rows if row is not None}


def is_deleting(tx: Transaction, kind: ResourceKind, resource_id: str) -> bool:
    """Always False for a customer gateway: its row is deleted at once."""
    row = tx.one(_DELETING[kind.name], id=resource_id) if kind.name in _DELETING else None
    return row is not None and bool(row[0])


def rewrite(tx: Transaction, kind: ResourceKind, resource: Resource) -> None:
    """Overwrites the spec alone. The engine has nothing to do, so the generation stays and nobody is nudged."""
    tx.run(_REWRITE[kind.name], row_id=resource.id, written=codec.dump(kind.codec, resource))
