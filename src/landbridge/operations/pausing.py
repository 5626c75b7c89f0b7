"""The agent's pause: it watches and reports, but does not act. On the whole service, or on one gateway."""

from datetime import datetime

from landbridge import errors
from landbridge.store import gateways, pauses
from landbridge.store.database import Transaction


def pause(tx: Transaction, gateway_id: str | None, now: datetime) -> datetime:
    """Since when it is paused: now, unless it was already. Raises NotFound."""
    if gateway_id is not None and gateways.find_any(tx, gateway_id) is None:
        raise errors.NotFound(f"VPN gateway {gateway_id[:64]}")
    pauses.add(tx, gateway_id, now)
    return pauses.list_all(tx)[gateway_id]


def resume(tx: Transaction, gateway_id: str | None) -> None:
    """Of a gateway: its own pause alone; that of the whole service stays, and the other way round. Raises NotFound."""
    if not pauses.remove(tx, gateway_id):
        what = "the service" if gateway_id is None else f"VPN gateway {gateway_id[:64]}"
        raise errors.NotFound(f"a pause of {what}")


def every(tx: Transaction) -> dict[str | None, datetime]:
    """Gateway id (None: the whole service) -> since when it is paused."""
    return pauses.list_all(tx)
