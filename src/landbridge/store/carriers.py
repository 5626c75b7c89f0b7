"""Reads which connections carry the subnets behind VPN gateways. It does not decode whole rows, because `/metrics` reads all connections."""

import functools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam, literal_column, select

from landbridge import model
from landbridge.store import expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: Sessions whose learned prefixes are remembered.
SESSIONS = 1 << 9
#: Connections whose subnets are remembered.
CONNECTIONS = 1 << 14

_connection, _connection_observation, _vpn_gateway, _customer_gateway = (
    tables.connection,
    tables.connection_observation,
    tables.vpn_gateway,
    tables.customer_gateway,
)
_CARRIERS = (
    select(
        _vpn_gateway.c.id,
        _connection.c.id,
        _connection.c.endpoint,
        tables.CONNECTION_DESCRIPTION,
        _customer_gateway.c.id,
        *(expressions.JsonValue(_customer_gateway.c.spec, name) for name in ("name", "id_value")),
        _connection_observation.c.state,
        expressions.JsonValue(_connection_observation.c.report, "nqa", "state"),
        expressions.JsonValue(_connection_observation.c.report, "bgp", "routes"),
    )
    .select_from(
        _connection.join(_vpn_gateway, _vpn_gateway.c.seq == _connection.c.gateway_seq)
        .join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq)
        .outerjoin(_connection_observation, _connection_observation.c.connection_seq == _connection.c.seq)
    )
    .where(_connection.c.deleting == literal_column("0"))
    .order_by(_connection.c.seq)
)
_ALL = Statement(_CARRIERS)
_OF_PROJECT = Statement(_CARRIERS.where(_connection.c.project_id == bindparam("project_id")))
_OF_GATEWAY = Statement(_CARRIERS.where(_connection.c.gateway_seq == bindparam("gateway_seq")))


def of_project(tx: Transaction, project_id: str | None) -> dict[str, list[model.Carrier]]:
    """VPN gateway id -> its carriers, the oldest first; of a project, or of all (None)."""
    return _read(tx.each(_ALL) if project_id is None else tx.each(_OF_PROJECT, project_id=project_id))


def of_gateway(tx: Transaction, gateway_seq: int) -> list[model.Carrier]:
    carriers = _read(tx.each(_OF_GATEWAY, gateway_seq=gateway_seq))
    return next(iter(carriers.values()), [])


def _read(rows: Iterable[Any]) -> dict[str, list[model.Carrier]]:
    carriers: defaultdict[str, list[model.Carrier]] = defaultdict(list)
    for gateway_id, connection_id, endpoint, description, peer_id, peer, peer_value, state, nqa, routes in rows:
        name, style, subnets = described(description)
        learned = learned_of(style, state, routes)
        carrier = model.Carrier(
            connection_id=connection_id,
            connection=name,
            style=style,
            endpoint=endpoint,
            customer_gateway_id=peer_id,
            customer_gateway=f"customer gateway {peer} ({peer_value})",
            up=state == "up" and nqa != "down" and learned != (),
            subnets=subnets,
            learned=learned,
        )
        carriers[gateway_id].append(carrier)
    return carriers


@functools.lru_cache(maxsize=CONNECTIONS)
def described(text: str) -> tuple[str, model.Style, tuple[str, ...]]:
    """Name, style and `model.Carrier.subnets` of a connection with this `CONNECTION_DESCRIPTION`. Cached: they change seldom."""
    name, style, subnets, rules = from_json(text)
    if style == "policy":
        subnets = (f"{rule['source']} - {destination}" for rule in rules or () for destination in rule["destinations"])
    return name, style, tuple(dict.fromkeys(subnets or ()))


def learned_of(style: str, state: str | None, routes: str | None) -> tuple[str, ...] | None:
    """`model.Carrier.learned` of the JSON of a session's routes."""
    if routes is not None:
        return _prefixes(routes)
    return () if style == "bgp" and state != "up" else None


@functools.lru_cache(maxsize=SESSIONS)
def _prefixes(routes: str) -> tuple[str, ...]:
    """Cached: to decode a thousand routes takes a millisecond, and from one call to the next they are the same."""
    return tuple(dict.fromkeys(route["prefix"] for route in from_json(routes)))
