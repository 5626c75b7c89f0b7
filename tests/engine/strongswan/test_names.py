"""Names tell what a thing is and from which configuration it was made, and nothing of a secret."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.ike import fingerprints

GATEWAY = "12345678-9abc-def0-1234-56789abcdef0"


def test_names_fit_into_what_linux_allows():
    assert names.namespace(GATEWAY) == "lb-123456789abc"
    assert len(names.uplink_peer(GATEWAY)) < 16
    assert len(names.vpc_link_peer(GATEWAY)) < 16
    assert names.uplink_peer(GATEWAY) != names.vpc_link_peer(GATEWAY)


def test_a_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprints.fingerprint(b"k", {"a": 1, "b": 2}) == fingerprints.fingerprint(b"k", {"b": 2, "a": 1})


def test_a_fingerprint_depends_on_the_key():
    assert fingerprints.fingerprint(b"one", "same") != fingerprints.fingerprint(b"two", "same")


@given(psk=st.text(min_size=8, max_size=128), other=st.text(min_size=8, max_size=128))
def test_a_secrets_name_reveals_nothing_but_whether_it_is_the_same(psk: str, other: str):
    owners = ["203.0.113.10", "198.51.100.2"]
    name = fingerprints.secret("c", specs.KEY, owners, model.Secret(psk))
    assert psk not in name
    assert (name == fingerprints.secret("c", specs.KEY, owners, model.Secret(other))) == (psk == other)


def test_a_childs_name_is_read_back():
    child = fingerprints.Child(str(uuid.uuid4()), "3", "a" * 12, "b" * 12)
    assert fingerprints.parse_child(str(child)) == child
    assert fingerprints.owner(str(child)) == child.connection_id


def test_a_foreign_name_is_no_child():
    assert fingerprints.parse_child("home") is None
