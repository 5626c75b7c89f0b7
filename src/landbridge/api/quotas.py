"""The operation on quotas."""

from landbridge.api import routes
from landbridge.operations import quotas
from landbridge.wire import quotas as wire_quotas

ROUTES = (
    routes.Route(
        operation=quotas.show,
        method="GET",
        path="/v5/{project_id}/vpn/quotas",
        summary="How many resources of each kind the project may have, and has",
        success=200,
        parse=routes.empty,
        render=wire_quotas.quotas,
        answer=wire_quotas.Quotas,
    ),
)
