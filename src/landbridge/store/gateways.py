"""Rows of VPN gateways."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, distinct, func, insert, select, update

from landbridge import model
from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_g, _o, _c, _use = tables.vpn_gateway, tables.observation, tables.connection, tables.endpoint_use

_ROW = select(
    _g.c.spec,
    _g.c.generation,
    _g.c.deleting,
    _g.c.connection_count,
    _g.c.next_if_id,
    _o.c.applied_generation,
    _o.c.failure,
    _o.c.seen_at,
).select_from(_g.outerjoin(_o, _o.c.resource_id == _g.c.id))
_FIND = Statement(_ROW.where(_g.c.id == bindparam("id"), _g.c.project_id == bindparam("project_id")))
_FIND_ANY = Statement(_ROW.where(_g.c.id == bindparam("id")))
_LIST = Statement(_ROW.where(_g.c.project_id == bindparam("project_id")).order_by(_g.c.seq))
_IDS = Statement(select(_g.c.id))
_GROUPS = Statement(
    select(_c.c.gateway_id, func.count(distinct(_c.c.customer_gateway_id)))
    .where(_c.c.gateway_id == bindparam("id"))
    .group_by(_c.c.gateway_id)
)
_INSERT = Statement(
    insert(_g).values(
        {
            name: bindparam(name)
            for name in (
                "id",
                "project_id",
                "generation",
                "deleting",
                "connection_count",
                "next_if_id",
                "spec_version",
                "spec",
            )
        }
    )
)
_TAKEN = Statement(select(_use.c.endpoint, _use.c.gateway_id))
_TAKE = Statement(insert(_use).values(endpoint=bindparam("endpoint"), gateway_id=bindparam("gateway_id")))
_MARK = Statement(update(_g).where(_g.c.id == bindparam("row_id")).values(deleting=1, generation=_g.c.generation + 1))
_COUNT_UP = Statement(
    update(_g)
    .where(_g.c.id == bindparam("row_id"))
    .values(connection_count=_g.c.connection_count + 1, next_if_id=_g.c.next_if_id + 1)
)
_COUNT_DOWN = Statement(
    update(_g).where(_g.c.id == bindparam("row_id")).values(connection_count=_g.c.connection_count - 1)
)
_REMOVE = (
    Statement(delete(_use).where(_use.c.gateway_id == bindparam("id"))),
    Statement(delete(_o).where(_o.c.gateway_id == bindparam("id"))),
    Statement(delete(tables.tag).where(tables.tag.c.resource_id == bindparam("id"))),
    Statement(delete(_g).where(_g.c.id == bindparam("id"))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    gateway: model.VpnGateway
    generation: int
    deleting: bool
    connections: int
    next_if_id: int
    applied: int | None
    failure: str | None
    seen_at: datetime | None


def _row(row: Any) -> Row:
    spec, generation, deleting, connections, next_if_id, applied, failure, seen_at = row
    return Row(
        gateway=codec.gateway.validate_json(spec),
        generation=generation,
        deleting=bool(deleting),
        connections=connections,
        next_if_id=next_if_id,
        applied=applied,
        failure=failure,
        seen_at=None if seen_at is None else codec.moment(seen_at),
    )


def find(tx: Transaction, project_id: str, gateway_id: str) -> Row | None:
    row = tx.one(_FIND, id=gateway_id, project_id=project_id)
    return None if row is None else _row(row)


def find_any(tx: Transaction, gateway_id: str) -> Row | None:
    """Whatever its project: for the agent."""
    row = tx.one(_FIND_ANY, id=gateway_id)
    return None if row is None else _row(row)


def list_all(tx: Transaction, project_id: str) -> list[Row]:
    return [_row(row) for row in tx.all(_LIST, project_id=project_id)]


def ids(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.all(_IDS)]


def connection_groups(tx: Transaction, gateway_id: str) -> int:
    """Customer gateways that the gateway has connections to."""
    row = tx.one(_GROUPS, id=gateway_id)
    return row[1] if row is not None else 0


def taken(tx: Transaction) -> dict[str, str]:
    """EIP ids and private addresses in use, each with its gateway."""
    return dict(tx.all(_TAKEN))


def add(tx: Transaction, gateway: model.VpnGateway) -> None:
    tx.run(
        _INSERT,
        id=gateway.id,
        project_id=gateway.project_id,
        generation=1,
        deleting=0,
        connection_count=0,
        next_if_id=1,
        spec_version=codec.SPEC_VERSION,
        spec=codec.dump(codec.gateway, gateway),
    )
    for endpoint in gateway.endpoints:
        tx.run(_TAKE, endpoint=endpoint.eip_id or endpoint.address, gateway_id=gateway.id)
    tx.nudge(gateway.id)


def mark_deleting(tx: Transaction, gateway_id: str) -> None:
    tx.run(_MARK, row_id=gateway_id)
    tx.nudge(gateway_id)


def count_up(tx: Transaction, gateway_id: str) -> None:
    """One connection more, and its if_id is spent for ever."""
    tx.run(_COUNT_UP, row_id=gateway_id)


def count_down(tx: Transaction, gateway_id: str) -> None:
    tx.run(_COUNT_DOWN, row_id=gateway_id)


def remove(tx: Transaction, gateway_id: str) -> None:
    """For good, its endpoints free again."""
    for statement in _REMOVE:
        tx.run(statement, id=gateway_id)
