"""What charon says of its SAs, read from the answers of VICI."""

import pytest

from landbridge.engine.strongswan.ike import state


@pytest.mark.parametrize(
    ("said", "read"),
    [
        pytest.param({}, None, id="no packet"),
        pytest.param({"use-out": b"7"}, 7, id="seven seconds ago"),
        pytest.param({"use-out": str((1 << 64) - 1).encode()}, 0, id="later than charon's clock"),
    ],
)
def test_when_the_last_packet_was_is_read_although_two_clocks_are_compared(said: dict[str, bytes], read: int | None):
    child = {"name": b"c.0.a.b", "uniqueid": b"1", "state": b"INSTALLED", **said}
    [sa] = state.parse_sas([{"c": {"uniqueid": b"1", "child-sas": {"c-1": child}}}])
    assert [one.unused_seconds for one in sa.children] == [read]
