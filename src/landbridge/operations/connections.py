"""Connections: create, show, list, delete; the diagnosis, and the wish that the simulated engine reads."""

from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations import gateways as gateway_operations
from landbridge.operations import idempotency
from landbridge.operations.call import Call
from landbridge.rules import connection as rules
from landbridge.rules import fields, tunnel
from landbridge.status import connection as status
from landbridge.store import codec, connections, customer_gateways, gateways, records
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A connection with what is said of it. `status` is None in the answer to a create."""

    connection: model.Connection
    status: model.ConnectionStatus | None

    @property
    def cautions(self) -> tuple[model.Caution, ...]:
        return rules.warnings(self.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    connections: list[Shown]
    next_marker: int | None
    total: int


@calls.operation("admin", "write")
def create(tx: Transaction, call: Call, ask: model.AskConnection) -> Shown:
    made = idempotency.once(tx, call, "create_vpn_connection", codec.connection, lambda: _create(tx, call, ask))
    return Shown(connection=made, status=None)


def _create(tx: Transaction, call: Call, ask: model.AskConnection) -> model.Connection:
    draws = calls.draws(call.now)
    row = _find_gateway(tx, call, ask)
    facts = _facts(tx, call, ask, row, draws)
    violations = fields.merge(call.shape, rules.check(ask, facts, draws))
    if violations or row is None:
        raise errors.Invalid(violations)
    connection = rules.complete(ask, facts, draws, row.gateway)
    connections.add(
        tx,
        connection,
        identity=rules.identity(ask, facts),
        tunnel_block=tunnel.block_of(connection.tunnel_local_address) if connection.tunnel_local_address else None,
        if_id=row.next_if_id,
        psk=_sealed_psk(call, ask, connection),
    )
    gateways.count_up(tx, row.gateway.id)
    records.tag(tx, call.project_id, "vpn-connection", connection.id, connection.tags)
    records.count(tx, call.project_id, "vpn_connection", 1)
    calls.audit(tx, call, "create_vpn_connection", connection.id)
    return connection


def _find_gateway(tx: Transaction, call: Call, ask: model.AskConnection) -> gateways.Row | None:
    gateway_id = fields.lower_id(ask.gateway_id)
    return gateways.find(tx, call.project_id, gateway_id) if gateway_id is not None else None


def _facts(
    tx: Transaction, call: Call, ask: model.AskConnection, row: gateways.Row | None, draws: fields.Draws
) -> rules.Facts:
    """What the rules need to know, by three indexed queries (the gateway's is already done)."""
    peer_id = fields.lower_id(ask.customer_gateway_id)
    peer = customer_gateways.find(tx, call.project_id, peer_id) if peer_id is not None else None
    if row is None:
        return rules.Facts(gateway=None, customer_gateway=peer)
    gateway = rules.GatewayFacts(
        gateway=row.gateway, status=gateway_operations.status_of(row).word, connections=row.connections
    )
    alone = rules.Facts(gateway=gateway, customer_gateway=peer)
    found = connections.neighbours(
        tx, row.gateway.id, peer.id if peer else "", rules.identity(ask, alone), rules.tunnel_blocks(ask, draws)
    )
    neighbours = tuple(
        rules.Neighbour(
            id=n.id,
            endpoint=n.endpoint,
            customer_gateway_id=n.customer_gateway_id,
            identity=n.identity,
            tunnel_block=n.tunnel_block,
            deleting=n.deleting,
        )
        for n in found
    )
    return rules.Facts(gateway=gateway, customer_gateway=peer, neighbours=neighbours)


def _sealed_psk(call: Call, ask: model.AskConnection, connection: model.Connection) -> bytes | None:
    """A GM connection authenticates by certificates: a PSK that came along is thrown away."""
    if ask.psk is None or connection.ike_policy.authentication_method != "pre-share":
        return None
    return call.service.vault.seal(ask.psk.reveal().encode(), connection.id)


def _find(tx: Transaction, call: Call, connection_id: str) -> connections.Row:
    row = connections.find(tx, call.project_id, connection_id.lower())
    if row is None:
        raise errors.NotFound(f"VPN connection {connection_id}")
    return row


def _shown(call: Call, row: connections.Row) -> Shown:
    known = status.Known(
        connection=row.connection,
        generation=row.generation,
        deleting=row.deleting,
        applied=row.applied,
        observation=row.observation,
        seen_at=row.seen_at,
    )
    return Shown(connection=row.connection, status=status.of(known, call.now, call.service.unseen_after))


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, connection_id: str) -> Shown:
    return _shown(call, _find(tx, call, connection_id))


@calls.operation("reader", "long read")
def list_page(tx: Transaction, call: Call, ask: tuple[int, int, str | None]) -> Page:
    """`ask`: how many, after which number, and of which gateway (None: of all)."""
    limit, after, gateway_id = ask
    rows = connections.page(tx, call.project_id, after, limit + 1, gateway_id)
    if gateway_id is None:
        total = records.counted(tx, call.project_id, "vpn_connection")
    else:
        gateway = gateways.find(tx, call.project_id, gateway_id)
        total = gateway.connections if gateway is not None else 0
    return Page(
        connections=[_shown(call, row) for row in rows[:limit]],
        next_marker=rows[limit - 1].seq if len(rows) > limit else None,
        total=total,
    )


@calls.operation("admin", "write")
def remove(tx: Transaction, call: Call, connection_id: str) -> None:
    row = _find(tx, call, connection_id)
    if not row.deleting:
        connections.mark_deleting(tx, row.connection)
        calls.audit(tx, call, "delete_vpn_connection", row.connection.id)


@calls.operation("admin", "write")
def simulate(tx: Transaction, call: Call, ask: tuple[str, str | None]) -> None:
    """`ask`: the connection, and the state that the simulated engine is to show (None: an ordinary tunnel)."""
    connection_id, wish = ask
    row = _find(tx, call, connection_id)
    connections.simulate(tx, row.connection, wish)
    calls.audit(tx, call, "simulate", row.connection.id)
