"""Reads the tunnels of a project for a picture of all of them: rows that cost little."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import bindparam, case, func, literal_column, select

from landbridge import model
from landbridge.store import carriers, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_c, _o, _cgw, _state = (
    tables.connection,
    tables.connection_observation,
    tables.customer_gateway,
    tables.connection_state,
)
_newest = _state.alias("newest")
_LAST = select(func.max(_newest.c.seq)).where(_newest.c.connection_seq == _c.c.seq).scalar_subquery()
_STYLE = expressions.JsonValue(_c.c.spec, "style")
_TUNNELS = Statement(
    select(
        _c.c.seq,
        _c.c.id,
        expressions.JsonValue(_c.c.spec, "name"),
        _c.c.gateway_seq,
        _c.c.endpoint,
        _c.c.customer_gateway_seq,
        _c.c.generation,
        _c.c.deleting,
        _o.c.applied_generation,
        _o.c.state,
        func.coalesce(_o.c.since, _c.c.changed_at),
        _state.c.status,
        _state.c.cause,
        _STYLE,
        *(expressions.JsonValue(_c.c.spec, name) for name in ("peer_subnets", "policy_rules")),
        case((literal_column("'bgp'") == _STYLE, expressions.JsonValue(_o.c.report, "bgp", "routes"))),
    )
    .select_from(_c.outerjoin(_o, _o.c.connection_seq == _c.c.seq).outerjoin(_state, _state.c.seq == _LAST))
    .where(_c.c.project_id == bindparam("project_id"))
    .order_by(_c.c.seq)
)
_PEERS = Statement(
    select(
        _cgw.c.seq, expressions.JsonValue(_cgw.c.spec, "name"), expressions.JsonValue(_cgw.c.spec, "id_value")
    ).where(_cgw.c.project_id == bindparam("project_id"))
)


class TunnelRow(NamedTuple):
    """`since`: milliseconds; since when the state is, or when the change was asked for that is not applied. `noted`, `cause`: the status and the
    cause of the last change of either. `style`, `subnets`, `learned`: as in `model.Carrier`.
    """

    seq: int
    id: str
    name: str
    gateway_seq: int
    endpoint: int
    customer_gateway_seq: int
    facts: model.StatusFacts
    since: int | None
    noted: str | None
    cause: str | None
    style: str
    subnets: tuple[str, ...]
    learned: tuple[str, ...] | None

    @property
    def up(self) -> bool:
        """As in `model.Carrier`. The state of an engine says already what echoes through the tunnel said."""
        return self.facts.state == "up" and self.learned != ()


def tunnels(tx: Transaction, project_id: str) -> Iterator[TunnelRow]:
    """All connections of the project, oldest first."""
    for row in tx.each(_TUNNELS, project_id=project_id):
        seq, connection_id, name, gateway_seq, endpoint, peer_seq, generation, deleting, applied, state = row[:10]
        facts = model.StatusFacts(generation, bool(deleting), applied, state)
        since, noted, cause, style, subnets, rules, routes = row[10:]
        yield TunnelRow(
            seq,
            connection_id,
            name,
            gateway_seq,
            endpoint,
            peer_seq,
            facts,
            since,
            noted,
            cause,
            style,
            carriers.subnets_of(style, subnets, rules),
            carriers.learned_of(style, state, routes),
        )


def customer_gateways(tx: Transaction, project_id: str) -> dict[int, tuple[str, str]]:
    """Seq -> name, and address or identity."""
    return {seq: (name, value) for seq, name, value in tx.all(_PEERS, project_id=project_id)}
