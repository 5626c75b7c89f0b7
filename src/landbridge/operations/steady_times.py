"""Keeps the times of a CHILD_SA from observation to observation, so that the observation of an unchanged tunnel is equal to the one before. Pure.

An engine that counts whole seconds since an event finds the event a second or two earlier or later at the next observation.
"""

import dataclasses
from datetime import datetime, timedelta

from landbridge import model

#: Times that differ by at most this much count as equal.
ROUNDING = timedelta(seconds=2)
_TIMES = ("installed_at", "last_in_at", "last_out_at")


def keep(before: model.ConnectionObservation | None, now: model.ConnectionObservation) -> model.ConnectionObservation:
    """The observation `now` with the times that the observation `before` has for the same CHILD_SAs."""
    if before is None:
        return now
    known = {child.spi_in: child for child in before.children}
    children = tuple(_kept(known.get(child.spi_in, child), child) for child in now.children)
    return now if children == now.children else dataclasses.replace(now, children=children)


def _kept(before: model.ChildSa, now: model.ChildSa) -> model.ChildSa:
    times = ((name, getattr(before, name), getattr(now, name)) for name in _TIMES)
    kept = {name: old for name, old, new in times if old != new and _is_same(old, new)}
    return dataclasses.replace(now, **kept) if kept else now


def _is_same(old: datetime | None, new: datetime | None) -> bool:
    return old is not None and new is not None and abs(old - new) <= ROUNDING
