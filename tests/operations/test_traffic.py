"""A connection's counters go on where an SA takes the place of another one."""

from landbridge import model
from landbridge.operations import traffic

ONE, OTHER = ("10.0.0.0/24", "192.168.1.0/24"), ("10.0.0.0/24", "192.168.2.0/24")


def _child(spi: str, number: int, selectors: tuple[str, str] = ONE) -> model.ChildSa:
    return model.ChildSa(
        rule="0",
        local_ts=selectors[:1],
        remote_ts=selectors[1:],
        spi_in=spi,
        spi_out=spi,
        proposal="x",
        bytes_in=number,
        bytes_out=2 * number,
        packets_in=3 * number,
        packets_out=4 * number,
        installed_seconds=1,
    )


def _seen(*children: model.ChildSa) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id="c", children=children)


def _total(number: int, rekeys: int = 0) -> model.Traffic:
    return model.Traffic(
        bytes_in=number, bytes_out=2 * number, packets_in=3 * number, packets_out=4 * number, rekeys=rekeys
    )


def test_counters_go_on_over_rekeys_new_selectors_and_a_time_down():
    seen = traffic.count(None, _seen(_child("1", 10)))
    assert seen.traffic == _total(10)
    seen = traffic.count(seen, _seen(_child("1", 15)))
    assert seen.traffic == _total(15)
    seen = traffic.count(seen, _seen(_child("2", 4), _child("3", 1, OTHER)))
    assert seen.traffic == _total(20, rekeys=1)
    seen = traffic.count(seen, _seen())
    assert seen.traffic == _total(20, rekeys=1)
    seen = traffic.count(seen, _seen(_child("4", 5)))
    assert seen.traffic == _total(25, rekeys=1)


def test_the_first_look_after_a_start_counts_nothing():
    """What the SA carried before is not carried now: a rate would jump."""
    first = _seen(_child("1", 1000))
    assert traffic.count(first, first).traffic == _total(0)
