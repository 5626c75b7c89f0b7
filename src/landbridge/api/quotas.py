"""The operation on quotas."""

from landbridge.api import row
from landbridge.operations import quotas
from landbridge.wire import quotas as wire_quotas

ROWS: tuple[row.Operation, ...] = (
    row.Operation(
        name="show_quotas_info",
        method="GET",
        path="/v5/{project_id}/vpn/quotas",
        summary="How many resources of each kind the project may have, and has",
        success=200,
        run=quotas.show,
        parse=lambda _: row.Asked(request=None),
        render=wire_quotas.quotas,
        answer=wire_quotas.Quotas,
    ),
)
