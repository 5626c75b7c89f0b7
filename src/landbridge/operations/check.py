"""Checks the contents of a database. A finding is one sentence that names the row.

The checks only read. They derive the columns of a row from its resource, with the rules, and compare both.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic

from landbridge import model
from landbridge.operations import access, connections, customer_gateways, gateway_certificates, gateways, monitors
from landbridge.rules import connection as connection_rules
from landbridge.rules import gateway as gateway_rules
from landbridge.rules import tunnel
from landbridge.store import codec, consistency, resources, vault
from landbridge.store import customer_gateways as stored_peers
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Events:
    """The audit events of a kind of resource: it was created, and it is being deleted (None: its row is deleted at once)."""

    kind: resources.ResourceKind
    created: str
    deleted: str | None


EVENTS = (
    Events(resources.GATEWAY, gateways.create.name, gateways.remove.name),
    Events(resources.CUSTOMER_GATEWAY, customer_gateways.create.name, None),
    Events(resources.CONNECTION, connections.create.name, connections.remove.name),
)
#: The operations that take a token: what they answered, and the audit event of what they made.
TOKENS: dict[str, tuple[pydantic.TypeAdapter[Any], str]] = {
    gateways.create.name: (codec.gateway, gateways.create.name),
    customer_gateways.create.name: (codec.customer_gateway, customer_gateways.create.name),
    connections.create.name: (codec.connection, connections.create.name),
    connections.create_batch.name: (codec.connections, connections.create.name),
    monitors.create.name: (codec.monitor, monitors.create.name),
    gateway_certificates.create.name: (codec.gateway_certificate, gateway_certificates.create.name),
}


def contents(tx: Transaction, safe: vault.Vault) -> Iterator[str]:
    """All findings in a database. Its file and schema must be valid."""
    yield from consistency.check_audit(tx)
    since = consistency.since(tx)
    yield from consistency.check_owners(tx, since, access.EVENTS)
    for events in EVENTS:
        for row in consistency.rows(tx, events.kind, events.created, events.deleted):
            yield from (
                f"{row.table} {row.columns['id']}: {wrong}" for wrong in _check_resource(tx, events, row, since)
            )
    yield from consistency.check_counters(tx)
    yield from consistency.check_relations(tx)
    yield from _check_tokens(tx, since)
    yield from consistency.check_secrets(tx, safe)


def _check_resource(tx: Transaction, events: Events, row: consistency.ResourceRow, since: datetime) -> Iterator[str]:
    """When the spec of a row cannot be parsed, that is the only finding of the row."""
    try:
        resource = events.kind.codec.validate_json(row.columns["spec"])
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        yield f"its spec does not read: {'.'.join(map(str, first['loc']))} {first['msg']}"
        return
    yield from _check_columns(resource, row)
    if isinstance(resource, model.VpnGateway):
        yield from _check_gateway(resource, row)
    if isinstance(resource, model.Connection):
        yield from _check_connection(tx, resource, row)
    if not row.created_event and resource.created_at > since:
        yield f"the audit trail has no {events.created} of it"
    if row.deleting and not row.deleted_event and since == consistency.ALWAYS:
        yield f"is being deleted, and the audit trail has no {events.deleted} of it"


def _check_columns(resource: resources.Resource, row: consistency.ResourceRow) -> Iterator[str]:
    columns = row.columns
    if columns["spec_version"] != codec.SPEC_VERSION:
        yield f"the version of its spec is {columns['spec_version']}, not {codec.SPEC_VERSION}"
    for column in columns.keys() & {"id", "project_id", "gateway_id", "customer_gateway_id", "endpoint"}:
        if columns[column] != getattr(resource, column):
            yield f"its {column} is {columns[column]!r}, in its spec {getattr(resource, column)!r}"
    if row.tags != {(tag.key, tag.value) for tag in resource.tags}:
        yield "its tags are not those of its spec"


def _check_gateway(gateway: model.VpnGateway, row: consistency.ResourceRow) -> Iterator[str]:
    expected = set(gateway_rules.uses(gateway, None))
    vpc_link = gateway_rules.vpc_link(gateway.network_id or "")  # taken only where the site file has an address for it
    taken = row.endpoints - {vpc_link}
    if taken != expected:
        yield f"it uses {', '.join(sorted(expected))}, and {', '.join(sorted(taken)) or 'nothing'} is taken for it"


def _check_connection(tx: Transaction, connection: model.Connection, row: consistency.ResourceRow) -> Iterator[str]:
    columns, address = row.columns, connection.tunnel_local_address
    block = tunnel.block_of(address) if address is not None and tunnel.is_sound(address) else None
    if columns["tunnel_block"] != block:
        yield f"its tunnel_block is {columns['tunnel_block']}, in its spec {block}"
    expected = [(connection.monitor_id, connection.project_id)] if connection.monitor_id else []
    if row.monitors != expected and not (row.deleting and not row.monitors):
        monitor_ids = [monitor_id for monitor_id, _ in row.monitors]
        yield f"its monitor is {connection.monitor_id}, and there are {monitor_ids} of its project"
    for identity in _identities(tx, connection):
        if not columns["identity"].startswith(identity):
            yield f"its identity is {columns['identity']!r}, by its spec {identity!r}"
    if (columns["psk"] is not None) != (connection.ike_policy.authentication_method == "pre-share"):
        yield f"it authenticates by {connection.ike_policy.authentication_method}, with{'' if columns['psk'] else 'out'} a PSK"


def _identities(tx: Transaction, connection: model.Connection) -> Iterator[str]:
    """The required beginnings of the column `identity`: a GM connection stores no ids. Empty when the customer gateway cannot be parsed."""
    with contextlib.suppress(pydantic.ValidationError):
        peer = stored_peers.find(tx, connection.project_id, connection.customer_gateway_id)
        if peer is not None:
            yield connection_rules.stored_identity(connection, peer)


def _check_tokens(tx: Transaction, since: datetime) -> Iterator[str]:
    for operation, (answer, event) in TOKENS.items():
        for token, spec, created_at, has_event in consistency.tokens(tx, operation, event):
            if not has_event and created_at > since:
                yield f"token {token!r}: what it made never existed"
            try:
                answer.validate_json(spec)
            except pydantic.ValidationError:
                yield f"token {token!r}: its answer does not read"
    for token, operation in consistency.token_operations(tx):
        if operation not in TOKENS:
            yield f"token {token!r}: there is no operation {operation!r}"
