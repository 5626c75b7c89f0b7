"""Checks a create of a connection without creating it (an extension of ours). It writes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import errors, model, peerconfig
from landbridge.model import traffic_selectors
from landbridge.operations import connections as operations
from landbridge.operations import peer_configurations
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import bgp, overlaps
from landbridge.rules import connection as rules
from landbridge.store import connection_pages
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedConnection:
    """`violations`: why a create would be refused; then there is no connection. `generated`: fields of the connection that a create makes
    anew. `device`: the connection as the device's administrator needs it.
    """

    violations: tuple[model.Violation, ...] = ()
    warnings: tuple[model.Warning, ...] = ()
    connection: model.Connection | None = None
    generated: tuple[str, ...] = ()
    device: peerconfig.DeviceSide | None = None


@operation("check_vpn_connection", "admin", "long read")
def check(tx: Transaction, call: Call, request: model.ConnectionCheckRequest) -> CheckedConnection:
    """Only admins may check, as only they may create: a violation shows whether another connection has the PSK of the request."""
    ignored = tuple(model.Warning(path, "is not known, and would be ignored") for path in request.ignored)
    try:
        prepared = operations.prepare(tx, call, request.connection)
    except errors.Invalid as error:
        return CheckedConnection(violations=tuple(error.violations), warnings=ignored)
    made, gateway = prepared.connection, prepared.gateway
    rows = connection_pages.page_of_gateway(tx, gateway.seq, 0, gateway.connections + 1)
    others = [row.connection for row in rows if not row.facts.deleting]
    own = rules.warnings(made, call.service.abilities)
    network_id = gateway.gateway.network_id or ""
    network = call.service.site.network(network_id) or model.Network(id=network_id)
    local_subnets = traffic_selectors.local_subnets(gateway.gateway, network)
    of_bgp = bgp.warnings(made, gateway.gateway, prepared.customer_gateway, local_subnets)
    return CheckedConnection(
        warnings=(*ignored, *own, *overlaps.warnings(made, others), *of_bgp),
        connection=made,
        generated=tuple(_generated(request.connection, made)),
        device=peer_configurations.side(call, made, gateway.gateway, prepared.customer_gateway),
    )


def _generated(request: model.ConnectionRequest, made: model.Connection) -> Iterator[str]:
    yield from ("id", "created_at", "updated_at")
    if not request.name:
        yield "name"
    given = (request.tunnel_local_address, request.tunnel_peer_address)
    if made.tunnel_local_address is not None and given == (None, None):
        yield from ("tunnel_local_address", "tunnel_peer_address")
    if made.monitor_id is not None:
        yield "connection_monitor_id"
