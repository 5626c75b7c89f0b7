"""The operation on the timeline of a connection."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import timelines
from landbridge.wire import body, shapes
from landbridge.wire import timelines as wire


def _parse(incoming: routes.Incoming) -> body.Parsed[model.TimelineRequest]:
    request = model.TimelineRequest(
        connection_id=incoming.path["vpn_connection_id"],
        limit=incoming.query["limit"],
        marker=incoming.query["marker"] or "",
    )
    return body.Parsed(request)


ROUTES = (
    routes.Route(
        operation=timelines.show,
        method="GET",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/timeline",
        summary="The attempts, statuses, probes and changes of a connection, newest first (an extension of ours)",
        success=200,
        parse=_parse,
        render=lambda page: {
            "timeline": [wire.entry(entry.at, entry.item, page.configuration) for entry in page.entries],
            "page_info": shapes.page_info(page.next_marker, len(page.entries)),
        },
        answer=wire.Timeline,
        query=wire.QUERY,
    ),
)
