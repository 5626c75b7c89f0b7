"""What the store knows about a connection that is down, beside its observation: who its ends are, and what was said."""

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.model import traffic_selectors
from landbridge.operations import strangers
from landbridge.status import case, device_words
from landbridge.store import customer_gateways, gateways, probes
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGateway:
    """What all connections of a gateway share. `addresses`: of its endpoints, by their numbers."""

    strangers: tuple[model.Attempt, ...]
    local_subnets: tuple[str, ...]
    addresses: Mapping[int, str]


def at_gateway(tx: Transaction, site: model.Site, row: gateways.GatewayRow) -> AtGateway:
    """`site`: the node's site file."""
    network_id = row.gateway.network_id or ""
    network = site.network(network_id) or model.Network(id=network_id)
    return AtGateway(
        strangers=strangers.of(tx, row),
        local_subnets=traffic_selectors.local_subnets(row.gateway, network),
        addresses={one.number: one.address for one in row.gateway.endpoints},
    )


def of(tx: Transaction, known: model.KnownConnection, gateway: AtGateway | None) -> case.Heard:
    """`gateway`: the connection's; None where it is gone."""
    connection = known.connection
    if gateway is None:
        return case.NOTHING_HEARD
    peer = customer_gateways.find(tx, connection.project_id, connection.customer_gateway_id)
    pairs = traffic_selectors.subnet_pairs(connection, gateway.local_subnets)
    return case.Heard(
        probes=tuple(one.result for one in probes.of_connection(tx, known.seq) if one.result is not None),
        strangers=gateway.strangers,
        peer_address=peer.address if peer else None,
        device=device_words.family((peer.name, *(tag.value for tag in peer.tags))) if peer else None,
        local_address=gateway.addresses.get(connection.endpoint),
        pairs=tuple((ours, theirs) for _, ours, theirs in pairs),
    )
