"""VPN gateways: create, show, list, delete."""

from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations import idempotency
from landbridge.operations.call import Call
from landbridge.rules import fields
from landbridge.rules import gateway as rules
from landbridge.status import gateway as status
from landbridge.store import codec, connections, gateways, records
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A gateway with what is said of it. `status` is None in the answer to a create."""

    gateway: model.VpnGateway
    status: model.GatewayStatus | None
    connections: int
    groups: int


@calls.operation("admin", "write")
def create(tx: Transaction, call: Call, ask: model.AskGateway) -> Shown:
    made = idempotency.once(tx, call, "create_vgw", codec.gateway, lambda: _create(tx, call, ask))
    return Shown(gateway=made, status=None, connections=0, groups=0)


def _create(tx: Transaction, call: Call, ask: model.AskGateway) -> model.VpnGateway:
    facts = rules.Facts(
        site=call.service.site,
        taken=gateways.taken(tx, call.project_id),
        connection_limit=call.service.connection_limit,
    )
    violations = fields.merge(call.shape, rules.check(ask, facts))
    if violations:
        raise errors.Invalid(violations)
    gateway = rules.complete(ask, facts, calls.draws(call.now), call.project_id)
    gateways.add(tx, gateway)
    records.tag(tx, call.project_id, "vpn-gateway", gateway.id, gateway.tags)
    records.count(tx, call.project_id, "vpn_gateway", 1)
    calls.audit(tx, call, "create_vgw", gateway.id)
    return gateway


def status_of(row: gateways.Row) -> model.GatewayStatus:
    known = status.Known(
        generation=row.generation,
        deleting=row.deleting,
        applied=row.applied,
        failure=row.failure,
        seen_at=row.seen_at,
    )
    return status.of(known)


def _shown(tx: Transaction, row: gateways.Row) -> Shown:
    return Shown(
        gateway=row.gateway,
        status=status_of(row),
        connections=row.connections,
        groups=gateways.connection_groups(tx, row.gateway.id) if row.connections else 0,
    )


def _find(tx: Transaction, call: Call, gateway_id: str) -> gateways.Row:
    row = gateways.find(tx, call.project_id, gateway_id.lower())
    if row is None:
        raise errors.NotFound(f"VPN gateway {gateway_id[:64]}")
    return row


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, gateway_id: str) -> Shown:
    return _shown(tx, _find(tx, call, gateway_id))


@calls.operation("reader", "long read")
def list_all(tx: Transaction, call: Call, ask: tuple[str | None, str | None]) -> list[Shown]:
    """`ask`: only this id, only of this enterprise project; None is all."""
    wanted_id, enterprise = ask
    return [
        _shown(tx, row)
        for row in gateways.list_all(tx, call.project_id)
        if wanted_id in (None, row.gateway.id) and enterprise in (None, row.gateway.enterprise_project_id)
    ]


@calls.operation("admin", "write")
def remove(tx: Transaction, call: Call, gateway_id: str) -> None:
    row = _find(tx, call, gateway_id)
    dependant = connections.dependant(tx, row.gateway.id)
    if dependant is not None:
        raise errors.InUse(f"VPN gateway {row.gateway.id} has connection {dependant}")
    if not row.deleting:
        gateways.mark_deleting(tx, row.gateway.id)
        calls.audit(tx, call, "delete_vgw", row.gateway.id)
