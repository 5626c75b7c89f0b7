"""Counts the traffic of connections over rekeys. Pure."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.operations import steady_times

#: Traffic selectors of a CHILD_SA: ours, and those of the device.
Pair = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True)
class _Packets:
    """The packets of a pair since the last observation."""

    came: int = 0
    went: int = 0


def count(
    before: model.ConnectionObservation | None,
    now: model.ConnectionObservation,
    at: datetime,
    last_seen_at: datetime | None = None,
) -> model.ConnectionObservation:
    """The observation `now` of the time `at`, with its traffic. `before`: that of the last report; None for a connection that the
    last observation did not have. All bytes and packets of an SA that was installed since the last observation count as carried since then. An older one that
    the last observation did not see was counted before: only what it carries from now on counts.
    """
    known = {} if before is None else {child.spi_in: child for child in before.children}
    total = model.Traffic() if before is None else before.traffic
    selectors = {(child.local_ts, child.remote_ts) for child in known.values()}
    passed: defaultdict[Pair, _Packets] = defaultdict(_Packets)
    for child in now.children:
        missed = child if before is not None and _is_older(child, last_seen_at) else None
        last = known.get(child.spi_in, missed)
        packets_in = child.packets_in - (last.packets_in if last else 0)
        packets_out = child.packets_out - (last.packets_out if last else 0)
        pair = passed[child.local_ts, child.remote_ts]
        pair.came += packets_in
        pair.went += packets_out
        total = model.Traffic(
            bytes_in=total.bytes_in + child.bytes_in - (last.bytes_in if last else 0),
            bytes_out=total.bytes_out + child.bytes_out - (last.bytes_out if last else 0),
            packets_in=total.packets_in + packets_in,
            packets_out=total.packets_out + packets_out,
            rekeys=total.rekeys + (last is None and (child.local_ts, child.remote_ts) in selectors),
            received_at=at if packets_in else total.received_at,
        )
    pairs = () if before is None else tuple(_one_ways(before, passed, last_seen_at or at, at))
    return dataclasses.replace(now, traffic=total, one_way_pairs=pairs)


def _is_older(child: model.ChildSa, seen_at: datetime | None) -> bool:
    """Whether the SA was installed before the observation."""
    return seen_at is not None and child.installed_at < seen_at - steady_times.ROUNDING


def _one_ways(
    before: model.ConnectionObservation, passed: Mapping[Pair, _Packets], last_seen_at: datetime, seen_at: datetime
) -> Iterator[model.OneWay]:
    """A pair with answers does not hide a pair without answers. An observation that finds no new packets of a pair changes nothing."""
    known = {(pair.local_ts, pair.remote_ts): pair for pair in before.one_way_pairs}
    for pair, packets in passed.items():
        last = known.get(pair)
        if packets.came and packets.went:
            continue
        if packets.came or packets.went:
            yield _longer(last, pair, packets, last_seen_at, seen_at)
        elif last is not None:
            yield last


def _longer(
    known: model.OneWay | None, pair: Pair, packets: _Packets, last_seen_at: datetime, seen_at: datetime
) -> model.OneWay:
    local, remote = pair
    now = model.OneWay(
        direction="in" if packets.came else "out",
        local_ts=local,
        remote_ts=remote,
        packets=packets.came or packets.went,
        since=last_seen_at,
        until=seen_at,
    )
    if known is None or known.direction != now.direction:
        return now
    return dataclasses.replace(known, packets=known.packets + now.packets, until=seen_at)
