"""Connections: create, show, list, delete; the diagnosis, and the wish that the simulated engine reads."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations import gateways as gateway_operations
from landbridge.operations import idempotency, paging
from landbridge.operations.call import Call
from landbridge.rules import connection as rules
from landbridge.rules import fields, tunnel
from landbridge.status import connection as status
from landbridge.store import codec, connections, gateways, pauses, records
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
    next_marker: str | None
    total: int


@calls.operation("admin", "write")
def create(tx: Transaction, call: Call, ask: model.AskConnection) -> Shown:
    made = idempotency.once(tx, call, "create_vpn_connection", codec.connection, lambda: _create(tx, call, ask))
    return Shown(connection=made, status=None)


def _create(tx: Transaction, call: Call, ask: model.AskConnection) -> model.Connection:
    row, peer = connections.ends(
        tx, call.project_id, fields.lower_id(ask.gateway_id) or "", fields.lower_id(ask.customer_gateway_id) or ""
    )
    draws = calls.draws(call.now, row.next_if_id if row else 0)
    facts = rules.Facts(gateway=_gateway_facts(call, row), customer_gateway=peer)
    made = _attempt(tx, call, ask, facts, draws, row)
    if isinstance(made, list) and row is not None:  # only now are the neighbours read: most creates are in nobody's way
        facts = dataclasses.replace(facts, neighbours=_neighbours(tx, ask, facts, draws))
        made = _attempt(tx, call, ask, facts, draws, row)
    if isinstance(made, list):
        raise errors.Invalid(made) if made else RuntimeError("the table refuses a connection that the rules allow")
    return made


def _attempt(
    tx: Transaction,
    call: Call,
    ask: model.AskConnection,
    facts: rules.Facts,
    draws: fields.Draws,
    row: gateways.Row | None,
) -> model.Connection | list[model.Violation]:
    """The stored connection, or what is wrong with it: nothing where the table alone finds another one in its way."""
    violations = fields.merge(call.shape, rules.check(ask, facts, draws))
    if violations or row is None:
        return violations
    connection = rules.complete(ask, facts, draws, row.gateway)
    stored = connections.add(
        tx,
        connection,
        identity=rules.identity(ask, facts),
        tunnel_block=tunnel.block_of(connection.tunnel_local_address) if connection.tunnel_local_address else None,
        if_id=row.next_if_id,
        psk=_sealed_psk(call, ask, connection),
    )
    if not stored:
        return []
    gateways.count_up(tx, row.seq)
    records.tag(tx, call.project_id, "vpn-connection", connection.id, connection.tags)
    calls.audit(tx, call, "create_vpn_connection", connection.id)
    return connection


def _gateway_facts(call: Call, row: gateways.Row | None) -> rules.GatewayFacts | None:
    if row is None:
        return None
    status = gateway_operations.status_of(call, row).word
    return rules.GatewayFacts(gateway=row.gateway, status=status, connections=row.connections)


def _neighbours(
    tx: Transaction, ask: model.AskConnection, facts: rules.Facts, draws: fields.Draws
) -> tuple[model.Neighbour, ...]:
    """The connections of the gateway that may clash with the one that is asked for."""
    if facts.gateway is None:
        return ()
    peer_id = facts.customer_gateway.id if facts.customer_gateway else ""
    identity, blocks = rules.identity(ask, facts), rules.tunnel_blocks(ask, draws)
    return connections.neighbours(tx, facts.gateway.gateway.id, peer_id, identity, blocks)


def _sealed_psk(call: Call, ask: model.AskConnection, connection: model.Connection) -> bytes | None:
    """A GM connection authenticates by certificates: a PSK that came along is thrown away."""
    if ask.psk is None or connection.ike_policy.authentication_method != "pre-share":
        return None
    return call.service.vault.seal(ask.psk.reveal().encode(), connection.id)


def _find(tx: Transaction, call: Call, connection_id: str) -> connections.Row:
    row = connections.find(tx, call.project_id, connection_id.lower())
    if row is None:
        raise errors.NotFound(f"VPN connection {connection_id[:64]}")
    return row


def _shown(call: Call, row: connections.Row, paused_since: datetime | None = None) -> Shown:
    known = status.Known(
        connection=row.connection,
        generation=row.generation,
        deleting=row.deleting,
        applied=row.applied,
        observation=row.observation,
        seen_at=row.seen_at,
        paused_since=paused_since,
    )
    return Shown(connection=row.connection, status=status.of(known, call.now, call.service.unseen_after))


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, connection_id: str) -> Shown:
    return _shown(call, _find(tx, call, connection_id))


@calls.operation("reader", "read")
def diagnose(tx: Transaction, call: Call, connection_id: str) -> Shown:
    """As `show`, and whether the agent leaves it alone."""
    row = _find(tx, call, connection_id)
    return _shown(call, row, pauses.since(tx, row.connection.gateway_id))


@calls.operation("reader", "long read")
def list_page(tx: Transaction, call: Call, ask: tuple[int, str, str | None]) -> Page:
    """`ask`: how many, the marker of the page before, and of which gateway (None: of all)."""
    limit, after, gateway_id = ask[0], paging.after(call, ask[1]), ask[2]
    if gateway_id is None:
        rows = connections.page(tx, call.project_id, after, limit + 1)
        total = gateways.total_connections(tx, call.project_id)
    else:
        gateway = gateways.find(tx, call.project_id, gateway_id)
        rows = connections.page_of_gateway(tx, gateway_id, after, limit + 1) if gateway is not None else []
        total = gateway.connections if gateway is not None else 0
    return Page(
        connections=[_shown(call, row) for row in rows[:limit]],
        next_marker=paging.marker(call, rows[limit - 1].seq) if len(rows) > limit else None,
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
    if call.service.engine != "simulated":
        wrong = f"this service runs the engine {call.service.engine}, which shows what is"
        raise errors.Invalid([model.Violation("simulate", wrong, "landbridge serve --engine simulated")])
    connections.simulate(tx, row.connection, wish)
    calls.audit(tx, call, "simulate", row.connection.id)
