"""The status of a VPN gateway."""

from dataclasses import dataclass
from datetime import datetime

from landbridge import model


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`applied`: the newest generation that an engine ever reported as applied; `failure`: of the last attempt."""

    generation: int
    deleting: bool
    applied: int | None
    failure: str | None
    seen_at: datetime | None


def of(known: Known) -> model.GatewayStatus:
    advice = model.Advice(reason=known.failure) if known.failure is not None else None
    return model.GatewayStatus(word=_word(known), advice=advice, seen_at=known.seen_at)


def _word(known: Known) -> str:
    if known.deleting:
        return "PENDING_DELETE"
    if known.failure is not None:
        return "FAULT"
    if known.applied is None:
        return "PENDING_CREATE"
    return "ACTIVE" if known.applied == known.generation else "PENDING_UPDATE"
