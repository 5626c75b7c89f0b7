"""Both ends act in the same moment. `tests/kernel/test_both_ends_at_once.py` has all moments, several times."""

import pytest

from lab import both_ends

pytestmark = pytest.mark.tunnel


@pytest.mark.parametrize(
    ("version", "moment"),
    [
        pytest.param("v2", "both end it and initiate", id="v2, two IKE_SAs"),
        pytest.param("v2", both_ends.ALL, id="v2, rekeys"),
    ],
)
def test_both_ends_have_the_same_sas_afterwards(version: str, moment: str):
    with both_ends.running(version) as ends:
        ends.at_once(moment)
        assert ends.carries()


def test_each_pair_of_ikev1_carries_after_each_outage():
    """charon's own restart of the CHILD_SAs gave two of them one reqid, and one pair the packets of both."""
    with both_ends.running("v1") as ends:
        for _ in range(2):
            ends.outage()
            assert ends.carries()
