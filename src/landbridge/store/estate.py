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
_SELECT = (
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
    .order_by(_c.c.seq)
)
_TUNNELS = Statement(_SELECT.where(_c.c.project_id == bindparam("project_id")))
_OF_GATEWAY = Statement(_SELECT.where(_c.c.gateway_seq == bindparam("gateway_seq")))
_PEER = select(_cgw.c.seq, expressions.JsonValue(_cgw.c.spec, "name"), expressions.JsonValue(_cgw.c.spec, "id_value"))
_PEERS = Statement(_PEER.where(_cgw.c.project_id == bindparam("project_id")))
_PEERS_OF_GATEWAY = Statement(
    _PEER.where(_cgw.c.seq.in_(select(_c.c.customer_gateway_seq).where(_c.c.gateway_seq == bindparam("gateway_seq"))))
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


def tunnels(tx: Transaction, project_id: str, gateway_seq: int | None = None) -> Iterator[TunnelRow]:
    """All connections of the project, or of one of its gateways, oldest first."""
    found = (
        tx.each(_TUNNELS, project_id=project_id)
        if gateway_seq is None
        else tx.each(_OF_GATEWAY, gateway_seq=gateway_seq)
    )
    for row in found:
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


def customer_gateways(tx: Transaction, project_id: str, gateway_seq: int | None = None) -> dict[int, tuple[str, str]]:
    """Seq -> name, and address or identity: of the project, or of the connections of one gateway."""
    found = (
        tx.all(_PEERS, project_id=project_id)
        if gateway_seq is None
        else tx.all(_PEERS_OF_GATEWAY, gateway_seq=gateway_seq)
    )
    return {seq: (name, value) for seq, name, value in found}
