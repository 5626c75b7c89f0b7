"""Rows of connections."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, func, insert, or_, select, update

from landbridge import errors, model
from landbridge.store import codec, customer_gateways, expressions, gateways, samples, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_connection, _connection_observation, _customer_gateway = (
    tables.connection,
    tables.connection_observation,
    tables.customer_gateway,
)
_gateway_observation = tables.gateway_observation
#: How many /30s a neighbour query can ask about.
BLOCKS_ASKED = 3
#: Connections that are kept decoded: clients poll the same ones again and again, and so does the agent.
REMEMBERED = 8192
#: Characters of a report that is kept decoded. One with a thousand learned routes has 100,000.
LONGEST_REMEMBERED = 16_384

_WHOLE = (
    _connection.c.seq,
    _connection.c.spec,
    _connection.c.generation,
    _connection.c.deleting,
    _connection_observation.c.applied_generation,
    _connection_observation.c.report,
)
#: Reports without their routes, of which a status needs none.
_COLUMNS = (*_WHOLE[:-1], expressions.JsonWithout(_connection_observation.c.report, ("routes",), ("bgp", "routes")))
OBSERVED = _connection.outerjoin(_connection_observation, _connection_observation.c.connection_seq == _connection.c.seq)
_LOOKED_AT = OBSERVED.outerjoin(_gateway_observation, _gateway_observation.c.gateway_seq == _connection.c.gateway_seq)
#: In the order of `model.StatusFacts`.
FACTS = (
    _connection.c.generation,
    _connection.c.deleting,
    _connection_observation.c.applied_generation,
    _connection_observation.c.state,
)
OF_ID = and_(_connection.c.id == bindparam("id"), _connection.c.project_id == bindparam("project_id"))
_FIND = Statement(select(*_WHOLE, _gateway_observation.c.seen_at).select_from(_LOOKED_AT).where(OF_ID))
_WITH_TIMES = Statement(
    select(
        *_COLUMNS,
        _gateway_observation.c.seen_at,
        _gateway_observation.c.failure,
        _connection.c.changed_at,
        _connection_observation.c.since,
    )
    .select_from(_LOOKED_AT)
    .where(expressions.IsAmong(_connection.c.seq, "seqs"))
    .order_by(_connection.c.seq)
)
_OBSERVED_OF_GATEWAY = Statement(
    select(_connection.c.spec, _connection_observation.c.report)
    .select_from(
        _connection.join(_connection_observation, _connection_observation.c.connection_seq == _connection.c.seq)
    )
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"), _connection_observation.c.report.is_not(None))
    .order_by(_connection.c.seq)
)
_SESSIONS = Statement(
    select(
        _connection_observation.c.connection_seq,
        expressions.JsonWithout(expressions.JsonValue(_connection_observation.c.report, "bgp"), ("routes",)),
    ).where(expressions.IsAmong(_connection_observation.c.connection_seq, "seqs"))
)
_ENDS = Statement(
    select(_customer_gateway.c.seq, _customer_gateway.c.spec, *gateways.COLUMNS)
    .select_from(
        gateways.FROM.outerjoin(
            _customer_gateway,
            and_(
                _customer_gateway.c.id == bindparam("customer_gateway_id"),
                _customer_gateway.c.project_id == bindparam("project_id"),
            ),
        )
    )
    .where(
        tables.vpn_gateway.c.id == bindparam("gateway_id"), tables.vpn_gateway.c.project_id == bindparam("project_id")
    )
)
_PEER = (
    select(_customer_gateway.c.seq).where(_customer_gateway.c.id == bindparam("customer_gateway_id")).scalar_subquery()
)
_NEIGHBOURS = Statement(
    select(
        _connection.c.id,
        _connection.c.endpoint,
        _customer_gateway.c.id,
        _connection.c.identity,
        _connection.c.tunnel_block,
        _connection.c.deleting,
    )
    .select_from(_connection.join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq))
    .where(
        or_(
            *(
                and_(_connection.c.gateway_seq == bindparam("gateway_seq"), clash)
                for clash in (
                    _connection.c.customer_gateway_seq == bindparam("customer_gateway_seq"),
                    _connection.c.identity == bindparam("identity"),
                    # each block alone: for a list SQLite builds a table at every run
                    *(_connection.c.tunnel_block == bindparam(f"block_{n}") for n in range(BLOCKS_ASKED)),
                )
            )
        )
    )
)
#: An identity begins with the peer's address and a line end: one range of the index has all of an address.
_OF_PEER_ADDRESS = Statement(
    select(_connection.c.spec, _connection.c.psk).where(
        _connection.c.gateway_seq == bindparam("gateway_seq"),
        _connection.c.identity >= bindparam("first"),
        _connection.c.identity < bindparam("end"),
        _connection.c.endpoint == bindparam("endpoint"),
        _connection.c.deleting == 0,
    )
)
_INSERT = Statement(
    insert(_connection).values(
        {
            name: bindparam(name)
            for name in (
                "id",
                "project_id",
                "gateway_seq",
                "customer_gateway_seq",
                "endpoint",
                "identity",
                "tunnel_block",
                "if_id",
                "generation",
                "deleting",
                "psk",
                "spec_version",
                "spec",
            )
        }
    )
)
_PSK = Statement(select(_connection.c.psk).where(_connection.c.id == bindparam("id")))
#: The time of the oldest change that is not applied. A later change keeps this time until all changes are applied.
_CHANGED_AT = case(
    (
        select(_connection_observation.c.applied_generation)
        .where(_connection_observation.c.connection_seq == _connection.c.seq)
        .scalar_subquery()
        == _connection.c.generation,
        bindparam("at"),
    ),
    else_=func.coalesce(_connection.c.changed_at, bindparam("at")),
)
_UPDATE = Statement(
    update(_connection)
    .where(_connection.c.id == bindparam("row_id"))
    .values(
        customer_gateway_seq=_PEER,
        identity=bindparam("on_the_wire"),
        tunnel_block=bindparam("block"),
        psk=bindparam("sealed"),
        spec=bindparam("content"),
        generation=_connection.c.generation + bindparam("bump"),
        changed_at=case((bindparam("bump") == 0, _connection.c.changed_at), else_=_CHANGED_AT),
    )
)
_DEPENDANT = Statement(
    select(_connection.c.id, expressions.JsonValue(_connection.c.spec, "name"))
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"))
    .order_by(_connection.c.seq)
    .limit(1)
)
_MARK = Statement(
    update(_connection)
    .where(_connection.c.id == bindparam("row_id"))
    .values(deleting=1, generation=_connection.c.generation + 1, changed_at=bindparam("at"))
)
_SIMULATE = Statement(
    update(_connection).where(_connection.c.id == bindparam("row_id")).values(simulate=bindparam("shown"))
)
_RESET = Statement(
    update(_connection)
    .where(_connection.c.id == bindparam("row_id"))
    .values(resets=_connection.c.resets + 1, generation=_connection.c.generation + 1, changed_at=_CHANGED_AT)
)
_DESIRED = Statement(
    select(
        _connection.c.spec,
        _connection.c.generation,
        _connection.c.psk,
        _connection.c.if_id,
        _connection.c.simulate,
        _connection.c.resets,
        _customer_gateway.c.spec,
    )
    .select_from(_connection.join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq))
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"), _connection.c.deleting == 0)
    .order_by(_connection.c.seq)
)
_FACTS_OF_GATEWAY = Statement(
    select(_connection.c.id, _connection.c.seq, *FACTS)
    .select_from(OBSERVED)
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"))
)


_DELETING = Statement(
    select(_connection.c.spec, *FACTS)
    .select_from(OBSERVED)
    .where(_connection.c.gateway_seq == bindparam("gateway_seq"), _connection.c.deleting == 1)
)
_GET = Statement(select(_connection.c.spec).where(_connection.c.id == bindparam("id")))
_SEQ_OF_GONE = select(_connection.c.seq).where(_connection.c.id == bindparam("id")).scalar_subquery()
_REMOVE = (
    *(
        Statement(delete(table).where(table.c.connection_seq == _SEQ_OF_GONE))
        for table in (
            _connection_observation,
            tables.connection_attempt,
            tables.connection_state,
            tables.bgp_change,
            tables.connection_probe,
        )
    ),
    Statement(delete(tables.tag).where(tables.tag.c.resource_id == bindparam("id"))),
    Statement(delete(_connection).where(_connection.c.id == bindparam("id"))),
)


ConnectionRow = model.KnownConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRow:
    """A connection as the agent needs it; `psk` is sealed."""

    connection: model.Connection
    generation: int
    psk: bytes | None
    if_id: int
    simulate: str | None
    resets: int
    customer_gateway: model.CustomerGateway


@functools.lru_cache(maxsize=REMEMBERED)
def decode(spec: str) -> model.Connection:
    return codec.connection.validate_json(spec)


@functools.lru_cache(maxsize=REMEMBERED)
def _decode_report(report: str) -> model.ConnectionObservation:
    return codec.observation.validate_json(report)


def _observation(report: str) -> model.ConnectionObservation:
    return (_decode_report if len(report) <= LONGEST_REMEMBERED else codec.observation.validate_json)(report)


def _observed_row(row: Any) -> ConnectionRow:
    """The last column is when its gateway was observed."""
    seq, spec, generation, deleting, applied, report, seen_at = row
    return ConnectionRow(
        decode(spec),
        generation,
        bool(deleting),
        applied,
        None if report is None else _observation(report),
        None if seen_at is None else codec.moment(seen_at),
        seq,
    )


def find(tx: Transaction, project_id: str, connection_id: str) -> ConnectionRow | None:
    row = tx.one(_FIND, id=connection_id, project_id=project_id)
    return None if row is None else _observed_row(row)


def sessions(tx: Transaction, seqs: Iterable[int]) -> dict[int, model.BgpSession]:
    """The observed BGP sessions of the connections with these seqs, without their routes."""
    rows = tx.all(_SESSIONS, seqs=expressions.values(seqs))
    return {seq: codec.bgp_session.validate_json(session) for seq, session in rows if session is not None}


def with_times(tx: Transaction, seqs: Iterable[int]) -> list[tuple[ConnectionRow, model.Times, str | None]]:
    """The connections with these seqs in the order of their creation, observations without routes; with each its times, and why its
    gateway is FAULT (None: it is not).
    """
    rows = tx.all(_WITH_TIMES, seqs=expressions.values(seqs))
    return [(_observed_row(row[:-3]), codec.times(*row[-2:]), row[-3]) for row in rows]


def observed_of_gateway(
    tx: Transaction, gateway_seq: int
) -> list[tuple[model.Connection, model.ConnectionObservation]]:
    """The connections that were observed, with all their routes."""
    rows = tx.all(_OBSERVED_OF_GATEWAY, gateway_seq=gateway_seq)
    return [(decode(spec), _observation(report)) for spec, report in rows]


def ends(
    tx: Transaction, project_id: str, gateway_id: str, customer_gateway_id: str
) -> tuple[gateways.GatewayRow | None, model.CustomerGateway | None, int | None]:
    """The gateway, the customer gateway and its seq that a request names. What the project does not have is None.

    One statement reads them where the gateway exists. Without the gateway there is no seq.
    """
    ends = tx.one(_ENDS, project_id=project_id, gateway_id=gateway_id, customer_gateway_id=customer_gateway_id)
    if ends is None:
        return None, customer_gateways.find(tx, project_id, customer_gateway_id), None
    peer = None if ends[1] is None else codec.customer_gateway.validate_json(ends[1])
    return gateways.row(ends[2:]), peer, ends[0]


def neighbours(
    tx: Transaction, gateway_seq: int, customer_gateway_seq: int | None, identity: str, blocks: tuple[int, ...]
) -> tuple[model.Neighbour, ...]:
    """Connections of the gateway that share the customer gateway, the identity on the wire, or one of up to 3 /30s."""
    parameters = {f"block_{n}": blocks[n] if n < len(blocks) else None for n in range(BLOCKS_ASKED)}
    rows = tx.all(
        _NEIGHBOURS, gateway_seq=gateway_seq, customer_gateway_seq=customer_gateway_seq, identity=identity, **parameters
    )
    return tuple(
        model.Neighbour(
            id=row[0],
            endpoint=row[1],
            customer_gateway_id=row[2],
            identity=row[3],
            tunnel_block=row[4],
            deleting=bool(row[5]),
        )
        for row in rows
    )


def of_peer_address(
    tx: Transaction, gateway_seq: int, endpoint: int, address: str
) -> list[tuple[model.Connection, bytes | None]]:
    """Connections from an endpoint to devices of this address ("any": to those without a fixed one), with their sealed PSKs."""
    rows = tx.all(
        _OF_PEER_ADDRESS, gateway_seq=gateway_seq, endpoint=endpoint, first=f"{address}\n", end=f"{address}\v"
    )
    return [(decode(spec), psk) for spec, psk in rows]


def add(
    tx: Transaction,
    connection: model.Connection,
    *,
    gateway_seq: int,
    customer_gateway_seq: int,
    identity: str,
    tunnel_block: int | None,
    if_id: int,
    psk: bytes | None,
) -> None:
    """The caller has found none of the `neighbours` in the way: a unique key that refuses the row is a bug."""
    tx.run(
        _INSERT,
        id=connection.id,
        project_id=connection.project_id,
        gateway_seq=gateway_seq,
        customer_gateway_seq=customer_gateway_seq,
        endpoint=connection.endpoint,
        identity=identity,
        tunnel_block=tunnel_block,
        if_id=if_id,
        generation=1,
        deleting=0,
        psk=psk,
        spec_version=codec.SPEC_VERSION,
        spec=codec.dump(codec.connection, connection),
    )
    tx.nudge(connection.gateway_id)


def psk(tx: Transaction, connection_id: str) -> bytes | None:
    """Returns it as it is stored, sealed."""
    row = tx.one(_PSK, id=connection_id)
    return None if row is None else row[0]


def change(
    tx: Transaction,
    connection: model.Connection,
    *,
    identity: str,
    tunnel_block: int | None,
    psk: bytes | None,
    bumps_generation: bool,
) -> None:
    """Overwrites a connection. `bumps_generation`: the engine has something to do; the generation counts up and the agent is nudged."""
    tx.run(
        _UPDATE,
        row_id=connection.id,
        customer_gateway_id=connection.customer_gateway_id,
        on_the_wire=identity,
        block=tunnel_block,
        sealed=psk,
        content=codec.dump(codec.connection, connection),
        bump=int(bumps_generation),
        at=codec.milliseconds(connection.updated_at),
    )
    if bumps_generation:
        tx.nudge(connection.gateway_id)


def dependant(tx: Transaction, gateway_seq: int) -> tuple[str, str] | None:
    """The id and the name of the gateway's oldest connection."""
    row = tx.one(_DEPENDANT, gateway_seq=gateway_seq)
    return None if row is None else (row[0], row[1])


