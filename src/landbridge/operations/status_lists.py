"""Lists of statuses (an extension of ours): the status of each connection or gateway, its time, and its reason in one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.operations import paging, related
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.status import cause_texts, redundancy
from landbridge.status import connection as connection_status
from landbridge.status import gateway as gateway_status
from landbridge.store import attempts, connection_pages, connections, gateways, overview, pauses
from landbridge.store.database import Transaction

#: Connections that one request looks through. A page with a filter may be shorter than its limit although it is not the last page.
LOOKED_THROUGH = 10_000
#: Connections whose causes one request derives.
EXPLAINED = 500
#: Characters of a reason, and of a remedy.
TEXT_LIMIT = 400
CAUSES = tuple(cause_texts.TEXTS)
_CONNECTIONS = "statuses of connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """A row of a list of statuses."""

    id: str
    name: str
    status: str
    #: The last change of the status, as far as the store knows.
    since: datetime | None
    reason: str | None
    #: The code of the cause. Only a connection has this, `remedy` and `gateway_id`.
    cause: str | None = None
    remedy: str | None = None
    gateway_id: str | None = None
    #: Only for a gateway with subnets behind it.
    redundant: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    rows: list[ResourceStatus]
    next_marker: str | None


@operation("list_vpn_connection_statuses", "reader", "long read")
def list_connections(tx: Transaction, call: Call, request: model.StatusListRequest) -> StatusPage:
    after = paging.after(call, _CONNECTIONS, request.marker)
    gateway = None if request.gateway_id is None else gateways.find(tx, call.project_id, request.gateway_id)
    if request.gateway_id is not None and gateway is None:
        return StatusPage(rows=[], next_marker=None)
    looked_at = connection_pages.page_of_facts(
        tx, call.project_id, gateway.seq if gateway else None, after, LOOKED_THROUGH + 1
    )
    fitting = [
        seq
        for seq, name, facts in looked_at[:LOOKED_THROUGH]
        if request.fits(name, connection_status.name_from_facts(facts))
    ]
    explained = fitting[: request.limit if request.cause is None else EXPLAINED]
    rows = rows_of(tx, call, explained)
    matching = [row for row in rows if request.cause in (None, row[1].cause)]
    page = matching[: request.limit]
    last = looked_at[LOOKED_THROUGH - 1][0] if len(looked_at) > LOOKED_THROUGH else None
    if len(matching) > len(page):
        last = page[-1][0]
    elif len(fitting) > len(explained):
        last = explained[-1]
    return StatusPage(
        rows=[row for _, row in page],
        next_marker=None if last is None else paging.marker(call, _CONNECTIONS, last),
    )


def rows_of(tx: Transaction, call: Call, seqs: list[int]) -> list[tuple[int, ResourceStatus]]:
    """A row for each connection, with its seq."""
    paused = pauses.list_all(tx)
    rows = connections.with_times(tx, seqs)
    owners = {known.connection.gateway_id for known, _, _ in rows}
    of_gateways = {
        row.gateway.id: related.load_gateway(tx, call.service.site, row)
        for row in (gateways.find(tx, call.project_id, owner) for owner in owners)
        if row is not None
    }
    matching = []
    for known, (_, times, gateway_failure) in zip(attempts.add_to(tx, [row[0] for row in rows]), rows, strict=True):
        gateway_id = known.connection.gateway_id
        status = connection_status.derive(
            known,
            call.now,
            call.service.unseen_after,
            paused_since(paused, gateway_id),
            gateway_failure,
            related.load(tx, known, of_gateways.get(gateway_id)),
        )
        matching.append((known.seq, _connection(known.connection, status, connection_status.since(known, times))))
    return matching


def _connection(connection: model.Connection, status: model.ConnectionStatus, since: datetime | None) -> ResourceStatus:
    """The first warning takes the place of the explanation of a tunnel that is up."""
    shown = status.explanation or next(iter(status.warnings), None)
    return ResourceStatus(
        id=connection.id,
        name=connection.name,
        status=status.status,
        since=since,
        cause=connection_status.first_cause(status),
        reason=_one_line(shown.reason if shown else None),
        remedy=_one_line(shown.remedy if shown else None),
        gateway_id=connection.gateway_id,
    )


@operation("list_vpn_gateway_statuses", "reader", "long read")
def list_gateways(tx: Transaction, call: Call, request: model.StatusListRequest) -> StatusPage:
    """A page. It filters all gateways of the project, which are some hundred at most."""
    after = paging.after(call, "statuses of gateways", request.marker)
    paused = pauses.list_all(tx)
    fitting = [
        (known, times)
        for known, times in gateways.list_with_times(tx, call.project_id)
        if known.seq > after and request.fits(known.gateway.name, gateway_status.api_status(known))
    ]
    page = fitting[: request.limit]
    carrying = overview.carrying(overview.tunnels(tx, call.project_id))
    return StatusPage(
        rows=[_gateway(call, known, times, paused, carrying.get(known.seq, ())) for known, times in page],
        next_marker=paging.marker(call, "statuses of gateways", page[-1][0].seq) if len(fitting) > len(page) else None,
    )


def _gateway(
    call: Call,
    known: gateways.GatewayRow,
    times: model.Times,
    paused: dict[str | None, datetime],
    carrying: Sequence[redundancy.Carrying],
) -> ResourceStatus:
    since = paused_since(paused, known.gateway.id)
    derived = gateway_status.derive(known, call.now, call.service.unseen_after, since)
    met = redundancy.met(carrying)
    return ResourceStatus(
        id=known.gateway.id,
        name=known.gateway.name,
        status=derived.status,
        since=gateway_status.since(known, times),
        reason=_one_line(derived.explanation.reason if derived.explanation else None),
        redundant=met[0] if met else None,
    )


def paused_since(paused: dict[str | None, datetime], gateway_id: str) -> datetime | None:
    """The time of the gateway's own pause, or of the whole service's."""
    return min((at for paused_id, at in paused.items() if paused_id in (None, gateway_id)), default=None)


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())[:TEXT_LIMIT]
