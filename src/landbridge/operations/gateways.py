"""VPN gateways: create, show, list, delete."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import errors, model
from landbridge.model import traffic_selectors
from landbridge.operations import idempotency, ids, quotas, strangers, versions
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import fields
from landbridge.rules import gateway as rules
from landbridge.status import connection as connection_status
from landbridge.status import gateway as status
from landbridge.status import redundancy
from landbridge.store import carriers, codec, connection_states, connections, counters, gateways, pauses, tags
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGateway:
    """A gateway with its status and the numbers of its connections."""

    gateway: model.VpnGateway
    #: None for a create and an update.
    status: model.GatewayStatus | None
    connections: int
    groups: int
    generation: int = 1
    #: Whether this is the answer to a create, which has fewer fields.
    short: bool = False
    warnings: tuple[model.Warning, ...] = ()

    @property
    def etag(self) -> str:
        return versions.etag(self.generation, codec.dump(codec.gateway, self.gateway), self.connections, self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDiagnosis:
    """A gateway with everything that is known of its status, a pause included."""

    gateway: model.VpnGateway
    status: model.GatewayStatus
    #: (status, cause) -> the number of connections. The cause is None when it is not known.
    connections: Mapping[tuple[model.ConnectionStatusName, str | None], int]
    #: Attempts from addresses that no customer gateway has, oldest first.
    strangers: tuple[model.Attempt, ...] = ()
    #: None while no connection has a subnet.
    redundancy: model.Redundancy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeInventory:
    """Networks and EIPs that a new gateway can take, in the order of the site file. `site`: the part of the site that the project may use."""

    networks: list[model.Network]
    eips: list[model.Eip]
    site: model.Site


@operation("create_vgw", "admin", "write")
def create(tx: Transaction, call: Call, request: model.GatewayRequest) -> ShownGateway:
    made = idempotency.once(tx, call, create.name, codec.gateway, lambda: _create(tx, call, request))
    warnings = tuple(rules.outside_network(made.local_subnets, network(call, made)))
    return ShownGateway(gateway=made, status=None, connections=0, groups=0, short=True, warnings=warnings)


@operation("check_vgw", "admin", "read")
def check(tx: Transaction, call: Call, request: model.GatewayRequest) -> model.CheckResult:
    """Returns what a create with this request would do. It writes nothing."""
    refused = [*rules.check(request, _facts(tx, call, request)), *quotas.check(tx, call, "vpn_gateway")]
    violations = tuple(fields.merge(call.violations, refused))
    if violations:
        return model.CheckResult(violations=violations)
    served = call.service.site.network((request.er_id or request.vpc_id or "").lower())
    return model.CheckResult(warnings=tuple(rules.outside_network(request.local_subnets or (), served)))


@operation("offer_vgw", "admin", "read")
def free_inventory(tx: Transaction, call: Call, _: model.EmptyRequest) -> FreeInventory:
    """The networks and EIPs that a new gateway of the project can take."""
    site = call.service.site.for_project(call.project_id)
    networks, eips = rules.free(site, gateways.taken(tx, call.project_id, None))
    return FreeInventory(networks=networks, eips=eips, site=site)


def _facts(tx: Transaction, call: Call, request: model.GatewayRequest) -> rules.SiteFacts:
    site = call.service.site.for_project(call.project_id)
    return rules.SiteFacts(
        site=site,
        taken=gateways.taken(tx, call.project_id, rules.endpoints_asked(request, site)),
        connection_limit=call.service.connection_limit,
    )


def _create(tx: Transaction, call: Call, request: model.GatewayRequest) -> model.VpnGateway:
    facts = _facts(tx, call, request)
    call.refuse([*rules.check(request, facts), *quotas.check(tx, call, "vpn_gateway")])
    gateway = rules.complete(request, facts, ids.generate(call.now), call.project_id)
    gateways.add(tx, gateway, rules.uses(gateway, network(call, gateway)))
    tags.add(tx, call.project_id, "vpn-gateway", gateway.id, gateway.tags)
    counters.add(tx, call.project_id, "vpn_gateway", 1)
    call.audit(tx, create.name, gateway.id)
    return gateway


def network(call: Call, gateway: model.VpnGateway) -> model.Network | None:
    return call.service.site.network(gateway.network_id or "")


def local_subnets(call: Call, gateway: model.VpnGateway) -> tuple[str, ...]:
    """The local side of the gateway's tunnels."""
    vpc = network(call, gateway) or model.Network(id=gateway.network_id or "")
    return traffic_selectors.local_subnets(gateway, vpc)


