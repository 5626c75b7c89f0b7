"""Updates of VPN gateways: their fields, their EIPs with all connections on them, and their flavor."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from landbridge import errors, model
from landbridge.model import allowed_values
from landbridge.operations import gateways as gateway_operations
from landbridge.operations.call import Call
from landbridge.operations.gateways import ShownGateway
from landbridge.operations.operation import operation
from landbridge.rules import connection_update, policy_rules, tunnel, tunnel_effect
from landbridge.rules import gateway as create_rules
from landbridge.rules import gateway_update as rules
from landbridge.store import connection_pages, connections, customer_gateways, gateways
from landbridge.store.database import Transaction


class _ConnectionUpdate(NamedTuple):
    """A connection before and after the update of its gateway, and its identity on the wire after it."""

    before: model.Connection
    after: model.Connection
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What an update would write. `connections`: all connections of the gateway. `changed`: those of them that change."""

    row: gateways.GatewayRow
    made: model.VpnGateway
    there: tuple[model.Connection, ...]
    changed: list[_ConnectionUpdate]
    warnings: tuple[model.Warning, ...] = ()


@operation("update_vgw", "admin", "write")
def update(tx: Transaction, call: Call, request: model.GatewayUpdateRequest) -> ShownGateway:
    """Writes only when the request changes something."""
    plan = _plan(tx, call, request)
    if plan.made.endpoints != plan.row.gateway.endpoints:
        _move_endpoints(tx, plan.row.gateway, plan.made)
    _store_connections(tx, call, plan.changed)
    return dataclasses.replace(_stored(tx, call, plan.row, plan.made, update.name), warnings=plan.warnings)


@operation("check_vgw_update", "admin", "read")
def check(tx: Transaction, call: Call, request: model.GatewayUpdateRequest) -> model.CheckResult:
    """Returns what the update would do. It writes nothing."""
    try:
        plan = _plan(tx, call, request)
    except errors.Invalid as error:
        return model.CheckResult(violations=tuple(error.violations))
    disturbed = tuple((connection.id, connection.name) for connection in _disturbed(call, plan))
    return model.CheckResult(warnings=plan.warnings, disturbed=disturbed, before=plan.row.gateway, after=plan.made)


def _disturbed(call: Call, plan: _Plan) -> Iterator[model.Connection]:
    """The connections whose tunnels would be negotiated anew."""
    was, now = plan.row.gateway, plan.made
    local, local_now = (gateway_operations.local_subnets(call, gateway) for gateway in (was, now))
    changed = {after.id: after for _, after, _ in plan.changed}
    for connection in plan.there:
        effect = tunnel_effect.derive(
            connection,
            changed.get(connection.id, connection),
            moves=was.endpoints[connection.endpoint - 1] != now.endpoints[connection.endpoint - 1],
            local=local,
            local_now=local_now,
            plane=call.service.plane,
        )
        if effect in ("child", "ike"):
            yield connection


def _plan(tx: Transaction, call: Call, request: model.GatewayUpdateRequest) -> _Plan:
    row, change = changeable(tx, call, request.gateway_id), request.change
    existing = tuple(listed.connection for listed in connection_pages.page_of_gateway(tx, row.seq, 0, row.connections))
    site = call.service.site.for_project(
        call.project_id, has={endpoint.eip_id or "" for endpoint in row.gateway.endpoints}
    )
    eips = [eip_id.lower() for eip_id in (change.eip_id_1, change.eip_id_2) if eip_id is not None]
    facts = rules.GatewayUpdateFacts(site=site, taken=gateways.taken(tx, call.project_id, eips), connections=existing)
    too_many = policy_rules.check_local_subnets(change.local_subnets, row.gateway, existing)
    call.refuse([*rules.check(change, row.gateway, facts), *too_many])
    made = rules.complete(change, row.gateway, site)
    moves = made.endpoints != row.gateway.endpoints
    follow = (
        existing
        if moves
        else tuple(connection for connection in existing if rules.follows(connection, row.gateway, made))
    )
    network, was = gateway_operations.network(call, made), row.gateway.local_subnets
    warnings = (
        *policy_rules.uncovered_local(row.gateway, made, existing),
        *create_rules.outside_network(made.local_subnets, network, was),
    )
    return _Plan(
        row=row,
        made=made,
        there=existing,
        changed=_changed_connections(tx, call, change, row.gateway, made, follow),
        warnings=warnings,
    )


