"""Rows of VPN gateways."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, distinct, func, insert, literal, literal_column, select, update

from landbridge import model
from landbridge.store import codec, expressions, pauses, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_vpn_gateway, _gateway_count, _gateway_observation = (
    tables.vpn_gateway,
    tables.gateway_count,
    tables.gateway_observation,
)
_connection, _endpoint_use = tables.connection, tables.endpoint_use

COLUMNS = (
    _vpn_gateway.c.seq,
    _vpn_gateway.c.spec,
    _vpn_gateway.c.generation,
    _vpn_gateway.c.deleting,
    _gateway_count.c.connections,
    _gateway_count.c.next_if_id,
    _gateway_observation.c.applied_generation,
    _gateway_observation.c.failure,
    _gateway_observation.c.seen_at,
    _vpn_gateway.c.restarts,
    _gateway_observation.c.report,
)
FROM = _vpn_gateway.join(_gateway_count, _gateway_count.c.gateway_seq == _vpn_gateway.c.seq).outerjoin(
    _gateway_observation, _gateway_observation.c.gateway_seq == _vpn_gateway.c.seq
)
_ROW = select(*COLUMNS).select_from(FROM)
_FIND = Statement(
    _ROW.where(_vpn_gateway.c.id == bindparam("id"), _vpn_gateway.c.project_id == bindparam("project_id"))
)
_FIND_ANY = Statement(_ROW.where(_vpn_gateway.c.id == bindparam("id")))
_LIST = Statement(_ROW.where(_vpn_gateway.c.project_id == bindparam("project_id")).order_by(_vpn_gateway.c.seq))
_LIST_WITH_TIMES = Statement(
    select(*COLUMNS, _vpn_gateway.c.changed_at, _gateway_observation.c.since)
    .select_from(FROM)
    .where(_vpn_gateway.c.project_id == bindparam("project_id"))
    .order_by(_vpn_gateway.c.seq)
)
_IDS = Statement(select(_vpn_gateway.c.id))
_LIVING = Statement(
    select(_vpn_gateway.c.spec).where(_vpn_gateway.c.deleting == literal_column("0")).order_by(_vpn_gateway.c.seq)
)
_IN_FAULT = Statement(
    select(func.count())
    .select_from(_vpn_gateway.join(_gateway_observation, _gateway_observation.c.gateway_seq == _vpn_gateway.c.seq))
    .where(_gateway_observation.c.failure.is_not(None), _vpn_gateway.c.deleting == literal_column("0"))
)
_GROUPS = Statement(
    select(func.count(distinct(_connection.c.customer_gateway_seq))).where(
        _connection.c.gateway_seq == bindparam("seq")
    )
)
_INSERT = Statement(
    insert(_vpn_gateway).values(
        {name: bindparam(name) for name in ("id", "project_id", "generation", "deleting", "spec_version", "spec")}
    )
)
_START_COUNT = Statement(
    insert(_gateway_count).from_select(
        ["gateway_seq", "connections", "next_if_id"],
        select(_vpn_gateway.c.seq, literal(0), literal(1)).where(_vpn_gateway.c.id == bindparam("id")),
    )
)
_TOTAL = Statement(
    select(func.coalesce(func.sum(_gateway_count.c.connections), 0))
    .select_from(_gateway_count.join(_vpn_gateway, _vpn_gateway.c.seq == _gateway_count.c.gateway_seq))
    .where(_vpn_gateway.c.project_id == bindparam("project_id"))
)
_OF_ENTERPRISES = Statement(
    select(_vpn_gateway.c.seq, _gateway_count.c.connections)
    .select_from(_vpn_gateway.join(_gateway_count, _gateway_count.c.gateway_seq == _vpn_gateway.c.seq))
    .where(
        _vpn_gateway.c.project_id == bindparam("project_id"),
        expressions.IsAmong(expressions.JsonValue(_vpn_gateway.c.spec, "enterprise_project_id"), "enterprises"),
    )
)
_OWNER = Statement(select(_endpoint_use.c.gateway_id).where(_endpoint_use.c.endpoint == bindparam("endpoint")))
_TAKEN_ROWS = select(_endpoint_use.c.endpoint, _endpoint_use.c.gateway_id, _vpn_gateway.c.project_id).select_from(
    _endpoint_use.join(_vpn_gateway, _vpn_gateway.c.id == _endpoint_use.c.gateway_id)
)
_TAKEN = Statement(_TAKEN_ROWS.where(expressions.IsAmong(_endpoint_use.c.endpoint, "endpoints")))
_ALL_TAKEN = Statement(_TAKEN_ROWS)
_TAKE = Statement(insert(_endpoint_use).values(endpoint=bindparam("endpoint"), gateway_id=bindparam("gateway_id")))
_GIVE_BACK = Statement(delete(_endpoint_use).where(_endpoint_use.c.endpoint == bindparam("endpoint")))
#: As `_CHANGED_AT` in `connections`.
_CHANGED_AT = case(
    (
        select(_gateway_observation.c.applied_generation)
        .where(_gateway_observation.c.gateway_seq == _vpn_gateway.c.seq)
        .scalar_subquery()
        == _vpn_gateway.c.generation,
        bindparam("at"),
    ),
    else_=func.coalesce(_vpn_gateway.c.changed_at, bindparam("at")),
)
_MARK = Statement(
    update(_vpn_gateway)
    .where(_vpn_gateway.c.id == bindparam("row_id"))
    .values(deleting=1, generation=_vpn_gateway.c.generation + 1, changed_at=bindparam("at"))
)
_CHANGE = Statement(
    update(_vpn_gateway)
    .where(_vpn_gateway.c.id == bindparam("row_id"))
    .values(
        spec=bindparam("content"),
        generation=_vpn_gateway.c.generation + bindparam("bump"),
        changed_at=case((bindparam("bump") == 0, _vpn_gateway.c.changed_at), else_=_CHANGED_AT),
    )
)
_RESTART = Statement(
    update(_vpn_gateway).where(_vpn_gateway.c.id == bindparam("row_id")).values(restarts=bindparam("wanted"))
)
_COUNT_UP = Statement(
    update(_gateway_count)
    .where(_gateway_count.c.gateway_seq == bindparam("seq"))
    .values(connections=_gateway_count.c.connections + 1, next_if_id=_gateway_count.c.next_if_id + 1)
)
_COUNT_DOWN = Statement(
    update(_gateway_count)
    .where(_gateway_count.c.gateway_seq == bindparam("seq"))
    .values(connections=_gateway_count.c.connections - 1)
)
_REMOVE = (
    Statement(delete(_gateway_count).where(_gateway_count.c.gateway_seq == bindparam("seq"))),
    Statement(delete(_gateway_observation).where(_gateway_observation.c.gateway_seq == bindparam("seq"))),
    Statement(delete(tables.stranger_attempt).where(tables.stranger_attempt.c.gateway_seq == bindparam("seq"))),
    Statement(delete(_endpoint_use).where(_endpoint_use.c.gateway_id == bindparam("id"))),
    Statement(delete(tables.gateway_job).where(tables.gateway_job.c.gateway_id == bindparam("id"))),
    Statement(delete(tables.gateway_certificate).where(tables.gateway_certificate.c.gateway_id == bindparam("id"))),
    Statement(delete(tables.tag).where(tables.tag.c.resource_id == bindparam("id"))),
    Statement(delete(_vpn_gateway).where(_vpn_gateway.c.id == bindparam("id"))),
)


class GatewayRow(model.KnownGateway):
    __slots__ = ()

    @property
    def observed(self) -> model.GatewayReport:
        """The engine's last report. It is decoded on access: every create reads this row and needs no report."""
        return model.GatewayReport() if self.report is None else codec.gateway_report.validate_json(self.report)


