"""What is known of a refusal that charon does not read."""

from datetime import UTC, datetime

import pytest

from landbridge.engine.strongswan.ike import facts
from landbridge.model import negotiation

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUEING = "queueing INFORMATIONAL_V1 request as tasks still active"


@pytest.mark.parametrize(("size", "data"), [(40, "plain"), (56, "plain"), (92, "encrypted"), (108, "encrypted")])
def test_the_size_of_an_unread_refusal_tells_whether_it_is_encrypted(size: int, data: str):
    reader = facts.Reader()
    reader.read(AT, f"received packet: from 198.51.100.2[500] to 203.0.113.10[500] ({size} bytes)")
    fact = reader.read(AT, QUEUEING)
    assert isinstance(fact, negotiation.Refusal)
    assert (fact.sender, fact.notify, fact.data) == ("device", "UNREAD", data)


def test_of_an_sa_that_is_up_it_is_no_refusal():
    reader = facts.Reader()
    reader.is_up = True
    assert reader.read(AT, QUEUEING) is None
