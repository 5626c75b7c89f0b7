"""Reads the change mark of a project, which changes with everything that a page shows. It is much cheaper than the page."""

from sqlalchemy import bindparam, func, select

from landbridge.store import expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_vpn_gateway, _gateway_observation = tables.vpn_gateway, tables.gateway_observation
#: A report of an engine moves the time of its gateway's look forward, so the sum of these times changes with every report.
_OBSERVATIONS = Statement(
    select(func.count(), func.sum(_gateway_observation.c.seen_at))
    .select_from(_gateway_observation.join(_vpn_gateway, _vpn_gateway.c.seq == _gateway_observation.c.gateway_seq))
    .where(_vpn_gateway.c.project_id == bindparam("project_id"))
)
_WRITTEN = Statement(select(expressions.LastSeq(tables.audit)))
#: A cause is stored after the observation that found it.
_STATES = Statement(select(func.max(tables.connection_state.c.seq)))
_SESSIONS = Statement(select(func.max(tables.bgp_change.c.seq)))


def find(tx: Transaction, project_id: str) -> tuple[int, ...]:
    """Five numbers: of the last audit event, of the last change of a status or a cause, and of the last change of a BGP session, in all projects; how
    many gateways of the project were observed, and the sum of the times of these observations. Each change by a person or a client has an audit event, and
    each change that an engine saw comes with an observation.
    """
    ((written,),), ((states,),), ((sessions,),) = (tx.all(statement) for statement in (_WRITTEN, _STATES, _SESSIONS))
    ((seen, times),) = tx.all(_OBSERVATIONS, project_id=project_id)
    return written or 0, states or 0, sessions or 0, seen, times or 0
