"""Rows of pauses. A row is for one gateway, or for the whole service. The agent observes a paused gateway, and changes nothing."""

from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, null, or_, select

from landbridge.store import codec, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_pause, _vpn_gateway = tables.pause, tables.vpn_gateway
_OF_SERVICE = _pause.c.gateway_seq.is_(None)
_OF_GATEWAY = (
    _pause.c.gateway_seq == select(_vpn_gateway.c.seq).where(_vpn_gateway.c.id == bindparam("id")).scalar_subquery()
)
_ADD_SERVICE = Statement(insert(_pause).values(gateway_seq=null(), since=bindparam("at")))
_ADD_GATEWAY = Statement(
    insert(_pause).from_select(
        ["gateway_seq", "since"],
        select(_vpn_gateway.c.seq, bindparam("at")).where(_vpn_gateway.c.id == bindparam("id")),
    )
)
_REMOVE_SERVICE = Statement(delete(_pause).where(_OF_SERVICE))
_REMOVE_GATEWAY = Statement(delete(_pause).where(_OF_GATEWAY))
_ALL = Statement(
    select(_vpn_gateway.c.id, _pause.c.since).select_from(
        _pause.outerjoin(_vpn_gateway, _vpn_gateway.c.seq == _pause.c.gateway_seq)
    )
)
_SINCE = Statement(select(func.min(_pause.c.since)).where(or_(_OF_SERVICE, _OF_GATEWAY)))


def add(tx: Transaction, gateway_id: str | None, now: datetime) -> bool:
    """`gateway_id` None: the whole service. What is paused already keeps the time of its pause: then the result is False."""
    at = codec.milliseconds(now)
    if gateway_id in list_all(tx):
        return False
    if gateway_id is None:
        tx.run(_ADD_SERVICE, at=at)
    else:
        tx.run(_ADD_GATEWAY, id=gateway_id, at=at)
    return True


def remove(tx: Transaction, gateway_id: str | None) -> bool:
    """Returns False when it was not paused."""
    removed = tx.run(_REMOVE_SERVICE) if gateway_id is None else tx.run(_REMOVE_GATEWAY, id=gateway_id)
    return removed == 1


def list_all(tx: Transaction) -> dict[str | None, datetime]:
    """Gateway id (None: the whole service) -> time of the pause."""
    return {gateway_id: codec.moment(since) for gateway_id, since in tx.all(_ALL)}


def since(tx: Transaction, gateway_id: str) -> datetime | None:
    """Returns since when the agent does not change the gateway, by a pause of its own or of the whole service."""
    ((at,),) = tx.all(_SINCE, id=gateway_id)
    return None if at is None else codec.moment(at)
