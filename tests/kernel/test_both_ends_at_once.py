"""Both ends begin, rekey and end SAs in the same moment, on a kernel with ESP. The properties of the test suite have the measured times."""

from collections.abc import Callable

import pytest

from lab import both_ends

#: On a busy host, one test took 435 seconds.
pytestmark = [pytest.mark.tunnel, pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_both_ends_have_the_same_sas_afterwards(version: str, record_testsuite_property: Callable[[str, object], None]):
    with both_ends.running(version, in_kernel=True) as ends:
        for moment in ends.moments:
            took = ends.at_once(moment)
            assert ends.carries()
            record_testsuite_property(f"{version}, {moment}", f"{took:.1f} s")


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_both_ends_have_the_same_sas_after_each_outage(version: str):
    with both_ends.running(version, in_kernel=True) as ends:
        for _ in range(4):
            ends.outage()
            assert ends.carries()
