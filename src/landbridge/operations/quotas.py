"""Quotas: how many resources a project may have, and has."""

from landbridge import model
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import quota as rules
from landbridge.store import counters, gateways
from landbridge.store.database import Transaction


@operation("show_quotas_info", "reader", "long read")
def show(tx: Transaction, call: Call, _: model.EmptyRequest) -> list[model.Quota]:
    """The quota of each kind."""
    return [
        model.Quota(kind=kind, limit=_limit(call, kind) or None, used=_used(tx, call, kind)) for kind in rules.KINDS
    ]


def check(tx: Transaction, call: Call, kind: str) -> list[model.Violation]:
    """A violation when the project may have no further resource of the kind.

    A kind without a limit is not counted: the number of connections is a sum over gateways.
    """
    limit = _limit(call, kind)
    return list(rules.check(kind, limit, _used(tx, call, kind))) if limit else []


def _limit(call: Call, kind: str) -> int:
    limit: int = getattr(call.service.quotas, kind)
    return limit


def _used(tx: Transaction, call: Call, kind: str) -> int:
    if kind == "vpn_connection":
        return gateways.total_connections(tx, call.project_id)
    return counters.value(tx, call.project_id, kind)
