"""Connections: create, show, reset, delete, and their diagnosis; the state that the simulated engine shows. `connection_updates` changes them."""

import dataclasses
from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import idempotency, ids, quotas, related, versions
from landbridge.operations import monitors as monitor_operations
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import connection as rules
from landbridge.rules import fields, tunnel
from landbridge.status import connection as status
from landbridge.status import gateway as gateway_status
from landbridge.store import (
    attempts,
    codec,
    connection_pages,
    connections,
    customer_gateways,
    gateways,
    monitors,
    pauses,
    tags,
)
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownConnection:
    """A connection, and its status in the API's word. `bgp_peer`: of its BGP session; None without one."""

    connection: model.Connection
    status: str
    generation: int
    bgp_peer: model.BgpPeer | None = None

    @property
    def etag(self) -> str:
        return _etag(self.connection, self.generation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedConnection:
    """A connection that was created or updated. `abilities`: what the engine carries, for the warnings."""

    connection: model.Connection
    generation: int = 1
    abilities: model.Abilities = dataclasses.field(default_factory=model.Abilities)

    @property
    def warnings(self) -> tuple[model.Warning, ...]:
        """Warnings for the caller. They are computed for the answer, after the transaction."""
        return rules.warnings(self.connection, self.abilities)

    @property
    def etag(self) -> str:
        return _etag(self.connection, self.generation)


def _etag(connection: model.Connection, generation: int) -> str:
    return versions.etag(generation, codec.dump(codec.connection, connection))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDiagnosis:
    """A connection with its whole status and the warnings about it. `asn`, `peer_asn`: those of its two ends."""

    connection: model.Connection
    status: model.ConnectionStatus
    warnings: tuple[model.Warning, ...]
    asn: int | None = None
    peer_asn: int | None = None


@operation("create_vpn_connection", "admin", "write")
def create(tx: Transaction, call: Call, request: model.ConnectionRequest) -> ChangedConnection:
    made = idempotency.once(tx, call, create.name, codec.connection, lambda: _create(tx, call, request))
    return changed(call, made)


def changed(call: Call, made: model.Connection, generation: int = 1) -> ChangedConnection:
    return ChangedConnection(connection=made, generation=generation, abilities=call.service.abilities)


@operation("batch_create_vpn_connection", "admin", "write")
def create_batch(tx: Transaction, call: Call, request: model.ConnectionBatchRequest) -> list[ChangedConnection]:
    """Creates all connections of the batch, or none. The rules check each connection beside those before it."""
    made = idempotency.once(tx, call, create_batch.name, codec.connections, lambda: _create_all(tx, call, request))
    return [changed(call, connection) for connection in made]


def _create_all(tx: Transaction, call: Call, request: model.ConnectionBatchRequest) -> list[model.Connection]:
    made: dict[str, model.Connection] = {}
    wrong: list[model.Violation] = []
    for number, item in enumerate(request.items):
        place = f"vpn_connections[{number}]"
        try:
            made[place] = _create(tx, dataclasses.replace(call, violations=item.violations), item.request)
        except errors.Invalid as error:
            wrong += [_at(place, violation, made) for violation in error.violations]
    if wrong:
        raise errors.Invalid(wrong)
    return list(made.values())


def _at(place: str, violation: model.Violation, made: dict[str, model.Connection]) -> model.Violation:
    """The violation for the whole request. It names a connection of the batch by its position in place of its id."""
    wrong = violation.wrong
    for other, connection in made.items():
        wrong = wrong.replace(connection.id, other)
    return dataclasses.replace(violation, field=f"{place}.{violation.field}".rstrip("."), wrong=wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedConnection:
    """A connection that the rules allow, with its two ends, before anything is written."""

    connection: model.Connection
    identity: str
    gateway: gateways.GatewayRow
    customer_gateway: model.CustomerGateway
    customer_gateway_seq: int


def prepare(tx: Transaction, call: Call, request: model.ConnectionRequest) -> PreparedConnection:
    """The connection that a create of this request writes. Raises Invalid with every violation."""
    row, peer, peer_seq = connections.ends(
        tx,
        call.project_id,
        fields.lower_id(request.gateway_id) or "",
        fields.lower_id(request.customer_gateway_id) or "",
    )
    generated = ids.generate(call.now, row.next_if_id if row else 0)
    facts = rules.ConnectionFacts(gateway=_gateway_facts(row), customer_gateway=peer)
    identity = rules.identity(request, facts)
    if row is not None:
        blocks = rules.tunnel_blocks(request, generated)
        near = connections.neighbours(tx, row.seq, peer_seq, identity, blocks)
        by_address = rules.picks_key_by_address(request, facts)
        other_key = find_other_key(tx, call, row, request, facts) if by_address else None
        facts = dataclasses.replace(facts, neighbours=near, other_key=other_key)
    quota = quotas.check(tx, call, "vpn_connection")
    call.refuse([*rules.check(request, facts, generated), *quota])
    if row is None or peer is None or peer_seq is None:
        raise RuntimeError("the rules allow a connection without its ends")
    return PreparedConnection(
        connection=rules.complete(request, facts, generated, row.gateway),
        identity=identity,
        gateway=row,
        customer_gateway=peer,
        customer_gateway_seq=peer_seq,
    )


def _create(tx: Transaction, call: Call, request: model.ConnectionRequest) -> model.Connection:
    prepared = prepare(tx, call, request)
    connection, row = prepared.connection, prepared.gateway
    connections.add(
        tx,
        connection,
        gateway_seq=row.seq,
        customer_gateway_seq=prepared.customer_gateway_seq,
        identity=prepared.identity,
        tunnel_block=block(connection),
        if_id=row.next_if_id,
        psk=sealed_psk(call, request, connection),
    )
    gateways.count_up(tx, row.seq)
    tags.add(tx, call.project_id, "vpn-connection", connection.id, connection.tags)
    if connection.monitor_id is not None:
        monitors.add_row(tx, connection)
    call.audit(tx, create.name, connection.id)
    return connection


def block(connection: model.Connection) -> int | None:
    return tunnel.block_of(connection.tunnel_local_address) if connection.tunnel_local_address else None


def _gateway_facts(row: gateways.GatewayRow | None) -> rules.GatewayFacts | None:
    if row is None:
        return None
    return rules.GatewayFacts(
        gateway=row.gateway,
        status=gateway_status.api_status(row),
        connections=row.connections,
        next_if_id=row.next_if_id,
    )


def find_other_key(
    tx: Transaction,
    call: Call,
    row: gateways.GatewayRow,
    request: model.ConnectionRequest,
    facts: rules.ConnectionFacts,
    own_id: str = "",
) -> str | None:
    """The id of a connection with another PSK, for the same endpoint and peer address, when the engine picks PSKs by those two. PSKs are
    sealed with a nonce each, so they are opened to be compared.
    """
    ours = rules.endpoint(request, row.gateway)
    if ours is None or request.psk is None or facts.customer_gateway is None:
        return None
    address = facts.customer_gateway.address_for(rules.style(request)) or "any"
    for other, sealed in connections.of_peer_address(tx, row.seq, ours.number, address):
        if other.id == own_id or sealed is None or not rules.did_pick_by_address(other):
            continue
        if model.Secret(call.service.vault.open(sealed, other.id).decode()) != request.psk:
            return other.id
    return None


def sealed_psk(call: Call, request: model.ConnectionRequest, connection: model.Connection) -> bytes | None:
    """None for a GM connection, which authenticates by certificates: its PSK is not stored."""
    if request.psk is None or connection.ike_policy.authentication_method != "pre-share":
        return None
    return call.service.vault.seal(request.psk.reveal().encode(), connection.id)


def find(tx: Transaction, call: Call, connection_id: str) -> connections.ConnectionRow:
    row = connections.find(tx, call.project_id, connection_id.lower())
    if row is None:
        raise _not_found(connection_id)
    return row


def _not_found(connection_id: str) -> errors.NotFound:
    return errors.NotFound(f"VPN connection {connection_id[:64]}")


def shown(tx: Transaction, call: Call, rows: list[connection_pages.ListedRow]) -> list[ShownConnection]:
    bgp = [row.seq for row in rows if row.connection.style == "bgp"]
    sessions = connections.sessions(tx, bgp) if bgp else {}
    return [
        ShownConnection(
            connection=connection,
            status=status.name_from_facts(facts),
            generation=facts.generation,
            bgp_peer=_bgp_peer(tx, call, connection, sessions[seq]) if seq in sessions else None,
        )
        for seq, connection, facts in rows
    ]


def _bgp_peer(tx: Transaction, call: Call, connection: model.Connection, session: model.BgpSession) -> model.BgpPeer:
    peer = customer_gateways.find(tx, connection.project_id, connection.customer_gateway_id)
    return model.BgpPeer(
        address=(connection.tunnel_peer_address or "").split("/")[0],
        asn=peer.bgp_asn if peer else None,
        state=session.state,
        lasts=max(0, int((call.now - session.since).total_seconds())) if session.since else None,
        received=session.received,
    )


@operation("show_vpn_connection", "reader", "read")
def show(tx: Transaction, call: Call, request: model.ConnectionRef) -> ShownConnection:
    row = connection_pages.find_listed(tx, call.project_id, request.connection_id.lower())
    if row is None:
        raise _not_found(request.connection_id)
    return shown(tx, call, [row])[0]


@operation("diagnose_vpn_connection", "reader", "read")
def diagnose(tx: Transaction, call: Call, request: model.ConnectionRef) -> ConnectionDiagnosis:
    (row,) = attempts.add_to(tx, [find(tx, call, request.connection_id)])
    paused_since = pauses.since(tx, row.connection.gateway_id)
    gateway = gateways.find(tx, call.project_id, row.connection.gateway_id)
    failure = gateway.failure if gateway else None
    known = related.load(tx, row, related.load_gateway(tx, call.service.site, gateway) if gateway else None)
    derived = status.derive(row, call.now, call.service.unseen_after, paused_since, failure, known)
    warnings = rules.warnings(row.connection, call.service.abilities)
    return ConnectionDiagnosis(
        connection=row.connection, status=derived, warnings=warnings, asn=known.asn, peer_asn=known.peer_asn
    )


list_sas = dataclasses.replace(diagnose, name="list_connection_ipsec_sa")
show_log = dataclasses.replace(diagnose, name="show_vpn_connection_log")


def changeable(tx: Transaction, call: Call, connection_id: str) -> connections.ConnectionRow:
    """Raises Changed when `If-Match` names another version, Deleting when the connection is being deleted."""
    row = _find_version(tx, call, connection_id)
    if row.deleting:
        raise errors.Deleting(f"VPN connection {row.connection.id}")
    return row


def _find_version(tx: Transaction, call: Call, connection_id: str) -> connections.ConnectionRow:
    """Raises Changed when `If-Match` names another version."""
    row = find(tx, call, connection_id)
    versions.check_match(call.if_match, lambda: _etag(row.connection, row.generation))
    return row


def psk(tx: Transaction, call: Call, connection: model.Connection) -> model.Secret | None:
    """The PSK, opened; None for a connection without a PSK."""
    sealed = connections.psk(tx, connection.id)
    return None if sealed is None else model.Secret(call.service.vault.open(sealed, connection.id).decode())


@operation("reset_vpn_connection", "admin", "write")
def reset(tx: Transaction, call: Call, request: model.ConnectionRef) -> None:
    """Asks the engine to end the connection's SAs and to negotiate them anew. No other connection changes."""
    row = changeable(tx, call, request.connection_id)
    connections.reset(tx, row.connection, call.now)
    call.audit(tx, reset.name, row.connection.id)


@operation("delete_vpn_connection", "admin", "write")
def remove(tx: Transaction, call: Call, request: model.ConnectionRef) -> None:
    """A delete of a connection that is being deleted changes nothing, whatever version it names: it is a retry."""
    if find(tx, call, request.connection_id).deleting:
        return
    row = _find_version(tx, call, request.connection_id)
    monitor_operations.forget(tx, call, row.connection)
    connections.mark_deleting(tx, row.connection, call.now)
    call.audit(tx, remove.name, row.connection.id)


@operation("simulate_vpn_connection", "admin", "write")
def simulate(tx: Transaction, call: Call, request: model.SimulationRequest) -> None:
    row = _find_version(tx, call, request.connection_id)
    if call.service.engine != "simulated":
        wrong = f"this service runs the engine {call.service.engine}, which shows what is"
        raise errors.Invalid([model.Violation("simulate", wrong, "landbridge serve --engine simulated")])
    if request.state == "down:bgp" and row.connection.style != "bgp":
        wrong = f"a connection of style {row.connection.style} has no BGP session"
        raise errors.Invalid([model.Violation("state", wrong, "down:bgp only with style bgp")])
    connections.simulate(tx, row.connection, request.state)
    call.audit(tx, "simulate", row.connection.id)
