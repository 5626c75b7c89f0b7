"""The operation on the audit trail."""

from collections.abc import Iterable
from typing import Any

from landbridge import model
from landbridge.api import routes
from landbridge.operations import Operation, audit
from landbridge.wire import audit as wire
from landbridge.wire import body


def _list(incoming: routes.Incoming) -> body.Parsed[model.AuditListRequest]:
    query = incoming.query
    request = model.AuditListRequest(
        limit=query["limit"],
        marker=query["marker"] or "",
        resource_id=query["resource_id"],
        action=query["action"],
        actor=query["actor"],
        since=query["from"],
        until=query["to"],
    )
    return body.Parsed(request)


def routes_of(
    operations: Iterable[Operation[Any, Any]],
) -> tuple[routes.Route[model.AuditListRequest, audit.AuditPage]]:
    """`operations`: all other operations of the API. The audit trail has those that change something."""
    actions = {operation.name for operation in operations if operation.writes} | {*audit.OTHER_ACTIONS}
    return (
        routes.Route(
            operation=audit.list_page,
            method="GET",
            path="/landbridge/v1/{project_id}/audit",
            summary="The audit trail: the changes with their actors, newest first; for admins (an extension of ours)",
            success=200,
            parse=_list,
            render=lambda page: wire.page(page.events, page.next_marker, page.names),
            answer=wire.ManyAuditEvents,
            query=wire.query(tuple(sorted(actions))),
        ),
    )
