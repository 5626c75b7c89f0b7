"""Pages of the list of connections, filtered by gateway, endpoint or enterprise projects."""

from dataclasses import dataclass

from landbridge import model
from landbridge.operations import connections as operations
from landbridge.operations import paging
from landbridge.operations.call import Call
from landbridge.operations.operation import Operation
from landbridge.store import connection_pages, gateways
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage:
    connections: list[operations.ShownConnection]
    next_marker: str | None
    total: int


#: A page of so many rows is read on the event loop: it takes as long as a few requests for one row.
ON_LOOP_LIMIT = 100


def _is_short(request: model.ConnectionListRequest) -> bool:
    return request.limit <= ON_LOOP_LIMIT and bool(request.gateway_ids) and not request.endpoints


def _list_page(tx: Transaction, call: Call, request: model.ConnectionListRequest) -> ConnectionPage:
    """A page, and the number of connections on all pages: a counter, or for one endpoint a count of its rows."""
    limit, after = request.limit, paging.after(call, "connections", request.marker)
    if request.gateway_ids or request.endpoints:
        rows, total = _of_gateway(tx, call, request, after)
    elif request.enterprise_project_ids:
        rows, total = _of_enterprises(tx, call, request, after)
    else:
        rows = connection_pages.page(tx, call.project_id, after, limit + 1)
        total = gateways.total_connections(tx, call.project_id)
    return ConnectionPage(
        connections=operations.shown(tx, call, rows[:limit]),
        next_marker=paging.marker(call, "connections", rows[limit - 1].seq) if len(rows) > limit else None,
        total=total,
    )


list_page = Operation(
    name="list_vpn_connections", role="reader", transacts="long read", run=_list_page, on_loop=_is_short
)


def _of_gateway(
    tx: Transaction, call: Call, request: model.ConnectionListRequest, after: int
) -> tuple[list[connection_pages.ListedRow], int]:
    """The rows of the gateway that the request names by id or by endpoint: one row more than the page has."""
    owners = {gateways.owner(tx, endpoint) for endpoint in request.endpoints}
    named = {*request.gateway_ids, *owners}
    gateway_id = named.pop()
    row = None if named or gateway_id is None else gateways.find(tx, call.project_id, gateway_id)
    if row is None or row.gateway.enterprise_project_id not in (
        request.enterprise_project_ids or {row.gateway.enterprise_project_id}
    ):
        return [], 0
    if not request.endpoints:
        return connection_pages.page_of_gateway(tx, row.seq, after, request.limit + 1), row.connections
    numbers = {
        endpoint.number
        for endpoint in row.gateway.endpoints
        if {endpoint.eip_id or endpoint.address} == request.endpoints
    }
    if not numbers:
        return [], 0
    number = numbers.pop()
    rows = connection_pages.page_of_endpoint(tx, row.seq, number, after, request.limit + 1)
    return rows, connection_pages.count_of_endpoint(tx, row.seq, number)


def _of_enterprises(
    tx: Transaction, call: Call, request: model.ConnectionListRequest, after: int
) -> tuple[list[connection_pages.ListedRow], int]:
    """The connections whose gateways belong to these enterprise projects. Most projects have one enterprise project for all gateways."""
    counts = gateways.of_enterprises(tx, call.project_id, request.enterprise_project_ids)
    total = sum(counts.values())
    if total == gateways.total_connections(tx, call.project_id):
        return connection_pages.page(tx, call.project_id, after, request.limit + 1), total
    return connection_pages.page_of_gateways(tx, counts, after, request.limit + 1), total
