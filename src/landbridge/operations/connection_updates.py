"""Updates of connections: what an update would do, and the update itself."""

import dataclasses
from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import connections, gateways
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import connection as rules
from landbridge.rules import connection_update as update_rules
from landbridge.rules import fields, tunnel_effect
from landbridge.store import connections as store
from landbridge.store import customer_gateways
from landbridge.store.database import Transaction


@operation("update_vpn_connection", "admin", "write")
def update(tx: Transaction, call: Call, request: model.ConnectionUpdateRequest) -> connections.ChangedConnection:
    """Writes only when the request changes something. A new PSK is proved beside the tunnel that is up (docs/decisions/0043)."""
    plan = _plan_update(tx, call, request)
    row, merged, made, rekeys = plan.row, plan.merged, plan.made, plan.rekeys
    bumps_generation = rekeys or update_rules.bumps_generation(row.connection, made)
    if not bumps_generation and made == row.connection:
        return connections.changed(call, row.connection, row.generation)
    made = dataclasses.replace(made, updated_at=call.time_after(row.connection.updated_at))
    store.change(
        tx,
        made,
        identity=rules.identity(merged, plan.facts),
        tunnel_block=connections.block(made),
        psk=connections.sealed_psk(call, merged, made) if rekeys else store.psk(tx, made.id),
        bumps_generation=bumps_generation,
    )
    resets = rekeys and request.replaces_tunnel
    if resets:
        store.reset(tx, made, call.now)
    call.audit(tx, update.name, made.id)
    return connections.changed(call, made, row.generation + bumps_generation + resets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """What an update would write. `rekeys`: whether the PSK changes."""

    row: store.ConnectionRow
    merged: model.ConnectionRequest
    facts: rules.ConnectionFacts
    made: model.Connection
    rekeys: bool


def _plan_update(tx: Transaction, call: Call, request: model.ConnectionUpdateRequest) -> _Update:
    row, change = connections.changeable(tx, call, request.connection_id), request.change
    present = connections.psk(tx, call, row.connection)
    merged, facts = _merge(tx, call, row.connection, change, present)
    call.refuse(update_rules.check(change, row.connection, merged, facts))
    made = update_rules.complete(merged, facts, row.connection)
    rekeys = merged.psk != present and made.ike_policy.authentication_method == "pre-share"
    return _Update(row=row, merged=merged, facts=facts, made=made, rekeys=rekeys)


@operation("check_vpn_connection_update", "admin", "read")
def check(tx: Transaction, call: Call, request: model.ConnectionUpdateRequest) -> model.CheckResult:
    """Returns what the update would do. It writes nothing. Only a tunnel that is up is disturbed."""
    try:
        plan = _plan_update(tx, call, request)
    except errors.Invalid as error:
        return model.CheckResult(violations=tuple(error.violations))
    was, made = plan.row.connection, plan.made
    resets = plan.rekeys and request.replaces_tunnel
    effect: model.TunnelEffect = "ike" if resets else _effect(tx, call, plan)
    observation = plan.row.observation
    is_up = observation is not None and bool(observation.children)
    before = rules.warnings(was, call.service.abilities)
    return model.CheckResult(
        warnings=tuple(warning for warning in rules.warnings(made, call.service.abilities) if warning not in before),
        disturbed=((made.id, made.name),) if is_up and effect in ("child", "ike") else (),
        effect=tunnel_effect.text(effect, rekeys=plan.rekeys),
        tunnel_effect=effect,
        before=was,
        after=made,
        rekeys=plan.rekeys,
    )


def _effect(tx: Transaction, call: Call, plan: _Update) -> model.TunnelEffect:
    was, gateway, to = plan.row.connection, plan.facts.gateway, plan.facts.customer_gateway
    peer = customer_gateways.find(tx, call.project_id, was.customer_gateway_id)
    if gateway is None or peer is None or to is None:
        raise RuntimeError("a connection without its ends")
    local = gateways.local_subnets(call, gateway.gateway)
    moves = peer.address_for(was.style) != to.address_for(was.style)
    return tunnel_effect.derive(was, plan.made, moves=moves, local=local, plane=call.service.plane)


def _merge(
    tx: Transaction,
    call: Call,
    connection: model.Connection,
    change: model.ConnectionRequest,
    psk: model.Secret | None,
) -> tuple[model.ConnectionRequest, rules.ConnectionFacts]:
    """The connection as it would be after the change, and the facts about it. The facts leave the connection out of its neighbours, and
    treat its gateway as ACTIVE and not full.
    """
    row, peer, peer_seq = store.ends(tx, call.project_id, connection.gateway_id, connection.customer_gateway_id)
    if row is None:
        raise RuntimeError("a connection without its gateway")
    carrying = rules.GatewayFacts(gateway=row.gateway, status="ACTIVE", connections=0)
    facts = rules.ConnectionFacts(gateway=carrying, customer_gateway=peer)
    present = model.ConnectionRequest(gateway_endpoint=connection.gateway_endpoint, style=connection.style)
    merged = update_rules.merge(change, connection, psk, rules.ends(present, facts), row.gateway.local_subnets)
    peer_id = fields.lower_id(merged.customer_gateway_id) or ""
    if peer_id != connection.customer_gateway_id:
        _, peer, peer_seq = store.ends(tx, call.project_id, connection.gateway_id, peer_id)
        facts = dataclasses.replace(facts, customer_gateway=peer)
    if _may_clash_by_psk(connection, merged, psk, facts):
        other_key = connections.find_other_key(tx, call, row, merged, facts, connection.id)
        facts = dataclasses.replace(facts, other_key=other_key)
    blocks = rules.tunnel_blocks(merged, update_rules.generated(connection))
    near = store.neighbours(tx, row.seq, peer_seq, rules.identity(merged, facts), blocks)
    return merged, dataclasses.replace(
        facts, neighbours=tuple(neighbour for neighbour in near if neighbour.id != connection.id)
    )


def _may_clash_by_psk(
    before: model.Connection, merged: model.ConnectionRequest, psk: model.Secret | None, facts: rules.ConnectionFacts
) -> bool:
    """Whether the update can cause a clash with the PSK of another connection. An update may keep an existing clash."""
    same = (
        rules.did_pick_by_address(before)
        and merged.psk == psk
        and facts.customer_gateway is not None
        and facts.customer_gateway.id == before.customer_gateway_id
    )
    return rules.picks_key_by_address(merged, facts) and not same
