"""A device behind a NAT that gives it another outer port or address while traffic flows in both directions, on the userland data plane.

There the gateway sees the change in the device's next message of IKE alone, and not in ESP. The tests in tests/kernel have the other data plane.
"""

import pytest

from lab import moving

pytestmark = pytest.mark.tunnel


@pytest.mark.parametrize("version", moving.EXCHANGES)
def test_a_tunnel_follows_its_device_with_the_next_message_of_ike(version: str):
    for _ in moving.moves(version, in_kernel=False, dpd=3):
        pass
