"""What is known of a refusal that charon does not read, and of a packet that its sender could not send."""

from datetime import UTC, datetime

import pytest

from landbridge.engine.strongswan.ike import attempts, facts
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


def test_a_packet_that_was_not_sent_is_of_the_sa_that_sent_last():
    log = attempts.AttemptLog()
    for unique_id, address in (("1", "198.51.100.2"), ("2", "198.51.100.3")):
        log.add(AT, "c" + unique_id, unique_id, f"initiating IKE_SA c{unique_id}[{unique_id}] to {address}")
        log.add(AT, None, unique_id, f"sending packet: from 203.0.113.10[500] to {address}[500] (592 bytes)")
    assert log.add(AT, None, None, "error writing to socket: Operation not permitted")
    found = {name: [fact.kind for one in told for fact in one.facts] for name, told in log.attempts().items()}
    assert found == {"c1": ["packet"], "c2": ["packet", "not_sent"]}
