"""What a connection carried and what its echoes said, over the last hour, day or month (an extension of ours)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from landbridge import model
from landbridge.model.samples import RINGS, Ring, Sample, SeriesRequest
from landbridge.operations import connections as connection_operations
from landbridge.operations import samples
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import codec
from landbridge.store import samples as store
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A slot that has a sample. `bits_in`, `bits_out`: a second, over the observed time; None where nothing was observed."""

    at: datetime
    sample: Sample
    bits_in: float | None
    bits_out: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The slots of a ring from `since` to `until`. A slot without a sample is missing in `points`: nothing is known of it."""

    connection: model.Connection
    ring: Ring
    since: datetime
    until: datetime
    points: list[Point]


@operation("show_vpn_connection_traffic", "reader", "long read")
def show(tx: Transaction, call: Call, request: SeriesRequest) -> Series:
    row = connection_operations.find(tx, call, request.connection_id)
    (ring,) = (ring for ring in RINGS if ring.name == request.last)
    newest = samples.slot_at(ring, codec.milliseconds(call.now))
    return Series(
        connection=row.connection,
        ring=ring,
        since=_begin(ring, newest - ring.slots + 1),
        until=_begin(ring, newest + 1),
        points=[
            Point(
                at=_begin(ring, slot),
                sample=sample,
                bits_in=samples.rate(sample.bytes_in, sample),
                bits_out=samples.rate(sample.bytes_out, sample),
            )
            for slot, sample in store.of_connection(tx, ring, row.seq, newest)
        ],
    )


def _begin(ring: Ring, slot: int) -> datetime:
    return datetime.fromtimestamp(slot * ring.seconds, UTC)
