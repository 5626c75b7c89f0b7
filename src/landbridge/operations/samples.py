"""Makes samples from observations of a connection, and adds samples up. Pure. Times are milliseconds since 1970."""

from collections.abc import Iterable, Iterator, Mapping

from landbridge import model
from landbridge.model.samples import FINEST_SECONDS, EchoSample, Ring, Sample

#: An engine reports the echoes of this time before an observation.
ECHO_WINDOW = 60_000
_FINEST = FINEST_SECONDS * 1000


def slot_at(ring: Ring, at: int) -> int:
    """The slot of a ring that contains this time."""
    return at // (ring.seconds * 1000)


def of_traffic(
    before: model.ConnectionObservation, now: model.ConnectionObservation, since: int, until: int
) -> Iterator[tuple[int, Sample]]:
    """(slot of the finest ring, sample) for the time between two consecutive observations. The bytes are spread evenly over it. The state that the
    first observation found counts for the whole time. A counter that went backwards was started anew, and its bytes are not counted.
    """
    came = max(0, now.traffic.bytes_in - before.traffic.bytes_in)
    went = max(0, now.traffic.bytes_out - before.traffic.bytes_out)
    is_up = before.state == "up"
    for slot, begin, end in _parts(since, until):
        yield (
            slot,
            Sample(
                observed=end - begin,
                up=end - begin if is_up else 0,
                bytes_in=_share(came, since, until, begin, end),
                bytes_out=_share(went, since, until, begin, end),
            ),
        )


def of_echoes(now: model.ConnectionObservation, since: int, until: int) -> Iterator[tuple[int, Sample]]:
    """(slot of the finest ring, sample) of the echoes of this time, which is at most the last ECHO_WINDOW before the observation."""
    if now.nqa is None and now.monitor is None:
        return
    for slot, begin, end in _parts(since, until):
        nqa, monitor = (_echoes(reachability, since, until, begin, end) for reachability in (now.nqa, now.monitor))
        if nqa is not None or monitor is not None:
            yield slot, Sample(nqa=nqa, monitor=monitor)


def _echoes(reachability: model.Reachability | None, since: int, until: int, begin: int, end: int) -> EchoSample | None:
    if reachability is None:
        return None
    sent = _share(reachability.sent, since, until, begin, end)
    if not sent:
        return None
    lost = min(sent, _share(reachability.lost, since, until, begin, end))
    if sent == lost or reachability.rtt_min is None or reachability.rtt_average is None or reachability.rtt_max is None:
        return EchoSample(sent, lost)
    shortest, average, longest = (
        round(1000 * seconds) for seconds in (reachability.rtt_min, reachability.rtt_average, reachability.rtt_max)
    )
    return EchoSample(sent, lost, average * (sent - lost), shortest, longest)


def _parts(since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """(slot of the finest ring, begin, end) of the parts of a time."""
    begin = since
    while begin < until:
        slot = begin // _FINEST
        end = min(until, (slot + 1) * _FINEST)
        yield slot, begin, end
        begin = end


def _share(total: int, since: int, until: int, begin: int, end: int) -> int:
    """The part of a total that belongs to a part of its time. The shares of all parts are the total."""
    whole = until - since
    return total * (end - since) // whole - total * (begin - since) // whole


def add(sample: Sample, other: Sample) -> Sample:
    """The sum of two samples."""
    return Sample(
        sample.observed + other.observed,
        sample.up + other.up,
        sample.bytes_in + other.bytes_in,
        sample.bytes_out + other.bytes_out,
        _add_echoes(sample.nqa, other.nqa),
        _add_echoes(sample.monitor, other.monitor),
    )


def _add_echoes(echoes: EchoSample | None, other: EchoSample | None) -> EchoSample | None:
    if echoes is None or other is None:
        return other if echoes is None else echoes
    shortest = [rtt for rtt in (echoes.rtt_min, other.rtt_min) if rtt is not None]
    longest = [rtt for rtt in (echoes.rtt_max, other.rtt_max) if rtt is not None]
    return EchoSample(
        echoes.sent + other.sent,
        echoes.lost + other.lost,
        echoes.rtt_total + other.rtt_total,
        min(shortest, default=None),
        max(longest, default=None),
    )


def total(pieces: Iterable[tuple[int, Sample]]) -> dict[int, Sample]:
    """The sample of each slot."""
    samples: dict[int, Sample] = {}
    for slot, sample in pieces:
        samples[slot] = add(samples[slot], sample) if slot in samples else sample
    return samples


def fold(pieces: Mapping[int, Sample], ring: Ring) -> dict[int, Sample]:
    """Slots of the finest ring -> slots of `ring`. The sums stay the same."""
    return total((slot * FINEST_SECONDS // ring.seconds, sample) for slot, sample in pieces.items())


def rate(carried: int, sample: Sample) -> float | None:
    """Bits a second of the bytes that a sample carried; None where nothing was observed."""
    return carried * 8000 / sample.observed if sample.observed else None