@functools.lru_cache(maxsize=1024)
def _decode(spec: str) -> model.VpnGateway:
    """Kept decoded: every create reads its gateway, and clients poll the same few."""
    return codec.gateway.validate_json(spec)


def row(columns: Sequence[Any]) -> GatewayRow:
    """Makes a row of the values of `COLUMNS`."""
    seq, spec, generation, deleting, connections, next_if_id, applied, failure, seen_at, restarts, report = columns
    seen_time = None if seen_at is None else codec.moment(seen_at)
    return GatewayRow(
        _decode(spec),
        generation,
        bool(deleting),
        applied,
        failure,
        seen_time,
        seq,
        connections,
        next_if_id,
        restarts,
        report,
    )


def find(tx: Transaction, project_id: str, gateway_id: str) -> GatewayRow | None:
    columns = tx.one(_FIND, id=gateway_id, project_id=project_id)
    return None if columns is None else row(columns)


def find_any(tx: Transaction, gateway_id: str) -> GatewayRow | None:
    """Finds a gateway of any project: for the agent."""
    columns = tx.one(_FIND_ANY, id=gateway_id)
    return None if columns is None else row(columns)


def list_all(tx: Transaction, project_id: str) -> list[GatewayRow]:
    return [row(columns) for columns in tx.all(_LIST, project_id=project_id)]


def list_with_times(tx: Transaction, project_id: str) -> list[tuple[GatewayRow, model.Times]]:
    rows = tx.all(_LIST_WITH_TIMES, project_id=project_id)
    return [(row(columns[:-2]), codec.times(*columns[-2:])) for columns in rows]


