"""What connections carry, counted over the SAs that come and go."""

import dataclasses
from datetime import datetime

from landbridge import model


def count(
    before: model.ConnectionObservation | None, now: model.ConnectionObservation, at: datetime
) -> model.ConnectionObservation:
    """`now`, a look of the time `at`, with its traffic. `before`: the look before; None for a connection that was not there. An SA that
    was not there has carried since then all that it counts.
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
    return dataclasses.replace(now, traffic=total)
