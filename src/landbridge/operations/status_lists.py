"""Lists of statuses (an extension of ours): the status of each connection or gateway, its time, and its reason in one line."""

from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.operations import paging
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.status import connection as connection_status
from landbridge.status import gateway as gateway_status
from landbridge.store import attempts, connections, gateways, pauses
from landbridge.store.database import Transaction

#: Rows that one request reads. With a filter, a page may be shorter than its limit without being the last page.
LOOKED_THROUGH = 2000
REASON_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """A row of a list. `since`: the last change of the status, as far as the store knows; `gateway_id`: of a connection."""

    id: str
    name: str
    status: str
    since: datetime | None
    reason: str | None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    rows: list[ResourceStatus]
    next_marker: str | None


@operation("list_vpn_connection_statuses", "reader", "long read")
def list_connections(tx: Transaction, call: Call, request: model.StatusListRequest) -> StatusPage:
    after = paging.after(call, "statuses of connections", request.marker)
    paused = pauses.list_all(tx)
    found: list[tuple[connections.ConnectionRow, model.Times, str | None]] = []
    rows = connections.page_with_times(tx, call.project_id, after, LOOKED_THROUGH + 1)
    looked_at = after
    for row in rows[:LOOKED_THROUGH]:
        if len(found) == request.limit:
            break
        known = row[0]
        looked_at = known.seq
        if request.fits(known.connection.name, connection_status.api_status(known)):
            found.append(row)
    more = bool(rows) and looked_at < rows[-1][0].seq
    told = attempts.add_to(tx, [known for known, _, _ in found])
    return StatusPage(
        rows=[
            _connection(call, known, times, _paused_since(paused, known.connection.gateway_id), gateway_failure)
            for known, (_, times, gateway_failure) in zip(told, found, strict=True)
        ],
        next_marker=paging.marker(call, "statuses of connections", looked_at) if more else None,
    )


def _connection(
    call: Call,
    known: connections.ConnectionRow,
    times: model.Times,
    paused_since: datetime | None,
    gateway_failure: str | None,
) -> ResourceStatus:
    connection = known.connection
    found = connection_status.of(known, call.now, call.service.unseen_after, paused_since, gateway_failure)
    return ResourceStatus(
        id=connection.id,
        name=connection.name,
        status=found.status,
        since=connection_status.since(known, times),
        reason=_one_line(found.explanation),
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
    return StatusPage(
        rows=[_gateway(call, known, times, paused) for known, times in page],
        next_marker=paging.marker(call, "statuses of gateways", page[-1][0].seq) if len(fitting) > len(page) else None,
    )


def _gateway(
    call: Call, known: gateways.GatewayRow, times: model.Times, paused: dict[str | None, datetime]
) -> ResourceStatus:
    paused_since = _paused_since(paused, known.gateway.id)
    found = gateway_status.of(known, call.now, call.service.unseen_after, paused_since)
    return ResourceStatus(
        id=known.gateway.id,
        name=known.gateway.name,
        status=found.status,
        since=gateway_status.since(known, times),
        reason=_one_line(found.explanation),
    )


def _paused_since(paused: dict[str | None, datetime], gateway_id: str) -> datetime | None:
    """The time of the gateway's own pause, or of the whole service's."""
    return min((at for one, at in paused.items() if one in (None, gateway_id)), default=None)


def _one_line(explanation: model.Explanation | None) -> str | None:
    return " ".join(explanation.reason.split())[:REASON_LIMIT] if explanation is not None else None