def list_active(tx: Transaction) -> Iterator[model.VpnGateway]:
    """The gateways of all projects that are not deleting, oldest first."""
    return (_decode(spec) for (spec,) in tx.all(_LIVING))


def in_fault(tx: Transaction) -> int:
    """Returns how many gateways of all projects are FAULT."""
    count = tx.one(_IN_FAULT)
    return count[0] if count is not None else 0


def ids(tx: Transaction) -> list[str]:
    return [columns[0] for columns in tx.all(_IDS)]


def connection_groups(tx: Transaction, seq: int) -> int:
    """Customer gateways that the gateway has connections to."""
    count = tx.one(_GROUPS, seq=seq)
    return count[0] if count is not None else 0


def of_enterprises(tx: Transaction, project_id: str, enterprises: Iterable[str]) -> dict[int, int]:
    """Seqs of the gateways of these enterprise projects, and how many connections each has."""
    return dict(tx.all(_OF_ENTERPRISES, project_id=project_id, enterprises=expressions.values(enterprises)))


def owner(tx: Transaction, endpoint: str) -> str | None:
    """The gateway that an EIP id, or the address of a private endpoint, belongs to."""
    owner = tx.one(_OWNER, endpoint=endpoint)
    return None if owner is None else owner[0]


def taken(tx: Transaction, project_id: str, endpoints: Iterable[str] | None) -> dict[str, str | None]:
    """The EIP ids, private addresses and VPC links among `endpoints` that are in use (None: all), each with its gateway; None for a gateway
    of another project.
    """
    rows = tx.all(_ALL_TAKEN) if endpoints is None else tx.all(_TAKEN, endpoints=expressions.values(endpoints))
    return {endpoint: user if whose == project_id else None for endpoint, user, whose in rows}


def add(tx: Transaction, gateway: model.VpnGateway, uses: Iterable[str]) -> None:
    """`uses`: the EIP ids, private addresses and VPC links that it takes."""
    tx.run(
        _INSERT,
        id=gateway.id,
        project_id=gateway.project_id,
        generation=1,
        deleting=0,
        spec_version=codec.SPEC_VERSION,
        spec=codec.dump(codec.gateway, gateway),
    )
    tx.run(_START_COUNT, id=gateway.id)
    _take(tx, gateway.id, uses)
    tx.nudge(gateway.id)


def _take(tx: Transaction, gateway_id: str, uses: Iterable[str]) -> None:
    for key in uses:
        tx.run(_TAKE, endpoint=key, gateway_id=gateway_id)


def change(tx: Transaction, gateway: model.VpnGateway, *, bumps_generation: bool) -> None:
    """Overwrites a gateway. `bumps_generation`: the engine has something to do; the generation counts up and the agent is nudged."""
    at = codec.milliseconds(gateway.updated_at)
    tx.run(_CHANGE, row_id=gateway.id, content=codec.dump(codec.gateway, gateway), bump=int(bumps_generation), at=at)
    if bumps_generation:
        tx.nudge(gateway.id)


def replace_endpoints(tx: Transaction, gateway_id: str, left: Iterable[str], taken: Iterable[str]) -> None:
    """Frees the endpoints `left`, and takes those in `taken` for the gateway."""
    for key in left:
        tx.run(_GIVE_BACK, endpoint=key)
    _take(tx, gateway_id, taken)


def mark_deleting(tx: Transaction, gateway_id: str, now: datetime) -> None:
    tx.run(_MARK, row_id=gateway_id, at=codec.milliseconds(now))
    tx.nudge(gateway_id)


def restart(tx: Transaction, gateway_id: str, restarts: int) -> None:
    """Requests a restart of the gateway's daemon, unless it was started at this count or a later one."""
    tx.run(_RESTART, row_id=gateway_id, wanted=restarts)
    tx.nudge(gateway_id)


def count_up(tx: Transaction, seq: int) -> None:
    """Counts one connection more and moves to the next if_id: an if_id is never used again."""
    tx.run(_COUNT_UP, seq=seq)


def count_down(tx: Transaction, seq: int) -> None:
    tx.run(_COUNT_DOWN, seq=seq)


def total_connections(tx: Transaction, project_id: str) -> int:
    """The connections of the project: a sum over its gateways, because a count of rows is slow."""
    count = tx.one(_TOTAL, project_id=project_id)
    return count[0] if count is not None else 0


def remove(tx: Transaction, row: GatewayRow) -> None:
    """Deletes the gateway's row and all that belongs to it. Its endpoints are free again."""
    pauses.remove(tx, row.gateway.id)
    for statement in _REMOVE:
        tx.run(statement, seq=row.seq, id=row.gateway.id)
