"""What the store knows about a connection that is down, beside its observation: who its ends are, and what was said."""

from landbridge import model
from landbridge.model import traffic_selectors
from landbridge.operations import strangers
from landbridge.operations.call import Call
from landbridge.status import case, device_words
from landbridge.store import customer_gateways, gateways, probes
from landbridge.store.database import Transaction


def of(tx: Transaction, call: Call, known: model.KnownConnection, row: gateways.GatewayRow | None) -> case.Heard:
    """`row`: of the connection's gateway."""
    return at(tx, call.service.site, known, row)


def at(tx: Transaction, site: model.Site, known: model.KnownConnection, row: gateways.GatewayRow | None) -> case.Heard:
    """As `of`, with the node's site file."""
    connection = known.connection
    if row is None:
        return case.NOTHING_HEARD
    peer = customer_gateways.find(tx, connection.project_id, connection.customer_gateway_id)
    network_id = row.gateway.network_id or ""
    network = site.network(network_id) or model.Network(id=network_id)
    pairs = traffic_selectors.subnet_pairs(connection, traffic_selectors.local_subnets(row.gateway, network))
    endpoints = {one.number: one.address for one in row.gateway.endpoints}
    return case.Heard(
        probes=tuple(one.result for one in probes.of_connection(tx, known.seq) if one.result is not None),
        strangers=strangers.of(tx, row),
        peer_address=peer.address if peer else None,
        device=device_words.family((peer.name, *(tag.value for tag in peer.tags))) if peer else None,
        local_address=endpoints.get(connection.endpoint),
        pairs=tuple((ours, theirs) for _, ours, theirs in pairs),
    )
