"""Removes old audit events and idempotency tokens, a few at a time, while the service runs.

Invariant: only the oldest audit events are removed, so the trail has no gap. A batch is one short transaction, and there is a pause between
two batches, so that no other write waits for longer than a batch.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, func, select, tuple_

from landbridge import errors
from landbridge.store import codec, idempotency_tokens, tables
from landbridge.store.database import Database, Transaction
from landbridge.store.statement import Statement

log = logging.getLogger(__name__)

BATCH = 200
PAUSE_SECONDS = 0.05
#: Between two rounds.
ROUND_SECONDS = 60.0

_audit, _token = tables.audit, tables.token
_OLDEST = Statement(select(_audit.c.seq, _audit.c.at).order_by(_audit.c.seq).limit(bindparam("limit")))
_NEWEST = Statement(select(func.max(_audit.c.seq)))
_FORGET = Statement(delete(_audit).where(_audit.c.seq <= bindparam("last")))
_OLD_TOKENS = (
    select(_token.c.project_id, _token.c.token)
    .where(_token.c.created_at <= bindparam("since"))
    .order_by(_token.c.created_at)
    .limit(bindparam("limit"))
)
_FORGET_TOKENS = Statement(delete(_token).where(tuple_(_token.c.project_id, _token.c.token).in_(_OLD_TOKENS)))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the audit trail stays, by age and by number of events. None: without limit."""

    age: timedelta | None
    events: int | None


def prune_audit(tx: Transaction, limits: Limits, now: datetime) -> int:
    """Removes up to a batch of the oldest events that are too old or too many. Returns how many."""
    before = codec.milliseconds(now - limits.age) if limits.age is not None else 0
    newest = (tx.one(_NEWEST) or (None,))[0] or 0
    too_many = newest - limits.events if limits.events is not None else 0
    last, count = 0, 0
    for seq, at in tx.all(_OLDEST, limit=BATCH):
        if at >= before and seq > too_many:
            break
        last, count = seq, count + 1
    return tx.run(_FORGET, last=last) if count else 0


def prune_tokens(tx: Transaction, now: datetime) -> int:
    """Removes up to a batch of expired tokens. Returns how many."""
    return tx.run(_FORGET_TOKENS, since=codec.milliseconds(now - idempotency_tokens.LIFETIME), limit=BATCH)


class Retention:
    """Removes old rows in a thread of its own, from `start` to `stop`."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.prune()
            except errors.Busy as error:
                log.warning("old records stay for another round: %s", error)
            except Exception:
                log.exception("old records could not be removed; next try in a minute")
            self._stop.wait(ROUND_SECONDS)

    def prune(self) -> None:
        """Removes everything that is old enough now, batch by batch."""
        now = datetime.now(UTC)
        self._batches("audit events", lambda tx: prune_audit(tx, self._limits, now))
        self._batches("idempotency tokens", lambda tx: prune_tokens(tx, now))

    def _batches(self, name: str, work: Callable[[Transaction], int]) -> None:
        removed = batch = self._database.write(work)
        while batch == BATCH and not self._stop.wait(PAUSE_SECONDS):
            batch = self._database.write(work)
            removed += batch
        if removed:
            log.info("removed %d old %s", removed, name)
