"""Checks what must hold in every database, independent of the rules: audit trail, counters, references and secrets. It also reads the rows
that `operations.check` checks.

A check yields a sentence for each finding; the sentence names the row. Old audit events may have been removed, so only rows that are
younger than `since` must have an event. `operations.check` knows the events and the rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Label, Table, and_, bindparam, case, func, null, or_, select

from landbridge import errors
from landbridge.store import codec, counters, expressions, resources, sealed_keys, tables, vault
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_vpn_gateway, _customer_gateway, _connection, _audit = (
    tables.vpn_gateway,
    tables.customer_gateway,
    tables.connection,
    tables.audit,
)
_project, _access_key, _token, _counter, _gateway_count = (
    tables.project,
    tables.access_key,
    tables.token,
    tables.counter,
    tables.gateway_count,
)
_endpoint_use, _tag, _connection_monitor = tables.endpoint_use, tables.tag, tables.connection_monitor
_gateway_certificate = tables.gateway_certificate
ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_COUNTED = tuple(
    (table.name, Statement(select(func.count()).select_from(table)))
    for table in (_vpn_gateway, _connection, _customer_gateway, _project, _access_key, _audit)
)


def count_rows(tx: Transaction) -> dict[str, int]:
    """Returns how many rows the tables have that an operator knows, by the name of the table."""
    return {name: tx.all(statement)[0][0] for name, statement in _COUNTED}


# -- the audit trail --------------------------------------------------------------------------------------------------

_before = func.lag(_audit.c.seq).over(order_by=_audit.c.seq)
_STEPS = select(_audit.c.seq, _before.label("before")).subquery()
_GAPS = Statement(select(_STEPS.c.before, _STEPS.c.seq).where(_STEPS.c.seq > _STEPS.c.before + bindparam("one")))
_ENDS = Statement(
    select(func.min(_audit.c.seq), func.max(_audit.c.seq), func.min(_audit.c.at), expressions.LastSeq(_audit))
)


def check_audit(tx: Transaction) -> Iterator[str]:
    """Events are numbered without a gap: a transaction that is rolled back uses no number."""
    for before, after in tx.each(_GAPS, one=1):
        yield f"audit: the events between {before} and {after} are missing"
    ((_, last, _, written),) = tx.all(_ENDS)
    if last is not None and written != last:
        yield f"audit: the last event is {last}, {written or 0} were written"


def since(tx: Transaction) -> datetime:
    """The time of the oldest audit event; ALWAYS when none was removed, NEVER when all were."""
    ((first, _, oldest, written),) = tx.all(_ENDS)
    if first is None:
        return ALWAYS if written is None else NEVER
    return ALWAYS if first == 1 else codec.moment(oldest)


def _has_event(table: Table, event: str) -> Any:
    """Whether the audit trail has this event of the row. SQLite makes the inner list once, not for every row."""
    key = table.c.id if "id" in table.c else table.c.access_key
    return key.in_(select(_audit.c.resource_id).where(_audit.c.action == bindparam(event)))


_OWNERS = {
    table.name: Statement(select(table.columns[0], table.c.created_at, _has_event(table, "event")))
    for table in (_project, _access_key)
}


def check_owners(tx: Transaction, after: datetime, events: Mapping[str, str]) -> Iterator[str]:
    """Every project and access key has its event. `events`: by the name of the table."""
    for name, event in events.items():
        for row_id, created_at, has_event in tx.each(_OWNERS[name], event=event):
            if not has_event and codec.moment(created_at) > after:
                yield f"{name} {row_id}: the audit trail has no {event} of it"


# -- resources --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRow:
    """A resource's row, undecoded. `columns` has the ids of a connection's ends too. `tags`, `monitors` (id, project) and
    `endpoints` are what other tables have of the resource.
    """

    table: str
    columns: dict[str, Any]
    created_event: bool
    deleted_event: bool
    tags: set[tuple[str, str]]
    monitors: list[tuple[str, str]]
    endpoints: set[str]

    @property
    def deleting(self) -> bool:
        return bool(self.columns.get("deleting"))


def _id_of(end: Table, column: Column[int], name: str) -> Label[str]:
    return select(end.c.id).where(end.c.seq == column).scalar_subquery().label(name)


_CONNECTION_ENDS = (
    _id_of(_vpn_gateway, _connection.c.gateway_seq, "gateway_id"),
    _id_of(_customer_gateway, _connection.c.customer_gateway_seq, "customer_gateway_id"),
)


def _rows(table: Table) -> Statement:
    ends = _CONNECTION_ENDS if table is _connection else ()
    deleted = _has_event(table, "deleted") if "deleting" in table.c else null()
    return Statement(select(*table.columns, *ends, _has_event(table, "created"), deleted))


_ROWS = {name: _rows(kind.table) for name, kind in resources.KINDS.items()}
_TAGS = Statement(select(_tag.c.key, _tag.c.value).where(_tag.c.resource_id == bindparam("id")))
_MONITORS = Statement(
    select(_connection_monitor.c.id, _connection_monitor.c.project_id).where(
        _connection_monitor.c.connection_id == bindparam("id")
    )
)
_USES = Statement(select(_endpoint_use.c.endpoint).where(_endpoint_use.c.gateway_id == bindparam("id")))


def rows(tx: Transaction, kind: resources.ResourceKind, created: str, deleted: str | None) -> Iterator[ResourceRow]:
    """All rows of a kind. `created` and `deleted` are the audit events of a row; None: such a row is deleted at once."""
    names = [*kind.table.columns.keys(), *(end.name for end in _CONNECTION_ENDS if kind.table is _connection)]
    events = {"created": created} | ({"deleted": deleted} if deleted is not None else {})
    for values in tx.each(_ROWS[kind.name], **events):
        columns = dict(zip(names, values[:-2], strict=True))
        yield ResourceRow(
            table=kind.table.name,
            columns=columns,
            created_event=bool(values[-2]),
            deleted_event=bool(values[-1]),
            tags={(key, value) for key, value in tx.all(_TAGS, id=columns["id"])},
            monitors=[(monitor_id, project) for monitor_id, project in tx.all(_MONITORS, id=columns["id"])],
            endpoints={endpoint for (endpoint,) in tx.all(_USES, id=columns["id"])},
        )


# -- what stands beside the resources ---------------------------------------------------------------------------------


def _count(table: Table, condition: Any) -> Any:
    return select(func.count()).select_from(table).where(condition).scalar_subquery()


_COUNTS = tuple(
    (
        kind,
        Statement(
            select(_project.c.id, _counter.c.value, _count(table, table.c.project_id == _project.c.id)).select_from(
                _project.outerjoin(
                    _counter, and_(_counter.c.project_id == _project.c.id, _counter.c.kind == bindparam("kind"))
                )
            )
        ),
    )
    for kind, table in ((name, tables.metadata.tables[name]) for name in counters.KINDS)
)
_NUMBERS = Statement(
    select(
        _vpn_gateway.c.id,
        _gateway_count.c.connections,
        _count(_connection, _connection.c.gateway_seq == _vpn_gateway.c.seq),
        _gateway_count.c.next_if_id,
        select(func.max(_connection.c.if_id)).where(_connection.c.gateway_seq == _vpn_gateway.c.seq).scalar_subquery(),
    ).select_from(_vpn_gateway.outerjoin(_gateway_count, _gateway_count.c.gateway_seq == _vpn_gateway.c.seq))
)
_SHARED = Statement(
    select(_vpn_gateway.c.id, _connection.c.if_id)
    .select_from(_connection.join(_vpn_gateway, _vpn_gateway.c.seq == _connection.c.gateway_seq))
    .group_by(_vpn_gateway.c.id, _connection.c.if_id)
    .having(func.count() > bindparam("one"))
)
_STRAY_TAGS = Statement(
    select(_tag.c.resource_id).where(
        and_(*(_tag.c.resource_id.not_in(select(kind.table.c.id)) for kind in resources.KINDS.values()))
    )
)
_FOREIGN = Statement(
    select(_connection.c.id)
    .select_from(
        _connection.join(_vpn_gateway, _vpn_gateway.c.seq == _connection.c.gateway_seq).join(
            _customer_gateway, _customer_gateway.c.seq == _connection.c.customer_gateway_seq
        )
    )
    .where(
        or_(
            _vpn_gateway.c.project_id != _connection.c.project_id,
            _customer_gateway.c.project_id != _connection.c.project_id,
        )
    )
)


def check_counters(tx: Transaction) -> Iterator[str]:
    for kind, statement in _COUNTS:
        for project_id, counted, present in tx.each(statement, kind=kind):
            if counted != present:
                yield f"project {project_id}: {kind} is counted as {counted}, there are {present}"
    for gateway_id, counted, present, following, highest in tx.each(_NUMBERS):
        if counted != present:
            yield f"vpn_gateway {gateway_id}: its connections are counted as {counted}, there are {present}"
        if following is not None and highest is not None and following <= highest:
            yield f"vpn_gateway {gateway_id}: the next if_id is {following}, and {highest} is in use"


def check_relations(tx: Transaction) -> Iterator[str]:
    for gateway_id, if_id in tx.each(_SHARED, one=1):
        yield f"vpn_gateway {gateway_id}: several connections have the if_id {if_id}"
    for (connection_id,) in tx.each(_FOREIGN):
        yield f"connection {connection_id}: its ends belong to another project"
    for (resource_id,) in tx.each(_STRAY_TAGS):
        yield f"tag: {resource_id} is not there"


_first = (expressions.JsonValue(_token.c.spec, "id"), expressions.JsonValue(_token.c.spec, 0, "id"))
_made = case((expressions.IsJson(_token.c.spec), func.coalesce(*_first)))
_TOKENS = Statement(
    select(
        _token.c.token,
        _token.c.spec,
        _token.c.created_at,
        _made.in_(select(_audit.c.resource_id).where(_audit.c.action == bindparam("event"))),
    ).where(_token.c.operation == bindparam("operation"))
)
_TOKEN_OPERATIONS = Statement(select(_token.c.token, _token.c.operation))


def tokens(tx: Transaction, operation: str, event: str) -> Iterator[tuple[str, str, datetime, bool]]:
    """(token, answer, time, whether the audit trail has `event` of what it made) of the tokens of an operation."""
    for token, spec, created_at, has_event in tx.each(_TOKENS, operation=operation, event=event):
        yield token, spec, codec.moment(created_at), bool(has_event)


def token_operations(tx: Transaction) -> Iterator[tuple[str, str]]:
    """(token, operation) of all tokens."""
    yield from tx.each(_TOKEN_OPERATIONS)


# -- secrets ----------------------------------------------------------------------------------------------------------

_SECRETS = (
    ("sealed_key", "value", Statement(select(tables.sealed_key.c.name, tables.sealed_key.c.value))),
    ("access_key", "secret", Statement(select(_access_key.c.access_key, _access_key.c.secret))),
    ("gateway_certificate", "keys", Statement(select(_gateway_certificate.c.id, _gateway_certificate.c.private_keys))),
    ("connection", "PSK", Statement(select(_connection.c.id, _connection.c.psk).where(_connection.c.psk.is_not(None)))),
)


def check_secrets(tx: Transaction, safe: vault.Vault) -> Iterator[str]:
    """With a wrong master key no secret opens, which is one finding for all secrets."""
    if not _opens(safe, sealed_keys.find(tx, vault.FINGERPRINT_KEY) or b"", vault.FINGERPRINT_KEY):
        yield f"sealed_key {vault.FINGERPRINT_KEY}: the master key does not fit this database"
        return
    for table, secret_name, statement in _SECRETS:
        for owner, value in tx.each(statement):
            if not _opens(safe, value, owner):
                yield f"{table} {owner}: its {secret_name} does not open under the master key"


def _opens(safe: vault.Vault, value: bytes, belongs_to: str) -> bool:
    try:
        safe.open(value, belongs_to)
    except (errors.ConfigError, ValueError):
        return False
    return True
