"""The answer of `/readyz`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from landbridge.store import gateways, pauses
from landbridge.store.database import Transaction

#: An agent that begins to observe all gateways this many ticks late stands still.
LATE_TICKS = 3


class Readiness(NamedTuple):
    """`public` is for anybody; `details` is for an operator, and names gateways of every project."""

    ready: bool
    public: dict[str, Any]
    details: dict[str, Any]


def check(tx: Transaction, engine: Mapping[str, str], *, agent_age: float, tick: float) -> Readiness:
    """`engine` is its description. `agent_age`: seconds since the agent last began to look at all gateways; `tick`: seconds between two
    such times.
    """
    ready = engine["name"] == "none" or agent_age < LATE_TICKS * tick
    public: dict[str, Any] = {"status": "ready" if ready else "the agent stands still", "database": "ok"}
    details: dict[str, Any] = {"engine": engine}
    if paused := pauses.list_all(tx):
        public["paused"] = "all gateways" if None in paused else len(paused)
        details["paused"] = {
            gateway_id or "all gateways": f"since {at:%Y-%m-%dT%H:%M:%SZ}" for gateway_id, at in paused.items()
        }
    if faults := gateways.in_fault(tx):
        public["faults"] = faults
    return Readiness(ready, public, details)
