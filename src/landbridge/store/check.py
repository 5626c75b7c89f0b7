"""Does everything that must hold in a database hold? It only reads: one snapshot, also beside a service that runs.

A finding is one sentence that names the row. Where the file itself is broken, or of another version, nothing further is
looked at: what would be read could not be trusted. A long look keeps the write-ahead log from beginning anew meanwhile.
"""

import contextlib
import ipaddress
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
from sqlalchemy import Column, Label, Table, and_, bindparam, case, func, null, or_, select

from landbridge import errors, model
from landbridge.store import codec, counters, expressions, tables, vault
from landbridge.store.sqlite import migrate
from landbridge.store.sqlite.dialect import compiled
from landbridge.store.statement import Statement

_g, _cgw, _c, _a = tables.vpn_gateway, tables.customer_gateway, tables.connection, tables.audit
_p, _k, _t, _n, _gn = tables.project, tables.access_key, tables.token, tables.counter, tables.gateway_count
_use, _tag, _m = tables.endpoint_use, tables.tag, tables.connection_monitor
_gc = tables.gateway_certificate
ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A table of resources. `deleted` is the audit event of a row that is on its way out; None: rows go at once.

    `ends`: ids that a spec names, and its row by their seq.
    """

    table: Table
    codec: pydantic.TypeAdapter[Any]
    created: str
    deleted: str | None
    ends: tuple[Label[str], ...] = ()


def _id_of(end: Table, column: Column[int], name: str) -> Label[str]:
    return select(end.c.id).where(end.c.seq == column).scalar_subquery().label(name)


KINDS = (
    Kind(table=_g, codec=codec.gateway, created="create_vgw", deleted="delete_vgw"),
    Kind(table=_cgw, codec=codec.customer_gateway, created="create_cgw", deleted=None),
    Kind(
        table=_c,
        codec=codec.connection,
        created="create_vpn_connection",
        deleted="delete_vpn_connection",
        ends=(
            _id_of(_g, _c.c.gateway_seq, "gateway_id"),
            _id_of(_cgw, _c.c.customer_gateway_seq, "customer_gateway_id"),
        ),
    ),
)
#: What tokens may have made, by the operation: resources, what belongs to one, and several at once.
MADE = {
    **{kind.created: kind for kind in KINDS},
    "create_connection_monitor": Kind(table=_m, codec=codec.monitor, created="create_connection_monitor", deleted=None),
    "create_vgw_certificate": Kind(
        table=_gc, codec=codec.gateway_certificate, created="create_vgw_certificate", deleted=None
    ),
    "batch_create_vpn_connection": Kind(
        table=_c, codec=codec.connections, created="create_vpn_connection", deleted=None
    ),
}
COUNTED = (_g, _c, _cgw, _p, _k, _a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What every check gets. Old audit events may have been removed: only what is younger than `since` must have its own."""

    cursor: sqlite3.Cursor
    safe: vault.Vault
    sealed: tuple[str, ...]
    since: datetime = ALWAYS

    def all(self, statement: Statement, **given: Any) -> list[Any]:
        return compiled(statement).run(self.cursor.connection.cursor(), given).fetchall()

    def each(self, statement: Statement, **given: Any) -> Iterator[Any]:
        """Row by row: a table may be longer than the memory."""
        return iter(compiled(statement).run(self.cursor.connection.cursor(), given))


Check = Callable[[Look], Iterator[str]]


def database(path: Path, safe: vault.Vault, sealed: tuple[str, ...]) -> tuple[list[str], dict[str, int]]:
    """All findings, and how many rows there are of what. `sealed`: settings that must open. Raises ConfigError."""
    try:
        with contextlib.closing(_open(path)) as connection:
            look = Look(cursor=connection.cursor(), safe=safe, sealed=sealed)
            look.cursor.execute("BEGIN")
            found = [*_check_file(look)] or [*_check_schema(look)] or [*_check_contents(look)]
            counts = (
                {} if found else {t.name: look.all(Statement(select(func.count()).select_from(t))) for t in COUNTED}
            )
            return found, {name: rows[0][0] for name, rows in counts.items()}
    except sqlite3.DatabaseError as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def projects(path: Path) -> set[str]:
    """The ids of all projects. Raises ConfigError."""
    try:
        with contextlib.closing(_open(path)) as connection:
            return {project_id for (project_id,) in connection.execute("SELECT id FROM project")}
    except sqlite3.DatabaseError as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _open(path: Path) -> sqlite3.Connection:
    """Where nothing can be written and there is no log, nothing changes either, and SQLite must be told so."""
    still = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
    options = "mode=ro&immutable=1" if still else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None, timeout=5)


