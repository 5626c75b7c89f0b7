"""How charon's packets are read: as the library reads them, and nothing that is broken passes for an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vici.protocol import FiniteStream, Message

from landbridge.engine.strongswan.ike import vici_protocol

names = st.text(min_size=1, max_size=20)
values = st.binary(max_size=300)
messages = st.recursive(
    st.dictionaries(names, values | st.lists(values, max_size=3), max_size=4),
    lambda inner: st.dictionaries(names, values | inner, max_size=4),
)


@given(messages)
def test_a_message_is_read_as_the_library_reads_it(message: dict[str, Any]):
    packet = Message.serialize(message)
    assert vici_protocol.parse(b"\x01" + packet, 1) == message == Message.deserialize(FiniteStream(packet))


@given(message=messages, short=st.integers(min_value=1))
def test_a_message_that_ends_early_is_an_error(message: dict[str, Any], short: int):
    packet = Message.serialize({"whole": {"section": message}})
    with pytest.raises(vici_protocol.PROTOCOL_ERRORS):
        vici_protocol.parse(packet[: -1 - short % (len(packet) - 1)])
