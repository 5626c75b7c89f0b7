"""Hosts send through a tunnel while lifetimes of its SAs end, on a kernel with ESP, and no packet is lost. The properties of the test suite have the numbers.

The kernel says when a CHILD_SA has carried its bytes or packets. The API has lifetimes in seconds alone, so it is the device that rekeys by volume.
"""

import time
from collections.abc import Callable

import pytest

from lab import both_ends, sites

pytestmark = [pytest.mark.tunnel, pytest.mark.long, pytest.mark.timeout(1200)]

#: Seconds, of the IKE policy and of the IPsec policy: a rekey has the last tenth, and takes seconds in this machine.
LIFETIMES = (240, 120)
#: Pings a second, of 84 bytes each in one direction.
RATE = 20
LANS = len(both_ends.LANS)


@pytest.mark.parametrize(
    ("rekeys", "ike_sas", "child_sas"),
    [
        pytest.param({"rekey_bytes": 20_000}, 1, LANS + 3, id="bytes"),
        pytest.param({"rekey_packets": 250}, 1, LANS + 3, id="packets"),
        pytest.param({}, 2, 3 * LANS, id="seconds-the gateway rekeys"),
        pytest.param({"rekey": 108}, 2, 3 * LANS, id="seconds-both ends rekey"),
    ],
)
def test_no_packet_is_lost_while_lifetimes_end(
    rekeys: dict[str, int],
    ike_sas: int,
    child_sas: int,
    request: pytest.FixtureRequest,
    record_testsuite_property: Callable[[str, object], None],
):
    """By seconds, each CHILD_SA is replaced twice and the IKE_SA once; by volume, the CHILD_SA that carries the pings is replaced three times."""
    lifetimes = LIFETIMES if ike_sas > 1 else (86400, 3600)
    with both_ends.running("v2", in_kernel=True, lifetimes=lifetimes, **rekeys) as ends:
        sites.wait_for(ends.carries, "answers of a host in each LAN")
        pings = ends.ping_while_replaced(ike_sas=ike_sas, child_sas=child_sas, seconds=600, rate=RATE)
        record_testsuite_property(
            f"lifetimes end, {request.node.callspec.id}", f"{len(pings.lost)} of {max(pings.answered)} pings lost"
        )
        assert len(pings.answered) > 200
        assert not pings.lost
        ends.settle(time.monotonic())