@operation("list_availability_zones", "reader", "read")
def list_zones(_tx: Transaction, call: Call, _: model.EmptyRequest) -> dict[tuple[str, str], tuple[str, ...]]:
    """(flavor, attachment type) -> zones."""
    return rules.zones(call.service.site)


list_extended_zones = dataclasses.replace(list_zones, name="list_extended_availability_zones")


def _shown(tx: Transaction, call: Call, row: gateways.GatewayRow) -> ShownGateway:
    return ShownGateway(
        gateway=row.gateway,
        status=status.derive(row, call.now, call.service.unseen_after),
        connections=row.connections,
        groups=gateways.connection_groups(tx, row.seq) if row.connections else 0,
        generation=row.generation,
    )


def check_version(tx: Transaction, call: Call, row: gateways.GatewayRow) -> None:
    """Raises Changed when `If-Match` names another version."""
    versions.check_match(call.if_match, lambda: _shown(tx, call, row).etag)


def find(tx: Transaction, call: Call, gateway_id: str) -> gateways.GatewayRow:
    row = gateways.find(tx, call.project_id, gateway_id.lower())
    if row is None:
        raise errors.NotFound(f"VPN gateway {gateway_id[:64]}")
    return row


@operation("show_vgw", "reader", "read")
def show(tx: Transaction, call: Call, request: model.GatewayRef) -> ShownGateway:
    return _shown(tx, call, find(tx, call, request.gateway_id))


@operation("diagnose_vpn_gateway", "reader", "long read")
def diagnose(tx: Transaction, call: Call, request: model.GatewayRef) -> GatewayDiagnosis:
    row = find(tx, call, request.gateway_id)
    paused_since = pauses.since(tx, row.gateway.id)
    return GatewayDiagnosis(
        gateway=row.gateway,
        status=status.derive(row, call.now, call.service.unseen_after, paused_since),
        connections=_count_connections(tx, row.seq),
        strangers=strangers.list_of_gateway(tx, row),
        redundancy=redundancy.derive(
            carriers.of_gateway(tx, row.seq), {endpoint.number: endpoint.address for endpoint in row.gateway.endpoints}
        ),
    )


def _count_connections(tx: Transaction, gateway_seq: int) -> Counter[tuple[model.ConnectionStatusName, str | None]]:
    """(status, cause) -> the number of connections. The cause of a connection is that of its last change, None when the status differs."""
    facts = connections.facts(tx, gateway_seq)
    last = connection_states.last(tx, (seq for seq, _ in facts.values()))
    counts: Counter[tuple[model.ConnectionStatusName, str | None]] = Counter()
    for seq, status_facts in facts.values():
        now = connection_status.name_from_facts(status_facts)
        then, cause = last.get(seq, (now, None))
        counts[now, cause if then == now else None] += 1
    return counts


@operation("list_vgws", "reader", "long read")
def list_all(tx: Transaction, call: Call, request: model.GatewayListRequest) -> list[ShownGateway]:
    only, enterprises = request.gateway_id, request.enterprise_project_ids
    return [
        _shown(tx, call, row)
        for row in gateways.list_all(tx, call.project_id)
        if only in (None, row.gateway.id) and (not enterprises or row.gateway.enterprise_project_id in enterprises)
    ]


@operation("delete_vgw", "admin", "write")
def remove(tx: Transaction, call: Call, request: model.GatewayRef) -> None:
    """A delete of a VPN gateway that is being deleted changes nothing, whatever version it names: it is a retry."""
    row = find(tx, call, request.gateway_id)
    if row.deleting:
        return
    check_version(tx, call, row)
    dependant = connections.dependant(tx, row.seq)
    if dependant is not None:
        raise errors.in_use(f"VPN gateway {row.gateway.id}", dependant, row.connections)
    gateways.mark_deleting(tx, row.gateway.id, call.now)
    call.audit(tx, remove.name, row.gateway.id)
