"""Counts the traffic of connections over rekeys. Pure."""

import dataclasses
from datetime import datetime

from landbridge import model


def count(
    before: model.ConnectionObservation | None,
    now: model.ConnectionObservation,
    at: datetime,
    last_look: datetime | None = None,
) -> model.ConnectionObservation:
    """The observation `now` of the time `at`, with its traffic. `before`: the observation of the last look; None for a connection that the
    last look did not have. All bytes and packets of a new SA count as carried since the last look.
    """
    known = {} if before is None else {child.spi_in: child for child in before.children}
    total = model.Traffic() if before is None else before.traffic
    selectors = {(child.local_ts, child.remote_ts) for child in known.values()}
    for child in now.children:
        last = known.get(child.spi_in)
        packets_in = child.packets_in - (last.packets_in if last else 0)
        total = model.Traffic(
            bytes_in=total.bytes_in + child.bytes_in - (last.bytes_in if last else 0),
            bytes_out=total.bytes_out + child.bytes_out - (last.bytes_out if last else 0),
            packets_in=total.packets_in + packets_in,
            packets_out=total.packets_out + child.packets_out - (last.packets_out if last else 0),
            rekeys=total.rekeys + (last is None and (child.local_ts, child.remote_ts) in selectors),
            received_at=at if packets_in else total.received_at,
        )
    one_way = None if before is None or not now.children else _one_way(before, total, last_look or at, at)
    return dataclasses.replace(now, traffic=total, one_way=one_way)


def _one_way(
    before: model.ConnectionObservation, total: model.Traffic, last_look: datetime, look: datetime
) -> model.OneWay | None:
    """A look that finds no new packets changes nothing."""
    packets_in = total.packets_in - before.traffic.packets_in
    packets_out = total.packets_out - before.traffic.packets_out
    if packets_in and packets_out:
        return None
    known = before.one_way
    if not packets_in and not packets_out:
        return known
    now = model.OneWay(
        direction="in" if packets_in else "out", packets=packets_in or packets_out, since=last_look, until=look
    )
    if known is None or known.direction != now.direction:
        return now
    return dataclasses.replace(known, packets=known.packets + now.packets, until=look)
