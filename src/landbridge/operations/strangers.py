"""Attempts at a VPN gateway from addresses that no connection of their endpoint has."""

from collections.abc import Iterable

from landbridge import model
from landbridge.store import attempts, connections, gateways
from landbridge.store.database import Transaction


def list_of_gateway(tx: Transaction, row: gateways.GatewayRow) -> tuple[model.Attempt, ...]:
    """The last attempts of strangers, oldest first, without those whose address has a connection by now."""
    endpoints = {endpoint.address: endpoint.number for endpoint in row.gateway.endpoints}
    return tuple(
        attempt
        for attempt in attempts.of_strangers(tx, row.seq)
        if not _has_connection(tx, row.seq, endpoints.get(attempt.local_address or ""), attempt.peer_address)
    )


def known(tx: Transaction, row: gateways.GatewayRow, attempts: Iterable[model.Attempt]) -> frozenset[str]:
    """The addresses of these attempts that a connection of the VPN gateway has at another endpoint."""
    peers = {attempt.peer_address for attempt in attempts}
    endpoints = [endpoint.number for endpoint in row.gateway.endpoints]
    return frozenset(
        peer for peer in peers if peer and any(_has_connection(tx, row.seq, number, peer) for number in endpoints)
    )


def _has_connection(tx: Transaction, gateway_seq: int, endpoint: int | None, address: str | None) -> bool:
    if endpoint is None or address is None:
        return False
    return bool(connections.of_peer_address(tx, gateway_seq, endpoint, address))
