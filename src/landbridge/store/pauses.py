"""What the agent watches and leaves alone: a row of `setting` for the whole service, and one for each paused gateway.

The value is the moment since when, in milliseconds; it is no secret and not sealed.
"""

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from landbridge.store import codec, expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: The whole service; a gateway's row is called `paused <id>`.
NAME = "paused"

_s = tables.setting
_ADD = Statement(expressions.Upsert(_s, ("name", "value")))
_REMOVE = Statement(delete(_s).where(_s.c.name == bindparam("name")))
_ALL = Statement(select(_s.c.name, _s.c.value).where(_s.c.name >= NAME, _s.c.name < NAME + "!"))
_ONE = Statement(select(_s.c.value).where(_s.c.name.in_([NAME, bindparam("name")])))


def _name(gateway_id: str | None) -> str:
    return NAME if gateway_id is None else f"{NAME} {gateway_id}"


def add(tx: Transaction, gateway_id: str | None, now: datetime) -> None:
    """None: the whole service. What is paused already stays so since then."""
    tx.run(_ADD, name=_name(gateway_id), value=str(codec.milliseconds(now)).encode())


def remove(tx: Transaction, gateway_id: str | None) -> bool:
    """False when it was not paused."""
    return tx.run(_REMOVE, name=_name(gateway_id)) == 1


def list_all(tx: Transaction) -> dict[str | None, datetime]:
    """Gateway id (None: the whole service) -> since when."""
    return {name[len(NAME) + 1 :] or None: _moment(value) for name, value in tx.all(_ALL)}


def since(tx: Transaction, gateway_id: str) -> datetime | None:
    """Since when the gateway is left alone, for its own sake or with the whole service."""
    return min((_moment(row[0]) for row in tx.all(_ONE, name=_name(gateway_id))), default=None)


def _moment(value: bytes) -> datetime:
    return codec.moment(int(value))
