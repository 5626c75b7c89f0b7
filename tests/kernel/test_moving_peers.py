"""A device behind a NAT that gives it another outer port or address while traffic flows in both directions, on a kernel with ESP.

The kernel tells charon that ESP comes from elsewhere. The properties of the test suite (junit.xml) have the measured times.
"""

from collections.abc import Callable

import pytest

from lab import moving

pytestmark = pytest.mark.tunnel


@pytest.mark.parametrize("version", ["v2", pytest.param("v1", marks=pytest.mark.long)])
def test_a_tunnel_follows_its_device(version: str, record_testsuite_property: Callable[[str, object], None]):
    silences = list(moving.moves(version, in_kernel=True, dpd=3600))
    record_testsuite_property(
        f"a device behind a NAT moves, {version}",
        "another port, another address, both: " + ", ".join(f"{silence:.2f}" for silence in silences) + " s",
    )
