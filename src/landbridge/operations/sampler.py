"""Collects samples of what an agent sees, and writes them once a minute."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from landbridge import model
from landbridge.model.samples import RINGS, Sample
from landbridge.operations import samples
from landbridge.store import codec
from landbridge.store import samples as store
from landbridge.store.database import Database, Transaction

log = logging.getLogger(__name__)
#: Seconds between two writes.
PERIOD = 60.0
#: Connections of a transaction, so that other writers wait only some milliseconds.
BATCH = 500
#: Milliseconds between two observations whose echoes are taken. An engine reports the echoes of the last minute.
_ECHOES_EVERY = 55_000

Collected = dict[str, dict[int, Sample]]
Observations = Mapping[str, model.ConnectionObservation]


@dataclass(slots=True)
class Sampler:
    """`unseen_after`: two observations with more time between them do not follow each other. Nothing is known of that time.

    A process that ends without `flush` loses what it collected in the last minute.
    """

    database: Database
    unseen_after: timedelta
    _collected: Collected = field(default_factory=dict)
    _echoes_at: dict[str, int] = field(default_factory=dict)
    _next: float = field(default_factory=lambda: time.monotonic() + PERIOD)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(
        self, gateway_id: str, before: Observations, now: Observations, last_seen_at: datetime, at: datetime
    ) -> None:
        """Takes two observations of a gateway, one after the other. A connection that one of them does not have is left out."""
        since, until = codec.milliseconds(last_seen_at), codec.milliseconds(at)
        if not 0 < until - since <= self.unseen_after.total_seconds() * 1000:
            self._echoes_at.pop(gateway_id, None)
            return
        echoes_since = self._echo_window(gateway_id, since, until)
        for connection_id, observation in now.items():
            if connection_id in before:
                self._collect(connection_id, samples.of_traffic(before[connection_id], observation, since, until))
                if echoes_since is not None:
                    self._collect(connection_id, samples.of_echoes(observation, echoes_since, until))

    def _echo_window(self, gateway_id: str, since: int, until: int) -> int | None:
        """The start of the echoes that were not taken yet; None when it is too early to take them."""
        last = self._echoes_at.setdefault(gateway_id, since)
        if until - last < _ECHOES_EVERY:
            return None
        self._echoes_at[gateway_id] = until
        return max(last, until - samples.ECHO_WINDOW)

    def _collect(self, connection_id: str, pieces: Iterable[tuple[int, Sample]]) -> None:
        with self._lock:
            of_connection = self._collected.setdefault(connection_id, {})
            for slot, sample in pieces:
                stored = of_connection.get(slot)
                of_connection[slot] = sample if stored is None else samples.add(stored, sample)

    def keep(self, gateway_ids: frozenset[str]) -> None:
        """Forgets all other gateways."""
        for gateway_id in self._echoes_at.keys() - gateway_ids:
            self._echoes_at.pop(gateway_id, None)

    def flush_when_due(self) -> None:
        """Writes what was collected, when the last write was long enough ago and no other thread writes."""
        if time.monotonic() >= self._next and self._writing.acquire(blocking=False):
            try:
                self.flush()
            finally:
                self._writing.release()

    def flush(self) -> None:
        """Writes what was collected. It only logs an error: those samples are lost, and the agent continues."""
        self._next = time.monotonic() + PERIOD
        with self._lock:
            collected, self._collected = self._collected, {}
        for part in _parts(collected):
            try:
                self.database.write(partial(write, collected=part), durable=False)
            except Exception:
                log.exception("samples of %d connections could not be stored", len(part))


def _parts(collected: Collected) -> Iterator[Collected]:
    names = list(collected)
    for start in range(0, len(names), BATCH):
        yield {name: collected[name] for name in names[start : start + BATCH]}


def write(tx: Transaction, collected: Collected) -> None:
    """Adds pieces to the samples of all rings. Those of connections that are gone are dropped."""
    seqs = store.seqs(tx, collected)
    for ring in RINGS:
        by_slot: dict[int, dict[int, Sample]] = {}
        for connection_id, seq in seqs.items():
            for slot, sample in samples.fold(collected[connection_id], ring).items():
                by_slot.setdefault(slot, {})[seq] = sample
        for slot in sorted(by_slot)[-ring.slots :]:
            samples_of = by_slot[slot]
            known = store.at_slot(tx, ring, slot, samples_of)
            store.put(
                tx,
                ring,
                slot,
                {
                    seq: samples.add(known[seq], sample) if seq in known else sample
                    for seq, sample in samples_of.items()
                },
            )
