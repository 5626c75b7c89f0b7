"""The operation that checks a create of a connection."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import connection_checks
from landbridge.wire import body, connection_requests
from landbridge.wire import connection_checks as wire


def _parse(incoming: routes.Incoming) -> body.Parsed[model.ConnectionCheckRequest]:
    parsed = body.parse(connection_requests.CreateConnection, "vpn_connection", incoming.content)
    request = model.ConnectionCheckRequest(connection=parsed.value.request(), ignored=parsed.ignored)
    return body.Parsed(request, parsed.violations, parsed.ignored)


ROUTES = (
    routes.Route(
        operation=connection_checks.check,
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-connections/check",
        summary="Check a create without creating: the connection, all violations and warnings, and the settings of the device"
        " (an extension of ours)",
        success=200,
        parse=_parse,
        render=lambda checked: {
            "check": wire.check(
                checked.violations, checked.warnings, checked.connection, checked.generated, checked.device
            )
        },
        answer=wire.OneCheck,
        accepts=("vpn_connection", connection_requests.CreateConnection),
    ),
)
