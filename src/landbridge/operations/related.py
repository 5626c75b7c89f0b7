"""Loads what the store has on the related resources of a connection, for `status`."""

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.model import traffic_selectors
from landbridge.operations import strangers
from landbridge.status import device_settings
from landbridge.status.rule_context import Related
from landbridge.store import bgp_changes, customer_gateways, gateways, probes
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedToGateway:
    """What all connections of a VPN gateway share. `addresses`: number of an endpoint -> its address. `known`: the
    addresses of strangers that some connection has, at another endpoint. `asn`: its ASN.
    """

    strangers: tuple[model.Attempt, ...]
    known: frozenset[str]
    local_subnets: tuple[str, ...]
    addresses: Mapping[int, str]
    asn: int


def load_gateway(tx: Transaction, site: model.Site, row: gateways.GatewayRow) -> RelatedToGateway:
    """`row`: the row of the VPN gateway."""
    network_id = row.gateway.network_id or ""
    network = site.network(network_id) or model.Network(id=network_id)
    attempts = strangers.list_of_gateway(tx, row)
    return RelatedToGateway(
        strangers=attempts,
        known=strangers.known(tx, row, attempts),
        local_subnets=traffic_selectors.local_subnets(row.gateway, network),
        addresses={endpoint.number: endpoint.address for endpoint in row.gateway.endpoints},
        asn=row.gateway.bgp_asn,
    )


def load(tx: Transaction, known: model.KnownConnection, gateway: RelatedToGateway | None) -> Related:
    """`gateway`: the result of `load_gateway`; None when the VPN gateway is gone, and nothing is related."""
    connection = known.connection
    if gateway is None:
        return Related()
    peer = customer_gateways.find(tx, connection.project_id, connection.customer_gateway_id)
    address = peer.address_for(connection.style) if peer else None
    pairs = traffic_selectors.subnet_pairs(connection, gateway.local_subnets)
    return Related(
        probes=tuple(probe.result for probe in probes.of_connection(tx, known.seq) if probe.result is not None),
        strangers=tuple(
            attempt
            for attempt in gateway.strangers
            if attempt.peer_address == address or attempt.peer_address not in gateway.known
        ),
        peer_address=address,
        device=device_settings.family((peer.name, *(tag.value for tag in peer.tags))) if peer else None,
        local_address=gateway.addresses.get(connection.endpoint),
        pairs=tuple((ours, theirs) for _, ours, theirs in pairs),
        asn=gateway.asn,
        peer_asn=peer.bgp_asn if peer else None,
        sessions=bgp_changes.of_connection(tx, known.seq) if connection.style == "bgp" else (),
    )