def mark_deleting(tx: Transaction, connection: model.Connection, now: datetime) -> None:
    tx.run(_MARK, row_id=connection.id, at=codec.milliseconds(now))
    tx.nudge(connection.gateway_id)


def simulate(tx: Transaction, connection: model.Connection, shown: str | None) -> None:
    tx.run(_SIMULATE, row_id=connection.id, shown=shown)
    tx.nudge(connection.gateway_id)


def reset(tx: Transaction, connection: model.Connection, now: datetime) -> None:
    tx.run(_RESET, row_id=connection.id, at=codec.milliseconds(now))
    tx.nudge(connection.gateway_id)


def desired(tx: Transaction, gateway_seq: int) -> list[DesiredRow]:
    """The connections that the gateway ought to carry, oldest first."""
    return [
        DesiredRow(
            connection=decode(spec),
            generation=generation,
            psk=psk,
            if_id=if_id,
            simulate=shown,
            resets=resets,
            customer_gateway=codec.customer_gateway.validate_json(peer),
        )
        for spec, generation, psk, if_id, shown, resets, peer in tx.all(_DESIRED, gateway_seq=gateway_seq)
    ]


def facts(tx: Transaction, gateway_seq: int) -> dict[str, tuple[int, model.StatusFacts]]:
    """The seqs of the gateway's connections and what decides their statuses, by their ids."""
    return {row[0]: (row[1], status_facts(row[2:])) for row in tx.all(_FACTS_OF_GATEWAY, gateway_seq=gateway_seq)}


def status_facts(columns: Sequence[Any]) -> model.StatusFacts:
    generation, is_deleting, applied, state = columns
    return model.StatusFacts(generation, bool(is_deleting), applied, state)


def get(tx: Transaction, connection_id: str) -> model.Connection:
    """A connection of any project that exists."""
    row = tx.one(_GET, id=connection_id)
    if row is None:
        raise errors.NotFound(f"connection {connection_id}")
    return decode(row[0])


def deleting(tx: Transaction, gateway_seq: int) -> list[tuple[model.Connection, model.StatusFacts]]:
    """The gateway's connections that are deleting."""
    return [(decode(row[0]), status_facts(row[1:])) for row in tx.all(_DELETING, gateway_seq=gateway_seq)]


def remove(tx: Transaction, connection_id: str) -> None:
    samples.forget(tx, connection_id)
    for statement in _REMOVE:
        tx.run(statement, id=connection_id)
