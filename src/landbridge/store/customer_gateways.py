"""Rows of customer gateways."""

from collections.abc import Iterator

from sqlalchemy import bindparam, delete, func, insert, literal_column, select

from landbridge import model
from landbridge.store import codec, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_customer_gateway, _connection = tables.customer_gateway, tables.connection

_FIND = Statement(
    select(_customer_gateway.c.spec).where(
        _customer_gateway.c.id == bindparam("id"), _customer_gateway.c.project_id == bindparam("project_id")
    )
)
_PAGE = Statement(
    select(_customer_gateway.c.seq, _customer_gateway.c.spec)
    .where(_customer_gateway.c.project_id == bindparam("project_id"), _customer_gateway.c.seq > bindparam("after"))
    .order_by(_customer_gateway.c.seq)
    .limit(bindparam("limit"))
)
#: Read by an index of its own (see `tables`), which has only the customer gateways with a certificate.
_CERTIFICATE = Statement(
    select(_customer_gateway.c.spec)
    .where(
        _customer_gateway.c.project_id == bindparam("project_id"),
        expressions.JsonValue(_customer_gateway.c.spec, "ca_certificate", "id") == bindparam("certificate_id"),
    )
    .limit(bindparam("limit"))
)
_ADDRESSES = Statement(
    select(expressions.JsonValue(_customer_gateway.c.spec, "id_value")).where(
        expressions.JsonValue(_customer_gateway.c.spec, "id_type") == literal_column("'ip'")
    )
)
_INSERT = Statement(
    insert(_customer_gateway).values({name: bindparam(name) for name in ("id", "project_id", "spec_version", "spec")})
)
#: The oldest connection of a customer gateway, and how many there are.
_DEPENDANTS = Statement(
    select(_connection.c.id, expressions.JsonValue(_connection.c.spec, "name"), func.count().over())
    .select_from(_connection.join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq))
    .where(_customer_gateway.c.id == bindparam("id"))
    .order_by(_connection.c.seq)
    .limit(1)
)
_CONNECTIONS = Statement(
    select(_connection.c.seq)
    .select_from(_connection.join(_customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq))
    .where(_customer_gateway.c.id == bindparam("id"))
    .order_by(_connection.c.seq)
    .limit(bindparam("limit"))
)
_REMOVE = (
    Statement(delete(tables.tag).where(tables.tag.c.resource_id == bindparam("id"))),
    Statement(delete(_customer_gateway).where(_customer_gateway.c.id == bindparam("id"))),
)


def find(tx: Transaction, project_id: str, customer_gateway_id: str) -> model.CustomerGateway | None:
    row = tx.one(_FIND, id=customer_gateway_id, project_id=project_id)
    return None if row is None else codec.customer_gateway.validate_json(row[0])


def page(tx: Transaction, project_id: str, after: int, limit: int) -> list[tuple[int, model.CustomerGateway]]:
    rows = tx.all(_PAGE, project_id=project_id, after=after, limit=limit)
    return [(seq, codec.customer_gateway.validate_json(spec)) for seq, spec in rows]


def certificate(tx: Transaction, project_id: str, certificate_id: str) -> model.CaCertificate | None:
    """The CA certificate with this id that a customer gateway of the project has."""
    row = tx.one(_CERTIFICATE, project_id=project_id, certificate_id=certificate_id, limit=1)
    return None if row is None else codec.customer_gateway.validate_json(row[0]).ca_certificate


def addresses(tx: Transaction) -> Iterator[str]:
    """The addresses of the devices of all projects. It reads every customer gateway."""
    return (address for (address,) in tx.all(_ADDRESSES))


def add(tx: Transaction, customer_gateway: model.CustomerGateway) -> None:
    tx.run(
        _INSERT,
        id=customer_gateway.id,
        project_id=customer_gateway.project_id,
        spec_version=codec.SPEC_VERSION,
        spec=codec.dump(codec.customer_gateway, customer_gateway),
    )


def dependants(tx: Transaction, customer_gateway_id: str) -> tuple[tuple[str, str] | None, int]:
    """The id and the name of the oldest connection to the customer gateway (None without any), and how many connections it has."""
    row = tx.one(_DEPENDANTS, id=customer_gateway_id)
    return (None, 0) if row is None else ((row[0], row[1]), row[2])


def connections(tx: Transaction, customer_gateway_id: str, limit: int) -> list[int]:
    """The seqs of its oldest connections."""
    return [seq for (seq,) in tx.all(_CONNECTIONS, id=customer_gateway_id, limit=limit)]


def remove(tx: Transaction, customer_gateway_id: str) -> None:
    for statement in _REMOVE:
        tx.run(statement, id=customer_gateway_id)
