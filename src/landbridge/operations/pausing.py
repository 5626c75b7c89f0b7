"""Pauses of the agent, for the whole service or for one gateway. A paused agent watches and reports, and changes nothing."""

from datetime import datetime

from landbridge import errors
from landbridge.store import gateways, pauses
from landbridge.store.database import Transaction


def pause(tx: Transaction, gateway_id: str | None, now: datetime) -> datetime:
    """Pauses, and returns the time of the pause: `now`, or earlier when it was paused already. Raises NotFound."""
    if gateway_id is not None and gateways.find_any(tx, gateway_id) is None:
        raise errors.NotFound(f"VPN gateway {gateway_id[:64]}")
    pauses.add(tx, gateway_id, now)
    return pauses.list_all(tx)[gateway_id]


def resume(tx: Transaction, gateway_id: str | None) -> None:
    """Ends the pause of the gateway, or that of the whole service, and no other pause. Raises NotFound."""
    if not pauses.remove(tx, gateway_id):
        what = "the service" if gateway_id is None else f"VPN gateway {gateway_id[:64]}"
        raise errors.NotFound(f"a pause of {what}")


def list_all(tx: Transaction) -> dict[str | None, datetime]:
    """Gateway id (None: the whole service) -> time of the pause."""
    return pauses.list_all(tx)
