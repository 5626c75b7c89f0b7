"""What connections carry, counted over the SAs that come and go."""

import dataclasses

from landbridge import model


def count(before: model.ConnectionObservation | None, now: model.ConnectionObservation) -> model.ConnectionObservation:
    """`now` with its traffic. `before`: the observation before; None for a connection that was not there. An SA that was not there has
    carried all that it counts since.
    """
    known = {} if before is None else {child.spi_in: child for child in before.children}
    total = model.Traffic() if before is None else before.traffic
    selectors = {(child.local_ts, child.remote_ts) for child in known.values()}
    for child in now.children:
        last = known.get(child.spi_in)
        total = model.Traffic(
            bytes_in=total.bytes_in + child.bytes_in - (last.bytes_in if last else 0),
            bytes_out=total.bytes_out + child.bytes_out - (last.bytes_out if last else 0),
            packets_in=total.packets_in + child.packets_in - (last.packets_in if last else 0),
            packets_out=total.packets_out + child.packets_out - (last.packets_out if last else 0),
            rekeys=total.rekeys + (last is None and (child.local_ts, child.remote_ts) in selectors),
        )
    return dataclasses.replace(now, traffic=total)