def changeable(tx: Transaction, call: Call, gateway_id: str) -> gateways.GatewayRow:
    """Raises Changed when `If-Match` names another version, Deleting when the gateway is being deleted."""
    row = gateway_operations.find(tx, call, gateway_id)
    gateway_operations.check_version(tx, call, row)
    if row.deleting:
        raise errors.Deleting(f"VPN gateway {row.gateway.id}")
    return row


def _move_endpoints(tx: Transaction, was: model.VpnGateway, now: model.VpnGateway) -> None:
    had, has = ({endpoint.eip_id or "" for endpoint in gateway.endpoints} for gateway in (was, now))
    gateways.replace_endpoints(tx, was.id, had - has, has - had)


def _changed_connections(
    tx: Transaction,
    call: Call,
    change: model.GatewayChange,
    was: model.VpnGateway,
    now: model.VpnGateway,
    existing: tuple[model.Connection, ...],
) -> list[_ConnectionUpdate]:
    """The connections that change with the gateway: by the EIP of their endpoint, by policy rules that were derived from its subnets, or by
    the policies of its template.
    """
    peers = {connection.id: _peer(tx, call, connection) for connection in existing}
    updated = [rules.updated_connection(connection, was, now, peers[connection.id]) for connection in existing]
    call.refuse([*rules.check_peers(now, change, peers), *rules.check_identities(change, updated)])
    return [
        _ConnectionUpdate(before, after, identity)
        for before, (after, identity) in zip(existing, updated, strict=True)
        if connection_update.bumps_generation(before, after)
    ]


def _store_connections(tx: Transaction, call: Call, changed: list[_ConnectionUpdate]) -> None:
    for before, after, identity in changed:
        connections.change(
            tx,
            dataclasses.replace(after, updated_at=call.time_after(before.updated_at)),
            identity=identity,
            tunnel_block=tunnel.block_of(after.tunnel_local_address) if after.tunnel_local_address else None,
            psk=connections.psk(tx, after.id),
            bumps_generation=True,
        )


def _peer(tx: Transaction, call: Call, connection: model.Connection) -> model.CustomerGateway:
    customer_gateway = customer_gateways.find(tx, call.project_id, connection.customer_gateway_id)
    if customer_gateway is None:
        raise RuntimeError("a connection without its customer gateway")
    return customer_gateway


def _stored(tx: Transaction, call: Call, row: gateways.GatewayRow, made: model.VpnGateway, action: str) -> ShownGateway:
    bumps_generation = rules.bumps_generation(row.gateway, made)
    if made != row.gateway:
        made = dataclasses.replace(made, updated_at=call.time_after(row.gateway.updated_at))
        gateways.change(tx, made, bumps_generation=bumps_generation)
        call.audit(tx, action, made.id)
    return ShownGateway(
        gateway=made,
        status=None,
        connections=row.connections,
        groups=gateways.connection_groups(tx, row.seq) if row.connections else 0,
        generation=row.generation + bumps_generation,
    )


@operation("update_postpaid_vgw_specification", "admin", "write")
def change_flavor(tx: Transaction, call: Call, request: model.FlavorRequest) -> ShownGateway:
    row, flavor = changeable(tx, call, request.gateway_id), request.flavor
    known = allowed_values.FLAVORS.get(flavor or "")
    limit = call.service.connection_limit or (known.connections if known else 0)
    call.refuse(rules.check_flavor(flavor, row.gateway, row.connections, limit))
    made = row.gateway if flavor in (None, row.gateway.flavor) else rules.with_flavor(row.gateway, flavor, limit)
    existing = (listed.connection for listed in connection_pages.page_of_gateway(tx, row.seq, 0, row.connections))
    follow = tuple(connection for connection in existing if rules.follows(connection, row.gateway, made))
    changed = _changed_connections(tx, call, model.GatewayChange(), row.gateway, made, follow)
    _store_connections(tx, call, changed)
    return _stored(tx, call, row, made, change_flavor.name)