def _check_file(look: Look) -> Iterator[str]:
    for (line,) in look.cursor.execute("PRAGMA integrity_check").fetchall():
        if line != "ok":
            yield f"the file is damaged: {line}"


def _check_schema(look: Look) -> Iterator[str]:
    try:
        versions = [version for (version,) in look.cursor.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.OperationalError:
        versions = []
    if versions != [migrate.head()]:
        yield f"the schema is {' '.join(versions) or 'none of ours'}, this program's is {migrate.head()}"


def _check_contents(look: Look) -> Iterator[str]:
    yield from _check_references(look)
    yield from _check_audit(look)
    look = Look(cursor=look.cursor, safe=look.safe, sealed=look.sealed, since=_since(look))
    for check in CHECKS:
        yield from check(look)


def _check_references(look: Look) -> Iterator[str]:
    for table, row, parent, _ in look.cursor.execute("PRAGMA foreign_key_check").fetchall():
        yield f"{table} row {row}: its {parent} is not there"


# -- the audit trail --------------------------------------------------------------------------------------------------

_before = func.lag(_a.c.seq).over(order_by=_a.c.seq)
_STEPS = select(_a.c.seq, _before.label("before")).subquery()
_GAPS = Statement(select(_STEPS.c.before, _STEPS.c.seq).where(_STEPS.c.seq > _STEPS.c.before + bindparam("one")))
_ENDS = Statement(select(func.min(_a.c.seq), func.max(_a.c.seq), func.min(_a.c.at)))


def _check_audit(look: Look) -> Iterator[str]:
    """Numbers are given one after another, and a transaction that is rolled back gives its numbers back."""
    for before, after in look.each(_GAPS, one=1):
        yield f"audit: the events between {before} and {after} are missing"
    ((_, last, _),) = look.all(_ENDS)
    given = look.cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    if last is not None and (given is None or given[0] != last):
        yield f"audit: the last event is {last}, {given[0] if given else 0} were written"


def _since(look: Look) -> datetime:
    ((first, _, oldest),) = look.all(_ENDS)
    if first is None:
        written = look.cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
        return NEVER if written else ALWAYS
    return ALWAYS if first == 1 else codec.moment(oldest)


def _told(table: Table, event: str) -> Any:
    """Whether the audit trail has this event of the row. The inner list is made once, not for every row."""
    key = table.c.id if "id" in table.c else table.c.access_key
    return key.in_(select(_a.c.resource_id).where(_a.c.action == bindparam(event)))


_OWNERS = tuple(
    (table.name, event, Statement(select(table.columns[0], table.c.created_at, _told(table, event))))
    for table, event in ((_p, "create_project"), (_k, "create_key"))
)


def _check_owners(look: Look) -> Iterator[str]:
    for name, event, statement in _OWNERS:
        for row_id, created_at, told in look.each(statement, **{event: event}):
            if not told and codec.moment(created_at) > look.since:
                yield f"{name} {row_id}: the audit trail has no {event} of it"


# -- resources --------------------------------------------------------------------------------------------------------


def _rows(kind: Kind) -> Statement:
    gone = _told(kind.table, kind.deleted) if kind.deleted else null()
    deleting = kind.table.c.deleting if kind.deleted else null()
    told = _told(kind.table, kind.created).label("told")
    return Statement(select(*kind.table.columns, *kind.ends, told, deleting.label("going"), gone))


_ROWS = {kind.table.name: _rows(kind) for kind in KINDS}
_TAGS = Statement(select(_tag.c.key, _tag.c.value).where(_tag.c.resource_id == bindparam("id")))
_MONITORS = Statement(select(_m.c.id, _m.c.project_id).where(_m.c.connection_id == bindparam("id")))
_USES = Statement(select(_use.c.endpoint).where(_use.c.gateway_id == bindparam("id")))
_PEERS = Statement(select(_cgw.c.spec).where(_cgw.c.id == bindparam("id")))


def _check_resources(look: Look) -> Iterator[str]:
    for kind in KINDS:
        events = {event: event for event in (kind.created, kind.deleted) if event}
        names = [*kind.table.columns.keys(), *(end.name for end in kind.ends)]
        for row in look.each(_ROWS[kind.table.name], **events):
            columns = dict(zip(names, row, strict=False))
            told, deleting, told_gone = row[-3:]
            name = f"{kind.table.name} {columns['id']}"
            try:
                resource = kind.codec.validate_json(columns["spec"])
            except pydantic.ValidationError as error:
                first = error.errors(include_url=False)[0]
                yield f"{name}: its spec does not read: {'.'.join(map(str, first['loc']))} {first['msg']}"
                continue
            yield from (f"{name}: {wrong}" for wrong in _check_row(look, resource, columns))
            if not told and resource.created_at > look.since:
                yield f"{name}: the audit trail has no {kind.created} of it"
            if deleting and not told_gone and look.since == ALWAYS:
                yield f"{name}: is deleting, and the audit trail has no {kind.deleted} of it"


def _check_row(look: Look, resource: Any, columns: dict[str, Any]) -> Iterator[str]:
    if columns["spec_version"] != codec.SPEC_VERSION:
        yield f"the version of its spec is {columns['spec_version']}, not {codec.SPEC_VERSION}"
    for column in columns.keys() & {"id", "project_id", "gateway_id", "customer_gateway_id", "endpoint"}:
        if columns[column] != getattr(resource, column):
            yield f"its {column} is {columns[column]!r}, in its spec {getattr(resource, column)!r}"
    tags = {(tag.key, tag.value) for tag in resource.tags}
    if tags != {(key, value) for key, value in look.all(_TAGS, id=columns["id"])}:
        yield "its tags are not those of its spec"
    if isinstance(resource, model.VpnGateway):
        yield from _check_gateway(look, resource)
    if isinstance(resource, model.Connection):
        yield from _check_connection(look, resource, columns)


def _check_gateway(look: Look, gateway: model.VpnGateway) -> Iterator[str]:
    wanted = {endpoint.eip_id or endpoint.address for endpoint in gateway.endpoints}
    uses = {endpoint for (endpoint,) in look.all(_USES, id=gateway.id)}
    taken = uses - {f"leg {gateway.network_id}"}  # only where the site file has an address for it
    if taken != wanted:
        yield f"it uses {', '.join(sorted(wanted))}, and {', '.join(sorted(taken)) or 'nothing'} is taken for it"


def _check_connection(look: Look, connection: model.Connection, columns: dict[str, Any]) -> Iterator[str]:
    block = _block(connection.tunnel_local_address)
    if columns["tunnel_block"] != block:
        yield f"its tunnel_block is {columns['tunnel_block']}, in its spec {block}"
    monitors = [(monitor_id, project_id) for monitor_id, project_id in look.all(_MONITORS, id=connection.id)]
    wanted = [(connection.monitor_id, connection.project_id)] if connection.monitor_id else []
    if monitors != wanted and not (columns["deleting"] and not monitors):
        yield f"its monitor is {connection.monitor_id}, and there are {[found for found, _ in monitors]} of its project"
    for identity in _identities(look, connection):
        if not columns["identity"].startswith(identity):
            yield f"its identity is {columns['identity']!r}, by its spec {identity!r}"
    if (columns["psk"] is not None) != (connection.ike_policy.authentication_method == "pre-share"):
        yield f"it authenticates by {connection.ike_policy.authentication_method}, with{'' if columns['psk'] else 'out'} a PSK"


def _block(tunnel_address: str | None) -> int | None:
    """The number of its /30 in 169.254.0.0/16."""
    try:
        return None if tunnel_address is None else (int(ipaddress.IPv4Interface(tunnel_address).ip) & 0xFFFF) >> 2
    except ValueError:
        return None


def _identities(look: Look, connection: model.Connection) -> Iterator[str]:
    """How the column `identity` begins. A GM connection keeps no ids; of a peer that does not read, its own row tells."""
    ike = connection.ike_policy
    ids = ((ike.local_id_type, ike.local_id), (ike.peer_id_type, ike.peer_id))
    for (spec,) in look.all(_PEERS, id=connection.customer_gateway_id):
        with contextlib.suppress(pydantic.ValidationError):
            peer = codec.customer_gateway.validate_json(spec)
            yield "\n".join([peer.address or "any", *(f"{kind}:{value}".lower() for kind, value in ids if kind)])


# -- what stands beside the resources ---------------------------------------------------------------------------------


def _count(table: Table, condition: Any) -> Any:
    return select(func.count()).select_from(table).where(condition).scalar_subquery()


_COUNTS = tuple(
    (
        kind,
        Statement(
            select(_p.c.id, _n.c.value, _count(table, table.c.project_id == _p.c.id)).select_from(
                _p.outerjoin(_n, and_(_n.c.project_id == _p.c.id, _n.c.kind == bindparam("kind")))
            )
        ),
    )
    for kind, table in ((name, tables.metadata.tables[name]) for name in counters.KINDS)
)
_NUMBERS = Statement(
    select(
        _g.c.id,
        _gn.c.connections,
        _count(_c, _c.c.gateway_seq == _g.c.seq),
        _gn.c.next_if_id,
        select(func.max(_c.c.if_id)).where(_c.c.gateway_seq == _g.c.seq).scalar_subquery(),
    ).select_from(_g.outerjoin(_gn, _gn.c.gateway_seq == _g.c.seq))
)
_SHARED = Statement(
    select(_g.c.id, _c.c.if_id)
    .select_from(_c.join(_g, _g.c.seq == _c.c.gateway_seq))
    .group_by(_c.c.gateway_seq, _c.c.if_id)
    .having(func.count() > bindparam("one"))
)
_STRAY_TAGS = Statement(
    select(_tag.c.resource_id).where(and_(*(_tag.c.resource_id.not_in(select(kind.table.c.id)) for kind in KINDS)))
)
_FOREIGN = Statement(
    select(_c.c.id)
    .select_from(_c.join(_g, _g.c.seq == _c.c.gateway_seq).join(_cgw, _cgw.c.seq == _c.c.customer_gateway_seq))
    .where(or_(_g.c.project_id != _c.c.project_id, _cgw.c.project_id != _c.c.project_id))
)


def _check_counts(look: Look) -> Iterator[str]:
    for kind, statement in _COUNTS:
        for project_id, counted, there in look.each(statement, kind=kind):
            if counted != there:
                yield f"project {project_id}: {kind} is counted as {counted}, there are {there}"
    for gateway_id, counted, there, following, highest in look.each(_NUMBERS):
        if counted != there:
            yield f"vpn_gateway {gateway_id}: its connections are counted as {counted}, there are {there}"
        if following is not None and highest is not None and following <= highest:
            yield f"vpn_gateway {gateway_id}: the next if_id is {following}, and {highest} is in use"


def _check_strays(look: Look) -> Iterator[str]:
    for gateway_id, if_id in look.each(_SHARED, one=1):
        yield f"vpn_gateway {gateway_id}: several connections have the if_id {if_id}"
    for (connection_id,) in look.each(_FOREIGN):
        yield f"connection {connection_id}: its ends belong to another project"
    for (resource_id,) in look.each(_STRAY_TAGS):
        yield f"tag: {resource_id} is not there"


_first = (expressions.JsonValue(_t.c.spec, "id"), expressions.JsonValue(_t.c.spec, 0, "id"))
_made = case((expressions.IsJson(_t.c.spec), func.coalesce(*_first)))
_TOKENS = {
    operation: Statement(
        select(
            _t.c.token,
            _t.c.spec,
            _t.c.created_at,
            _made.in_(select(kind.table.c.id)),
            _made.in_(select(_a.c.resource_id).where(_a.c.action == bindparam("event"))),
        ).where(_t.c.operation == bindparam("operation"))
    )
    for operation, kind in MADE.items()
}
_UNKNOWN_TOKENS = Statement(
    select(_t.c.token, _t.c.operation).where(_t.c.operation.not_in([bindparam(operation) for operation in MADE]))
)


def _check_tokens(look: Look) -> Iterator[str]:
    for operation, kind in MADE.items():
        words = {"operation": operation, "event": kind.created}
        for token, spec, created_at, is_there, was_there in look.each(_TOKENS[operation], **words):
            if not (is_there or was_there) and codec.moment(created_at) > look.since:
                yield f"token {token!r}: what it made never existed"
            try:
                kind.codec.validate_json(spec)
            except pydantic.ValidationError:
                yield f"token {token!r}: its answer does not read"
    for token, operation in look.each(_UNKNOWN_TOKENS, **{operation: operation for operation in MADE}):
        yield f"token {token!r}: there is no operation {operation!r}"


# -- secrets ----------------------------------------------------------------------------------------------------------

_SETTING = Statement(
    select(tables.setting.c.name, tables.setting.c.value).where(tables.setting.c.name == bindparam("name"))
)
_SECRETS = (
    ("access_key", "secret", Statement(select(_k.c.access_key, _k.c.secret))),
    ("gateway_certificate", "keys", Statement(select(_gc.c.id, _gc.c.private_keys))),
    ("connection", "PSK", Statement(select(_c.c.id, _c.c.psk).where(_c.c.psk.is_not(None)))),
)


def _check_secrets(look: Look) -> Iterator[str]:
    """Under a wrong master key nothing opens: that is one finding, and not as many as there are secrets."""
    for name in look.sealed:
        for owner, value in look.all(_SETTING, name=name) or [(name, b"")]:
            if not _opens(look, value, owner):
                yield f"setting {name}: the master key does not fit this database"
                return
    for table, what, statement in _SECRETS:
        for owner, value in look.each(statement):
            if not _opens(look, value, owner):
                yield f"{table} {owner}: its {what} does not open under the master key"


def _opens(look: Look, value: bytes, belongs_to: str) -> bool:
    try:
        look.safe.open(value, belongs_to)
    except (errors.ConfigError, ValueError):
        return False
    return True


CHECKS: tuple[Check, ...] = (
    _check_owners,
    _check_resources,
    _check_counts,
    _check_strays,
    _check_tokens,
    _check_secrets,
)
