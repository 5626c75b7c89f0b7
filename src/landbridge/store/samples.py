"""Rows of samples: the newest slots of each connection and ring.

A ring is a fixed number of positions, and the slot n stands at position n modulo that number: a new slot takes the row of the one that is too
old. The key begins with the position, so the rows that are written together stand together, on few pages (docs/decisions/0060).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select

from landbridge.model.samples import RINGS, EchoSample, Ring, Sample
from landbridge.store import expressions, tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

_connection_sample, _connection = tables.connection_sample, tables.connection
_KEYS = ("step", "position", "connection_seq")
_COUNTS = ("observed", "up", "bytes_in", "bytes_out")
_ECHOES = ("sent", "lost", "rtt_total", "rtt_min", "rtt_max")
_VALUES = (*_COUNTS, *(f"{kind}_{name}" for kind in ("nqa", "monitor") for name in _ECHOES))
_PUT = Statement(
    expressions.Upsert(
        _connection_sample,
        (*_KEYS, "slot", *_VALUES),
        keys=_KEYS,
        update=lambda new: {name: new[name] for name in ("slot", *_VALUES)},
    )
)
_AT_POSITION = Statement(
    select(_connection_sample.c.connection_seq, *(_connection_sample.c[name] for name in _VALUES)).where(
        _connection_sample.c.step == bindparam("step"),
        _connection_sample.c.position == bindparam("position"),
        expressions.IsAmong(_connection_sample.c.connection_seq, "seqs"),
        _connection_sample.c.slot == bindparam("slot"),
    )
)
_OF_CONNECTION = Statement(
    select(_connection_sample.c.slot, *(_connection_sample.c[name] for name in _VALUES))
    .where(
        _connection_sample.c.step == bindparam("step"),
        expressions.IsAmong(_connection_sample.c.position, "positions"),
        _connection_sample.c.connection_seq == bindparam("connection_seq"),
        _connection_sample.c.slot > bindparam("before"),
        _connection_sample.c.slot <= bindparam("newest"),
    )
    .order_by(_connection_sample.c.slot)
)
_FORGET = Statement(
    delete(_connection_sample).where(
        _connection_sample.c.step == bindparam("step"),
        expressions.IsAmong(_connection_sample.c.position, "positions"),
        _connection_sample.c.connection_seq
        == select(_connection.c.seq).where(_connection.c.id == bindparam("id")).scalar_subquery(),
    )
)
_SEQS = Statement(select(_connection.c.id, _connection.c.seq).where(expressions.IsAmong(_connection.c.id, "ids")))
_POSITIONS = {ring.name: expressions.values(range(ring.slots)) for ring in RINGS}


def seqs(tx: Transaction, connection_ids: Iterable[str]) -> dict[str, int]:
    """The numbers of the connections that have a row."""
    return dict(tx.all(_SEQS, ids=expressions.values(connection_ids)))


def at_slot(tx: Transaction, ring: Ring, slot: int, connection_seqs: Iterable[int]) -> dict[int, Sample]:
    """The samples of a slot, by the connection. Those without any are missing."""
    given = expressions.values(connection_seqs)
    rows = tx.all(_AT_POSITION, step=ring.seconds, position=slot % ring.slots, slot=slot, seqs=given)
    return {seq: _sample(values) for seq, *values in rows}


def put(tx: Transaction, ring: Ring, slot: int, samples: Mapping[int, Sample]) -> None:
    """Writes the samples of a slot, by connection. A sample replaces the row at its position."""
    key = {"step": ring.seconds, "position": slot % ring.slots, "slot": slot}
    tx.run_many(_PUT, [{**key, "connection_seq": seq, **_columns(samples[seq])} for seq in sorted(samples)])


def of_connection(tx: Transaction, ring: Ring, connection_seq: int, newest: int) -> list[tuple[int, Sample]]:
    """(slot, sample) of the slots of a ring up to `newest`, oldest first. A slot without a sample is missing."""
    rows = tx.all(
        _OF_CONNECTION,
        step=ring.seconds,
        positions=_POSITIONS[ring.name],
        connection_seq=connection_seq,
        before=newest - ring.slots,
        newest=newest,
    )
    return [(slot, _sample(values)) for slot, *values in rows]


def forget(tx: Transaction, connection_id: str) -> None:
    """Deletes all samples of a connection."""
    for ring in RINGS:
        tx.run(_FORGET, step=ring.seconds, positions=_POSITIONS[ring.name], id=connection_id)


def _columns(sample: Sample) -> dict[str, Any]:
    counts = (sample.observed, sample.up, sample.bytes_in, sample.bytes_out)
    return dict(zip(_VALUES, (*counts, *_of_echoes(sample.nqa), *_of_echoes(sample.monitor)), strict=True))


def _of_echoes(echoes: EchoSample | None) -> tuple[int | None, ...]:
    if echoes is None:
        return (None,) * len(_ECHOES)
    return echoes.sent, echoes.lost, echoes.rtt_total, echoes.rtt_min, echoes.rtt_max


def _sample(values: list[Any]) -> Sample:
    observed, up, came, went = values[:4]
    nqa, monitor = values[4:9], values[9:]
    return Sample(observed, up, came, went, _echoes(nqa), _echoes(monitor))


def _echoes(values: list[Any]) -> EchoSample | None:
    return None if values[0] is None else EchoSample(*values)
